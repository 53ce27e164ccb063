//! Whether the original's operator runs in the cluster: then ours stands back, so that no object
//! is torn between two writers.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use sealift_kube::kube::runtime::watcher::Config;
use sealift_kube::kube::{Api, Client};
use sealift_kube::watch::{self, Key, Watch, unrelated};
use tokio_util::sync::CancellationToken;

/// The Deployments of the original's charts carry one of these names.
const ORIGINAL: &str =
    "app.kubernetes.io/name in (stash, stash-community, stash-enterprise, stash-operator)";

/// Watches for the original's operator.
pub(crate) struct Takeover {
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
        let watch =
            watch::objects::<Deployment>(api, Config::default().labels(ORIGINAL), prune, unrelated);
        Self { running: BTreeSet::new(), watch }
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
                    None => return self.reason(),
                },
                () = store.ready() => return self.reason(),
            }
        }
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
            if let Some(reason) = self.reason() {
                return Some(reason);
            }
            tokio::select! {
                () = stop.cancelled() => return None,
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

    fn reason(&self) -> Option<String> {
        let found = self.running.first()?;
        Some(format!(
            "the operator of the original runs as Deployment {found}; scale it to 0 or uninstall it, or start with --takeover"
        ))
    }
}
