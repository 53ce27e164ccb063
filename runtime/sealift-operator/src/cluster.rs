//! What the operator sees of the cluster, and all that its controllers share.
//!
//! One watch per kind. Jobs and pods are only those we manage, and what nobody looks at is
//! dropped on arrival; of what we make besides Jobs, only metadata is watched. Secrets are never
//! listed or watched.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, ObjectReference, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use sealift_api::app_binding::AppBinding;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_api::function::Function;
use sealift_api::repository::Repository;
use sealift_api::restore_session::RestoreSession;
use sealift_api::task::Task;
use sealift_core::causes::chain_of_causes;
use sealift_kube::event::{Event, Recorder, reference};
use sealift_kube::kube::core::PartialObjectMeta;
use sealift_kube::kube::{Client, Resource};
use sealift_kube::watch::{Key, Store};

use crate::admission::{self, Admission, Kind};
use crate::applied::Applied;
use crate::engine::Queue;
use crate::given_up::GivenUp;
use crate::options::Options;
use crate::secret_check::SecretCheck;
use crate::taken::Taken;
use crate::time::Time;

/// Metadata of objects of a kind.
pub type MetaStore<K> = Store<PartialObjectMeta<K>>;

/// What the watches saw.
#[derive(Clone)]
pub struct Stores {
    /// BackupConfigurations.
    pub configurations: Store<BackupConfiguration>,
    /// BackupSessions.
    pub sessions: Store<BackupSession>,
    /// RestoreSessions.
    pub restores: Store<RestoreSession>,
    /// Repositories.
    pub repositories: Store<Repository>,
    /// AppBindings.
    pub app_bindings: Store<AppBinding>,
    /// Tasks.
    pub tasks: Store<Task>,
    /// Functions.
    pub functions: Store<Function>,
    /// Namespaces.
    pub namespaces: MetaStore<Namespace>,
    /// Jobs we manage.
    pub jobs: Store<Job>,
    /// Their pods.
    pub pods: Store<Pod>,
    /// All CronJobs.
    pub cron_jobs: MetaStore<CronJob>,
    /// ServiceAccounts we manage.
    pub service_accounts: MetaStore<ServiceAccount>,
    /// Roles we manage.
    pub roles: MetaStore<Role>,
    /// RoleBindings we manage.
    pub role_bindings: MetaStore<RoleBinding>,
}

impl Stores {
    /// How many objects of users cannot be read, by kind.
    #[must_use]
    pub fn unreadable(&self) -> [(&'static str, usize); 7] {
        [
            ("BackupConfiguration", self.configurations.unreadable_count()),
            ("BackupSession", self.sessions.unreadable_count()),
            ("RestoreSession", self.restores.unreadable_count()),
            ("Repository", self.repositories.unreadable_count()),
            ("AppBinding", self.app_bindings.unreadable_count()),
            ("Task", self.tasks.unreadable_count()),
            ("Function", self.functions.unreadable_count()),
        ]
    }

    /// Whether each watch has seen its beginning, and what is wrong with it, by kind.
    #[must_use]
    pub fn health(&self) -> Vec<(&'static str, bool, Option<String>)> {
        let Self {
            configurations,
            sessions,
            restores,
            repositories,
            app_bindings,
            tasks,
            functions,
            namespaces,
            jobs,
            pods,
            cron_jobs,
            service_accounts,
            roles,
            role_bindings,
        } = self;
        vec![
            ("BackupConfiguration", configurations.is_ready(), configurations.trouble()),
            ("BackupSession", sessions.is_ready(), sessions.trouble()),
            ("RestoreSession", restores.is_ready(), restores.trouble()),
            ("Repository", repositories.is_ready(), repositories.trouble()),
            ("AppBinding", app_bindings.is_ready(), app_bindings.trouble()),
            ("Task", tasks.is_ready(), tasks.trouble()),
            ("Function", functions.is_ready(), functions.trouble()),
            ("Namespace", namespaces.is_ready(), namespaces.trouble()),
            ("Job", jobs.is_ready(), jobs.trouble()),
            ("Pod", pods.is_ready(), pods.trouble()),
            ("CronJob", cron_jobs.is_ready(), cron_jobs.trouble()),
            ("ServiceAccount", service_accounts.is_ready(), service_accounts.trouble()),
            ("Role", roles.is_ready(), roles.trouble()),
            ("RoleBinding", role_bindings.is_ready(), role_bindings.trouble()),
        ]
    }
}

/// The ways into the queues.
#[derive(Debug, Clone)]
pub struct Queues {
    /// Repositories.
    pub repositories: Queue,
    /// BackupConfigurations.
    pub configurations: Queue,
    /// BackupSessions.
    pub sessions: Queue,
    /// RestoreSessions.
    pub restores: Queue,
    /// Jobs that are deleted once they have succeeded.
    pub triggers: Queue,
}

impl Queues {
    /// Each with its kind.
    #[must_use]
    pub fn by_kind(&self) -> [(&'static str, &Queue); 5] {
        let Self { repositories, configurations, sessions, restores, triggers } = self;
        [
            ("Repository", repositories),
            ("BackupConfiguration", configurations),
            ("BackupSession", sessions),
            ("RestoreSession", restores),
            ("Job", triggers),
        ]
    }
}

/// All that the controllers share.
pub struct Cluster {
    /// The API server.
    pub client: Client,
    /// What the watches saw.
    pub stores: Stores,
    /// The ways into the queues.
    pub queues: Queues,
    /// What the operator was told.
    pub options: Options,
    /// The time.
    pub time: Time,
    /// Whether Secrets are there.
    pub secrets: SecretCheck,
    /// What was applied.
    pub applied: Arc<Applied>,
    /// Which sessions may run.
    pub admission: Admission,
    /// Names that more than one invoker may want.
    pub taken: Taken,
    /// What Jobs were told that were ended.
    pub given_up: GivenUp,
}

impl Cluster {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Whether a namespace goes away: nothing can be made in it any more.
    #[must_use]
    pub fn is_ending(&self, namespace: &str) -> bool {
        let found = self.stores.namespaces.get("", namespace);
        found.is_some_and(|found| found.metadata.deletion_timestamp.is_some())
    }

    /// Whether more than one namespace has anything to back up or to restore.
    pub(crate) fn is_shared(&self) -> bool {
        let spans = [self.stores.configurations.span(), self.stores.restores.span()];
        let mut namespaces = spans.into_iter().flatten().flat_map(|(first, last)| [first, last]);
        let one = namespaces.next();
        namespaces.any(|other| Some(other) != one)
    }

    /// Everything a session held is free; whoever waited for it is looked at.
    pub(crate) fn leave(&self, session: &admission::Session) {
        for next in self.admission.leave(session) {
            match next.kind {
                Kind::Backup => self.queues.sessions.now(next.key),
                Kind::Restore => self.queues.restores.now(next.key),
            }
        }
    }

    /// Says on an object that cannot be read that it is left alone, and why.
    pub async fn tell_unreadable<K: Resource<DynamicType = ()>>(
        &self,
        component: &'static str,
        store: &Store<K>,
        key: &Key,
    ) {
        let Some(error) = store.unreadable(key) else { return };
        let about = ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
            ..ObjectReference::default()
        };
        let message = format!(
            "It is left alone, since it cannot be read: {error}. Correct the field, or write the object anew."
        );
        self.write_event(component, &about, &Event::warning("ObjectUnreadable", message), key)
            .await;
    }

    /// Writes an Event. Nothing depends on it: a failure is only logged.
    pub async fn tell<K: Resource<DynamicType = ()>>(
        &self,
        component: &'static str,
        about: &K,
        event: Event,
    ) {
        self.write_event(component, &reference(about), &event, &Key::of(about)).await;
    }

    async fn write_event(
        &self,
        component: &'static str,
        about: &ObjectReference,
        event: &Event,
        key: &Key,
    ) {
        let recorder = Recorder::new(self.client.clone(), component, self.options.identity.clone());
        if let Err(error) = recorder.publish(about, event, self.now()).await {
            tracing::warn!(
                object = %key,
                reason = %event.reason,
                error = %chain_of_causes(&error),
                "an Event is not written"
            );
        }
    }
}
