//! One Job from begin to end.
//!
//! Flow: session, Repository and AppBinding are read and compared with the plan's pins → the
//! session is said to run → it runs → status of session and Repository, events.
//!
//! Guarantees: nothing of a target or a repository is touched before the objects are found to be
//! those of the plan; what happened is in the returned record, whatever could be written.
//! The final phase of the session is the operator's. A refusal that is no fault of the session
//! (it is over, or cannot be read) writes nothing but the record.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sealift_api::backup_session::{BackupSessionSpec, BackupSessionStatus};
use sealift_api::manifest::STASH_V1BETA1;
use sealift_api::repository::{RepositorySpec, RepositoryStatus};
use sealift_api::restore_session::{RestoreSessionSpec, RestoreSessionStatus};
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_core::plan::{Direction, Plan};
use sealift_host::Host;
use sealift_kube::event::{Event, Recorder};
use sealift_kube::kube::Client;
use tokio_util::sync::CancellationToken;

use super::events::LogEvents;
use super::exec::ClusterExec;
use super::live::{Live, LiveError};
use super::locks::LeaseLocks;
use super::objects::ClusterObjects;
use super::told::{self, Told};
use super::{record, write};
use crate::chain_of_causes;
use crate::components::Components;
use crate::failure::SessionError;
use crate::hooks::HookSurroundings;
use crate::observers;
use crate::report::SessionReport;
use crate::session;
use crate::surroundings::Surroundings;

/// The pod a Job runs in.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name, for whoever waits for the repository; differs between Jobs.
    pub pod: String,
    /// Folder for artifacts of unknown size.
    pub interim_dir: PathBuf,
}

/// What a Job needs besides its plan.
#[derive(Clone)]
pub struct Job {
    /// Asks the API server.
    pub client: Client,
    /// Runs the Functions.
    pub host: Host,
    /// Where their components come from.
    pub components: Arc<dyn Components>,
    /// Ends the session; nothing is committed then.
    pub cancel: CancellationToken,
    /// The pod.
    pub place: Place,
}

/// Runs the plan and tells what happened.
pub async fn run(job: &Job, plan: Plan) -> JobOutcome {
    let started = Timestamp::now();
    let live = match Live::read(&job.client, &plan).await {
        Ok(live) => live,
        Err(error) => return refused(started, &plan, &error),
    };
    let session = Session { job, live, lost_status: false };
    match session.live.check(&plan) {
        Ok(()) => session.run(plan, started).await,
        Err(error @ LiveError::Over { .. }) => refused(started, &plan, &error),
        Err(LiveError::Outdated(error)) => {
            let (around, _, _) = session.surroundings(&plan);
            let error = SessionError::Outdated(error);
            session.finish(session::refused(plan, started, error, &around).await).await
        }
        Err(error @ LiveError::Ask(_)) => refused(started, &plan, &error),
    }
}

/// Runs the plan's observers alone, from the record of an earlier Job or, without one, from what
/// stands in the session's status, and says in the status how that went.
pub async fn observe(job: &Job, plan: Plan, earlier: Option<JobOutcome>) -> JobOutcome {
    let started = Timestamp::now();
    match Live::read_for_observers(&job.client, &plan).await {
        Ok(live) => {
            let earlier = earlier.unwrap_or_else(|| live.outcome(&plan, started));
            Session { job, live, lost_status: false }.observe(plan, earlier).await
        }
        Err(error) => refused(started, &plan, &error),
    }
}

fn refused(started: Timestamp, plan: &Plan, error: &LiveError) -> JobOutcome {
    let message = chain_of_causes(error);
    tracing::error!(reason = error.reason(), "{message}");
    JobOutcome {
        session: Some(plan.session.clone()),
        ..JobOutcome::new(Ending::Refused, started.as_second(), Timestamp::now().as_second())
            .because(error.reason(), &message)
    }
}

/// A session whose objects are known.
struct Session<'a> {
    job: &'a Job,
    live: Live,
    /// Whether something could not be written.
    lost_status: bool,
}

impl Session<'_> {
    async fn run(mut self, plan: Plan, started: Timestamp) -> JobOutcome {
        if let Direction::Backup(_) = plan.direction {
            let begun = write::status::<BackupSessionSpec, BackupSessionStatus>(
                &self.job.client,
                &plan.session,
                |status| record::begin_backup(status, &plan),
            )
            .await;
            self.note(begun);
        }
        let (around, objects, events) = self.surroundings(&plan);
        let mut report = session::run(plan, started, &around).await;
        report.warnings.extend(events.take_warnings());
        report.notes.iter().for_each(|note| tracing::info!("{note}"));
        report.secrets_written = objects.take_written();
        self.finish(report).await
    }

    fn surroundings(&self, plan: &Plan) -> (Surroundings, Arc<ClusterObjects>, Arc<LogEvents>) {
        let client = || self.job.client.clone();
        let objects = Arc::new(ClusterObjects::new(client(), &plan.session.name));
        let events = Arc::new(LogEvents::default());
        let holder =
            format!("{}/{} ({})", plan.session.namespace, plan.session.name, self.job.place.pod);
        let uid = self.live.repository.uid.as_deref().unwrap_or_default();
        let locks = LeaseLocks::new(client(), &plan.repository, uid, &holder);
        let around = Surroundings {
            host: self.job.host.clone(),
            components: Arc::clone(&self.job.components),
            objects: Arc::clone(&objects) as _,
            events: Arc::clone(&events) as _,
            cancel: self.job.cancel.clone(),
            allow_loopback: false,
            locks: Arc::new(locks),
            interim_dir: self.job.place.interim_dir.clone(),
            hooks: HookSurroundings {
                exec: Some(Arc::new(ClusterExec::new(client()))),
                retry_left: self.live.retry_left,
            },
        };
        (around, objects, events)
    }

    /// Writes what happened, everywhere, and returns the record of it.
    async fn finish(mut self, report: SessionReport) -> JobOutcome {
        let plan = &report.plan;
        let client = &self.job.client;
        let written = match plan.direction {
            Direction::Backup(_) => {
                write::status::<BackupSessionSpec, BackupSessionStatus>(
                    client,
                    &plan.session,
                    |status| record::finish_backup(status, &report),
                )
                .await
            }
            Direction::Restore(_) => {
                write::status::<RestoreSessionSpec, RestoreSessionStatus>(
                    client,
                    &plan.session,
                    |status| record::finish_restore(status, &report),
                )
                .await
            }
        };
        self.note(written);
        if report.committed.is_some() {
            let now = Time(report.started);
            let created = self.live.session.creation_timestamp.clone().unwrap_or(now);
            let written = write::status::<RepositorySpec, RepositoryStatus>(
                client,
                &plan.repository.reference,
                |status| record::finish_repository(status, &report, &created),
            )
            .await;
            self.note(written);
        } else if report.maintenance.findings.is_some() {
            let repository = &plan.repository.reference;
            let written = write::status::<RepositorySpec, RepositoryStatus>(
                client,
                repository,
                record::damaged_repository,
            )
            .await;
            self.note(written);
        }
        let recorder = Recorder::new(client.clone(), told::SOURCE, &*self.job.place.pod);
        let about = self.about(plan);
        for Told { warning, reason, message } in told::told(&report) {
            let event = match warning {
                true => Event::warning(reason, message),
                false => Event::normal(reason, message),
            };
            // An event is for people; a lost one changes nothing.
            if let Err(error) = recorder.publish(&about, &event, Timestamp::now()).await {
                let error = chain_of_causes(&error);
                tracing::warn!(reason, "an event was not written: {error}");
            }
        }
        JobOutcome { status_written: !self.lost_status, ..report.record() }
    }

    async fn observe(mut self, plan: Plan, earlier: JobOutcome) -> JobOutcome {
        let (around, _, _) = self.surroundings(&plan);
        let report = observers::again(plan, &earlier, &around).await;
        let client = &self.job.client;
        let session = &report.plan.session;
        let written = match report.plan.direction {
            Direction::Backup(_) => {
                write::status::<BackupSessionSpec, BackupSessionStatus>(client, session, |status| {
                    record::pushed_again(&mut status.conditions, &report);
                })
                .await
            }
            Direction::Restore(_) => {
                write::status::<RestoreSessionSpec, RestoreSessionStatus>(
                    client,
                    session,
                    |status| record::pushed_again(&mut status.conditions, &report),
                )
                .await
            }
        };
        self.note(written);
        JobOutcome { observed: report.observed(), status_written: !self.lost_status, ..earlier }
    }

    /// The session, as events name it.
    fn about(&self, plan: &Plan) -> ObjectReference {
        ObjectReference {
            api_version: Some(STASH_V1BETA1.to_owned()),
            kind: Some(plan.session.kind.clone()),
            namespace: Some(plan.session.namespace.clone()),
            name: Some(plan.session.name.clone()),
            uid: self.live.session.uid.clone(),
            resource_version: self.live.session.resource_version.clone(),
            field_path: None,
        }
    }

    fn note(&mut self, written: Result<(), sealift_kube::Error>) {
        if let Err(error) = written {
            tracing::error!("a status was not written: {}", chain_of_causes(&error));
            self.lost_status = true;
        }
    }
}
