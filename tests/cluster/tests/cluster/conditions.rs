//! Reading conditions the way the acceptance list writes them: `True RepositoryAvailable`.

use serde_json::Value;

/// `<status> <reason>` of the condition of this type below `pointer`; empty if there is none.
pub fn at(object: &Value, pointer: &str, kind: &str) -> String {
    find(object, pointer, kind)
        .map(|condition| format!("{} {}", word(condition, "status"), word(condition, "reason")))
        .unwrap_or_default()
}

/// The same for the object's own conditions.
pub fn of(object: &Value, kind: &str) -> String {
    at(object, "/status/conditions", kind)
}

/// The message of the object's own condition of this type; empty if there is none.
pub fn message(object: &Value, kind: &str) -> String {
    find(object, "/status/conditions", kind)
        .map(|condition| word(condition, "message").to_owned())
        .unwrap_or_default()
}

/// The phase; empty if there is none.
pub fn phase(object: &Value) -> &str {
    object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default()
}

fn find<'a>(object: &'a Value, pointer: &str, kind: &str) -> Option<&'a Value> {
    object.pointer(pointer)?.as_array()?.iter().find(|condition| word(condition, "type") == kind)
}

fn word<'a>(condition: &'a Value, field: &str) -> &'a str {
    condition.get(field).and_then(Value::as_str).unwrap_or_default()
}
