//! The guide's objects with a local Repository, and ways to change one thing in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealift_api::finding::ReadError;
use sealift_api::objects::{Objects, SourceFile};
use sealift_api::planner::{ComponentInfo, PlanError, PlanInput, PlanOptions, plan};
use sealift_core::plan::{ObjectRef, Plan};
use serde_json::Value;

/// The folder of test data.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

pub(crate) fn text(path: &str) -> String {
    let path = data().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn components() -> BTreeMap<String, ComponentInfo> {
    let all: BTreeMap<String, Value> = serde_json::from_str(&text("components.json")).unwrap();
    all.into_iter()
        .map(|(reference, descriptor)| {
            let info = ComponentInfo {
                kind: serde_json::from_value(descriptor["kind"].clone()).unwrap(),
                reference: reference.clone(),
                digest: descriptor["digest"].as_str().unwrap().to_owned(),
                parameters: descriptor["parameters"].clone(),
                requests: serde_json::from_value(descriptor["requests"].clone()).unwrap(),
                unknown_size: descriptor["unknownSize"].as_bool().unwrap_or_default(),
            };
            (reference, info)
        })
        .collect()
}

const GUIDE: &str = "manifests/kubevault-stash";

/// One case: files by name, in the order they are read.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) options: PlanOptions,
    pub(crate) invoker: (&'static str, &'static str),
}

/// The guide's backup.
pub(crate) fn backup() -> Case {
    let guide = format!("{GUIDE}/guide-backup");
    Case {
        files: vec![
            ("secrets.yaml".into(), text("objects/secrets.yaml")),
            ("app-binding.yaml".into(), text(&format!("{guide}/02-appbinding.yaml"))),
            ("repository.yaml".into(), text("objects/local-repository.yaml")),
            ("invoker.yaml".into(), text(&format!("{guide}/04-backupconfiguration.yaml"))),
        ],
        options: PlanOptions {
            pushgateway: Some("http://127.0.0.1:9091".parse().unwrap()),
            target_addresses: vec!["127.0.0.1:8200".into()],
            ..PlanOptions::default()
        },
        invoker: ("BackupConfiguration", "demo-backup"),
    }
}

/// The guide's restore.
pub(crate) fn restore() -> Case {
    let mut case = backup();
    case.set("invoker.yaml", &text(&format!("{GUIDE}/guide-restore/01-restoresession.yaml")));
    case.invoker = ("RestoreSession", "vault-restore-session");
    case
}

impl Case {
    /// Replaces a file, or adds it.
    pub(crate) fn set(&mut self, file: &str, text: &str) -> &mut Self {
        self.files.retain(|(name, _)| name != file);
        self.files.push((file.to_owned(), text.to_owned()));
        self
    }

    /// Replaces text in a file; it must be there.
    pub(crate) fn edit(&mut self, file: &str, from: &str, to: &str) -> &mut Self {
        let (_, text) = self.files.iter_mut().find(|(name, _)| name == file).unwrap();
        assert!(text.contains(from), "{file} does not hold {from:?}");
        *text = text.replacen(from, to, 1);
        self
    }

    pub(crate) fn remove(&mut self, file: &str) -> &mut Self {
        self.files.retain(|(name, _)| name != file);
        self
    }

    pub(crate) fn objects(&self) -> Result<Objects, Vec<ReadError>> {
        let files = self.files.iter().map(|(name, text)| SourceFile { name, text });
        Objects::read(files, "default").map(|(objects, _)| objects)
    }

    pub(crate) fn plan(&self) -> Result<Plan, PlanError> {
        self.plan_with(&components())
    }

    pub(crate) fn plan_with(
        &self,
        components: &BTreeMap<String, ComponentInfo>,
    ) -> Result<Plan, PlanError> {
        let objects = self.objects().unwrap_or_else(|errors| panic!("{errors:?}"));
        let invoker = ObjectRef {
            group: "stash.appscode.com".into(),
            kind: self.invoker.0.into(),
            namespace: "demo".into(),
            name: self.invoker.1.into(),
        };
        plan(&PlanInput {
            objects: &objects,
            invoker: &invoker,
            session: "demo-backup-1700000000",
            components,
            options: &self.options,
        })
    }

    /// What a user sees, problems with their help or the errors of reading.
    pub(crate) fn complaint(&self) -> String {
        if let Err(errors) = self.objects() {
            return errors.iter().map(|error| chain(error)).collect::<Vec<_>>().join("\n");
        }
        match self.plan() {
            Ok(_) => "no complaint".to_owned(),
            Err(error) => error
                .problems
                .iter()
                .map(|problem| {
                    format!("{:?}: {problem}\n  help: {}", problem.reason, problem.help())
                })
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }
}

/// An error and its sources.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
