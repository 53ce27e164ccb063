//! The guide's objects as a cluster has them, and a plan of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::object::Object;
use sealift_api::objects::{Objects, SourceFile};
use sealift_api::planner::{ComponentInfo, PlanError, PlanInput, plan};
use sealift_api::repository::Repository;
use sealift_api::restore_session::RestoreSession;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_operator::Options;
use serde_json::Value;

/// Text of a file of the test data.
pub(crate) fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn components() -> BTreeMap<String, ComponentInfo> {
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

pub(crate) fn options() -> Options {
    Options {
        image: "registry.example/sealift:1".to_owned(),
        image_pull_secrets: vec!["registry".to_owned()],
        node_selector: BTreeMap::from([("kubernetes.io/arch".to_owned(), "amd64".to_owned())]),
        pushgateway: Some("http://sealift.sealift.svc:56789".parse().unwrap()),
        cluster_domain: None,
        watch_namespace: None,
        max_concurrent_sessions: 10,
        takeover: false,
        metrics_address: None,
        leader_election: false,
        namespace: "sealift".to_owned(),
        identity: "sealift-0".to_owned(),
        pending_limit: Duration::from_secs(600),
        components: components(),
    }
}

/// The guide's objects, with uid and generation as an API server gives them.
pub(crate) struct World {
    files: Vec<(&'static str, String)>,
    kind: &'static str,
    name: &'static str,
}

const GUIDE: &str = "manifests/kubevault-stash";
const S3: &str = "apiVersion: stash.appscode.com/v1alpha1
kind: Repository
metadata: {name: gcp-demo-repo, namespace: demo, uid: repository-uid, generation: 1}
spec:
  backend:
    s3: {endpoint: http://s3.storage.svc:7070, bucket: stash-testing, prefix: demo-vault}
    storageSecretName: gcs-secret
";

pub(crate) fn backup() -> World {
    World {
        files: vec![
            ("app-binding", text(&format!("{GUIDE}/guide-backup/02-appbinding.yaml"))),
            ("repository", S3.to_owned()),
            ("invoker", text(&format!("{GUIDE}/guide-backup/04-backupconfiguration.yaml"))),
        ],
        kind: "BackupConfiguration",
        name: "demo-backup",
    }
}

pub(crate) fn restore() -> World {
    let mut world = backup();
    world.kind = "RestoreSession";
    world.name = "vault-restore-session";
    world.files[2].1 = text(&format!("{GUIDE}/guide-restore/01-restoresession.yaml"));
    world
}

impl World {
    /// Replaces text in a file; it must be there.
    pub(crate) fn edit(mut self, file: &str, from: &str, to: &str) -> Self {
        let (_, text) = self.files.iter_mut().find(|(name, _)| *name == file).unwrap();
        assert!(text.contains(from), "{file} does not hold {from:?}");
        *text = text.replacen(from, to, 1);
        self
    }

    fn objects(&self) -> Objects {
        let files = self.files.iter().map(|(name, text)| SourceFile { name, text });
        Objects::read(files, "demo").unwrap_or_else(|errors| panic!("{errors:?}")).0
    }

    pub(crate) fn plan(&self) -> Plan {
        self.planned().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The plan, or why there is none.
    pub(crate) fn planned(&self) -> Result<Plan, PlanError> {
        let objects = self.objects();
        let invoker = ObjectRef {
            group: "stash.appscode.com".into(),
            kind: self.kind.into(),
            namespace: "demo".into(),
            name: self.name.into(),
        };
        let options = options();
        plan(&PlanInput {
            objects: &objects,
            invoker: &invoker,
            session: "demo-backup-1700000000",
            components: &options.components,
            options: &options.plan_options(),
        })
    }

    pub(crate) fn repository(&self) -> Repository {
        let objects = self.objects();
        objects.repositories().next().unwrap().clone()
    }

    pub(crate) fn configuration(&self) -> BackupConfiguration {
        let mut found = self
            .objects()
            .iter()
            .find_map(|(_, object)| match object {
                Object::BackupConfiguration(found) => Some((**found).clone()),
                _ => None,
            })
            .unwrap();
        living(&mut found.metadata);
        found
    }

    pub(crate) fn restore_session(&self) -> RestoreSession {
        let mut found = self
            .objects()
            .iter()
            .find_map(|(_, object)| match object {
                Object::RestoreSession(found) => Some((**found).clone()),
                _ => None,
            })
            .unwrap();
        living(&mut found.metadata);
        found
    }
}

fn living(metadata: &mut ObjectMeta) {
    metadata.uid = Some("invoker-uid".to_owned());
    metadata.labels.get_or_insert_default().insert("team".to_owned(), "vault".to_owned());
}
