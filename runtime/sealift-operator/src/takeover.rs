//! Whether the original's operator runs in the cluster: then ours stands back, so that no object
//! is torn between two writers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use sealift_kube::kube::runtime::watcher::Config;
use sealift_kube::kube::{Api, Client, ResourceExt};
use sealift_kube::read;
use sealift_kube::watch::{self, Key, Watch, unrelated};
use tokio_util::sync::CancellationToken;

/// What the original's charts make carries one of these names, in [`NAME`].
pub(crate) const NAMES: [&str; 4] =
    ["stash", "stash-community", "stash-enterprise", "stash-operator"];
/// The label of a program's name.
pub(crate) const NAME: &str = "app.kubernetes.io/name";

/// Groups only the original serves.
pub(crate) const GROUPS: [&str; 2] =
    ["admission.stash.appscode.com", "repositories.stash.appscode.com"];
/// How often it is asked whether a Deployment is the original after all.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Whether an APIService of this name is the original's.
pub(crate) fn serves(name: &str) -> bool {
    GROUPS.iter().any(|group| name.ends_with(group))
}

/// Watches for the original's operator.
pub(crate) struct Takeover {
    client: Client,
    running: BTreeSet<Key>,
    watch: Watch<Deployment>,
}

impl Takeover {
    /// Begins to look.
    pub(crate) fn new(client: &Client) -> Self {
        let api = Api::all(client.clone());
        let prune = |found: &mut Deployment| {
            if let Some(spec) = found.spec.as_mut() {
                spec.template = Default::default();
            }
        };
        let original = Config::default().labels(&format!("{NAME} in ({})", NAMES.join(", ")));
        let watch = watch::objects::<Deployment>(api, original, prune, unrelated);
        Self { client: client.clone(), running: BTreeSet::new(), watch }
    }

    /// Waits until it is known whether one runs: why to stand back, or none.
    pub(crate) async fn look(&mut self) -> Option<String> {
        // An empty list makes no change to read, so both are waited for.
        let store = self.watch.store.clone();
        loop {
            tokio::select! {
                biased;
                change = self.watch.changes.next() => match change {
                    Some(change) => self.note(&change),
                    None => break,
                },
                () = store.ready() => break,
            }
        }
        self.reason().await
    }

    /// Waits until none runs.
    pub(crate) async fn gone(&mut self) {
        while !self.running.is_empty() {
            let Some(change) = self.watch.changes.next().await else { return };
            self.note(&change);
        }
    }

    /// Waits until one runs, and says why that is a reason to stop.
    pub(crate) async fn comes(&mut self, stop: &CancellationToken) -> Option<String> {
        loop {
            if let Some(reason) = self.reason().await {
                return Some(reason);
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(LOOK_AGAIN), if !self.running.is_empty() => {}
                change = self.watch.changes.next() => self.note(&change?),
            }
        }
    }

    fn note(&mut self, change: &watch::Change<Deployment>) {
        let wanted = |found: &Deployment| {
            found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1) > 0
        };
        match &change.after {
            Some(found) if wanted(found) => self.running.insert(change.key.clone()),
            _ => self.running.remove(&change.key),
        };
    }

    /// The Deployment of the original that runs.
    pub(crate) fn found(&self) -> Option<Arc<Deployment>> {
        self.running.first().and_then(|key| self.watch.store.find(key))
    }

    /// Whoever may make a Deployment can give it such a label, and must not thereby stop the backups
    /// of all others; what the original registers with the API server only an administrator can.
    /// In doubt it runs.
    async fn reason(&self) -> Option<String> {
        let found = self.running.first()?;
        match read::list_cluster_metadata::<APIService>(&self.client).await {
            Ok(services) if !services.iter().any(|it| serves(&it.name_any())) => {
                tracing::info!(
                    object = %found,
                    "a Deployment has the name of the original's operator, but no APIService of it is registered: it is not the original"
                );
                return None;
            }
            _ => {}
        }
        Some(format!(
            "the operator of the original runs as Deployment {found}; scale it to 0 or uninstall it, or start with --takeover"
        ))
    }
}
