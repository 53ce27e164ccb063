//! The objects of a session as they are now, and whether they are still those of the plan.
//!
//! Functions are cluster-scoped and not read here: that would need rights in the whole cluster,
//! and what a plan takes from them (component, parameters, grants) stands in it under its own
//! digest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use sealift_api::app_binding::AppBinding;
use sealift_api::backup_session::{
    BackupSession, BackupSessionPhase, BackupSessionStatus, HostPhase,
};
use sealift_api::planner::pins;
use sealift_api::repository::{Repository, RepositoryStatus};
use sealift_api::restore_session::{RestoreSession, RestoreSessionPhase, RestoreSessionStatus};
use sealift_core::duration;
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_core::pins::{ObjectPin, Outdated, Pins};
use sealift_core::plan::{Direction, ObjectRef, Plan};
use sealift_kube::kube::{Api, Client};

use super::ask::{AskError, ask};

/// Why a plan is not carried out although it is the right one.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// An object cannot be read.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Something changed since the plan was made.
    #[error(transparent)]
    Outdated(#[from] Outdated),
    /// The session is over.
    #[error("{session} is already {phase}; nothing was done")]
    Over {
        /// The session.
        session: ObjectRef,
        /// Its phase.
        phase: String,
    },
}

impl LiveError {
    /// A stable word for machines.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Ask(error) if error.is_not_found() => "ObjectNotFound",
            Self::Ask(error) if error.is_forbidden() => "PermissionMissing",
            Self::Ask(_) => "ApiServerUnavailable",
            Self::Outdated(_) => Outdated::REASON,
            Self::Over { .. } => "SessionOver",
        }
    }
}

/// What is known of a session's objects.
#[derive(Debug, Clone)]
pub struct Live {
    /// `metadata` of the session.
    pub session: ObjectMeta,
    /// Tries that are left; 0 for a restore.
    pub retry_left: i32,
    /// `metadata` of the Repository.
    pub repository: ObjectMeta,
    status: SessionStatus,
    repository_status: RepositoryStatus,
    pins: Pins,
}

/// What stands in the status of a session.
#[derive(Debug, Clone)]
enum SessionStatus {
    Backup(BackupSessionStatus),
    Restore(RestoreSessionStatus),
}

impl Live {
    /// Reads session, Repository and AppBinding.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub async fn read(client: &Client, plan: &Plan) -> Result<Self, LiveError> {
        let (session, status, retry_left) = session(client, plan).await?;
        let reference = &plan.repository.reference;
        let api: Api<Repository> = Api::namespaced(client.clone(), &reference.namespace);
        let repository = ask("get", &reference.to_string(), || api.get(&reference.name)).await?;
        let target = &plan.target.reference;
        let api: Api<AppBinding> = Api::namespaced(client.clone(), &target.namespace);
        let binding = ask("get", &target.to_string(), || api.get_opt(&target.name)).await?;
        let pins = pins_now(plan, binding.as_ref(), &repository);
        Ok(Self {
            session,
            retry_left,
            status,
            repository: repository.metadata,
            repository_status: repository.status.unwrap_or_default(),
            pins,
        })
    }

    /// Reads what observers are run from: the session, and of its Repository what can be read. A
    /// push that is repeated has rights on hardly more than the session.
    ///
    /// # Errors
    /// The session cannot be read.
    pub async fn read_for_observers(client: &Client, plan: &Plan) -> Result<Self, LiveError> {
        let (session, status, retry_left) = session(client, plan).await?;
        let reference = &plan.repository.reference;
        let api: Api<Repository> = Api::namespaced(client.clone(), &reference.namespace);
        let found = ask("get", &reference.to_string(), || api.get(&reference.name)).await;
        let (repository, repository_status) = match found {
            Ok(found) => (found.metadata, found.status.unwrap_or_default()),
            Err(error) => {
                let error = crate::chain_of_causes(&error);
                tracing::warn!("the figures of {reference} are not pushed: {error}");
                Default::default()
            }
        };
        let pins = Pins::default();
        Ok(Self { session, retry_left, repository, status, repository_status, pins })
    }

    /// Whether the session is still to be run, and the objects are those the plan was made from.
    ///
    /// # Errors
    /// The session is over, or an object is another one.
    pub fn check(&self, plan: &Plan) -> Result<(), LiveError> {
        if let Some(phase) = self.status.over() {
            return Err(LiveError::Over { session: plan.session.clone(), phase });
        }
        // An operator that pins nothing asks for no comparison.
        if plan.pins.is_empty() { Ok(()) } else { Ok(plan.check_pins(&self.pins)?) }
    }

    /// What an earlier Job left in the status.
    pub(super) fn outcome(&self, plan: &Plan, now: Timestamp) -> JobOutcome {
        outcome_of(self, plan, now)
    }
}

/// What an earlier Job left in the status of session and Repository, as far as it is exact: sizes
/// stand there rounded, and a gauge that is not pushed keeps its value.
fn outcome_of(live: &Live, plan: &Plan, now: Timestamp) -> JobOutcome {
    let second = |time: &Option<Time>| time.as_ref().map(|time| time.0.as_second());
    let started = second(&live.session.creation_timestamp).unwrap_or(now.as_second());
    let duration =
        |text: &Option<String>| text.as_deref().and_then(|text| duration::parse_seconds(text).ok());
    let (succeeded, safe, seconds, error, snapshot) = match &live.status {
        SessionStatus::Backup(status) => {
            let stats = status.targets.first().and_then(|target| target.stats.first());
            let snapshot = stats.and_then(|stats| stats.snapshots.first());
            (
                status.phase == Some(BackupSessionPhase::Succeeded),
                stats.is_some_and(|stats| stats.phase == Some(HostPhase::Succeeded)),
                duration(&status.session_duration),
                stats.and_then(|stats| stats.error.clone()),
                snapshot.and_then(|snapshot| snapshot.name.clone()),
            )
        }
        SessionStatus::Restore(status) => {
            let stats = status.stats.first();
            let succeeded = status.phase == Some(RestoreSessionPhase::Succeeded);
            let error = stats.and_then(|stats| stats.error.clone());
            (succeeded, succeeded, duration(&status.session_duration), error, None)
        }
    };
    let ending = match (succeeded, safe) {
        (true, _) => Ending::Succeeded,
        (false, true) => Ending::SnapshotSafe,
        (false, false) => Ending::Failed,
    };
    let seconds = seconds.unwrap_or_default();
    let finished = started.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
    let mut outcome = JobOutcome::new(ending, started, finished);
    if !succeeded {
        let message = error.unwrap_or_else(|| "the Job ended without saying why".to_owned());
        outcome = outcome.because("SessionFailed", &message);
    }
    outcome.session = Some(plan.session.clone());
    outcome.snapshot = snapshot;
    outcome.statistics = statistics(live, safe, seconds, finished);
    outcome
}

#[expect(clippy::cast_precision_loss, reason = "gauges are 64-bit floats")]
fn statistics(live: &Live, safe: bool, seconds: u64, finished: i64) -> BTreeMap<String, f64> {
    let mut statistics = BTreeMap::from([
        ("duration-seconds".to_owned(), seconds as f64),
        ("finished-seconds".to_owned(), finished as f64),
    ]);
    let SessionStatus::Backup(_) = live.status else { return statistics };
    let mut add = |name: &str, value: Option<i64>| {
        if let Some(value) = value.filter(|_| safe) {
            statistics.insert(name.to_owned(), value as f64);
        }
    };
    let repository = &live.repository_status;
    add("repository-integrity", repository.integrity.map(i64::from));
    add("repository-snapshots", repository.snapshot_count);
    add("repository-snapshots-removed", repository.snapshots_removed_on_last_cleanup);
    statistics
}

impl SessionStatus {
    /// The final phase, if it has one.
    fn over(&self) -> Option<String> {
        match self {
            Self::Backup(status) => match status.phase? {
                phase @ (BackupSessionPhase::Succeeded
                | BackupSessionPhase::Failed
                | BackupSessionPhase::Skipped) => Some(format!("{phase:?}")),
                BackupSessionPhase::Pending
                | BackupSessionPhase::Running
                | BackupSessionPhase::Unknown => None,
            },
            Self::Restore(status) => match status.phase? {
                phase @ (RestoreSessionPhase::Succeeded | RestoreSessionPhase::Failed) => {
                    Some(format!("{phase:?}"))
                }
                RestoreSessionPhase::Pending
                | RestoreSessionPhase::Running
                | RestoreSessionPhase::Unknown
                | RestoreSessionPhase::Invalid => None,
            },
        }
    }
}

async fn session(
    client: &Client,
    plan: &Plan,
) -> Result<(ObjectMeta, SessionStatus, i32), LiveError> {
    let reference = &plan.session;
    let named = reference.to_string();
    Ok(match plan.direction {
        Direction::Backup(_) => {
            let api: Api<BackupSession> = Api::namespaced(client.clone(), &reference.namespace);
            let found = ask("get", &named, || api.get(&reference.name)).await?;
            let status = SessionStatus::Backup(found.status.unwrap_or_default());
            (found.metadata, status, found.spec.retry_left.unwrap_or_default())
        }
        Direction::Restore(_) => {
            let api: Api<RestoreSession> = Api::namespaced(client.clone(), &reference.namespace);
            let found = ask("get", &named, || api.get(&reference.name)).await?;
            (found.metadata, SessionStatus::Restore(found.status.unwrap_or_default()), 0)
        }
    })
}

/// Pins of the objects as they are, those of Functions as they were.
fn pins_now(plan: &Plan, binding: Option<&AppBinding>, repository: &Repository) -> Pins {
    let mut now = pins(binding, Some(repository), []);
    let cluster_scoped = |pin: &&ObjectPin| pin.object.namespace.is_empty();
    now.objects.extend(plan.pins.objects.iter().filter(cluster_scoped).cloned());
    now
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn live(status: SessionStatus) -> Live {
        let created = Time(Timestamp::from_second(1_700_000_000).unwrap());
        Live {
            session: ObjectMeta { creation_timestamp: Some(created), ..ObjectMeta::default() },
            retry_left: 0,
            repository: ObjectMeta::default(),
            status,
            repository_status: serde_json::from_value(json!({
                "integrity": true, "snapshotCount": 5, "totalSize": "75.867 KiB",
            }))
            .unwrap(),
            pins: Pins::default(),
        }
    }

    fn backup(status: serde_json::Value) -> Live {
        live(SessionStatus::Backup(serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn a_session_that_has_ended_is_not_run_again() {
        let plan = sample::plan(std::path::Path::new("/nowhere"));
        for (phase, over) in [
            ("Pending", false),
            ("Running", false),
            ("Unknown", false),
            ("Succeeded", true),
            ("Failed", true),
            ("Skipped", true),
        ] {
            let checked = backup(json!({"phase": phase})).check(&plan);
            assert_eq!(matches!(checked, Err(LiveError::Over { .. })), over, "{phase}");
        }
        assert!(backup(json!({})).check(&plan).is_ok());
    }

    #[test]
    fn an_object_that_is_gone_or_new_makes_a_plan_outdated() {
        let object = |version: &str, kind: &str, name: &str, spec: serde_json::Value| {
            json!({"apiVersion": version, "kind": kind, "spec": spec,
                "metadata": {"namespace": "demo", "name": name, "uid": name, "generation": 1}})
        };
        let spec = json!({"clientConfig": {"url": "https://vault.demo.svc"}});
        let binding = object("appcatalog.appscode.com/v1alpha1", "AppBinding", "vault", spec);
        let binding: AppBinding = serde_json::from_value(binding).unwrap();
        let spec = json!({"backend": {}});
        let repository = object("stash.appscode.com/v1alpha1", "Repository", "r", spec);
        let repository: Repository = serde_json::from_value(repository).unwrap();
        let mut plan = sample::plan(std::path::Path::new("/nowhere"));
        plan.pins = pins(Some(&binding), Some(&repository), []);
        // A Function is not read again: what the plan took from it stands in the plan.
        let function = ObjectPin {
            object: ObjectRef {
                namespace: String::new(),
                kind: "Function".to_owned(),
                ..plan.target.reference.clone()
            },
            uid: "f".to_owned(),
            generation: None,
        };
        plan.pins.objects.push(function);
        let check = |binding: Option<&AppBinding>, repository: &Repository| {
            let pins = pins_now(&plan, binding, repository);
            Live { pins, ..backup(json!({})) }.check(&plan)
        };
        check(Some(&binding), &repository).unwrap();
        let error = check(None, &repository).unwrap_err();
        assert_eq!(error.reason(), "PlanOutdated", "{error}");
        let mut anew = repository.clone();
        anew.metadata.uid = Some("another".to_owned());
        assert_eq!(check(Some(&binding), &anew).unwrap_err().reason(), "PlanOutdated");
        let mut edited = binding.clone();
        edited.metadata.generation = Some(2);
        assert_eq!(check(Some(&edited), &repository).unwrap_err().reason(), "PlanOutdated");
    }

    #[test]
    fn an_outcome_read_from_the_status_holds_what_is_exact() {
        let plan = sample::plan(std::path::Path::new("/nowhere"));
        let stats = json!({"phase": "Succeeded", "snapshots": [{"name": "bdf7fd5c"}]});
        let status = |phase: &str| json!({"phase": phase, "sessionDuration": "1m1s", "targets": [{"stats": [stats]}]});
        let outcome = backup(status("Succeeded")).outcome(&plan, Timestamp::now());
        assert_eq!((outcome.ending, outcome.reason.as_str()), (Ending::Succeeded, ""));
        assert_eq!(outcome.finished_seconds, 1_700_000_061);
        assert_eq!(outcome.snapshot.as_deref(), Some("bdf7fd5c"));
        assert_eq!(outcome.statistics["repository-snapshots"], 5.0);
        assert!(!outcome.statistics.contains_key("repository-size-bytes"));

        let outcome = backup(status("Failed")).outcome(&plan, Timestamp::now());
        assert_eq!(outcome.ending, Ending::SnapshotSafe);

        let failed = json!({"phase": "Failed", "targets": [{"stats": [{"phase": "Failed", "error": "why"}]}]});
        let outcome = backup(failed).outcome(&plan, Timestamp::now());
        assert_eq!((outcome.ending, outcome.message.as_str()), (Ending::Failed, "why"));
        // What it does not know of this session it does not push again.
        assert!(!outcome.statistics.contains_key("repository-snapshots"));
    }
}
