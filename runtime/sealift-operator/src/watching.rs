//! The watches, and what follows from a change: which objects are to be looked at.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::app_binding::AppBinding;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_api::function::Function;
use sealift_api::repository::Repository;
use sealift_api::restore_session::{RestoreSession, RestoreSessionPhase};
use sealift_api::task::Task;
use sealift_kube::kube::core::{DeserializeGuard, PartialObjectMeta};
use sealift_kube::kube::runtime::watcher::Config;
use sealift_kube::kube::{Api, Client, Resource};
use sealift_kube::watch::{self, Change, Key, Watch};

use crate::cluster::{Queues, Stores};
use crate::controller::{backup_session, trigger};
use crate::{labels, planning};

/// All watches, not yet read.
pub(crate) struct Watches {
    configurations: Watch<BackupConfiguration>,
    sessions: Watch<BackupSession>,
    restores: Watch<RestoreSession>,
    repositories: Watch<Repository>,
    app_bindings: Watch<AppBinding>,
    tasks: Watch<Task>,
    functions: Watch<Function>,
    namespaces: Watch<PartialObjectMeta<Namespace>>,
    jobs: Watch<Job>,
    pods: Watch<Pod>,
    cron_jobs: Watch<PartialObjectMeta<CronJob>>,
    service_accounts: Watch<PartialObjectMeta<ServiceAccount>>,
    roles: Watch<PartialObjectMeta<Role>>,
    role_bindings: Watch<PartialObjectMeta<RoleBinding>>,
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

impl Watches {
    /// Makes them; nothing is asked before they are read.
    pub(crate) fn new(client: &Client, namespace: Option<&str>) -> Self {
        let all = Config::default;
        let ours = || Config::default().labels(labels::MANAGED);
        Self {
            configurations: watch::objects(api(client, namespace), all(), |_| ()),
            sessions: watch::objects(api(client, namespace), all(), |_| ()),
            restores: watch::objects(api(client, namespace), all(), |_| ()),
            repositories: watch::objects(api(client, namespace), all(), |_| ()),
            app_bindings: watch::objects(api(client, namespace), all(), |_| ()),
            tasks: watch::objects(
                Api::<DeserializeGuard<Task>>::all(client.clone()),
                all(),
                |_| (),
            ),
            functions: watch::objects(
                Api::<DeserializeGuard<Function>>::all(client.clone()),
                all(),
                |_| (),
            ),
            namespaces: watch::metadata(
                Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
                all(),
            ),
            jobs: watch::objects(api(client, namespace), ours(), |job: &mut Job| job.spec = None),
            pods: watch::objects(api(client, namespace), ours(), |pod: &mut Pod| pod.spec = None),
            cron_jobs: watch::metadata(api(client, namespace), all()),
            service_accounts: watch::metadata(api(client, namespace), ours()),
            roles: watch::metadata(api(client, namespace), ours()),
            role_bindings: watch::metadata(api(client, namespace), ours()),
        }
    }

    /// What they will have seen.
    pub(crate) fn stores(&self) -> Stores {
        Stores {
            configurations: self.configurations.store.clone(),
            sessions: self.sessions.store.clone(),
            restores: self.restores.store.clone(),
            repositories: self.repositories.store.clone(),
            app_bindings: self.app_bindings.store.clone(),
            tasks: self.tasks.store.clone(),
            functions: self.functions.store.clone(),
            namespaces: self.namespaces.store.clone(),
            jobs: self.jobs.store.clone(),
            pods: self.pods.store.clone(),
            cron_jobs: self.cron_jobs.store.clone(),
            service_accounts: self.service_accounts.store.clone(),
            roles: self.roles.store.clone(),
            role_bindings: self.role_bindings.store.clone(),
        }
    }

    /// The work of reading them; each future ends only if its watch does.
    pub(crate) fn read(self, follow: &Follow) -> Vec<BoxFuture<'static, ()>> {
        vec![
            follow.each(self.configurations, Follow::configuration),
            follow.each(self.sessions, Follow::session),
            follow.each(self.restores, |follow, change| follow.queues.restores.now(change.key)),
            follow.each(self.repositories, |follow, change| {
                follow.users_of_repository(&change.key);
                follow.queues.repositories.now(change.key);
            }),
            follow.each(self.app_bindings, |follow, change| follow.users_of_target(&change.key)),
            follow.each(self.tasks, |follow, _| follow.everybody()),
            follow.each(self.functions, |follow, _| follow.everybody()),
            follow.each(self.namespaces, Follow::namespace),
            follow.each(self.jobs, Follow::job),
            follow.each(self.pods, Follow::pod),
            follow.each(self.cron_jobs, Follow::cron_job),
            follow.each(self.service_accounts, Follow::child),
            follow.each(self.roles, Follow::child),
            follow.each(self.role_bindings, Follow::child),
        ]
    }
}

/// Turns changes into keys.
#[derive(Clone)]
pub(crate) struct Follow {
    pub(crate) stores: Stores,
    pub(crate) queues: Queues,
}

impl Follow {
    fn each<K: Send + Sync + 'static>(
        &self,
        watch: Watch<K>,
        mut then: impl FnMut(&Self, Change<K>) + Send + 'static,
    ) -> BoxFuture<'static, ()> {
        let follow = self.clone();
        let mut changes = watch.changes;
        Box::pin(async move {
            while let Some(change) = changes.next().await {
                then(&follow, change);
            }
        })
    }

    fn configuration(&self, change: Change<BackupConfiguration>) {
        let repository = |found: &BackupConfiguration| {
            planning::repository_key(found.namespace(), found.spec.repository.as_ref())
        };
        for found in [&change.before, &change.after].into_iter().flatten() {
            if let Some(key) = repository(found) {
                self.queues.repositories.now(key);
            }
        }
        // Sessions that have not begun wait for what becomes of it.
        for session in backup_session::waiting_of(&self.stores, &change.key) {
            self.queues.sessions.now(session);
        }
        self.queues.configurations.now(change.key);
    }

    fn session(&self, change: Change<BackupSession>) {
        let open = |found: &Option<Arc<BackupSession>>| {
            found.as_deref().is_some_and(backup_session::is_open)
        };
        if open(&change.before)
            && !open(&change.after)
            && let Some(ended) = &change.before
        {
            for key in backup_session::waiting_for(&self.stores, ended) {
                self.queues.sessions.now(key);
            }
        }
        self.queues.sessions.now(change.key);
    }

    fn namespace(&self, change: Change<PartialObjectMeta<Namespace>>) {
        let labels = |found: &Option<Arc<PartialObjectMeta<Namespace>>>| {
            found.as_ref().and_then(|found| found.metadata.labels.clone())
        };
        // Only a usagePolicy looks at them.
        if change.before.is_some() && labels(&change.before) == labels(&change.after) {
            return;
        }
        for found in self.stores.configurations.select_in(&change.key.name, |_| true) {
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open_restores(|restore| restore.namespace() == change.key.name);
    }

    fn job(&self, change: Change<Job>) {
        let Some(job) = change.after.as_ref().or(change.before.as_ref()) else { return };
        self.session_of(&job.metadata);
        if change.after.as_deref().is_some_and(trigger::is_due) {
            self.queues.triggers.now(change.key);
        }
    }

    fn pod(&self, change: Change<Pod>) {
        let Some(pod) = change.after.as_ref().or(change.before.as_ref()) else { return };
        let owner = pod.metadata.owner_references.iter().flatten().find(|it| it.kind == "Job");
        if let Some(owner) = owner
            && let Some(job) = self.stores.jobs.get(&change.key.namespace, &owner.name)
        {
            self.session_of(&job.metadata);
        }
    }

    /// A CronJob's status changes with every start; only its metadata and spec concern us.
    fn cron_job(&self, change: Change<PartialObjectMeta<CronJob>>) {
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            let (before, after) = (&before.metadata, &after.metadata);
            if before.generation == after.generation
                && before.labels == after.labels
                && before.annotations == after.annotations
                && before.owner_references == after.owner_references
                && before.deletion_timestamp == after.deletion_timestamp
            {
                return;
            }
        }
        // What older releases of the original left belongs to the one it is named after.
        if let Some(name) = change.key.name.strip_prefix("stash-trigger--") {
            self.queues.configurations.now(Key::new(&change.key.namespace, name));
        }
        self.child(change);
    }

    fn child<K>(&self, change: Change<PartialObjectMeta<K>>) {
        for found in [&change.before, &change.after].into_iter().flatten() {
            if let Some(owner) = labels::controller_of(&found.metadata, "BackupConfiguration") {
                self.queues.configurations.now(Key::new(&change.key.namespace, &owner.name));
            }
        }
    }

    fn session_of(&self, job: &ObjectMeta) {
        let namespace = job.namespace.as_deref().unwrap_or_default();
        if let Some(owner) = labels::controller_of(job, "BackupSession") {
            self.queues.sessions.now(Key::new(namespace, &owner.name));
        }
        if let Some(owner) = labels::controller_of(job, "RestoreSession") {
            self.queues.restores.now(Key::new(namespace, &owner.name));
        }
    }

    fn users_of_repository(&self, repository: &Key) {
        let users = self.stores.configurations.select(|found| {
            let named = found.spec.repository.as_ref();
            planning::repository_key(found.namespace(), named).as_ref() == Some(repository)
        });
        for found in users {
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open_restores(|restore| {
            let named = restore.spec.repository.as_ref();
            planning::repository_key(restore.namespace(), named).as_ref() == Some(repository)
        });
    }

    fn users_of_target(&self, target: &Key) {
        let is = |namespace: &str, named: Option<&sealift_api::reference::TargetRef>| {
            planning::target(namespace, named)
                .is_some_and(|it| it.namespace == target.namespace && it.name == target.name)
        };
        let users = self.stores.configurations.select(|found| {
            is(found.namespace(), found.spec.target.as_ref().and_then(|it| it.reference.as_ref()))
        });
        for found in users {
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open_restores(|restore| {
            let named = restore.spec.target.as_ref().and_then(|it| it.reference.as_ref());
            is(restore.namespace(), named)
        });
    }

    /// A Task or Function changed: which plans it is part of shows when they are made.
    fn everybody(&self) {
        for found in self.stores.configurations.all() {
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open_restores(|_| true);
    }

    fn open_restores(&self, wanted: impl Fn(&RestoreSession) -> bool) {
        let waits = |restore: &RestoreSession| {
            matches!(
                restore.status.as_ref().and_then(|status| status.phase),
                None | Some(RestoreSessionPhase::Pending | RestoreSessionPhase::Invalid)
            )
        };
        for found in self.stores.restores.select(|restore| waits(restore) && wanted(restore)) {
            self.queues.restores.now(Key::of(&*found));
        }
    }
}
