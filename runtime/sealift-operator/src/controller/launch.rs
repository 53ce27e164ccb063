//! Starts the Job of a session: what it needs is made in order, the Job last.
//!
//! Idempotent: what is there is left alone, or brought into form; a session is never given a
//! second Job. What is wrong with the session itself is a `Refusal`, and ends it; everything else
//! is an error and is tried again.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::{Direction, ObjectRef, Plan};
use sealift_kube::apply::{Created, apply, create};
use sealift_kube::kube::Resource;
use sealift_kube::watch::Key;
use sealift_kube::{Class, delete, read};
use serde::de::DeserializeOwned;

use super::backup_configuration;
use crate::build::{self, Access, Desired, Work};
use crate::cluster::Cluster;
use crate::error::{Error, Holder, Result};
use crate::{labels, names, rules};

/// The reason of what is said of a session that waits for a name.
pub(crate) const NAME_TAKEN: &str = "NameTaken";

/// Why a session cannot be started, and never will be as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// For people.
    pub(crate) message: String,
}

/// What became of an attempt to start a session.
#[derive(Debug)]
pub(crate) enum Launch {
    /// It has its Job.
    Made,
    /// It never will.
    Refused(Refusal),
    /// The name of something it needs is taken, and may become free; for people.
    NameTaken(String),
}

/// Whether every Secret the plan reads is there just now.
pub(crate) async fn check_secrets(cluster: &Cluster, plan: &Plan) -> Result<Result<(), Refusal>> {
    for key in secrets_read(plan) {
        if !cluster.secrets.ask(&key).await?.there {
            return Ok(Err(missing(&key)));
        }
    }
    Ok(Ok(()))
}

/// A Secret the plan reads that is not there, by what is known of it, and when to look again.
pub(crate) async fn missing_secret(
    cluster: &Cluster,
    plan: &Plan,
) -> Result<Option<(Refusal, Duration)>> {
    for key in secrets_read(plan) {
        let seen = cluster.secrets.look(&key).await?;
        if !seen.there {
            return Ok(Some((missing(&key), seen.again)));
        }
    }
    Ok(None)
}

fn secrets_read(plan: &Plan) -> Vec<Key> {
    // A restore writes the keys; their Secret need not exist yet.
    let written = match plan.direction {
        Direction::Restore(_) => plan.keys.as_ref().map(|keys| &keys.secret),
        Direction::Backup(_) => None,
    };
    let mut secrets = rules::secrets(plan);
    secrets.retain(|secret| Some(*secret) != written || **secret == plan.repository.secret);
    secrets.iter().map(|secret| Key::new(&secret.namespace, &secret.name)).collect()
}

fn missing(secret: &Key) -> Refusal {
    Refusal { message: format!("Secret {secret} does not exist; create it, or name another one") }
}

/// Why a plan may not be carried out for want of rights in its target's namespace: nothing is
/// granted there, the user's ServiceAccount must have the rights.
#[must_use]
pub(crate) fn foreign_target(plan: &Plan, own_account: Option<&str>) -> Option<String> {
    let target = &plan.target.reference;
    if target.namespace == plan.invoker.namespace || own_account.is_some() {
        return None;
    }
    let missing: Vec<String> = rules::target_rules(plan)
        .iter()
        .map(|rule| {
            let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default().join(", ");
            format!(
                "{} {} {}",
                rule.verbs.join(", "),
                list(&rule.resources),
                list(&rule.resource_names)
            )
        })
        .collect();
    Some(format!(
        "{}: spec.target.ref.namespace: the target is in namespace {}, where no rights are granted (help: set spec.runtimeSettings.pod.serviceAccountName to a ServiceAccount that may, there: {})",
        plan.invoker,
        target.namespace,
        missing.join("; ")
    ))
}

/// Makes everything, the Job last.
pub(crate) async fn launch(cluster: &Cluster, work: &Work<'_>) -> Result<Launch> {
    // A status says that the invoker is ready, and rights do not follow from what a status says.
    if let Some(message) = foreign_target(work.plan, build::own_service_account(work.runtime)) {
        return Ok(Launch::Refused(Refusal { message }));
    }
    let desired = build::desired(work)
        .map_err(|source| Error::Build { session: Box::new(work.plan.session.clone()), source });
    let launched = match desired {
        Ok(desired) => make(cluster, &work.plan.invoker, desired).await,
        Err(error) => Err(error),
    };
    match launched {
        Ok(()) => Ok(Launch::Made),
        // What was just removed is gone at the next attempt.
        Err(error @ Error::NameTaken { holder: Holder::Leftover, .. }) => Err(error),
        Err(error @ Error::NameTaken { .. }) => Ok(Launch::NameTaken(error.to_string())),
        Err(error) => match error.class() {
            // The API server will refuse it tomorrow, too.
            Class::Invalid => Ok(Launch::Refused(Refusal { message: chain_of_causes(&error) })),
            // It may let another session in, but this one must not hold its place until then.
            Class::Blocked if is_forbidden(&error) => {
                let message = format!(
                    "{}; a quota, an admission policy or a right that the installation does not give (chart values rbac.*) is in the way",
                    chain_of_causes(&error)
                );
                Ok(Launch::Refused(Refusal { message }))
            }
            Class::Blocked | Class::Transient | Class::Internal => Err(error),
        },
    }
}

fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Call(error) if error.is_forbidden())
}

/// Whether an invoker has rights in the namespace of a Repository other than this one.
fn elsewhere(cluster: &Cluster, invoker: &ObjectRef, place: Option<&str>) -> bool {
    let ObjectRef { kind, namespace, name, .. } = invoker;
    let name = names::repository_access(namespace, kind, name);
    let found = cluster.stores.role_bindings.select(|found| {
        found.metadata.name.as_deref() == Some(&name)
            && found.metadata.namespace.as_deref() != place
    });
    !found.is_empty()
}

async fn make(cluster: &Cluster, invoker: &ObjectRef, desired: Desired) -> Result<()> {
    let Desired { lease, access, repository_access, interim, plan, job } = desired;
    let client = &cluster.client;
    let key = Key::of(&job);
    if let Some(found) = read::find::<Job>(client, &key.namespace, &key.name).await? {
        // If ours, it was made before the operator was interrupted; its plan is the one it runs.
        return ours(cluster, &found, &job.metadata).await;
    }
    create(client, &lease).await?;
    let stores = &cluster.stores;
    if let Some(Access { service_account, role, binding }) = access {
        cluster.applied.ensure(client, service_account, &stores.service_accounts).await?;
        cluster.applied.ensure(client, role, &stores.roles).await?;
        cluster.applied.ensure(client, binding, &stores.role_bindings).await?;
    }
    let place = repository_access.as_ref().and_then(|(role, _)| role.metadata.namespace.clone());
    if elsewhere(cluster, invoker, place.as_deref()) {
        backup_configuration::repository_access(cluster, invoker, place.as_deref()).await?;
    }
    if let Some((role, binding)) = repository_access {
        cluster.applied.ensure(client, role, &stores.roles).await?;
        cluster.applied.ensure(client, binding, &stores.role_bindings).await?;
    }
    if let Some(interim) = interim
        && let Created::Exists = create(client, &interim).await?
    {
        let key = Key::of(&interim);
        let found = read::find::<PersistentVolumeClaim>(client, &key.namespace, &key.name);
        if let Some(found) = found.await? {
            ours(cluster, &found, &interim.metadata).await?;
        }
    }
    plan_map(cluster, &plan).await?;
    // The annotation of what is wanted has no use here: a Job is never changed.
    match create(client, &job).await? {
        Created::New(_) => tracing::info!(object = %key, "a Job is made"),
        Created::Exists => {}
    }
    Ok(())
}

/// An immutable ConfigMap cannot be corrected. One that is left of an attempt that got no
/// further has no Job, so nobody reads it.
async fn plan_map(cluster: &Cluster, plan: &ConfigMap) -> Result<()> {
    let client = &cluster.client;
    if let Created::New(_) = create(client, plan).await? {
        return Ok(());
    }
    let key = Key::of(plan);
    let found = read::find::<ConfigMap>(client, &key.namespace, &key.name).await?;
    if let Some(found) = found {
        let owners = found.metadata.owner_references.as_deref().unwrap_or_default();
        // What nobody owns nobody removes.
        if !owners.is_empty() {
            ours(cluster, &found, &plan.metadata).await?;
        }
        if found.data == plan.data && !owners.is_empty() {
            return Ok(());
        }
        let uid = found.metadata.uid.as_deref();
        delete::delete::<ConfigMap>(client, &key.namespace, &key.name, uid).await?;
    }
    // Whoever is still faster is seen at the next attempt.
    apply(client, plan).await?;
    Ok(())
}

/// Whether what has the name of something that is to be made belongs to the same session and
/// stays. What a session left that was deleted goes a little later than the session, and what is
/// taken for one's own then is gone in the midst of the work, or is the work of another one.
///
/// # Errors
/// It does not; if no living session owns it, it was removed.
async fn ours<K>(cluster: &Cluster, found: &K, wanted: &ObjectMeta) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let meta = found.meta();
    let session = wanted.owner_references.iter().flatten().next();
    let is_session = session.is_some_and(|owner| labels::is_controlled_by(meta, &owner.uid));
    if is_session && !labels::is_going(meta) {
        return Ok(());
    }
    let key = Key::of(found);
    let taken =
        |holder| Error::NameTaken { kind: K::kind(&()).into_owned(), key: key.clone(), holder };
    if labels::is_going(meta) {
        return Err(taken(Holder::Going));
    }
    let lives = |uid: &Option<String>| {
        uid.as_deref().is_some_and(|uid| labels::is_controlled_by(meta, uid))
    };
    let stores = &cluster.stores;
    let owned = !stores.sessions.select_in(&key.namespace, |it| lives(&it.metadata.uid)).is_empty()
        || !stores.restores.select_in(&key.namespace, |it| lives(&it.metadata.uid)).is_empty();
    let (label, value) = labels::MANAGED_BY;
    let managed = meta.labels.iter().flatten().any(|(key, found)| key == label && found == value);
    if managed && !owned {
        let uid = meta.uid.as_deref();
        delete::delete::<K>(&cluster.client, &key.namespace, &key.name, uid).await?;
        return Err(taken(Holder::Leftover));
    }
    let owner = meta.owner_references.iter().flatten().next();
    Err(taken(
        owner.map_or(Holder::Nobody, |owner| Holder::Of(format!("{} {}", owner.kind, owner.name))),
    ))
}
