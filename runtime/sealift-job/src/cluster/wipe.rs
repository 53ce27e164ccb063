//! Removes the data of a Repository that is being deleted with `wipeOut`.
//!
//! Flow: the Repository is read and compared with what the operator saw → its Secret is read → its
//! Lease is held alone → everything below its prefix is removed, and the place listed again.
//!
//! Guarantees: nothing is removed unless the object is being deleted, still says `wipeOut`, and is
//! of the generation the Job was made for; nor while a session holds the repository. What
//! happened is in the returned record. Nothing is written to the API server but the Lease: the
//! operator says on the object what became of it.

use std::time::Duration;

use jiff::Timestamp;
use sealift_api::planner::{PlanError, repository_in_pod};
use sealift_api::repository::Repository;
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_core::plan::RepositoryPlan;
use sealift_kube::kube::{Api, Client};
use sealift_repository::{ErrorClass, Wiped};
use tokio_util::sync::CancellationToken;

use super::ask::{AskError, ask};
use super::locks::LeaseLocks;
use super::objects::ClusterObjects;
use crate::chain_of_causes;
use crate::locks::{Hold, Locks, LocksError, end_when_lost};
use crate::storage::{self, StorageError};

/// A session that began before the Repository was deleted may need so long to end; then the
/// operator tries again.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Which Repository, as the operator saw it when it made the Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiping {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `metadata.uid`: one that was made anew under this name is another one.
    pub uid: String,
    /// `metadata.generation`: one that was edited may point elsewhere, or keep its data.
    pub generation: i64,
    /// This process among those that hold repositories, such as the pod's name.
    pub holder: String,
}

#[derive(Debug, thiserror::Error)]
enum WipeError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{repository} {how}; nothing was removed")]
    Changed { repository: String, how: String },
    #[error("the storage of {repository} cannot be used")]
    Invalid {
        repository: String,
        #[source]
        source: PlanError,
    },
    #[error(transparent)]
    Secret(Box<StorageError>),
    #[error("{repository} cannot be held alone")]
    Locked {
        repository: String,
        #[source]
        source: Box<LocksError>,
    },
    #[error("the data of {repository} is not removed")]
    Storage {
        repository: String,
        #[source]
        source: Box<sealift_repository::Error>,
    },
    #[error("the removal was interrupted")]
    Interrupted,
}

impl WipeError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Ask(error) if error.is_forbidden() => "PermissionMissing",
            Self::Ask(error) if error.is_not_found() => "ObjectNotFound",
            Self::Ask(_) => "ApiServerUnavailable",
            Self::Changed { .. } => "RepositoryChanged",
            Self::Invalid { .. } => "RepositoryInvalid",
            Self::Secret(_) => "BackendSecretUnusable",
            Self::Locked { .. } => "RepositoryInUse",
            Self::Storage { source, .. } => match source.class() {
                ErrorClass::WrongPassword => "WrongPassword",
                ErrorClass::Invalid | ErrorClass::Data | ErrorClass::NoRepository => {
                    "WipeOutRefused"
                }
                ErrorClass::Cancelled => "Interrupted",
                ErrorClass::Storage | ErrorClass::Internal => "StorageFailed",
            },
            Self::Interrupted => "Interrupted",
        }
    }
}

/// Removes the data and tells what happened.
pub async fn wipe(client: &Client, wiping: &Wiping, cancel: &CancellationToken) -> JobOutcome {
    let started = Timestamp::now();
    let done = run(client, wiping, cancel).await;
    let record =
        |ending| JobOutcome::new(ending, started.as_second(), Timestamp::now().as_second());
    match done {
        Ok(Wiped { objects, bytes }) => {
            let message =
                format!("{objects} objects ({bytes} bytes) were removed, and none is left");
            record(Ending::Succeeded).because("WipedOut", &message)
        }
        Err(error) => {
            let message = chain_of_causes(&error);
            tracing::error!(reason = error.reason(), "{message}");
            record(Ending::Failed).because(error.reason(), &message)
        }
    }
}

async fn run(
    client: &Client,
    wiping: &Wiping,
    cancel: &CancellationToken,
) -> Result<Wiped, WipeError> {
    let api: Api<Repository> = Api::namespaced(client.clone(), &wiping.namespace);
    let what = format!("Repository {}/{}", wiping.namespace, wiping.name);
    let repository = ask("get", &what, || api.get(&wiping.name)).await?;
    check(&repository, wiping)?;
    let reference = repository.reference().to_string();
    let plan = repository_in_pod(&repository)
        .map_err(|source| WipeError::Invalid { repository: reference.clone(), source })?;
    let objects = ClusterObjects::new(client.clone(), &wiping.name);
    let secrets = storage::read_secrets(&plan, &objects)
        .await
        .map_err(|error| WipeError::Secret(Box::new(error)))?;
    let locks = LeaseLocks::new(client.clone(), &plan, &wiping.uid, &wiping.holder);
    let lock = locks.lock(&plan, &wiping.holder, Hold::Alone, PATIENCE, cancel).await.map_err(
        |source| WipeError::Locked { repository: reference.clone(), source: Box::new(source) },
    )?;
    end_when_lost(&*lock, cancel);
    tracing::info!(repository = %reference, "the data is being removed");
    let RepositoryPlan { location, .. } = plan;
    let options = storage::options(cancel);
    let wiped = tokio::task::spawn_blocking(move || {
        sealift_repository::wipe(&location, &secrets, &options)
    });
    let wiped = wiped.await.map_err(|_| WipeError::Interrupted);
    lock.release().await;
    wiped?.map_err(|source| WipeError::Storage { repository: reference, source: Box::new(source) })
}

/// Whether it is still to be removed, and still the one the Job was made for.
fn check(repository: &Repository, wiping: &Wiping) -> Result<(), WipeError> {
    let meta = &repository.metadata;
    let changed = |how: String| {
        Err(WipeError::Changed { repository: repository.reference().to_string(), how })
    };
    if meta.uid.as_deref() != Some(wiping.uid.as_str()) {
        return changed("was made anew".to_owned());
    }
    if meta.deletion_timestamp.is_none() {
        return changed("is not being deleted".to_owned());
    }
    if repository.spec.wipe_out != Some(true) {
        return changed("has spec.wipeOut false by now".to_owned());
    }
    match meta.generation {
        Some(generation) if generation != wiping.generation => changed(format!(
            "was edited: its generation is {generation}, and the Job was made for {}",
            wiping.generation
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn repository(change: impl FnOnce(&mut serde_json::Value)) -> Repository {
        let mut object = serde_json::json!({
            "apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
            "metadata": {"name": "r", "namespace": "demo", "uid": "u", "generation": 2,
                "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"backend": {}, "wipeOut": true},
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn only_the_repository_the_job_was_made_for_is_touched_and_only_while_it_shall_be() {
        let wiping = Wiping {
            namespace: "demo".to_owned(),
            name: "r".to_owned(),
            uid: "u".to_owned(),
            generation: 2,
            holder: "pod".to_owned(),
        };
        check(&repository(|_| ()), &wiping).unwrap();
        let said = |change: fn(&mut serde_json::Value)| {
            let error = check(&repository(change), &wiping).unwrap_err();
            assert_eq!(error.reason(), "RepositoryChanged");
            error.to_string()
        };
        assert!(said(|it| it["metadata"]["uid"] = "v".into()).contains("anew"));
        assert!(said(|it| it["metadata"]["deletionTimestamp"] = ().into()).contains("not being"));
        assert!(said(|it| it["spec"]["wipeOut"] = false.into()).contains("wipeOut"));
        assert!(said(|it| it["spec"]["wipeOut"] = ().into()).contains("wipeOut"));
        assert!(said(|it| it["metadata"]["generation"] = 3.into()).contains("generation is 3"));
    }
}
