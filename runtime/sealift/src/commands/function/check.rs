//! `sealift function check`: whether a component would be taken and started.
//!
//! In the order a cluster asks: what it is made of, what it says, what it would be given. All of
//! it is told at once. Whether it does what it should is not asked here.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_component::bounds::{self, Bounds, Counts};
use sealift_component::{Inspected, text};
use sealift_core::grants::Grants;
use serde::Serialize;
use serde_json::Value;

use super::page::{Page, amount, size};
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// YAML file with what stands in spec.permissions of the Function, `-` for standard input.
    /// Default: everything the component asks for.
    #[arg(long, value_name = "FILE")]
    permissions: Option<PathBuf>,
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    name: String,
    version: String,
    /// What it would be refused for.
    refusals: Vec<String>,
    /// What its author should mend.
    problems: Vec<String>,
    /// None if it is not even counted to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counted>,
    /// Whether permissions were given.
    #[serde(skip)]
    granted: bool,
}

/// What it is made of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    bytes: u64,
    most_bytes: u64,
    modules: u64,
    imports: usize,
    functions: u64,
}

pub(super) fn run(args: &CheckArgs, output: Output) -> Result<Exit, Failure> {
    let permissions = args.permissions.as_deref().map(permissions).transpose()?;
    let wasm = super::read(&args.file)?;
    let inspected = super::inspected(&args.file, &wasm)?;
    let report = Report::of(&wasm, &inspected, permissions.as_ref());
    output.result(|| report.text(), &report)?;
    Ok(report.exit())
}

/// Reads permissions as they stand in a Function.
fn permissions(path: &Path) -> Result<Grants, Failure> {
    let shown = path.display();
    let failed = |source: std::io::Error| {
        Failure::new(Exit::Invalid, format!("failed to read {shown}: {source}"))
    };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        text
    } else {
        std::fs::read_to_string(path).map_err(failed)?
    };
    let value: Value = serde_saphyr::from_str(&text)
        .map_err(|error| Failure::new(Exit::Invalid, format!("{shown} is not YAML: {error}")))?;
    Grants::parse(&value).map_err(|errors| {
        let mut failure = Failure::new(Exit::Invalid, "");
        failure.lines = errors
            .iter()
            .map(|error| match error.field() {
                "" => format!("{shown}: {error}"),
                field => format!("{shown}: {field}: {error}"),
            })
            .collect();
        failure.help("write it as in spec.permissions of a Function, without that key")
    })
}

impl Report {
    fn of(wasm: &[u8], inspected: &Inspected, permissions: Option<&Grants>) -> Self {
        let bounds = Bounds::default();
        let descriptor = &inspected.descriptor;
        let mut refusals = Vec::new();
        let counts = match bounds::check(wasm, &bounds) {
            Ok(counts) => Some(Counted::of(&counts, inspected, &bounds)),
            Err(error) => {
                refusals.push(sealift_job::chain_of_causes(&error));
                None
            }
        };
        let grants = permissions.unwrap_or(&descriptor.requests);
        if let Err(refused) = inspected.check_grants(grants) {
            refusals.extend(refused.refusals.iter().map(ToString::to_string));
        }
        Self {
            name: text::clean(&descriptor.name, 128),
            version: text::clean(&descriptor.version, 64),
            refusals,
            problems: descriptor.problems().iter().map(ToString::to_string).collect(),
            counts,
            granted: permissions.is_some(),
        }
    }

    fn exit(&self) -> Exit {
        match (self.refusals.is_empty(), self.problems.is_empty()) {
            (false, _) => Exit::Refused,
            (true, false) => Exit::Invalid,
            (true, true) => Exit::Done,
        }
    }

    fn text(&self) -> String {
        let mut page = Page::default();
        let with = if self.granted { "these permissions" } else { "what it asks for" };
        let verdict = match self.refusals.is_empty() {
            true => format!("would be started with {with}"),
            false => "would be refused:".to_owned(),
        };
        page.line(&format!("{} {} {verdict}", self.name, self.version));
        for refusal in &self.refusals {
            page.line(&format!("  {refusal}"));
        }
        if !self.problems.is_empty() {
            page.line("its descriptor is to be mended:");
        }
        for problem in &self.problems {
            page.line(&format!("  {problem}"));
        }
        if let Some(counts) = &self.counts {
            page.line(&format!(
                "size {} of at most {} · {} · {} · {}",
                size(counts.bytes),
                size(counts.most_bytes),
                amount(counts.modules, "module"),
                amount(counts.imports as u64, "import"),
                amount(counts.functions, "function")
            ));
        }
        page.into_text()
    }
}

impl Counted {
    fn of(counts: &Counts, inspected: &Inspected, bounds: &Bounds) -> Self {
        Self {
            bytes: counts.bytes,
            most_bytes: bounds.bytes,
            modules: counts.modules,
            // Its own, not those of the components inside of it.
            imports: inspected.imports.len(),
            functions: counts.functions,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::commands::function::samples;

    fn report(wasm: &[u8], permissions: Option<Value>) -> Report {
        let inspected = sealift_component::inspect(wasm).unwrap();
        let permissions = permissions.map(|value| Grants::parse(&value).unwrap());
        let mut report = Report::of(wasm, &inspected, permissions.as_ref());
        // What the sample weighs is not what is asked here.
        if let Some(counts) = &mut report.counts {
            counts.bytes = 12_163_481;
            counts.functions = 9812;
        }
        report
    }

    #[test]
    fn what_was_granted_all_it_asks_for_is_started() {
        let report = report(&samples::export(), None);
        assert_eq!(report.exit(), Exit::Done);
        insta::assert_snapshot!(report.text(), @r"
        export-registry 0.1.0 would be started with what it asks for
        size 11.6 MiB of at most 64.0 MiB · 0 modules · 6 imports · 9 812 functions
        ");
    }

    #[test]
    fn what_is_missing_is_told_with_the_line_to_add() {
        let report = report(&samples::export(), Some(json!({"unsealKeys": "copy"})));
        assert_eq!(report.exit(), Exit::Refused);
        insta::assert_snapshot!(report.text(), @r#"
        export-registry 0.1.0 would be refused:
          it imports wasi:http/outgoing-handler and was not granted it; add `http: [{name: target, methods: [GET, HEAD], paths: ["/v2/*"]}]` to spec.permissions of the Function
        size 11.6 MiB of at most 64.0 MiB · 0 modules · 6 imports · 9 812 functions
        "#);
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["refusals"].as_array().unwrap().len(), 1);
        assert_eq!((&value["problems"], &value["counts"]["imports"]), (&json!([]), &json!(6)));
    }

    #[test]
    fn what_its_author_should_mend_is_told_beside() {
        let mut descriptor = samples::export_descriptor();
        descriptor["version"] = json!("one");
        descriptor["requests"]["http"][0]["name"] = json!("everything");
        let wasm = samples::export_with(&serde_json::from_value(descriptor).unwrap());
        let own = report(&wasm, None);
        assert_eq!(own.exit(), Exit::Invalid);
        insta::assert_snapshot!(own.text(), @r#"
        export-registry one would be started with what it asks for
        its descriptor is to be mended:
          version: "one" is no version; write one such as 0.1.0
          requests.http[0].name: "everything" is unknown; valid are pushgateway, target
        size 11.6 MiB of at most 64.0 MiB · 0 modules · 6 imports · 9 812 functions
        "#);
        let refused = report(&wasm, Some(json!({})));
        assert_eq!(refused.exit(), Exit::Refused, "a refusal weighs more");
    }

    #[test]
    fn what_would_harm_the_compiler_is_refused() {
        let names: Vec<String> = (0..2000).map(|index| format!("a:b/c{index}@1.0.0")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wasm = samples::component("source", &names[..1001], &samples::export_descriptor());
        let report = report(&wasm, None);
        assert_eq!(report.exit(), Exit::Refused);
        assert!(report.counts.is_none());
        let told = report.text();
        assert!(told.contains("  the component has more than 1000 imports"), "{told}");
    }

    #[test]
    fn permissions_that_are_none_are_told_by_field() {
        let folder = tempfile::tempdir().unwrap();
        for (yaml, words) in [
            ("filesystem: all", "filesystem: \"filesystem\" is unknown"),
            ("http: [{name: target, methods: [get]}]", "http[0].methods[0]: \"get\" is unknown"),
            ("- a", "expected an object"),
            ("{", "is not YAML"),
        ] {
            let path = folder.path().join("grants.yaml");
            std::fs::write(&path, yaml).unwrap();
            let failure = permissions(&path).unwrap_err();
            assert_eq!(failure.exit, Exit::Invalid);
            assert!(failure.lines.concat().contains(words), "{:?}", failure.lines);
        }
        let missing = permissions(&folder.path().join("none.yaml")).unwrap_err();
        assert!(missing.lines.concat().contains("failed to read"), "{:?}", missing.lines);
    }
}
