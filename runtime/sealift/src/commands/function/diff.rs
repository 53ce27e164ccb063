//! `sealift function diff`: what changes between two components.
//!
//! First of all what the new one asks for and the old one did not: that is what whoever runs it
//! has to allow, or not.

use std::path::{Path, PathBuf};

use clap::Args;
use sealift_component::difference::{Change, Difference, ParameterChange, difference};
use sealift_component::{Inspected, words};
use sealift_core::grants::Grants;
use sealift_core::plan::Kind;
use serde::Serialize;

use super::page::Page;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The component that is there.
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The component that would take its place.
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Exit with 4 if NEW asks for more than OLD.
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(args: &DiffArgs, output: Output) -> Result<Exit, Failure> {
    let difference = difference(&component(&args.old)?, &component(&args.new)?);
    output.result(|| text(&difference), &Shown::of(&difference))?;
    let more = args.exit_code && !difference.asks_for_no_more();
    Ok(if more { Exit::Refused } else { Exit::Done })
}

fn component(path: &Path) -> Result<Inspected, Failure> {
    super::inspected(path, &super::read(path)?)
}

fn text(difference: &Difference) -> String {
    // All of it, so that what a later version tells of is not left out here.
    let Difference {
        version,
        kind,
        contract,
        newly_requested,
        no_longer,
        imports_added,
        imports_gone,
        parameters,
    } = difference;
    let mut page = Page::default();
    page.rows("version", version.as_ref().map(|change| arrow(&change.from, &change.to)));
    page.rows("kind", kind.as_ref().map(|change| arrow(change.from.as_str(), change.to.as_str())));
    page.rows("contract", contract.as_ref().map(|change| arrow(&change.from, &change.to)));
    page.rows("newly asks", words::grants(newly_requested).iter().map(|line| format!("+ {line}")));
    page.rows("no longer", words::grants(no_longer).iter().map(|line| format!("- {line}")));
    page.rows("parameters", parameters.iter().map(parameter));
    let added = imports_added.iter().map(|import| format!("+ {import}"));
    let gone = imports_gone.iter().map(|import| format!("- {import}"));
    page.rows("imports", added.chain(gone));
    match page.into_text() {
        none if none.is_empty() => {
            "no difference in what it is, asks for, takes and imports\n".to_owned()
        }
        text => text,
    }
}

fn arrow(from: &str, to: &str) -> String {
    format!("{from} → {to}")
}

fn parameter(change: &ParameterChange) -> String {
    match change {
        ParameterChange::Added { name, takes } => format!("+ {} ({takes})", words::argument(name)),
        ParameterChange::Gone { name } => format!("- {}", words::argument(name)),
        ParameterChange::Changed { name, takes: Change { from, to } } => {
            format!("~ {} ({from} → {to})", words::argument(name))
        }
    }
}

/// The difference, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    asks_for_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Pair<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Pair<Kind>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<Pair<&'a str>>,
    newly_requested: &'a Grants,
    no_longer: &'a Grants,
    imports_added: &'a [String],
    imports_gone: &'a [String],
    parameters: Vec<String>,
}

#[derive(Serialize)]
struct Pair<T> {
    from: T,
    to: T,
}

impl<'a> Shown<'a> {
    fn of(difference: &'a Difference) -> Self {
        let pair = |change: &'a Change<String>| Pair {
            from: change.from.as_str(),
            to: change.to.as_str(),
        };
        Self {
            asks_for_more: !difference.asks_for_no_more(),
            version: difference.version.as_ref().map(pair),
            kind: difference.kind.as_ref().map(|change| Pair { from: change.from, to: change.to }),
            contract: difference.contract.as_ref().map(pair),
            newly_requested: &difference.newly_requested,
            no_longer: &difference.no_longer,
            imports_added: &difference.imports_added,
            imports_gone: &difference.imports_gone,
            parameters: difference.parameters.iter().map(parameter).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::commands::function::samples;

    fn changed() -> Difference {
        let mut descriptor = samples::export_descriptor();
        descriptor["version"] = json!("0.2.0");
        descriptor["requests"] = json!({
            "http": [
                {"name": "target", "methods": ["GET"], "paths": ["/v2/*"]},
                {"name": "target", "methods": ["POST"], "paths": ["/v2/*"]},
            ],
            "unsealKeys": "read",
        });
        descriptor["parameters"] = json!({"properties": {
            "dryRun": {"type": "boolean", "default": false},
            "concurrency": {"type": "integer", "minimum": 1, "maximum": 16, "default": 2},
        }});
        let new = samples::export_with(&serde_json::from_value(descriptor).unwrap());
        let read = |wasm: &[u8]| sealift_component::inspect(wasm).unwrap();
        difference(&read(&samples::export()), &read(&new))
    }

    #[test]
    fn what_it_newly_asks_for_is_told_in_words() {
        insta::assert_snapshot!(text(&changed()), @r"
        version      0.1.0 → 0.2.0
        newly asks   + send POST to target, paths /v2/*
                     + see the unseal keys and the root token (unsealKeys: read)
        no longer    - send HEAD to target, paths /v2/*
        parameters   - --all-tags
                     ~ --concurrency (1…8, default 2 → 1…16, default 2)
                     + --dry-run (true or false, default false)
        ");
    }

    #[test]
    fn imports_that_came_and_went_are_told() {
        let read = |wasm: &[u8]| sealift_component::inspect(wasm).unwrap();
        let (export, plain) = (read(&samples::export()), read(&samples::plain()));
        let told = text(&difference(&plain, &export));
        assert!(told.contains("imports      + sealift:function/downstream\n"), "{told}");
        let told = text(&difference(&export, &plain));
        assert!(told.contains("imports      - sealift:function/downstream\n"), "{told}");
        assert!(!told.contains("newly asks"), "{told}");
        let same = text(&difference(&plain, &plain));
        assert_eq!(same, "no difference in what it is, asks for, takes and imports\n");
    }

    #[test]
    fn programs_are_told_the_same() {
        let difference = changed();
        let value = serde_json::to_value(Shown::of(&difference)).unwrap();
        assert_eq!(
            value,
            json!({
                "asksForMore": true,
                "version": {"from": "0.1.0", "to": "0.2.0"},
                "newlyRequested": {
                    "http": [{"name": "target", "methods": ["POST"], "paths": ["/v2/*"]}],
                    "unsealKeys": "read",
                },
                "noLonger": {
                    "http": [{"name": "target", "methods": ["HEAD"], "paths": ["/v2/*"]}],
                },
                "importsAdded": [],
                "importsGone": [],
                "parameters": [
                    "- --all-tags",
                    "~ --concurrency (1…8, default 2 → 1…16, default 2)",
                    "+ --dry-run (true or false, default false)",
                ],
            })
        );
    }

    #[test]
    fn only_who_asks_for_more_is_refused_and_only_if_it_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, wasm: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, wasm).unwrap();
            path
        };
        let (plain, export) =
            (file("plain", &samples::plain()), file("export", &samples::export()));
        let json = Output::new(crate::args::Format::Json);
        for (old, new, exit_code, exit) in [
            (&plain, &export, true, Exit::Refused),
            (&plain, &export, false, Exit::Done),
            (&export, &plain, true, Exit::Done),
            (&export, &export, true, Exit::Done),
        ] {
            let args = DiffArgs { old: old.clone(), new: new.clone(), exit_code };
            assert_eq!(run(&args, json).unwrap(), exit);
        }
        let none = file("none", b"hello");
        let args = DiffArgs { old: plain, new: none, exit_code: false };
        let failure = run(&args, json).unwrap_err();
        assert_eq!(failure.exit, Exit::Invalid);
        assert!(failure.lines.concat().contains("is no component of a Function"));
    }
}
