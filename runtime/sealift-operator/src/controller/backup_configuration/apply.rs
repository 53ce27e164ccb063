//! Makes a BackupConfiguration's children be there: its CronJob, with what it may do; and
//! removes what older releases called otherwise.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_kube::watch::Key;
use sealift_kube::{apply as server, delete};

use super::dereference::Dereferenced;
use crate::build::Access;
use crate::build::cron_job::{self, Trigger};
use crate::cluster::Cluster;
use crate::condition::{Statement, Type};
use crate::error::Result;
use crate::{labels, names};

/// Adds the finalizer.
pub(super) async fn finalizer(
    cluster: &Cluster,
    configuration: &BackupConfiguration,
) -> Result<()> {
    let meta = &configuration.metadata;
    if labels::has_finalizer(meta, labels::FINALIZER) {
        return Ok(());
    }
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    finalizers.push(labels::FINALIZER.to_owned());
    let patch = serde_json::json!({
        "finalizers": finalizers, "resourceVersion": meta.resource_version
    });
    let (namespace, name) = (configuration.namespace(), configuration.name());
    server::patch_metadata::<BackupConfiguration>(&cluster.client, namespace, name, &patch).await?;
    Ok(())
}

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
    let stale = cluster.stores.cron_jobs.select_in(namespace, |job| {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let ours = labels::controller_of(&job.metadata, "BackupConfiguration")
            .is_some_and(|owner| Some(owner.uid.as_str()) == uid);
        Some(name) != wanted && (ours || name == old)
    });
    for job in stale {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        tracing::info!(object = %Key::new(namespace, name), "a CronJob of another name is removed");
        let client = &cluster.client;
        delete::delete::<CronJob>(client, namespace, name, job.metadata.uid.as_deref()).await?;
        delete::delete::<RoleBinding>(client, namespace, name, None).await?;
        delete::delete::<Role>(client, namespace, name, None).await?;
        delete::delete::<ServiceAccount>(client, namespace, name, None).await?;
    }
    Ok(())
}
