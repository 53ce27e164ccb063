//! The part of JSON Schema that parameters of a component may use.
//!
//! An object with `properties`; each has a `type` (`string`, `integer`, `boolean`, or `array`
//! of strings), a `description`, a `default`, and may have `enum`, `minimum`, `maximum`.
//! Anything nested has no place in arguments. A secret has none either: parameters stand in
//! plans, snapshots and logs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::names::kebab_case;

/// Parameters of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    properties: BTreeMap<String, Property>,
    required: Vec<String>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    kind: ValueType,
    default: Option<Value>,
    choices: Vec<String>,
    minimum: Option<i64>,
    maximum: Option<i64>,
}

/// Type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueType {
    Text,
    Integer,
    Boolean,
    List,
}

/// Why a schema is refused; this is the fault of the component's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not an object with properties.
    #[error("the schema is not an object with `properties`")]
    Form,
    /// A property of another type.
    #[error("parameter {name} has type {found}; valid are string, integer, boolean, array")]
    Type {
        /// The parameter.
        name: String,
        /// What is written there.
        found: String,
    },
    /// A parameter that is marked as secret.
    #[error(
        "parameter {0} is marked as secret: parameters stand in plans and logs, secrets are used through the host"
    )]
    Secret(String),
    /// The default is not a valid value.
    #[error("the default of parameter {0} does not fit its type")]
    Default(String),
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a whole number.
    #[error("{0:?} is not a whole number")]
    Integer(String),
    /// Neither true nor false.
    #[error("{0:?} is neither true nor false")]
    Boolean(String),
    /// Not among the choices.
    #[error("{value:?} is not one of {}", choices.join(", "))]
    Choice {
        /// The value, cut.
        value: String,
        /// The valid ones.
        choices: Vec<String>,
    },
    /// Too small.
    #[error("{value} is less than {minimum}")]
    Small {
        /// The value.
        value: i64,
        /// The least.
        minimum: i64,
    },
    /// Too large.
    #[error("{value} is more than {maximum}")]
    Large {
        /// The value.
        value: i64,
        /// The most.
        maximum: i64,
    },
    /// A control character.
    #[error("it holds a control character")]
    Control,
}

impl Schema {
    /// Reads a descriptor's `parameters`.
    ///
    /// # Errors
    /// What a component's author has to mend.
    pub fn parse(schema: &Value) -> Result<Self, SchemaError> {
        let object = schema.as_object().ok_or(SchemaError::Form)?;
        let empty = serde_json::Map::new();
        let declared = match object.get("properties") {
            Some(properties) => properties.as_object().ok_or(SchemaError::Form)?,
            None => &empty,
        };
        let mut properties = BTreeMap::new();
        for (name, property) in declared {
            properties.insert(name.clone(), Property::parse(name, property)?);
        }
        let required = object
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        Ok(Self { properties, required })
    }

    /// One parameter.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.get(name)
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.properties.keys()
    }

    /// Whether the component needs a value.
    #[must_use]
    pub fn is_required(&self, name: &str) -> bool {
        self.required.iter().any(|required| required == name)
    }

    /// The valid arguments, for messages.
    #[must_use]
    pub fn valid_arguments(&self) -> String {
        let names: Vec<String> =
            self.names().map(|name| format!("--{}", kebab_case(name))).collect();
        match names.is_empty() {
            true => "it has no parameters".to_owned(),
            false => format!("valid are {}", names.join(", ")),
        }
    }
}

impl Property {
    fn parse(name: &str, property: &Value) -> Result<Self, SchemaError> {
        let flag = |key: &str| property.get(key).and_then(Value::as_bool) == Some(true);
        let format = property.get("format").and_then(Value::as_str);
        if flag("writeOnly") || format == Some("password") {
            return Err(SchemaError::Secret(name.to_owned()));
        }
        let found = property.get("type").and_then(Value::as_str).unwrap_or("none");
        let kind = match found {
            "string" => ValueType::Text,
            "integer" => ValueType::Integer,
            "boolean" => ValueType::Boolean,
            "array" => ValueType::List,
            other => {
                return Err(SchemaError::Type { name: name.to_owned(), found: other.to_owned() });
            }
        };
        let choices = property
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned))
            .collect();
        let property = Self {
            kind,
            default: property.get("default").filter(|default| !default.is_null()).cloned(),
            choices,
            minimum: property.get("minimum").and_then(Value::as_i64),
            maximum: property.get("maximum").and_then(Value::as_i64),
        };
        match (&property.default, property.default_text()) {
            (Some(_), Some(default)) if property.check(&default).is_err() => {
                Err(SchemaError::Default(name.to_owned()))
            }
            (Some(_), None) => Err(SchemaError::Default(name.to_owned())),
            _ => Ok(property),
        }
    }

    /// Whether it is a switch: its argument may stand without a value.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        self.kind == ValueType::Boolean
    }

    /// Whether it is a list: in text separated by commas, or a JSON array of texts.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind == ValueType::List
    }

    /// Whether an empty value is a value.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.kind, ValueType::Text | ValueType::List)
    }

    /// The default, written as a value.
    #[must_use]
    pub fn default_text(&self) -> Option<String> {
        match (self.kind, self.default.as_ref()?) {
            (ValueType::Text, Value::String(text)) => Some(text.clone()),
            (ValueType::Integer, Value::Number(number)) => Some(number.to_string()),
            (ValueType::Boolean, Value::Bool(value)) => Some(value.to_string()),
            (ValueType::List, Value::Array(items)) => {
                let texts = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
                // A comma inside an item would part it: such a list is written as JSON.
                match texts.iter().any(|text| text.contains(',')) {
                    true => serde_json::to_string(&texts).ok(),
                    false => Some(texts.join(",")),
                }
            }
            _ => None,
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn check(&self, value: &str) -> Result<(), ValueError> {
        if value.chars().any(|character| character.is_control() && !"\n\t".contains(character)) {
            return Err(ValueError::Control);
        }
        let cut = || value.chars().take(60).collect::<String>();
        match self.kind {
            ValueType::Integer => {
                let number: i64 = value.parse().map_err(|_| ValueError::Integer(cut()))?;
                match (self.minimum, self.maximum) {
                    (Some(minimum), _) if number < minimum => {
                        return Err(ValueError::Small { value: number, minimum });
                    }
                    (_, Some(maximum)) if number > maximum => {
                        return Err(ValueError::Large { value: number, maximum });
                    }
                    _ => {}
                }
            }
            ValueType::Boolean if value != "true" && value != "false" => {
                return Err(ValueError::Boolean(cut()));
            }
            _ => {}
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice == value) {
            return Err(ValueError::Choice { value: cut(), choices: self.choices.clone() });
        }
        Ok(())
    }
}
