//! A project: the folder a Function is built from.
//!
//! Two files make a folder a project. `descriptor.json` says who the Function is, what it takes
//! and what it asks for; it becomes part of the component. `sealift.toml` says how it is built.

use std::fs;
use std::path::{Path, PathBuf};

use sealift_component::{Descriptor, section};
use serde::Deserialize;
use serde_json::Value;

use crate::language::Language;

/// How a Function is built.
pub const SETTINGS: &str = "sealift.toml";
/// What a Function says of itself.
pub const DESCRIPTOR: &str = "descriptor.json";
/// Longest file of either; a component takes no longer descriptor.
const MOST_BYTES: u64 = section::MOST_BYTES as u64;

/// Why a folder is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Neither it nor a folder above it has `sealift.toml`.
    #[error(
        "{} is no project of a Function: neither it nor a folder above it has {SETTINGS}; `sealift function new` makes one",
        folder.display()
    )]
    None {
        /// Where the search began.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("failed to read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is too long.
    #[error("{} has {bytes} bytes and may have {MOST_BYTES}", file.display())]
    Long {
        /// The file.
        file: PathBuf,
        /// Its bytes.
        bytes: u64,
    },
    /// `sealift.toml` is not well-formed.
    #[error("{} is not well-formed", file.display())]
    Settings {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// `descriptor.json` is not well-formed.
    #[error("{} is not well-formed", file.display())]
    Descriptor {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Something in `descriptor.json` is wrong.
    #[error("{}: {}", file.display(), problems.join("; "))]
    Problems {
        /// The file.
        file: PathBuf,
        /// What is wrong, each with its field.
        problems: Vec<String>,
    },
}

/// How a Function is built: `sealift.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What it is written in.
    pub language: Language,
    /// Rust: the profile of cargo; `release` if there is none.
    #[serde(default)]
    pub profile: Option<String>,
}

/// A project that was read and found well-formed.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Where it lies.
    pub folder: PathBuf,
    /// How it is built.
    pub settings: Settings,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// The same, whole and minified, as it stands in the component.
    pub section: Vec<u8>,
}

impl Project {
    /// The project that `folder` or one of the folders above it belongs to.
    ///
    /// # Errors
    /// There is none, or one of its two files is wrong.
    pub fn find(folder: &Path) -> Result<Self, ProjectError> {
        let start = folder
            .canonicalize()
            .map_err(|source| ProjectError::Read { file: folder.to_owned(), source })?;
        let found = start.ancestors().find(|folder| folder.join(SETTINGS).is_file());
        match found {
            Some(found) => Self::read(found),
            None => Err(ProjectError::None { folder: folder.to_owned() }),
        }
    }

    /// The project in exactly this folder.
    ///
    /// # Errors
    /// One of its two files is missing or wrong.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        let file = folder.join(SETTINGS);
        let settings = toml::from_str(&text(&file)?)
            .map_err(|source| ProjectError::Settings { file, source: Box::new(source) })?;
        let file = folder.join(DESCRIPTOR);
        let json = text(&file)?;
        let wrong = |source| ProjectError::Descriptor { file: file.clone(), source };
        let whole: Value = serde_json::from_str(&json).map_err(wrong)?;
        let section = serde_json::to_vec(&whole).map_err(wrong)?;
        let descriptor: Descriptor = serde_json::from_str(&json).map_err(wrong)?;
        let project = Self { folder: folder.to_owned(), settings, descriptor, section };
        let problems = project.problems();
        if !problems.is_empty() {
            return Err(ProjectError::Problems { file, problems });
        }
        Ok(project)
    }

    /// The language it is written in.
    #[must_use]
    pub fn language(&self) -> Language {
        self.settings.language
    }

    /// What would be refused later, told where it can still be corrected.
    fn problems(&self) -> Vec<String> {
        let refusal = self.language().refusal(&self.descriptor.requests);
        let problems = self.descriptor.problems();
        let problems = problems.iter().map(ToString::to_string);
        problems.chain(refusal.map(|reason| format!("requests: {reason}"))).collect()
    }
}

/// Whether a Function can have this name: it becomes that of packages, folders and objects.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let form = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if form {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    Err(format!(
        "{shown:?} is not a name: 1 to 63 of a-z, 0-9 and single -, a letter first, such as \
         export-orders"
    ))
}

/// The text of a small file.
fn text(file: &Path) -> Result<String, ProjectError> {
    let failed = |source| ProjectError::Read { file: file.to_owned(), source };
    let bytes = fs::metadata(file).map_err(failed)?.len();
    if bytes > MOST_BYTES {
        return Err(ProjectError::Long { file: file.to_owned(), bytes });
    }
    fs::read_to_string(file).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sealift_core::plan::Kind;

    use super::*;

    const GOOD: &str = r#"{"name": "mover", "version": "0.1.0", "summary": "Moves.",
        "kind": "transform", "contract": "0.1.0"}"#;

    fn read(settings: &str, descriptor: &str) -> Result<Project, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SETTINGS), settings).unwrap();
        fs::write(folder.path().join(DESCRIPTOR), descriptor).unwrap();
        Project::find(folder.path()).map_err(|error| {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {}", cause.to_string().replace('\n', " "));
                source = cause.source();
            }
            text
        })
    }

    #[test]
    fn a_project_is_its_two_files() {
        let project = read("language = \"go\"\n", GOOD).unwrap();
        assert_eq!(project.language(), Language::Go);
        assert_eq!(project.descriptor.kind, Kind::Transform);
        let section: Value = serde_json::from_slice(&project.section).unwrap();
        assert_eq!(section, serde_json::from_str::<Value>(GOOD).unwrap());
        assert!(!project.section.contains(&b' '), "it is not minified");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file_and_field() {
        for (settings, from, to, words) in [
            ("language = \"cobol\"", "", "", "sealift.toml is not well-formed"),
            ("language = \"go\"\nspeed = 1", "", "", "unknown field `speed`"),
            ("language = \"go\"", "mover", "My Mover", "descriptor.json: name: \"My Mover\""),
            ("language = \"go\"", "0.1.0\", \"summary", "1.0\", \"summary", "version: \"1.0\""),
            ("language = \"go\"", "\"contract\": \"0.1.0\"", "\"contract\": \"9.0.0\"", "contract"),
            ("language = \"go\"", "transform", "teleport", "unknown variant `teleport`"),
            ("language = \"go\"", "\"kind\"", "\"parameters\": 1, \"kind\"", "parameters"),
        ] {
            let error = read(settings, &GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(words), "{words:?} is missing in {error}");
        }
    }

    #[test]
    fn a_folder_without_project_says_how_to_get_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = Project::find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("sealift function new"), "{error}");
    }
}
