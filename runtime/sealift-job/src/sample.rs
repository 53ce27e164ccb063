//! What the unit tests of this crate share: a plan, a repository, objects that answer as told.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sealift_core::plan::{Location, ObjectRef, PLAN_VERSION, Plan, SecretRef};
use sealift_host::Host;
use sealift_repository::{Options, Repository, Secrets};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::cluster::LogEvents;
use crate::components::LocalComponents;
use crate::hooks::HookSurroundings;
use crate::locks::FileLocks;
use crate::objects::{ObjectError, Objects};
use crate::secrets::{SecretData, SecretError};
use crate::surroundings::Surroundings;

/// A backup of a Vault into the repository in this folder; its origin `target` has a credential,
/// `pushgateway` has none.
pub(crate) fn plan(folder: &Path) -> Plan {
    let object = |kind: &str, name: &str| json!({"group": "", "kind": kind, "namespace": "demo", "name": name});
    let secret = |name: &str| json!({"namespace": "demo", "name": name});
    serde_json::from_value(json!({
        "version": PLAN_VERSION,
        "direction": {"backup": {
            "hostname": "host-0", "path": "/data", "tags": [], "description": "",
        }},
        "session": object("BackupSession", "vault-backup-1"),
        "invoker": object("BackupConfiguration", "vault-backup"),
        "target": {
            "reference": object("AppBinding", "vault"),
            "hostname": "host-0", "metricsGroup": "", "metricsKind": "AppBinding",
        },
        "repository": {
            "reference": object("Repository", "vault-repository"),
            "location": {"local": {"path": folder}},
            "secret": secret("storage"),
        },
        "task": "vault-backup",
        "stages": [],
        "observers": [],
        "origins": [
            {"name": "target", "url": "http://127.0.0.1:8200/", "credential": {
                "header": "X-Vault-Token", "secret": secret("vault-token"), "key": "token",
            }},
            {"name": "pushgateway", "url": "http://127.0.0.1:9091/"},
        ],
        "keys": {
            "secret": secret("vault-keys"), "prefix": "k8s", "snapshotPrefix": "k8s",
            "shares": 2, "threshold": 1,
        },
        "timeoutSeconds": 60,
    }))
    .unwrap()
}

/// An empty repository in this folder.
pub(crate) fn repository(folder: &Path) -> Arc<Repository> {
    let location = Location::Local { path: folder.to_string_lossy().into_owned() };
    Arc::new(Repository::init(&location, &Secrets::new("password"), Options::default()).unwrap())
}

/// What a session on this machine needs, all of it in this folder.
pub(crate) fn around(folder: &Path) -> Surroundings {
    let secret = data(&[("RESTIC_PASSWORD", "password")]);
    Surroundings {
        host: Host::new().unwrap(),
        components: Arc::new(LocalComponents::new(&[], folder.to_owned())),
        objects: Arc::new(Fake::new(Answer::Found, secret)),
        events: Arc::new(LogEvents::default()),
        cancel: CancellationToken::new(),
        allow_loopback: true,
        locks: Arc::new(FileLocks::new(folder.join("locks"))),
        interim_dir: folder.to_owned(),
        hooks: HookSurroundings::default(),
    }
}

/// Data of a Secret.
pub(crate) fn data(values: &[(&str, &str)]) -> SecretData {
    let mut data = SecretData::default();
    for (key, value) in values {
        data.insert(key, Zeroizing::new(value.as_bytes().to_vec()));
    }
    data
}

/// How every Secret answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With the data.
    Found,
    /// It is not there.
    Missing,
    /// It cannot be read.
    Broken,
}

/// Objects that answer as told and keep what is written.
pub(crate) struct Fake {
    pub(crate) answer: Answer,
    pub(crate) data: SecretData,
    pub(crate) writable: bool,
    pub(crate) written: Mutex<Option<SecretData>>,
}

impl Fake {
    pub(crate) fn new(answer: Answer, data: SecretData) -> Self {
        Self { answer, data, writable: true, written: Mutex::new(None) }
    }
}

#[async_trait]
impl Objects for Fake {
    async fn secret(&self, secret: &SecretRef) -> Result<SecretData, ObjectError> {
        match self.answer {
            Answer::Found => Ok(self.data.clone()),
            Answer::Missing => Err(ObjectError::SecretNotFound(secret.clone())),
            Answer::Broken => Err(ObjectError::UseSecret {
                secret: secret.clone(),
                source: SecretError::NotText { key: "any".into() },
            }),
        }
    }

    async fn added_key(
        &self,
        binding: &ObjectRef,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        Err(ObjectError::AddedKeyNotFound { binding: binding.clone(), key: key.to_owned() })
    }

    async fn check_writable(&self, secret: &SecretRef) -> Result<(), ObjectError> {
        if self.writable {
            return Ok(());
        }
        Err(ObjectError::WriteRefused { secret: secret.clone(), reason: "read-only".into() })
    }

    async fn write_secret(&self, _: &SecretRef, data: SecretData) -> Result<(), ObjectError> {
        *self.written.lock().unwrap() = Some(data);
        Ok(())
    }
}
