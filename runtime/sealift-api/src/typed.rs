//! JSON values to our types: with the path of what is wrong, and of what is unknown.
//!
//! serde takes a list for a struct, field by field; a manifest never means that, so the shape of
//! what was read is compared with what was written.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is wrong with a value.
#[derive(Debug)]
pub(crate) struct TypedError {
    /// JSON path; empty = the whole value.
    pub(crate) path: String,
    /// serde's words; they may quote the value.
    pub(crate) message: String,
}

/// Reads a value; paths of fields that `T` does not have are added to `unknown`.
pub(crate) fn read<T: DeserializeOwned>(
    value: Value,
    unknown: &mut Vec<String>,
) -> Result<T, TypedError> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    let result: Result<T, serde_json::Error> =
        serde_ignored::deserialize(deserializer, |path| unknown.push(path_text(&path)));
    result.map_err(|error| {
        let path = track.path().to_string();
        let path = if path == "." { String::new() } else { path };
        TypedError { path, message: error.to_string() }
    })
}

/// The same, and refuses a list where an object belongs.
pub(crate) fn read_shaped<T: DeserializeOwned + Serialize>(
    value: Value,
    unknown: &mut Vec<String>,
) -> Result<T, TypedError> {
    let written = value.clone();
    let typed: T = read(value, unknown)?;
    let meant = serde_json::to_value(&typed)
        .map_err(|error| TypedError { path: String::new(), message: error.to_string() })?;
    match list_for_object(&written, &meant, String::new()) {
        Some(path) => {
            let message = "invalid type: a list, expected an object".to_owned();
            Err(TypedError { path, message })
        }
        None => Ok(typed),
    }
}

/// The first place where a list was written and an object was read.
fn list_for_object(written: &Value, meant: &Value, path: String) -> Option<String> {
    match (written, meant) {
        (Value::Array(_), Value::Object(_)) => Some(path),
        (Value::Object(written), Value::Object(meant)) => {
            written.iter().find_map(|(key, value)| {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                list_for_object(value, meant.get(key)?, below)
            })
        }
        (Value::Array(written), Value::Array(meant)) => {
            written.iter().zip(meant).enumerate().find_map(|(index, (written, meant))| {
                list_for_object(written, meant, format!("{path}[{index}]"))
            })
        }
        _ => None,
    }
}

/// `spec.args[3]` of serde_ignored's `spec.args.3`.
fn path_text(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", path_text(parent)),
        Path::Map { parent, key } => match path_text(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => path_text(parent),
    }
}
