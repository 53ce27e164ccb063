//! An error and its causes in one line, for messages that leave the process.
//!
//! Our own errors never repeat their source in their text; those of libraries often do, so a
//! cause that the line says already is not said again. What becomes of the line is the caller's.

use std::error::Error;

/// The error, then each of its causes that is not in the line yet, separated by `: `.
#[must_use]
pub fn chain_of_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        #[source]
        source: Option<Box<Told>>,
    }

    fn told(texts: &[&'static str]) -> Told {
        let (text, rest) = texts.split_first().map_or(("", texts), |(text, rest)| (*text, rest));
        Told { text, source: (!rest.is_empty()).then(|| Box::new(told(rest))) }
    }

    #[test]
    fn every_cause_is_said_once() {
        let rows: [(&[&str], &str); 5] = [
            (&["failed to open"], "failed to open"),
            (
                &["failed to open", "failed to read", "no such file"],
                "failed to open: failed to read: no such file",
            ),
            // As libraries do it: the text holds that of the source.
            (&["failed to open: no such file", "no such file"], "failed to open: no such file"),
            (
                &["read failed (timed out) after 3 tries", "timed out"],
                "read failed (timed out) after 3 tries",
            ),
            (&["failed to open", "", "no such file"], "failed to open: no such file"),
        ];
        for (texts, line) in rows {
            assert_eq!(chain_of_causes(&told(texts)), line);
        }
    }
}
