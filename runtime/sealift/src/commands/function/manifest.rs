//! `sealift function manifest`: a component as a Function of a cluster.
//!
//! It says what the component asks for, in words and as `permissions`, so that whoever applies it
//! has read what they allow. The image is pinned by its digest: what was looked at is what runs.
//! It touches no cluster.

use std::path::PathBuf;

use clap::Args;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::function::{Function, FunctionSpec};
use sealift_api::kind::Kind;
use sealift_api::task::{Step, Task, TaskSpec};
use sealift_component::{Descriptor, Inspected, words};
use sealift_core::limits::Limits;
use sealift_core::names::kebab_case;
use sealift_core::plan::Kind as Component;
use sealift_core::schema::{Property, Schema};
use serde_json::{Value, json};

use super::named::Named;
use super::page::size;
use crate::exit::{Exit, Failure};
use crate::output::{Output, yaml};
use crate::registries::{RegistryArgs, TrustArgs};

#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    /// The component: a file, or REGISTRY/REPOSITORY with a tag or a digest.
    #[arg(value_name = "FILE|REFERENCE")]
    component: PathBuf,

    /// Name of the Function. Default: what the component calls itself.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Most memory that one run may use, such as 256Mi. Default: what the engine gives every
    /// Function; those in Python and JavaScript need more.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,

    /// Print a Task of the same name, too: a chain of the Function and of those that are built in.
    #[arg(long)]
    task: bool,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: &ManifestArgs, output: Output) -> Result<Exit, Failure> {
    let Named { inspected, published } =
        Named::find(&args.component, &args.trust, &args.registry).await?;
    let problems = inspected.descriptor.problems();
    if !problems.is_empty() {
        let mut failure = Failure::new(Exit::Invalid, "");
        failure.lines = problems.iter().map(|problem| format!("descriptor: {problem}")).collect();
        return Err(failure.help("ask its author to mend the descriptor"));
    }
    let image = match published {
        Some(published) => published.reference.to_string(),
        None => format!("file:{}", args.component.display()),
    };
    let name = args.name.clone().unwrap_or_else(|| inspected.descriptor.name.clone());
    let task = args.task.then(|| task(&name, inspected.kind));
    let mut function = function(name, image, &inspected.descriptor)?;
    if let Some(memory) = &args.memory {
        let limits = json!({"memory": memory});
        Limits::parse(&limits).map_err(|errors| {
            let lines = errors.iter().map(|error| format!("--memory: {error}")).collect();
            Failure { lines, ..Failure::new(Exit::Invalid, "") }
        })?;
        function.spec.limits = Some(limits);
    }
    let text = format!("{}{}", comment(&inspected), yaml(&function)?);
    match task {
        None => output.result(|| text, &function)?,
        Some(task) => {
            let text = format!("{text}---\n{}", yaml(&task)?);
            let list = json!({"apiVersion": "v1", "kind": "List", "items": [function, task]});
            output.result(|| text, &list)?;
        }
    }
    Ok(Exit::Done)
}

/// A chain in which a Function of this kind has its place. Where it needs another source, that is
/// the one that is built in for Vault.
fn task(name: &str, kind: Component) -> Task {
    let (backup, upload, download) = ("vault-backup-1.10.3", "restic-upload", "restic-download");
    let steps = match kind {
        Component::Source => vec![name, upload],
        Component::Transform => vec![backup, name, upload],
        Component::Sink => vec![download, name],
        Component::Observer => vec![backup, upload, name],
    };
    let step = |name: &str| Step { name: name.to_owned(), params: Vec::new() };
    let metrics = step("pushgateway-push");
    Task {
        api_version: TaskSpec::API_VERSION.to_owned(),
        kind: TaskSpec::KIND.to_owned(),
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        spec: TaskSpec {
            steps: steps.into_iter().map(step).chain([metrics]).collect(),
            volumes: Vec::new(),
        },
        status: None,
    }
}

/// The Function, with everything the component asks for.
fn function(name: String, image: String, descriptor: &Descriptor) -> Result<Function, Failure> {
    let permissions = serde_json::to_value(&descriptor.requests)
        .map_err(|error| Failure::of(Exit::Failed, &error))?;
    Ok(Function {
        api_version: FunctionSpec::API_VERSION.to_owned(),
        kind: FunctionSpec::KIND.to_owned(),
        metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() },
        spec: FunctionSpec {
            image: Some(image),
            args: arguments(&descriptor.parameters)?,
            permissions: Some(permissions),
            ..FunctionSpec::default()
        },
        status: None,
    })
}

/// An argument for each parameter, which a Task may set by its name.
fn arguments(parameters: &Value) -> Result<Vec<String>, Failure> {
    let schema = Schema::parse(parameters).map_err(|error| Failure::of(Exit::Invalid, &error))?;
    let mut arguments = Vec::new();
    for name in schema.names() {
        let default = schema.property(name).and_then(Property::default_text);
        let variable = match default {
            // A default that reads like a variable is left to the component.
            Some(text) if text.contains(['$', '{', '}']) => continue,
            Some(text) => format!("{name}:={text}"),
            None if schema.is_required(name) => name.clone(),
            None => continue,
        };
        arguments.push(format!("--{}=${{{variable}}}", kebab_case(name)));
    }
    Ok(arguments)
}

/// What whoever applies it should have read.
fn comment(inspected: &Inspected) -> String {
    let descriptor = &inspected.descriptor;
    let mut lines = vec![format!(
        "{} {}, {}, {}",
        descriptor.name,
        descriptor.version,
        inspected.kind.as_str(),
        size(inspected.size)
    )];
    if !descriptor.summary.is_empty() {
        lines.push(descriptor.summary.clone());
    }
    let asks = words::grants(&descriptor.requests);
    if asks.is_empty() {
        lines.push("It asks for no permission.".to_owned());
    } else {
        lines.push("`permissions` is all it asks for. Take out what it shall not do:".to_owned());
        lines.extend(asks.into_iter().map(|phrase| format!("- {phrase}")));
    }
    lines.iter().map(|line| format!("# {}\n", one_line(line))).collect()
}

/// Nothing of a component ends a comment.
fn one_line(text: &str) -> String {
    let breaks = |character: char| {
        character.is_control() || matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    text.chars().map(|character| if breaks(character) { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::commands::function::samples;

    fn page(wasm: &[u8]) -> String {
        let mut inspected = sealift_component::inspect(wasm).unwrap();
        inspected.size = 12_163_481;
        let image = format!("ghcr.io/acme/export@sha256:{}", "0".repeat(64));
        let name = inspected.descriptor.name.clone();
        let function = function(name, image, &inspected.descriptor).unwrap();
        format!("{}{}", comment(&inspected), yaml(&function).unwrap())
    }

    #[test]
    fn a_function_says_in_words_and_in_fields_what_it_may_do() {
        insta::assert_snapshot!(page(&samples::export()), @r"
        # export-registry 0.1.0, source, 11.6 MiB
        # Stores the images of an OCI registry.
        # `permissions` is all it asks for. Take out what it shall not do:
        # - send GET, HEAD to target, paths /v2/*
        # - hand on the unseal keys and the root token without seeing them (unsealKeys: copy)
        apiVersion: stash.appscode.com/v1beta1
        kind: Function
        metadata:
          name: export-registry
        spec:
          args:
          - --all-tags=${allTags:=true}
          - --concurrency=${concurrency:=2}
          image: >-
            ghcr.io/acme/export@sha256:0000000000000000000000000000000000000000000000000000000000000000
          permissions:
            http:
            - methods:
              - GET
              - HEAD
              name: target
              paths:
              - /v2/*
            unsealKeys: copy
        ");
    }

    #[test]
    fn one_that_asks_for_nothing_gets_nothing() {
        let text = page(&samples::plain());
        assert!(text.contains("# It asks for no permission.\n"), "{text}");
        assert!(text.contains("permissions: {}\n"), "{text}");
    }

    #[test]
    fn a_task_gives_each_kind_its_place_and_names_what_is_built_in() {
        let steps = |kind| {
            let steps = task("mine", kind).spec.steps;
            steps.into_iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
        };
        let built_in = sealift_api::catalog::Catalog::built_in();
        for (kind, expected) in [
            (Component::Source, "mine restic-upload pushgateway-push"),
            (Component::Transform, "vault-backup-1.10.3 mine restic-upload pushgateway-push"),
            (Component::Sink, "restic-download mine pushgateway-push"),
            (Component::Observer, "vault-backup-1.10.3 restic-upload mine pushgateway-push"),
        ] {
            let found = steps(kind);
            assert_eq!(found, expected);
            for name in found.split(' ').filter(|name| *name != "mine") {
                assert!(built_in.function(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn what_a_component_says_ends_no_comment() {
        let mut descriptor = samples::export_descriptor();
        descriptor["summary"] = "one\u{2028}spec: {image: other}".into();
        let text = page(&samples::component("source", &[], &descriptor));
        let body: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(body.iter().filter(|line| line.contains("image:")).count(), 1, "{text}");
        assert!(!text.contains('\u{2028}'), "{text}");
    }

    #[test]
    fn a_default_that_reads_like_a_variable_stays_the_component_s() {
        let schema = serde_json::json!({"type": "object", "required": ["path"], "properties": {
            "path": {"type": "string"},
            "pattern": {"type": "string", "default": "${NAME}"},
            "recipients": {"type": "array", "default": ["a", "b"]},
            "note": {"type": "string"},
        }});
        assert_eq!(
            arguments(&schema).unwrap(),
            ["--path=${path}", "--recipients=${recipients:=a,b}"]
        );
    }
}
