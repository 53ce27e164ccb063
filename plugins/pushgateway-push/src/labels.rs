//! Labels the user adds to every metric.

use sealift_function::{Error, Result};

/// Labels the metrics have already, and the gateway's own.
const TAKEN: [&str; 15] = [
    "invoker_kind",
    "invoker_name",
    "namespace",
    "driver",
    "repository",
    "kind",
    "group",
    "name",
    "hostname",
    "backend",
    "bucket",
    "prefix",
    "job",
    "instance",
    "le",
];

/// Reads `name=value` items.
///
/// # Errors
/// An item is not of that form, or its name is not allowed, is taken, or comes twice.
pub(crate) fn parse(items: &[String]) -> Result<Vec<(String, String)>> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for (at, item) in items.iter().enumerate().filter(|(_, item)| !item.trim().is_empty()) {
        let wrong = |message: String| Error::InvalidParameter {
            field: format!("/metricsLabels/{at}"),
            message,
        };
        let (name, value) =
            item.split_once('=').ok_or_else(|| wrong(format!("{item:?} is not name=value")))?;
        let name = name.trim();
        if !is_label_name(name) {
            return Err(wrong(format!(
                "{name:?} is not a label name: letters, digits and underscores, not beginning \
                 with a digit or two underscores"
            )));
        }
        if TAKEN.contains(&name) {
            return Err(wrong(format!("label {name} is set already")));
        }
        if labels.iter().any(|(other, _)| other == name) {
            return Err(wrong(format!("label {name} comes twice")));
        }
        labels.push((name.to_owned(), value.to_owned()));
    }
    Ok(labels)
}

fn is_label_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
        && !name.starts_with("__")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(items: &[&str]) -> Result<Vec<(String, String)>> {
        parse(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_value_may_hold_anything() {
        let expected = vec![("team".to_owned(), "a=b \"c\"".to_owned())];
        assert_eq!(read(&["team=a=b \"c\"", ""]).unwrap(), expected);
    }

    #[test]
    fn a_wrong_label_is_named() {
        for (items, text) in [
            (vec!["ok=1", "team"], "parameter /metricsLabels/1: \"team\" is not name=value"),
            (vec!["job=x"], "parameter /metricsLabels/0: label job is set already"),
            (vec!["a=1", "a=2"], "parameter /metricsLabels/1: label a comes twice"),
        ] {
            assert_eq!(read(&items).unwrap_err().to_string(), text);
        }
        for name in ["1a", "__name__", "a-b", ""] {
            assert!(read(&[&format!("{name}=1")]).is_err(), "{name}");
        }
    }
}
