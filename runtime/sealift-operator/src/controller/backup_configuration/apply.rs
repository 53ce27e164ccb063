//! Makes a BackupConfiguration's children be there: its CronJob, with what it may do; and
//! removes what older releases called otherwise.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_kube::delete;
use sealift_kube::kube::{Client, Resource};
use sealift_kube::watch::Key;
use serde::de::DeserializeOwned;

use super::dereference::Dereferenced;
use crate::build::Access;
use crate::build::cron_job::{self, Trigger};
use crate::cluster::{Cluster, MetaStore};
use crate::condition::{Statement, Type};
use crate::error::Result;
use crate::{labels, names, relations};

/// Makes the CronJob, or removes it if there is no schedule.
pub(super) async fn apply(cluster: &Cluster, found: &Dereferenced) -> Result<Statement> {
    let configuration = &found.object;
    let schedule = configuration.spec.schedule.as_deref().map(str::trim);
    let wanted =
        schedule.filter(|schedule| !schedule.is_empty()).map(|_| trigger_name(cluster, found));
    if let Some(name) = &wanted {
        let Trigger { cron_job, access } = cron_job::trigger(configuration, name, &cluster.options);
        let Access { service_account, role, binding } = access;
        let stores = &cluster.stores;
        let client = &cluster.client;
        let applied = &cluster.applied;
        applied.ensure(client, service_account, &stores.service_accounts).await?;
        applied.ensure(client, role, &stores.roles).await?;
        applied.ensure(client, binding, &stores.role_bindings).await?;
        applied.ensure(client, cron_job, &stores.cron_jobs).await?;
    }
    remove_leftovers(cluster, configuration, wanted.as_deref()).await?;
    Ok(Statement::yes(
        Type::CronJobCreated,
        "CronJobCreationSucceeded",
        match wanted {
            Some(_) => "Successfully created backup triggering CronJob.",
            None => "There is no schedule, so there is no backup triggering CronJob.",
        },
    ))
}

/// The plain name, unless another BackupConfiguration's CronJob has it.
fn trigger_name(cluster: &Cluster, found: &Dereferenced) -> String {
    let configuration = &found.object;
    let (namespace, name) = (configuration.namespace(), configuration.name());
    let target = found.target.as_ref().map_or("", |target| &target.namespace);
    let plain = names::trigger(namespace, name, target);
    let lives = |uid: &str| {
        let is = |other: &BackupConfiguration| other.metadata.uid.as_deref() == Some(uid);
        !cluster.stores.configurations.select_in(namespace, is).is_empty()
    };
    let uid = configuration.metadata.uid.as_deref().unwrap_or_default();
    let holder = cluster.stores.cron_jobs.get(namespace, &plain);
    let owner =
        holder.as_ref().and_then(|job| labels::controller_of(&job.metadata, "BackupConfiguration"));
    let owned_by_another = owner.is_some_and(|owner| owner.uid != uid && lives(&owner.uid));
    if owned_by_another || !cluster.taken.take(&Key::new(namespace, &plain), uid, lives) {
        return names::trigger_apart(namespace, name, target);
    }
    plain
}

/// What this BackupConfiguration owns under another name, and what older releases of the
/// original called `stash-trigger--NAME`.
async fn remove_leftovers(
    cluster: &Cluster,
    configuration: &BackupConfiguration,
    wanted: Option<&str>,
) -> Result<()> {
    let namespace = configuration.namespace();
    let old = names::old_trigger(configuration.name());
    let uid = configuration.metadata.uid.as_deref();
    let store = &cluster.stores.cron_jobs;
    let mut stale = store.related(relations::OWNER, &Key::of(configuration));
    stale.retain(|job| {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let ours = name.starts_with(names::TRIGGER) && is_owned(&job.metadata, uid);
        Some(name) != wanted && name != old && ours
    });
    stale.extend(store.get(namespace, &old).filter(|_| wanted != Some(&old)));
    for job in stale {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        tracing::info!(object = %Key::new(namespace, name), "a CronJob of another name is removed");
        let client = &cluster.client;
        delete::delete::<CronJob>(client, namespace, name, job.metadata.uid.as_deref()).await?;
        let of = Rights { namespace, name, uid: uid.filter(|_| name != old) };
        of.remove(client, &cluster.stores.role_bindings).await?;
        of.remove(client, &cluster.stores.roles).await?;
        of.remove(client, &cluster.stores.service_accounts).await?;
    }
    Ok(())
}

/// What gave a CronJob's pod its rights.
struct Rights<'a> {
    namespace: &'a str,
    name: &'a str,
    /// The BackupConfiguration's. None: the name alone says whose it is.
    uid: Option<&'a str>,
}

impl Rights<'_> {
    /// Whoever may make a CronJob must not have other people's rights removed by its name: only
    /// what has the same owner goes.
    async fn remove<K>(&self, client: &Client, store: &MetaStore<K>) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let Self { namespace, name, uid } = *self;
        let found = store.get(namespace, name);
        let found = found.as_ref().map(|found| &found.metadata);
        match (uid, found) {
            (None, _) => delete::delete::<K>(client, namespace, name, None).await?,
            (Some(_), Some(meta)) if is_owned(meta, uid) => {
                delete::delete::<K>(client, namespace, name, meta.uid.as_deref()).await?;
            }
            (Some(_), _) => {}
        }
        Ok(())
    }
}

fn is_owned(meta: &ObjectMeta, uid: Option<&str>) -> bool {
    labels::controller_of(meta, "BackupConfiguration")
        .is_some_and(|owner| Some(owner.uid.as_str()) == uid)
}
