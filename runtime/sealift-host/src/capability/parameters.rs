//! Interface `parameters`: values of the plan, typed and completed by the component's descriptor.
//!
//! Values arrive as text and are checked against the descriptor's JSON Schema before the
//! Function starts: an unknown name, a wrong type or a missing value never reaches it. Of JSON
//! Schema `type`, `enum`, `minimum`, `maximum`, `default` and `required` count.

use std::collections::BTreeMap;

use sealift_bindings::v0_1_0::{Failure, parameters};
use serde_json::Value;
use wasmtime::component::{HasData, Linker};

use super::errors_host;
use crate::error::FunctionError;
use crate::state::State;
use crate::text;

/// The checked values of one stage, defaults included.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Parameters {
    values: BTreeMap<String, Value>,
    known: Vec<String>,
}

impl Parameters {
    /// Checks the given texts against the schema.
    ///
    /// # Errors
    /// The first wrong one, by name.
    pub(crate) fn resolve(
        schema: &Value,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, FunctionError> {
        let empty = serde_json::Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let known: Vec<String> = properties.keys().cloned().collect();
        let mut values = BTreeMap::new();
        for (name, text) in given {
            let Some(property) = properties.get(name) else {
                let valid = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(wrong(
                    name,
                    format!("is unknown to this function; valid are: {valid}"),
                ));
            };
            let value = typed(property, text).map_err(|message| wrong(name, message))?;
            check(property, &value).map_err(|message| wrong(name, message))?;
            values.insert(name.clone(), value);
        }
        for (name, property) in properties {
            if let (false, Some(default)) = (values.contains_key(name), property.get("default")) {
                values.insert(name.clone(), default.clone());
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !values.contains_key(name) {
                return Err(wrong(name, "is required and has no value".to_owned()));
            }
        }
        Ok(Self { values, known })
    }

    fn value(&self, name: &str) -> Result<Option<&Value>, FunctionError> {
        match self.values.get(name) {
            Some(value) => Ok(Some(value)),
            None if self.known.iter().any(|known| known == name) => Ok(None),
            None => Err(FunctionError::InvalidState(format!(
                "parameter {} is not in the descriptor of this component",
                text::clean(name, 128)
            ))),
        }
    }
}

fn wrong(name: &str, message: String) -> FunctionError {
    FunctionError::InvalidParameter { field: format!("/{name}"), message }
}

/// The text as the type the schema names. A list is written as a JSON array or with commas.
fn typed(property: &Value, given: &str) -> Result<Value, String> {
    let shown = text::clean(given, 64);
    match property.get("type").and_then(Value::as_str).unwrap_or("string") {
        "string" => Ok(Value::from(given)),
        "integer" => given
            .trim()
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| format!("must be a whole number, not {shown:?}")),
        "number" => given
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::from)
            .ok_or_else(|| format!("must be a number, not {shown:?}")),
        "boolean" => match given.trim() {
            "true" => Ok(Value::from(true)),
            "false" => Ok(Value::from(false)),
            _ => Err(format!("must be true or false, not {shown:?}")),
        },
        "array" if given.trim_start().starts_with('[') => {
            serde_json::from_str::<Vec<String>>(given).map(Value::from).map_err(|_| {
                "must be a JSON array of texts, or texts with commas between".to_owned()
            })
        }
        "array" => Ok(given
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect::<Vec<_>>()
            .into()),
        other => Err(format!("has type {other:?} in the descriptor, which no parameter can have")),
    }
}

fn check(property: &Value, value: &Value) -> Result<(), String> {
    if let Some(valid) = property.get("enum").and_then(Value::as_array)
        && !valid.contains(value)
    {
        let valid: Vec<String> = valid.iter().map(plain).collect();
        return Err(format!("must be one of: {}", valid.join(", ")));
    }
    if let Some(number) = value.as_f64() {
        if let Some(least) =
            property.get("minimum").and_then(Value::as_f64).filter(|least| number < *least)
        {
            return Err(format!("must be at least {least}"));
        }
        if let Some(most) =
            property.get("maximum").and_then(Value::as_f64).filter(|most| number > *most)
        {
            return Err(format!("must be at most {most}"));
        }
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Borrows what this interface needs.
pub(crate) struct View<'a>(&'a Parameters);

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    parameters::add_to_linker::<_, Marker>(linker, |state| View(&state.parameters))
}

errors_host!(View<'_>);

impl View<'_> {
    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        match self.0.value(name)? {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(FunctionError::InvalidState(format!(
                    "parameter {name} is not {wanted} in the descriptor of this component"
                ))
                .into()),
            },
        }
    }
}

impl parameters::Host for View<'_> {
    async fn text(&mut self, name: String) -> Result<Option<String>, Failure> {
        self.read(&name, "a text", |value| Some(plain(value)))
    }

    async fn integer(&mut self, name: String) -> Result<Option<i64>, Failure> {
        self.read(&name, "a whole number", Value::as_i64)
    }

    async fn boolean(&mut self, name: String) -> Result<Option<bool>, Failure> {
        self.read(&name, "a boolean", Value::as_bool)
    }

    async fn items(&mut self, name: String) -> Result<Option<Vec<String>>, Failure> {
        self.read(&name, "a list", |value| {
            value.as_array().map(|items| items.iter().map(plain).collect())
        })
    }

    async fn json(&mut self) -> wasmtime::Result<String> {
        Ok(serde_json::to_string(&self.0.values)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "required": ["must"], "properties": {
            "must": {"type": "string"},
            "wait": {"type": "integer", "default": 300, "minimum": 1, "maximum": 3600},
            "force": {"type": "boolean", "default": false},
            "mode": {"type": "string", "enum": ["include", "omit"], "default": "include"},
            "labels": {"type": "array", "items": {"type": "string"}},
        }})
    }

    fn resolve(given: &[(&str, &str)]) -> Result<Parameters, FunctionError> {
        let given =
            given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Parameters::resolve(&schema(), &given)
    }

    #[test]
    fn texts_become_values_and_defaults_fill_the_rest() {
        let parameters = resolve(&[("must", "x"), ("wait", "7"), ("labels", "a=1, b=2,")]).unwrap();
        assert_eq!(
            serde_json::to_value(&parameters.values).unwrap(),
            json!({"must": "x", "wait": 7, "force": false, "mode": "include", "labels": ["a=1", "b=2"]})
        );
        let list = resolve(&[("must", "x"), ("labels", "[\"a,b\"]")]).unwrap();
        assert_eq!(list.values.get("labels").unwrap(), &json!(["a,b"]));
    }

    #[test]
    fn every_mistake_names_the_parameter_and_what_is_valid() {
        for (given, field, words) in [
            (vec![("must", "x"), ("wat", "1")], "/wat", "valid are: "),
            (vec![], "/must", "required"),
            (vec![("must", "x"), ("wait", "soon")], "/wait", "whole number"),
            (vec![("must", "x"), ("wait", "0")], "/wait", "at least 1"),
            (vec![("must", "x"), ("wait", "3601")], "/wait", "at most 3600"),
            (vec![("must", "x"), ("force", "yes")], "/force", "true or false"),
            (vec![("must", "x"), ("mode", "all")], "/mode", "include, omit"),
            (vec![("must", "x"), ("labels", "[1]")], "/labels", "JSON array"),
        ] {
            let error = resolve(&given).unwrap_err();
            let FunctionError::InvalidParameter { field: found, message } = &error else {
                unreachable!("{error:?}")
            };
            assert!(found == field && message.contains(words), "{error}");
        }
    }

    #[test]
    fn a_parameter_without_a_value_is_none_and_one_that_is_not_there_an_error() {
        let schema = json!({"properties": {"given": {}, "left-out": {}}});
        let given = BTreeMap::from([("given".to_owned(), "text".to_owned())]);
        let parameters = Parameters::resolve(&schema, &given).unwrap();
        assert_eq!(parameters.value("given").unwrap(), Some(&Value::from("text")));
        assert_eq!(parameters.value("left-out").unwrap(), None);
        let error = parameters.value("leftout").unwrap_err();
        assert!(error.to_string().contains("leftout is not in the descriptor"), "{error}");
    }
}
