//! The only place that prints: results to standard output, talk to standard error.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this module is the printer of a command-line tool"
)]

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Format;

/// The result of a bench.
pub(crate) fn print(format: Format, name: &str, result: &impl Serialize) -> Result<()> {
    let result = serde_json::to_value(result).context("failed to write the result")?;
    match format {
        Format::Json => value(&json!({ name: result })),
        Format::Text => {
            lines(name, &result);
            Ok(())
        }
    }
}

/// Nested figures, one a line, with the way to them; `min`, `median` and `max` share a line.
fn lines(path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let (Some(min), Some(median), Some(max)) =
                (fields.get("min"), fields.get("median"), fields.get("max"))
            {
                println!("{path:58} {median:>10}   {min} … {max}");
                return;
            }
            for (name, value) in fields {
                lines(&format!("{path}.{name}"), value);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                lines(&format!("{path}[{index}]"), item);
            }
        }
        Value::String(text) => println!("{path:58} {text:>10}"),
        other => println!("{path:58} {:>10}", other.to_string()),
    }
}

/// One value as JSON.
pub(crate) fn value(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value).context("failed to write JSON")?);
    Ok(())
}

/// What is being done.
pub(crate) fn talk(text: &str) {
    eprintln!("{text}");
}

/// The end of a bench that failed.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
