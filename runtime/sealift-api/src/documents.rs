//! Files of YAML to objects of the API, one document each.
//!
//! Fields nobody knows are warnings (a newer manifest must stay readable); a strict caller
//! refuses on them. Which objects belong together is `objects`' to say.

use serde_json::Value;

use crate::finding::{Place, ReadError, Warning};
use crate::object::Object;
use crate::reading::Reading;
use crate::yaml;

/// An object and where it was read.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where.
    pub place: Place,
    /// What.
    pub object: Object,
}

/// Reads one file. `default_namespace` is given to namespaced objects without one.
///
/// # Errors
/// All that is wrong in it, at least one.
pub fn read_file(
    file: &str,
    text: &str,
    default_namespace: &str,
) -> Result<(Vec<Document>, Vec<Warning>), Vec<ReadError>> {
    let parsed = yaml::read(text)
        .map_err(|source| vec![ReadError::Yaml { file: file.to_owned(), source }])?;
    let mut documents = Vec::new();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for (index, document) in parsed.into_iter().enumerate() {
        let place = Place { file: file.to_owned(), document: index + 1, line: document.line };
        let mut reading = Reading { place, default_namespace, warnings: &mut warnings };
        for item in items_of(document.value) {
            match reading.object(item) {
                Ok(Some(object)) => {
                    documents.push(Document { place: reading.place.clone(), object });
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok((documents, warnings)) } else { Err(errors) }
}

/// The objects of a `kind: List`, as `kubectl get -o yaml` prints it; else the document itself.
fn items_of(value: Value) -> Vec<Value> {
    match value {
        Value::Object(mut fields)
            if fields.get("kind").and_then(Value::as_str) == Some("List")
                && fields.get("items").is_some_and(Value::is_array) =>
        {
            match fields.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}
