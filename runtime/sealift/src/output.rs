//! The one place that prints: results on standard output, talk on standard error.

use std::io::{self, Write};

use serde::Serialize;

use crate::args::Format;
use crate::exit::{Exit, Failure};

/// Where results go and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// Results in this format.
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints a result: `text` for people, `value` for programs.
    pub(crate) fn result(
        self,
        text: impl FnOnce() -> String,
        value: &impl Serialize,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Text => print(&text()),
            Format::Json => {
                let mut json = serde_json::to_string_pretty(value)
                    .map_err(|error| Failure::of(Exit::Failed, &error))?;
                json.push('\n');
                print(&json)
            }
            Format::Yaml => print(&yaml(value)?),
        }
    }
}

/// A value as YAML.
pub(crate) fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    // By way of JSON: what the two formats show is then the same, number for number.
    let value = serde_json::to_value(value).map_err(|error| Failure::of(Exit::Failed, &error))?;
    let mut text = serde_saphyr::to_string(&value)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// A reader that went away has what it wanted.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::of(Exit::Failed, &error))
        }
        _ => Ok(()),
    }
}

/// Says what is being done.
#[cfg(feature = "author")]
pub(crate) fn talk(line: &str) {
    let _ = writeln!(io::stderr(), "{}", plain(line));
}

/// Tells a failure.
pub(crate) fn failure(failure: &Failure) {
    let mut stderr = io::stderr().lock();
    for line in failure.lines.iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(stderr, "error: {}", plain(line));
    }
    for help in &failure.help {
        let _ = writeln!(stderr, "help: {}", plain(help));
    }
}

/// What a message repeats of a component or a manifest must not drive the terminal.
fn plain(text: &str) -> String {
    let is_plain = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    text.chars().map(|character| if is_plain(character) { character } else { ' ' }).collect()
}
