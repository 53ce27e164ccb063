//! The languages a Function can be written in, and what each cannot do.

use std::fmt;
use std::str::FromStr;

use sealift_core::grants::Grants;
use sealift_core::plan::Kind;
use serde::Deserialize;

/// A language and the toolchain that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust, with the SDK `sealift-function`.
    Rust,
    /// JavaScript in SpiderMonkey (`componentize-js`): everything, 12 MiB.
    JavaScript,
    /// JavaScript in QuickJS (`componentize-qjs`): small, without requests.
    QuickJs,
    /// Python (`componentize-py`): everything, 18 MiB.
    Python,
    /// Go, with the stock compiler.
    Go,
    /// C, with clang and a WASI sysroot.
    C,
}

/// A text that names no language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no language of a Function; valid are {}", Language::ALL.map(Language::as_str).join(", "))]
pub struct UnknownLanguage {
    /// What was written.
    pub found: String,
}

impl Language {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Rust, Self::JavaScript, Self::QuickJs, Self::Python, Self::Go, Self::C];

    /// As it is written in `sealift.toml` and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::QuickJs => "quickjs",
            Self::Python => "python",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// Why no Function with these requests can be built in this language; none = it can.
    #[must_use]
    pub fn refusal(self, requests: &Grants) -> Option<&'static str> {
        (self == Self::QuickJs && !requests.http.is_empty()).then_some(
            "componentize-qjs cannot build interfaces that use resources of WASI, and requests \
             over HTTP do; write it in javascript or python",
        )
    }

    /// Why there is no template for this kind in this language; none = there is one.
    #[must_use]
    pub fn without_template(self, kind: Kind) -> Option<&'static str> {
        (self == Self::QuickJs && matches!(kind, Kind::Source | Kind::Sink)).then_some(
            "a source or sink talks to a server, and componentize-qjs cannot build requests over \
             HTTP; write it in javascript or python",
        )
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|language| language.as_str() == text)
            .ok_or_else(|| UnknownLanguage { found: text.chars().take(60).collect() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_language_is_known_by_its_name_only() {
        for language in Language::ALL {
            assert_eq!(language.as_str().parse::<Language>().unwrap(), language);
        }
        assert_eq!(
            "cobol".parse::<Language>().unwrap_err().to_string(),
            "\"cobol\" is no language of a Function; valid are rust, javascript, quickjs, python, go, c"
        );
    }

    #[test]
    fn quickjs_makes_no_requests() {
        let http: Grants = serde_json::from_value(
            serde_json::json!({"http": [{"name": "target", "methods": ["GET"], "paths": ["/*"]}]}),
        )
        .unwrap();
        for language in Language::ALL {
            assert_eq!(language.refusal(&http).is_some(), language == Language::QuickJs);
            assert_eq!(language.refusal(&Grants::default()), None);
        }
    }
}
