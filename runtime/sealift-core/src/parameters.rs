//! Arguments of a Function to parameters of its component.
//!
//! A Function is written with arguments (`--key-prefix=x`), as today's container is; a
//! component has parameters (`keyPrefix`), declared in its descriptor as JSON Schema. This
//! module joins the two, checks names, types and bounds, and fills in defaults, so that the
//! plan holds every parameter. Values stay text; the host hands them over typed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::names::{camel_case, kebab_case};
use crate::schema::{Schema, ValueError};
use crate::substitution::Variables;

/// Flags that an image of the original knew and the component has no use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Legacy {
    /// Accepted and dropped: the host does their work.
    pub ignored: &'static [&'static str],
    /// Accepted; a value other than empty is worth a note.
    pub without_effect: &'static [&'static str],
}

/// What the arguments of a Function mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Value by name; every parameter that has a value or a default.
    pub values: BTreeMap<String, String>,
    /// Flags that were given and have no effect.
    pub without_effect: Vec<String>,
}

/// What is wrong with one argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Not of the form `--name=value`.
    #[error("argument {position} ({argument:?}) is not of the form --name=value")]
    Form {
        /// Index in `spec.args`.
        position: usize,
        /// The argument, cut.
        argument: String,
    },
    /// The component has no such parameter.
    #[error("unknown parameter {name}; {valid}")]
    Unknown {
        /// As it was written.
        name: String,
        /// The valid ones, in words.
        valid: String,
    },
    /// The same parameter twice.
    #[error("parameter {0} is given twice")]
    Twice(String),
    /// A flag without a value where one is needed.
    #[error("parameter {0} has no value")]
    NoValue(String),
    /// The value does not fit the schema.
    #[error("parameter {name} is wrong")]
    Value {
        /// The parameter.
        name: String,
        /// In what way.
        #[source]
        source: ValueError,
    },
    /// A parameter without value and default that the component needs.
    #[error("parameter {0} is required")]
    Required(String),
    /// The component's descriptor is at fault.
    #[error("the descriptor of the component declares its parameters wrongly")]
    Schema(#[source] crate::schema::SchemaError),
}

/// Joins arguments and schema.
///
/// With `legacy` the arguments are those of an image of the original: their first one is the
/// command, and parameters the original did not have are taken from `params` of the same name.
///
/// # Errors
/// All that is wrong, at least one.
pub fn from_arguments(
    args: &[String],
    schema: &Value,
    legacy: Option<&Legacy>,
    params: &Variables,
) -> Result<Parameters, Vec<ParameterError>> {
    let schema = Schema::parse(schema).map_err(|source| vec![ParameterError::Schema(source)])?;
    let mut reading = Reading {
        schema: &schema,
        legacy,
        given: BTreeMap::new(),
        without_effect: Vec::new(),
        errors: Vec::new(),
    };
    reading.arguments(args);
    if legacy.is_some() {
        for (name, value) in params {
            if schema.property(name).is_some() && !reading.given.contains_key(name) {
                reading.given.insert(name.clone(), value.clone());
            }
        }
    }
    reading.finish()
}

struct Reading<'a> {
    schema: &'a Schema,
    legacy: Option<&'a Legacy>,
    given: BTreeMap<String, String>,
    without_effect: Vec<String>,
    errors: Vec<ParameterError>,
}

impl Reading<'_> {
    fn arguments(&mut self, args: &[String]) {
        let first = usize::from(self.legacy.is_some());
        let mut rest = args.iter().enumerate().skip(first).peekable();
        while let Some((position, argument)) = rest.next() {
            let Some(flag) = argument.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
                self.errors.push(ParameterError::Form {
                    position,
                    argument: argument.chars().take(40).collect(),
                });
                continue;
            };
            let (flag, mut value) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (flag, None),
            };
            let name = camel_case(flag);
            let switch = self.schema.property(&name).is_some_and(|property| property.is_boolean());
            if value.is_none() && switch {
                value = Some("true".to_owned());
            }
            if value.is_none() {
                value =
                    rest.next_if(|(_, next)| !next.starts_with("--")).map(|(_, next)| next.clone());
            }
            self.flag(flag, name, value);
        }
    }

    fn flag(&mut self, flag: &str, name: String, value: Option<String>) {
        let listed = |flags: &[&str]| flags.contains(&flag);
        if self.schema.property(&name).is_none() || kebab_case(&name) != flag {
            match self.legacy {
                Some(legacy) if listed(legacy.ignored) => {}
                Some(legacy) if listed(legacy.without_effect) => {
                    if value.is_some_and(|value| !value.is_empty()) {
                        self.without_effect.push(format!("--{flag}"));
                    }
                }
                _ => self.errors.push(ParameterError::Unknown {
                    name: format!("--{}", flag.chars().take(40).collect::<String>()),
                    valid: self.schema.valid_arguments(),
                }),
            }
            return;
        }
        let Some(value) = value else {
            self.errors.push(ParameterError::NoValue(name));
            return;
        };
        let list = self.schema.property(&name).is_some_and(|property| property.is_list());
        match self.given.get_mut(&name) {
            // A list may be given in pieces, as the flags of the original may.
            Some(before) if list => {
                before.push(',');
                before.push_str(&value);
            }
            Some(_) => self.errors.push(ParameterError::Twice(name)),
            None => {
                self.given.insert(name, value);
            }
        }
    }

    fn finish(mut self) -> Result<Parameters, Vec<ParameterError>> {
        let mut values = BTreeMap::new();
        let names: BTreeSet<&String> = self.schema.names().collect();
        for name in names {
            let Some(property) = self.schema.property(name) else { continue };
            match self.given.get(name) {
                // An empty value of a number or a switch means: nobody set it.
                Some(value) if !value.is_empty() || property.is_text() => {
                    match property.check(value) {
                        Ok(()) => {
                            values.insert(name.clone(), value.clone());
                        }
                        Err(source) => {
                            self.errors.push(ParameterError::Value { name: name.clone(), source })
                        }
                    }
                }
                _ => match property.default_text() {
                    Some(default) => {
                        values.insert(name.clone(), default);
                    }
                    None if self.schema.is_required(name) => {
                        self.errors.push(ParameterError::Required(name.clone()));
                    }
                    None => {}
                },
            }
        }
        match self.errors.is_empty() {
            true => Ok(Parameters { values, without_effect: self.without_effect }),
            false => Err(self.errors),
        }
    }
}

#[cfg(test)]
mod tests;
