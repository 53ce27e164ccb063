//! Credentials the host attached for a chain, so that no text of its Functions repeats them.
//!
//! A server can echo the headers of a request in its answer, and a Function repeats what a server
//! said. Every text that leaves a Function passes here first: a credential in it becomes
//! `[redacted]`. That is against accidents: a Function that disguises what it saw is not caught.
//! Keys are not looked for; they are sealed (`body`).

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealift_bindings::v0_1_0::errors;
use zeroize::Zeroizing;

use crate::edge::Attributes;
use crate::text;

/// What stands in its place.
const REDACTED: &str = "[redacted]";
/// Shortest value that is looked for: shorter ones stand in ordinary words.
const SHORTEST: usize = 4;

/// The credentials of one chain, or of one observer. Wiped when it is over.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<Vec<Zeroizing<String>>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Where a text was cut before it came here, perhaps in the middle of a credential.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cut {
    pub(crate) front: bool,
    pub(crate) back: bool,
}

impl Secrets {
    /// Looks for this header's value from now on, and for what follows the name of a scheme in it.
    ///
    /// Not bounded: the values are the host's, and a session has few.
    pub(crate) fn remember(&self, value: &str) {
        let bare = value.split_once(' ').map_or("", |(_, bare)| bare.trim());
        let mut known = self.known();
        for value in [value.trim(), bare] {
            let is_new = known.iter().all(|known| known.as_str() != value);
            if value.len() >= SHORTEST && is_new {
                known.push(Zeroizing::new(value.to_owned()));
            }
        }
        // The longest first, so that one within another does not leave the rest of it behind.
        known.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// The text without credentials.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.redact_cut(text, Cut::default())
    }

    /// The same for a part of a text; what looks like a part of a credential at a cut goes too.
    pub(crate) fn redact_cut(&self, text: &str, cut: Cut) -> String {
        let known = self.known();
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        if cut.front {
            let ends = |value: &str| (1..value.len()).rev().find(|n| ends_of(value, *n, rest));
            if let Some(length) = known.iter().filter_map(|value| ends(value)).max() {
                redacted.push_str(REDACTED);
                rest = rest.get(length..).unwrap_or_default();
            }
        }
        while let Some(character) = rest.chars().next() {
            let whole = known.iter().find(|value| rest.starts_with(value.as_str()));
            if let Some(value) = whole {
                redacted.push_str(REDACTED);
                rest = rest.get(value.len()..).unwrap_or_default();
            } else if cut.back && known.iter().any(|value| value.starts_with(rest)) {
                redacted.push_str(REDACTED);
                break;
            } else {
                redacted.push(character);
                rest = rest.get(character.len_utf8()..).unwrap_or_default();
            }
        }
        redacted
    }

    /// [`text::clean`] for a text of a Function: without credentials, then cut.
    pub(crate) fn clean(&self, text: &str, limit: usize) -> String {
        // Far longer than what stays, so that little work is done for a text that is far too long.
        let end = text.floor_char_boundary(limit.saturating_mul(4));
        let part = text.get(..end).unwrap_or_default();
        let cut = Cut { front: false, back: end < text.len() };
        text::clean(&self.redact_cut(part, cut), limit)
    }

    /// Attributes without credentials.
    pub(crate) fn attributes(&self, attributes: Attributes) -> Attributes {
        let redact = |(name, value): (String, String)| (self.redact(&name), self.redact(&value));
        attributes.into_iter().map(redact).collect()
    }

    /// The error a Function returned, without credentials; before anything of it is cut.
    pub(crate) fn error(&self, error: errors::Error) -> errors::Error {
        use errors::{Error, FieldError, OtherError, RetryError};
        let text = |text: String| self.redact(&text);
        match error {
            Error::InvalidParameter(FieldError { field, message }) => {
                Error::InvalidParameter(FieldError { field: text(field), message: text(message) })
            }
            Error::Denied(message) => Error::Denied(text(message)),
            Error::Retryable(RetryError { message, after_seconds }) => {
                Error::Retryable(RetryError { message: text(message), after_seconds })
            }
            Error::ExternalFailed(message) => Error::ExternalFailed(text(message)),
            Error::DataLossRisk(message) => Error::DataLossRisk(text(message)),
            Error::Cancelled(message) => Error::Cancelled(text(message)),
            Error::InvalidState(message) => Error::InvalidState(text(message)),
            Error::Other(OtherError { code, message }) => {
                Error::Other(OtherError { code: text(code), message: text(message) })
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Zeroizing<String>>> {
        // A list of values cannot be half-changed, and not looking would tell them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the last `length` bytes of the value are what the text begins with.
fn ends_of(value: &str, length: usize, text: &str) -> bool {
    let end = value.get(value.len().saturating_sub(length)..);
    end.is_some_and(|end| text.starts_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let secrets = Secrets::default();
        values.iter().for_each(|value| secrets.remember(value));
        secrets
    }

    #[test]
    fn every_credential_is_replaced_and_the_longest_first() {
        let secrets = secrets(&["hvs.a", "hvs.abc", "Bearer x.y.z", "abc"]);
        for (text, expected) in [
            ("nothing", "nothing"),
            ("hvs.abc, hvs.a", "[redacted], [redacted]"),
            ("hvs.hvs.ahvs.a", "hvs.[redacted][redacted]"),
            ("Authorization: Bearer x.y.z", "Authorization: [redacted]"),
            ("token=x.y.z ä", "token=[redacted] ä"),
            // Too short to be looked for.
            ("abc", "abc"),
        ] {
            assert_eq!(secrets.redact(text), expected);
        }
        assert_eq!(Secrets::default().redact("hvs.a"), "hvs.a");
        assert!(!format!("{secrets:?}").contains("hvs"));
    }

    #[test]
    fn a_credential_that_was_cut_is_replaced_too() {
        let secrets = secrets(&["hvs.abcdef"]);
        let cut = |text, front, back| secrets.redact_cut(text, Cut { front, back });
        assert_eq!(cut("abcdef x hvs.abc", true, true), "[redacted] x [redacted]");
        assert_eq!(cut("abcdef x hvs.abc", false, false), "abcdef x hvs.abc");
        assert_eq!(cut("hvs.abcdef", true, true), "[redacted]");
        // However the length falls, no part of it is left at the end.
        for before in 0..60 {
            let text = format!("{}hvs.abcdef and more and more", "x".repeat(before));
            assert!(!secrets.clean(&text, 8).contains("hvs"), "{before}");
            let many = format!("{}{}", "x".repeat(before), "hvs.abcdef".repeat(100));
            assert!(!secrets.clean(&many, 60).contains("hvs"), "{before}");
        }
    }

    #[test]
    fn every_text_of_an_error_is_looked_at() {
        use errors::{Error, FieldError, OtherError, RetryError};
        let secrets = secrets(&["hvs.abc"]);
        let echo = || "said hvs.abc".to_owned();
        for error in [
            Error::InvalidParameter(FieldError { field: echo(), message: echo() }),
            Error::Denied(echo()),
            Error::Retryable(RetryError { message: echo(), after_seconds: Some(1) }),
            Error::ExternalFailed(echo()),
            Error::DataLossRisk(echo()),
            Error::Cancelled(echo()),
            Error::InvalidState(echo()),
            Error::Other(OtherError { code: echo(), message: echo() }),
        ] {
            let text = format!("{:?}", secrets.error(error));
            assert!(text.contains(REDACTED) && !text.contains("hvs.abc"), "{text}");
        }
    }

    #[test]
    fn a_credential_at_the_end_of_what_is_looked_at_is_replaced_too() {
        let (secrets, value) = (Secrets::default(), "s".repeat(249) + "t");
        secrets.remember(&value);
        // The first is replaced whole; the second is cut where no more is looked at.
        let told = secrets.clean(&format!("{value}{value}"), 100);
        assert_eq!(told, "[redacted][redacted]");
    }
}
