//! The status of a RestoreSession: what stands in it as facts, and how it is written.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sealift_api::backup_session::HostPhase;
use sealift_api::restore_session::{
    HostRestoreStats, RestoreSession, RestoreSessionPhase, RestoreSessionStatus,
};
use sealift_core::duration::format_seconds;
use sealift_core::plan::Plan;
use sealift_core::session::{Phase, RestoreFacts, TargetFacts};
use sealift_kube::event::Event;
use sealift_kube::status as server;
use sealift_kube::watch::Key;

use super::COMPONENT;
use crate::cluster::Cluster;
use crate::condition::{self, Statement, Truth, Type, holds, seconds};
use crate::controller::queued;
use crate::ending::Death;
use crate::error::Result;

/// What was there a moment ago and is no longer: all else a restore waits for is watched, or asked
/// for as seldom as `secret_check` says.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(8);
/// Who ends wakes those who wait; should that be missed, they look by themselves.
pub(super) const LOOK_AGAIN_QUEUED: Duration = Duration::from_secs(30);

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conclusion {
    /// The Job has said it, or the conditions do.
    Reported,
    /// The Job is done and could only leave a record.
    Done,
    /// The Job died.
    Lost(Death),
    /// Time is up.
    Deadline,
}

impl Conclusion {
    /// What went wrong, if the Job has not said it.
    pub(super) fn error(&self, time_out: &str) -> Option<String> {
        match self {
            Self::Lost(death) => Some(death.message.clone()),
            Self::Deadline => Some(deadline_message(time_out)),
            Self::Reported | Self::Done => None,
        }
    }
}

/// How it ends, and what is needed to say it.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) conclusion: &'a Conclusion,
    pub(super) hostname: &'a str,
    pub(super) time_out: &'a str,
    pub(super) statements: &'a [Statement],
    pub(super) now: Timestamp,
}

/// Whether the Job has said how it ended. It writes that once, at its very end and together with
/// everything else, so nothing more will come.
pub(super) fn is_reported(session: &RestoreSession) -> bool {
    let Some(status) = &session.status else { return false };
    target_facts(status, &hosts(status)).phase().is_final()
}

/// When its time is up.
pub(super) fn deadline(session: &RestoreSession) -> Option<Timestamp> {
    session.status.as_ref()?.session_deadline.as_ref().map(|deadline| deadline.0)
}

/// Whether the metrics have reached the Pushgateway.
pub(super) fn is_pushed(session: &RestoreSession) -> bool {
    let status = session.status.as_ref();
    status.is_some_and(|status| holds(&status.conditions, Type::MetricsPushed) == Some(true))
}

/// It cannot begin yet.
pub(super) async fn waiting(
    cluster: &Cluster,
    known: &Arc<RestoreSession>,
    statements: &[Statement],
    queued: Option<&Statement>,
) -> Result<()> {
    let now = cluster.now();
    server::update_known(&cluster.client, &**known, |found: &mut RestoreSession| {
        let status = found.status.get_or_insert_default();
        // It has begun or ended meanwhile: it stays as it is.
        if !matches!(
            status.phase,
            None | Some(RestoreSessionPhase::Pending | RestoreSessionPhase::Invalid)
        ) {
            return;
        }
        say(status, statements, now);
        match queued {
            Some(said) => queued::tell(&mut status.conditions, said, now),
            None => condition::remove(&mut status.conditions, Type::Queued),
        }
        status.phase = Some(match holds(&status.conditions, Type::ValidationPassed) {
            Some(false) => RestoreSessionPhase::Invalid,
            _ => RestoreSessionPhase::Pending,
        });
    })
    .await?;
    let before = known.status.clone().unwrap_or_default();
    for said in statements.iter().filter(|said| said.truth != Truth::True) {
        if condition::find(&before.conditions, said.type_)
            .is_none_or(|found| found.message.as_deref() != Some(&said.message))
        {
            cluster.tell(COMPONENT, &**known, Event::warning(said.reason, &said.message)).await;
        }
    }
    Ok(())
}

/// It has a Job.
pub(super) async fn begun(
    cluster: &Cluster,
    known: &Arc<RestoreSession>,
    statements: &[Statement],
    plan: &Plan,
    deadline: Timestamp,
) -> Result<()> {
    let now = cluster.now();
    let target = &plan.target.reference;
    let ensured = [
        Statement::yes(
            Type::RestoreJobCreated,
            "RestoreJobCreationSucceeded",
            "Successfully created restore job.",
        ),
        Statement::yes(
            Type::RestoreExecutorEnsured,
            "SuccessfullyEnsuredRestoreExecutor",
            format!(
                "Restorer job/init-container has been ensured successfully for {} {}/{}.",
                target.kind, target.namespace, target.name
            ),
        ),
    ];
    server::update_known(&cluster.client, &**known, |found: &mut RestoreSession| {
        use RestoreSessionPhase::{Failed, Succeeded, Unknown};
        let status = found.status.get_or_insert_default();
        // Somebody else has ended it: it stays as it is.
        if matches!(status.phase, Some(Succeeded | Failed | Unknown)) {
            return;
        }
        say(status, statements, now);
        say(status, &ensured, now);
        condition::remove(&mut status.conditions, Type::Queued);
        status.total_hosts = Some(1);
        status.session_deadline = Some(Time(seconds(deadline)));
        status.phase = Some(RestoreSessionPhase::Running);
    })
    .await?;
    Ok(())
}

/// One that somebody else has ended stays as it is.
fn end_once(found: &mut RestoreSession, end: &End<'_>) {
    use RestoreSessionPhase::{Failed, Succeeded, Unknown};
    let phase = found.status.as_ref().and_then(|status| status.phase);
    if !matches!(phase, Some(Succeeded | Failed | Unknown)) {
        found.status = Some(ended(found, end));
    }
}

/// Writes the end.
pub(super) async fn end(
    cluster: &Cluster,
    known: &Arc<RestoreSession>,
    end: &End<'_>,
) -> Result<RestoreSession> {
    let written = server::update_known(&cluster.client, &**known, |found: &mut RestoreSession| {
        end_once(found, end);
    })
    .await?;
    let status = written.status.as_ref();
    tracing::info!(
        session = %Key::of(&**known),
        phase = ?status.and_then(|status| status.phase),
        duration = status.and_then(|status| status.session_duration.as_deref()).unwrap_or_default(),
        "a RestoreSession has ended"
    );
    Ok(written)
}

/// The status of a restore that ends so.
fn ended(session: &RestoreSession, end: &End<'_>) -> RestoreSessionStatus {
    let mut status = session.status.clone().unwrap_or_default();
    say(&mut status, end.statements, end.now);
    condition::remove(&mut status.conditions, Type::Queued);
    let open = !target_facts(&status, &hosts(&status)).phase().is_final();
    let host = |phase, error| {
        vec![HostRestoreStats {
            hostname: Some(end.hostname.to_owned()),
            phase: Some(phase),
            duration: None,
            error,
        }]
    };
    match end.conclusion {
        Conclusion::Done if open => {
            status.total_hosts = Some(1);
            status.stats = host(HostPhase::Succeeded, None);
        }
        Conclusion::Lost(_) | Conclusion::Deadline if open => {
            status.total_hosts = Some(1);
            status.stats = host(HostPhase::Failed, end.conclusion.error(end.time_out));
        }
        Conclusion::Reported | Conclusion::Done | Conclusion::Lost(_) | Conclusion::Deadline => {}
    }
    // The Job ends its work at the same time, and may say so first.
    let late = status.session_deadline.as_ref().is_some_and(|deadline| end.now >= deadline.0)
        && hosts(&status).contains(&false);
    if *end.conclusion == Conclusion::Deadline || late {
        let said = Statement::yes(
            Type::DeadlineExceeded,
            "FailedToCompleteWithinDeadline",
            deadline_message(end.time_out),
        );
        condition::set(&mut status.conditions, &said, None, end.now);
    }
    let ended = hosts(&status);
    let facts = RestoreFacts {
        deadline_exceeded: holds(&status.conditions, Type::DeadlineExceeded) == Some(true),
        target: target_facts(&status, &ended),
        reported: true,
    };
    status.phase = Some(match facts.phase() {
        Phase::Succeeded => RestoreSessionPhase::Succeeded,
        _ => RestoreSessionPhase::Failed,
    });
    let created = session.metadata.creation_timestamp.as_ref().map_or(end.now, |time| time.0);
    let took = end.now.as_second().saturating_sub(created.as_second()).max(1);
    status.session_duration = Some(format_seconds(took.unsigned_abs()));
    status
}

fn say(status: &mut RestoreSessionStatus, statements: &[Statement], now: Timestamp) {
    for statement in statements {
        condition::set(&mut status.conditions, statement, None, now);
    }
}

fn deadline_message(time_out: &str) -> String {
    format!("Failed to complete restore within {time_out}.")
}

fn hosts(status: &RestoreSessionStatus) -> Vec<bool> {
    status
        .stats
        .iter()
        .filter_map(|host| match host.phase? {
            HostPhase::Succeeded => Some(true),
            HostPhase::Failed => Some(false),
            HostPhase::Running | HostPhase::Unknown => None,
        })
        .collect()
}

fn target_facts<'a>(status: &RestoreSessionStatus, ended: &'a [bool]) -> TargetFacts<'a> {
    let said = |type_| holds(&status.conditions, type_);
    TargetFacts {
        executor_ensured: said(Type::RestoreExecutorEnsured),
        hooks: [
            said(Type::PreRestoreHookExecutionSucceeded),
            said(Type::PostRestoreHookExecutionSucceeded),
        ],
        disrupted: false,
        hosts: status.total_hosts.and_then(|hosts| usize::try_from(hosts).ok()),
        ended,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn running(stats: serde_json::Value, conditions: serde_json::Value) -> RestoreSession {
        let mut all = vec![json!({"type": "RestoreExecutorEnsured", "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:01Z"})];
        all.extend(conditions.as_array().unwrap().iter().cloned());
        serde_json::from_value(json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession",
            "metadata": {"name": "r", "namespace": "demo",
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {}, "status": {"phase": "Running", "totalHosts": 1, "stats": stats,
                "conditions": all}
        }))
        .unwrap()
    }

    fn end(conclusion: &Conclusion) -> End<'_> {
        let now = "2026-01-01T00:02:05Z".parse().unwrap();
        End { conclusion, hostname: "host-0", time_out: "10s", statements: &[], now }
    }

    fn ends(session: &RestoreSession, conclusion: &Conclusion) -> RestoreSessionStatus {
        ended(session, &end(conclusion))
    }

    #[test]
    fn an_end_that_is_written_stays() {
        let good = json!([{"hostname": "host-0", "phase": "Succeeded"}]);
        let mut session = running(good, json!([]));
        end_once(&mut session, &end(&Conclusion::Reported));
        let phase = session.status.as_ref().and_then(|status| status.phase);
        assert_eq!(phase, Some(RestoreSessionPhase::Succeeded));
        for phase in ["Succeeded", "Failed", "Unknown"] {
            let known = json!({"phase": phase, "sessionDuration": "7s"});
            session.status = Some(serde_json::from_value(known.clone()).unwrap());
            end_once(&mut session, &end(&Conclusion::Reported));
            assert_eq!(serde_json::to_value(&session.status).unwrap(), known);
        }
    }

    #[test]
    fn what_the_job_said_decides() {
        let pushed = json!([{"type": "MetricsPushed", "status": "False",
            "lastTransitionTime": "2026-01-01T00:00:05Z"}]);
        let good = running(json!([{"hostname": "host-0", "phase": "Succeeded"}]), pushed.clone());
        assert!(is_reported(&good));
        let status = ends(&good, &Conclusion::Reported);
        assert_eq!(status.phase, Some(RestoreSessionPhase::Succeeded));
        assert_eq!(status.session_duration.as_deref(), Some("2m5s"));
        let bad = running(json!([{"hostname": "host-0", "phase": "Failed", "error": "e"}]), pushed);
        assert_eq!(ends(&bad, &Conclusion::Reported).phase, Some(RestoreSessionPhase::Failed));
        assert!(!is_reported(&running(json!([]), json!([]))));
    }

    #[test]
    fn a_job_that_gave_up_when_time_was_up_has_exceeded_its_deadline() {
        let failed = json!([{"hostname": "host-0", "phase": "Failed", "error": "time is up"}]);
        for (deadline, late) in [("2026-01-01T00:02:05Z", true), ("2026-01-01T00:02:06Z", false)] {
            let mut session = running(failed.clone(), json!([]));
            session.status.as_mut().unwrap().session_deadline =
                serde_json::from_value(json!(deadline)).unwrap();
            let status = ends(&session, &Conclusion::Reported);
            assert_eq!(holds(&status.conditions, Type::DeadlineExceeded), late.then_some(true));
            assert_eq!(status.stats.first().unwrap().error.as_deref(), Some("time is up"));
        }
    }

    #[test]
    fn a_restore_whose_job_died_or_took_too_long_has_failed() {
        let open = running(json!([]), json!([]));
        let lost = ends(&open, &Conclusion::Lost(Death::new("OOMKilled", "out of memory")));
        assert_eq!(lost.phase, Some(RestoreSessionPhase::Failed));
        assert_eq!(lost.stats.first().unwrap().error.as_deref(), Some("out of memory"));
        let late = ends(&open, &Conclusion::Deadline);
        assert_eq!(late.phase, Some(RestoreSessionPhase::Failed));
        let said = condition::find(&late.conditions, Type::DeadlineExceeded).unwrap();
        assert_eq!(said.message.as_deref(), Some("Failed to complete restore within 10s."));
        assert_eq!(ends(&open, &Conclusion::Done).phase, Some(RestoreSessionPhase::Succeeded));
    }
}
