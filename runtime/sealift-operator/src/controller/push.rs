//! Metrics that did not reach the Pushgateway are pushed again, by a Job of its own: the data is
//! safe or lost whatever becomes of them, but dashboards and alarms look at nothing else.
//!
//! Such a Job may still wait when a later session of its invoker ends. It is ended then, and not
//! made any more: it would put older figures in the place of newer ones.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sealift_api::runtime_settings::RuntimeSettings;
use sealift_core::causes::chain_of_causes;
use sealift_core::outcome::JobOutcome;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::apply::create;
use sealift_kube::{Class, delete, read};
use sha2::{Digest, Sha256};

use super::job::OwnJob;
use crate::build::{Work, access, job, plan_map};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::labels::Purpose;
use crate::names;

/// The session whose metrics are missing.
pub(crate) struct Unpushed<'a> {
    pub(crate) session: ObjectRef,
    /// Its own Job, whose record tells what is exact.
    pub(crate) job: OwnJob,
    pub(crate) session_owner: &'a OwnerReference,
    pub(crate) purpose: Purpose,
    pub(crate) invoker: &'a ObjectMeta,
    pub(crate) invoker_owner: &'a OwnerReference,
    pub(crate) runtime: Option<&'a RuntimeSettings>,
}

/// Ends the Jobs that still try to push the metrics of earlier sessions. Nothing depends on it: an
/// error is only logged.
pub(crate) async fn supersede(cluster: &Cluster, earlier: &[ObjectRef]) {
    for session in earlier {
        let (namespace, name) = (&session.namespace, names::push_job(session));
        let Some(job) = cluster.stores.jobs.get(namespace, &name) else { continue };
        let uid = job.metadata.uid.as_deref();
        if let Err(error) = delete::delete::<Job>(&cluster.client, namespace, &name, uid).await {
            let error = chain_of_causes(&error);
            tracing::warn!(%session, error, "an outdated push of metrics is not ended");
        }
    }
}

/// Pushes again what is missing. Nothing of the session depends on it: an error that stays is only
/// logged.
///
/// # Errors
/// The API server could not be asked; it is worth another try.
pub(crate) async fn missing(cluster: &Cluster, unpushed: &Unpushed<'_>) -> Result<()> {
    match again(cluster, unpushed).await {
        Err(error) if error.class() == Class::Transient => Err(error),
        Err(error) => {
            let error = chain_of_causes(&error);
            tracing::warn!(session = %unpushed.session, error, "the metrics are not pushed again");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Makes the Job, once the session's own has ended and left its record; that change brings the
/// session back. A session whose plan or Repository is gone, or that Sealift has not run, has
/// nothing to push.
async fn again(cluster: &Cluster, unpushed: &Unpushed<'_>) -> Result<()> {
    if cluster.options.pushgateway.is_none() {
        return Ok(());
    }
    let ObjectRef { namespace, .. } = &unpushed.session;
    let name = names::push_job(&unpushed.session);
    if cluster.stores.jobs.get(namespace, &name).is_some() {
        return Ok(());
    }
    let Some((plan, digest)) = carried_out(cluster, unpushed).await? else { return Ok(()) };
    let place = &plan.repository.reference;
    let Some(repository) = cluster.stores.repositories.get(&place.namespace, &place.name) else {
        return Ok(());
    };
    let client = &cluster.client;
    let ending = unpushed.job.ending(cluster).await?;
    if plan.observers.is_empty() || !ending.is_over() {
        return Ok(());
    }
    let work = Work {
        plan: &plan,
        purpose: unpushed.purpose,
        invoker: unpushed.invoker,
        invoker_owner: unpushed.invoker_owner,
        session_owner: unpushed.session_owner,
        runtime: unpushed.runtime,
        temp_dir: None,
        interim: None,
        repository: &repository,
        seconds_left: 0,
        options: &cluster.options,
    };
    let record = ending.record().map(JobOutcome::to_line);
    let job = job::push(&work, &digest, record.as_deref())
        .map_err(|source| Error::Build { session: Box::new(plan.session.clone()), source })?;
    if let Some((role, binding)) = access::of_push(&work) {
        cluster.applied.ensure(client, role, &cluster.stores.roles).await?;
        cluster.applied.ensure(client, binding, &cluster.stores.role_bindings).await?;
    }
    create(client, &job).await?;
    unpushed.job.forget_plan(cluster);
    tracing::info!(session = %unpushed.session, "the metrics are pushed again");
    Ok(())
}

/// The plan the session's own Job carried out, and its digest. Anybody who may write ConfigMaps
/// may have put another plan in its place: it counts only as the Job was told it, and for the
/// session it belongs to. None = there is none any more.
async fn carried_out(cluster: &Cluster, unpushed: &Unpushed<'_>) -> Result<Option<(Plan, String)>> {
    let session = &unpushed.session;
    let Some(told) = unpushed.job.plan_digest(cluster).await? else { return Ok(None) };
    let name = names::plan(session);
    let map = read::find::<ConfigMap>(&cluster.client, &session.namespace, &name).await?;
    let Some(text) = map.and_then(|map| map.data?.remove(plan_map::FILE)) else {
        return Ok(None);
    };
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let plan: Plan = serde_json::from_str(&text)
        .map_err(|source| Error::Serialise { object: format!("the plan of {session}"), source })?;
    if told != digest || !is_of([&plan.session, &plan.invoker], session, unpushed.invoker) {
        tracing::warn!(%session, "the plan is not the one its Job was told; no metrics are pushed");
        return Ok(None);
    }
    Ok(Some((plan, digest)))
}

/// Whether session and invoker that a plan names are these.
fn is_of(named: [&ObjectRef; 2], session: &ObjectRef, invoker: &ObjectMeta) -> bool {
    let [own, by] = named;
    own == session && by.namespace == session.namespace && Some(&by.name) == invoker.name.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, namespace: &str, name: &str) -> ObjectRef {
        let [group, namespace, name] = ["stash.appscode.com", namespace, name].map(str::to_owned);
        ObjectRef { group, kind: kind.to_owned(), namespace, name }
    }

    /// Who may make Jobs may tell one of the session's name the digest of a plan of their own.
    #[test]
    fn a_plan_of_another_session_or_invoker_is_not_pushed_from() {
        let session = object("BackupSession", "demo", "backup-1");
        let invoker = object("BackupConfiguration", "demo", "backup");
        let meta = ObjectMeta { name: Some("backup".to_owned()), ..ObjectMeta::default() };
        assert!(is_of([&session, &invoker], &session, &meta));
        for (own, by) in [
            (&object("BackupSession", "other", "backup-1"), &invoker),
            (&object("BackupSession", "demo", "backup-2"), &invoker),
            (&object("RestoreSession", "demo", "backup-1"), &invoker),
            (&session, &object("BackupConfiguration", "other", "backup")),
            (&session, &object("BackupConfiguration", "demo", "another")),
        ] {
            assert!(!is_of([own, by], &session, &meta), "{own} {by}");
        }
    }
}
