//! Metrics that did not reach the Pushgateway are pushed again, by a Job of its own: the data is
//! safe or lost whatever becomes of them, but dashboards and alarms look at nothing else.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sealift_api::runtime_settings::RuntimeSettings;
use sealift_core::causes::chain_of_causes;
use sealift_core::outcome::JobOutcome;
use sealift_core::plan::Plan;
use sealift_kube::apply::create;
use sealift_kube::read;
use sealift_kube::watch::Key;
use sha2::{Digest, Sha256};

use crate::build::{Work, job, plan_map};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::labels::Purpose;
use crate::names;

/// The session whose metrics are missing.
pub(crate) struct Unpushed<'a> {
    pub(crate) session: Key,
    pub(crate) session_owner: &'a OwnerReference,
    pub(crate) purpose: Purpose,
    pub(crate) invoker: &'a ObjectMeta,
    pub(crate) invoker_owner: &'a OwnerReference,
    pub(crate) runtime: Option<&'a RuntimeSettings>,
    pub(crate) record: Option<&'a JobOutcome>,
}

/// Pushes again what is missing. Nothing of the session depends on it: an error is only logged.
pub(crate) async fn missing(cluster: &Cluster, unpushed: &Unpushed<'_>) {
    if let Err(error) = again(cluster, unpushed).await {
        let error = chain_of_causes(&error);
        tracing::warn!(session = %unpushed.session, error, "the metrics are not pushed again");
    }
}

/// Makes the Job. A session whose plan or Repository is gone has nothing to push.
async fn again(cluster: &Cluster, unpushed: &Unpushed<'_>) -> Result<()> {
    if cluster.options.pushgateway.is_none() {
        return Ok(());
    }
    let Key { namespace, name } = &unpushed.session;
    let client = &cluster.client;
    let map = read::find::<ConfigMap>(client, namespace, &names::plan(name)).await?;
    let Some(text) = map.and_then(|map| map.data?.remove(plan_map::FILE)) else { return Ok(()) };
    let plan: Plan = serde_json::from_str(&text).map_err(|source| Error::Serialise {
        object: format!("the plan of {namespace}/{name}"),
        source,
    })?;
    let place = &plan.repository.reference;
    let Some(repository) = cluster.stores.repositories.get(&place.namespace, &place.name) else {
        return Ok(());
    };
    if plan.observers.is_empty() {
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
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let record = unpushed.record.map(JobOutcome::to_line);
    let job = job::push(&work, &digest, record.as_deref())
        .map_err(|source| Error::Build { session: Box::new(plan.session.clone()), source })?;
    create(client, &job).await?;
    tracing::info!(session = %unpushed.session, "the metrics are pushed again");
    Ok(())
}
