//! The templates: `templates/<language>/{common,<kind>}/…`, put into this program by its build
//! script.
//!
//! A template is the files of `common`, those of the kind, and those of `http` for kinds that make
//! requests. `{{name}}` and `{{sdk}}` are all there is to replace, so that each file is one of its
//! language to look at. `_gitignore` becomes `.gitignore`: under its own name it would hide files
//! of this repository.

use std::path::Path;

use sealift_core::plan::Kind;

use super::New;
#[cfg(test)]
use crate::language::Language;

/// A file of a template: its path below `templates/`, and its text.
type Template = (&'static str, &'static str);

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// A file of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Relative to the project's folder.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
}

/// The files of a project of this kind in this language.
pub(super) fn files(wanted: &New, sdk: Option<&Path>) -> Vec<File> {
    let language = wanted.language.as_str();
    // Where a Function makes requests, its project has what makes them easy.
    let http = matches!(wanted.kind, Kind::Source | Kind::Sink).then_some("http");
    let folders = [Some("common"), Some(wanted.kind.as_str()), http];
    let sdk = dependency(sdk);
    TEMPLATES
        .iter()
        .filter_map(|(path, text)| {
            let below = path.strip_prefix(language)?.strip_prefix('/')?;
            let (folder, rest) = below.split_once('/')?;
            folders.contains(&Some(folder)).then(|| File {
                path: rest.replace("_gitignore", ".gitignore"),
                text: text.replace("{{name}}", &wanted.name).replace("{{sdk}}", &sdk),
            })
        })
        .collect()
}

/// How a Rust project names the SDK in its `Cargo.toml`.
fn dependency(sdk: Option<&Path>) -> String {
    match sdk {
        Some(folder) => format!("{{ path = {:?} }}", folder.display().to_string()),
        None => "\"0.1\"".to_owned(),
    }
}

/// Whether there is a template for this pair.
#[cfg(test)]
pub(super) fn has(language: Language, kind: Kind) -> bool {
    let folder = format!("{}/{}/", language.as_str(), kind.as_str());
    TEMPLATES.iter().any(|(path, _)| path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer];

    #[test]
    fn there_is_a_template_for_every_pair_that_is_not_refused() {
        for language in Language::ALL {
            for kind in KINDS {
                assert_eq!(
                    has(language, kind),
                    language.without_template(kind).is_none(),
                    "{language} {}",
                    kind.as_str()
                );
            }
        }
    }

    #[test]
    fn a_project_has_its_name_everywhere_and_nothing_left_to_fill_in() {
        for language in Language::ALL {
            for kind in KINDS.into_iter().filter(|kind| has(language, *kind)) {
                let wanted = New {
                    name: "export-orders".to_owned(),
                    kind,
                    language,
                    folder: "/none".into(),
                    sdk: None,
                };
                let files = files(&wanted, None);
                let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
                for needed in ["descriptor.json", "sealift.toml", "README.md", ".gitignore"] {
                    assert!(paths.contains(&needed), "{language}: {needed} is not in {paths:?}");
                }
                for file in &files {
                    let left = file.text.contains("{{name") || file.text.contains("{{sdk");
                    assert!(!left, "{language}: {}", file.path);
                }
                let readme = files.iter().find(|file| file.path == "README.md");
                assert!(readme.is_some_and(|file| file.text.contains("export-orders")));
            }
        }
    }
}
