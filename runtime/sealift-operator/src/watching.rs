//! The watches, and what follows from a change: which objects are to be looked at.

use std::fmt::Debug;
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
use sealift_kube::kube::core::PartialObjectMeta;
use sealift_kube::kube::runtime::watcher::Config;
use sealift_kube::kube::{Api, Client, Resource};
use sealift_kube::watch::{self, Change, Key, Watch, unrelated};

use crate::applied::Applied;
use crate::cluster::{Queues, Stores};
use crate::controller::{backup_session, trigger};
use crate::{labels, planning, relations};

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

/// What is made for BackupConfigurations, and others of its kind.
fn child<K>(
    client: &Client,
    namespace: Option<&str>,
    config: Config,
    applied: &Arc<Applied>,
) -> Watch<PartialObjectMeta<K>>
where
    K: k8s_openapi::Resource
        + Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let applied = Arc::clone(applied);
    let sees = move |found: &mut PartialObjectMeta<K>| applied.sees(found);
    watch::metadata(api(client, namespace), config, sees, relations::of_child)
}

impl Watches {
    /// Makes them; nothing is asked before they are read.
    pub(crate) fn new(client: &Client, namespace: Option<&str>, applied: &Arc<Applied>) -> Self {
        let all = Config::default;
        let ours = || Config::default().labels(labels::MANAGED);
        Self {
            configurations: watch::objects(
                api(client, namespace),
                all(),
                |_| (),
                relations::of_configuration,
            ),
            sessions: watch::objects(api(client, namespace), all(), |_| (), relations::of_session),
            restores: watch::objects(api(client, namespace), all(), |_| (), relations::of_restore),
            repositories: watch::objects(api(client, namespace), all(), |_| (), unrelated),
            app_bindings: watch::objects(api(client, namespace), all(), |_| (), unrelated),
            tasks: watch::objects(Api::<Task>::all(client.clone()), all(), |_| (), unrelated),
            functions: watch::objects(
                Api::<Function>::all(client.clone()),
                all(),
                |_| (),
                unrelated,
            ),
            namespaces: watch::metadata(
                Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
                all(),
                |_| (),
                unrelated,
            ),
            jobs: watch::objects(
                api(client, namespace),
                ours(),
                |job: &mut Job| job.spec = None,
                relations::of_job,
            ),
            pods: watch::objects(
                api(client, namespace),
                ours(),
                |pod: &mut Pod| pod.spec = None,
                unrelated,
            ),
            cron_jobs: child(client, namespace, all(), applied),
            service_accounts: child(client, namespace, ours(), applied),
            roles: child(client, namespace, ours(), applied),
            role_bindings: child(client, namespace, ours(), applied),
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
                if !is_only_told(&change) {
                    follow.users(relations::REPOSITORY, &change.key);
                }
                follow.queues.repositories.now(change.key);
            }),
            follow.each(self.app_bindings, |follow, change| {
                follow.users(relations::TARGET, &change.key);
            }),
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
    pub(crate) applied: Arc<Applied>,
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
        if is_only_remembered(&change) {
            return;
        }
        // A Repository is told who uses it: that does not change with every status.
        let uses = |found: &Option<Arc<BackupConfiguration>>| {
            let found = found.as_deref().filter(|found| !labels::is_going(&found.metadata))?;
            planning::repository_key(found.namespace(), found.spec.repository.as_ref())
        };
        let (before, after) = (uses(&change.before), uses(&change.after));
        if before != after {
            for key in [before, after].into_iter().flatten() {
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
            let repository = found.spec.repository.as_ref();
            if let Some(key) = planning::repository_key(found.namespace(), repository) {
                self.queues.repositories.now(key);
            }
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open_restores(|restore| restore.namespace() == change.key.name);
    }

    fn job(&self, change: Change<Job>) {
        let Some(job) = change.after.as_ref().or(change.before.as_ref()) else { return };
        self.session_of(&job.metadata);
        for found in [&change.before, &change.after].into_iter().flatten() {
            self.triggered_by(found);
        }
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
            self.triggered_by(&job);
        }
    }

    /// That a trigger has failed is said by whose sessions it makes.
    fn triggered_by(&self, job: &Job) {
        if trigger::has_failed(job)
            && let Some(key) = trigger::configuration_of(&self.stores, &job.metadata)
        {
            self.queues.configurations.now(key);
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

    fn child<K: k8s_openapi::Resource>(&self, change: Change<PartialObjectMeta<K>>) {
        if change.after.is_none() {
            self.applied.forget::<K>(&change.key);
        }
        for found in [&change.before, &change.after].into_iter().flatten() {
            self.wiped_by(&found.metadata);
            if let Some(owner) = labels::controller_of(&found.metadata, "BackupConfiguration") {
                self.queues.configurations.now(Key::new(&change.key.namespace, &owner.name));
            }
        }
    }

    /// What removes the data of a Repository says of which.
    fn wiped_by(&self, meta: &ObjectMeta) {
        if let Some(repository) = labels::annotation(meta, labels::WIPE_OF) {
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            self.queues.repositories.now(Key::new(namespace, repository));
        }
    }

    fn session_of(&self, job: &ObjectMeta) {
        let namespace = job.namespace.as_deref().unwrap_or_default();
        self.wiped_by(job);
        if let Some(owner) = labels::controller_of(job, "BackupSession") {
            self.queues.sessions.now(Key::new(namespace, &owner.name));
        }
        if let Some(owner) = labels::controller_of(job, "RestoreSession") {
            self.queues.restores.now(Key::new(namespace, &owner.name));
        }
    }

    /// Whoever names an object that has changed looks at it.
    fn users(&self, relation: &'static str, of: &Key) {
        for found in self.stores.configurations.related(relation, of) {
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open(self.stores.restores.related(relation, of));
    }

    /// A Task or Function changed: which plans it is part of shows when they are made.
    fn everybody(&self) {
        for found in self.stores.configurations.all() {
            self.queues.configurations.now(Key::of(&*found));
        }
        self.open_restores(|_| true);
    }

    fn open_restores(&self, wanted: impl Fn(&RestoreSession) -> bool) {
        self.open(self.stores.restores.select(wanted));
    }

    /// Of these restores, those that have not begun look again.
    fn open(&self, restores: Vec<Arc<RestoreSession>>) {
        let waits = |restore: &RestoreSession| {
            matches!(
                restore.status.as_ref().and_then(|status| status.phase),
                None | Some(RestoreSessionPhase::Pending | RestoreSessionPhase::Invalid)
            )
        };
        for found in restores.into_iter().filter(|restore| waits(restore)) {
            self.queues.restores.now(Key::of(&*found));
        }
    }
}

/// Whether only a success was remembered, as at the end of each backup: nothing follows from it.
fn is_only_remembered(change: &Change<BackupConfiguration>) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return false };
    let success =
        |meta: &ObjectMeta| labels::annotation(meta, labels::LAST_SUCCESS).map(str::to_owned);
    let same_status = before.status == after.status;
    let (before, after) = (&before.metadata, &after.metadata);
    success(before) != success(after)
        && same_status
        && before.uid == after.uid
        && before.generation == after.generation
        && before.generation.is_some()
        && before.labels == after.labels
        && before.finalizers == after.finalizers
        && before.deletion_timestamp == after.deletion_timestamp
}

/// Whether only the status of a Repository has changed, as at the end of each backup: that
/// concerns nobody who uses it.
fn is_only_told(change: &Change<Repository>) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return false };
    let (before, after) = (&before.metadata, &after.metadata);
    before.uid == after.uid
        && before.generation == after.generation
        && before.generation.is_some()
        && before.deletion_timestamp == after.deletion_timestamp
}
