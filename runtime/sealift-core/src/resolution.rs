//! Task and Functions and inputs to steps with every variable replaced.
//!
//! Precedence, low to high: default in the Function's text, the step's params, built-in
//! variables, params of the AppBinding's addon, params of the user. The last three come in as
//! one map, `inputs`. The Task is substituted with the inputs alone, each Function then with
//! its step's params below them; `ADDON_IMAGE` is the Function's own image and nobody can
//! replace it. Only `spec` is substituted, string by string, never names of fields and never
//! metadata. What a step means (component, parameters, grants) is decided elsewhere.

use serde_json::Value;

use crate::names;
use crate::substitution::{SubstitutionError, Variables, substitute};

/// How deep an object may be nested; deeper ones are refused, not followed.
const MAX_DEPTH: usize = 64;

/// A Task as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskText {
    /// Its name.
    pub name: String,
    /// `spec.steps`.
    pub steps: Vec<StepText>,
    /// `spec.volumes`, as JSON.
    pub volumes: Value,
}

/// One step as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepText {
    /// Name of the Function.
    pub function: String,
    /// Its params, in order; of two with the same name the later one counts.
    pub params: Vec<(String, String)>,
}

/// A Task with every variable replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedTask {
    /// The steps in order.
    pub steps: Vec<ResolvedStep>,
    /// `spec.volumes`.
    pub volumes: Value,
}

/// A step with every variable replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedStep {
    /// Name of the Function.
    pub function: String,
    /// The original's container name: `<function, dots to dashes>-<position>`.
    pub container: String,
    /// `image` of the Function.
    pub image: String,
    /// `args` of the Function.
    pub args: Vec<String>,
    /// The step's own params, replaced.
    pub params: Variables,
    /// The whole `spec` of the Function, replaced.
    pub spec: Value,
}

/// Why a step cannot be resolved; `object` and `field` tell where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// A field cannot be substituted.
    #[error("{object}: {field} cannot be resolved")]
    Field {
        /// The Task or the Function.
        object: TextObject,
        /// JSON path, such as `spec.args[3]`.
        field: String,
        /// What is wrong with it.
        #[source]
        source: SubstitutionError,
    },
    /// A step names a Function that is not there.
    #[error("{task}: {field}: no Function {function}")]
    UnknownFunction {
        /// The Task.
        task: TextObject,
        /// JSON path of the name.
        field: String,
        /// The Function.
        function: String,
    },
    /// A field holds something else than text.
    #[error("{object}: {field} is not text")]
    Type {
        /// The Function.
        object: TextObject,
        /// JSON path.
        field: String,
    },
    /// The object is nested too deeply.
    #[error("{object}: {field} is nested more than {MAX_DEPTH} deep")]
    Depth {
        /// The Task or the Function.
        object: TextObject,
        /// JSON path.
        field: String,
    },
}

/// The object a text stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextObject {
    /// A Task, by name.
    Task(String),
    /// A Function, by name.
    Function(String),
}

impl std::fmt::Display for TextObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Task(name) => write!(f, "Task {name}"),
            Self::Function(name) => write!(f, "Function {name}"),
        }
    }
}

/// Resolves a Task. `function` gives the `spec` of a Function by name.
///
/// # Errors
/// All that was found, at least one.
pub fn resolve<'a>(
    task: &TaskText,
    function: impl Fn(&str) -> Option<&'a Value>,
    inputs: &Variables,
) -> Result<ResolvedTask, Vec<ResolutionError>> {
    let object = TextObject::Task(task.name.clone());
    let mut errors = Vec::new();
    let mut steps = Vec::new();
    for (position, step) in task.steps.iter().enumerate() {
        match task_step(&object, position, step, inputs) {
            Ok((name, params)) => match function(&name) {
                Some(spec) => match resolve_step(&name, position, spec, params, inputs) {
                    Ok(step) => steps.push(step),
                    Err(more) => errors.extend(more),
                },
                None => errors.push(ResolutionError::UnknownFunction {
                    task: object.clone(),
                    field: format!("spec.steps[{position}].name"),
                    function: name,
                }),
            },
            Err(more) => errors.extend(more),
        }
    }
    let mut walker = Walker { object: &object, variables: inputs, errors: &mut errors };
    let volumes = walker.value(&task.volumes, "spec.volumes", 0);
    if errors.is_empty() { Ok(ResolvedTask { steps, volumes }) } else { Err(errors) }
}

/// Resolves one Function with the params of its step.
///
/// # Errors
/// All that was found, at least one.
pub fn resolve_step(
    function: &str,
    position: usize,
    spec: &Value,
    params: Variables,
    inputs: &Variables,
) -> Result<ResolvedStep, Vec<ResolutionError>> {
    let object = TextObject::Function(function.to_owned());
    let mut errors = Vec::new();
    let mut variables = params.clone();
    variables.extend(inputs.clone());
    // What a user calls ADDON_IMAGE does not count, not even for the image itself.
    variables.remove("ADDON_IMAGE");
    let image = match spec.get("image") {
        Some(image) => {
            let mut walker = Walker { object: &object, variables: &variables, errors: &mut errors };
            walker.value(image, "spec.image", 0).as_str().unwrap_or_default().to_owned()
        }
        None => String::new(),
    };
    variables.insert("ADDON_IMAGE".to_owned(), image.clone());
    let mut walker = Walker { object: &object, variables: &variables, errors: &mut errors };
    let resolved = match spec {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| {
                    let value = match key.as_str() {
                        "image" => Value::String(image.clone()),
                        _ => walker.value(value, &format!("spec.{key}"), 0),
                    };
                    (key.clone(), value)
                })
                .collect(),
        ),
        other => other.clone(),
    };
    let mut args = Vec::new();
    let given = resolved.get("args").and_then(Value::as_array).into_iter().flatten();
    for (index, argument) in given.enumerate() {
        match argument.as_str() {
            Some(text) => args.push(text.to_owned()),
            None => errors.push(ResolutionError::Type {
                object: object.clone(),
                field: format!("spec.args[{index}]"),
            }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(ResolvedStep {
        function: function.to_owned(),
        container: names::stage_name(function, position),
        image,
        args,
        params,
        spec: resolved,
    })
}

fn task_step(
    object: &TextObject,
    position: usize,
    step: &StepText,
    inputs: &Variables,
) -> Result<(String, Variables), Vec<ResolutionError>> {
    let mut errors = Vec::new();
    let mut replace = |text: &str, field: String| match substitute(text, inputs) {
        Ok(text) => text,
        Err(source) => {
            errors.push(ResolutionError::Field { object: object.clone(), field, source });
            String::new()
        }
    };
    let name = replace(&step.function, format!("spec.steps[{position}].name"));
    let mut params = Variables::new();
    for (index, (key, value)) in step.params.iter().enumerate() {
        let at = format!("spec.steps[{position}].params[{index}]");
        let key = replace(key, format!("{at}.name"));
        let value = replace(value, format!("{at}.value"));
        params.insert(key, value);
    }
    if errors.is_empty() { Ok((name, params)) } else { Err(errors) }
}

struct Walker<'a> {
    object: &'a TextObject,
    variables: &'a Variables,
    errors: &'a mut Vec<ResolutionError>,
}

impl Walker<'_> {
    fn value(&mut self, value: &Value, field: &str, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            self.errors.push(ResolutionError::Depth {
                object: self.object.clone(),
                field: field.to_owned(),
            });
            return Value::Null;
        }
        match value {
            Value::String(text) => match substitute(text, self.variables) {
                Ok(text) => Value::String(text),
                Err(source) => {
                    self.errors.push(ResolutionError::Field {
                        object: self.object.clone(),
                        field: field.to_owned(),
                        source,
                    });
                    // Still text, so that it is not reported a second time.
                    Value::String(String::new())
                }
            },
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, &format!("{field}[{index}]"), depth + 1))
                .collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, item)| {
                        (key.clone(), self.value(item, &format!("{field}.{key}"), depth + 1))
                    })
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
