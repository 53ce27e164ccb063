//! Whether a BackupSession that has not begun may begin: pure.

use jiff::{SignedDuration, Timestamp};
use sealift_api::backup_configuration::BackupConfigurationPhase;
use sealift_api::backup_session::BackupSession;
use sealift_core::session::Phase;
use sealift_kube::watch::Key;

use super::dereference::Dereferenced;
use super::status::phase_of;
use crate::labels;

/// What becomes of a session that has not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It may begin.
    Begin,
    /// It never will, because of its invoker or of another session; the text of the condition.
    Skip(String),
    /// It waits for another session.
    WaitFor(Key),
    /// It cannot be run at all; why.
    Refuse(String),
}

/// A session and its invoker may be made at once, and be seen in another order.
const INVOKER_GRACE: SignedDuration = SignedDuration::from_secs(20);

pub(super) fn validate(found: &Dereferenced, now: Timestamp) -> Decision {
    let session = &found.session;
    let Some(named) = &session.spec.invoker else {
        return Decision::Refuse(
            "spec.invoker: is not given; name the BackupConfiguration to back up".to_owned(),
        );
    };
    let (kind, namespace, name) = (&named.kind, session.namespace(), &named.name);
    if kind != "BackupConfiguration" {
        return Decision::Refuse(format!(
            "spec.invoker.kind: {kind} {namespace}/{name} is not supported yet; use a BackupConfiguration"
        ));
    }
    let Some(invoker) = &found.invoker else {
        let created = session.metadata.creation_timestamp.as_ref().map(|time| time.0);
        if created.is_some_and(|created| now.duration_since(created) < INVOKER_GRACE) {
            return Decision::WaitFor(Key::new(namespace, name));
        }
        return Decision::Skip(format!(
            "Skipped taking backup. Reason: {kind} {namespace}/{name} does not exist."
        ));
    };
    if labels::is_going(&invoker.metadata) {
        return Decision::Skip(format!(
            "Skipped taking backup. Reason: {kind} {namespace}/{name} is being deleted."
        ));
    }
    let ready = invoker.status.as_ref().is_some_and(|status| {
        status.phase == Some(BackupConfigurationPhase::Ready)
            && status.observed_generation == invoker.metadata.generation
    });
    let unseen = invoker
        .status
        .as_ref()
        .is_none_or(|status| status.observed_generation != invoker.metadata.generation);
    if let Some(running) = found.siblings.iter().find(|other| phase_of(other) == Phase::Running) {
        return Decision::Skip(format!(
            "Skipped taking new backup. Reason: Previous BackupSession: {} is \"Running\".",
            running.name()
        ));
    }
    // A change of the invoker that has not been looked at yet is not "not ready".
    if unseen {
        return Decision::WaitFor(Key::new(namespace, name));
    }
    if !ready {
        return Decision::Skip(format!(
            "Skipped taking backup. Reason: {kind} {namespace}/{name} is not ready."
        ));
    }
    let own = age(session);
    let first = |other: &&std::sync::Arc<BackupSession>| {
        phase_of(other) == Phase::Running || age(other) < own
    };
    match found.siblings.iter().chain(&found.rivals).find(first) {
        Some(other) => Decision::WaitFor(Key::of(&**other)),
        None => Decision::Begin,
    }
}

/// The older goes first; of the same age, the one first by name.
fn age(session: &BackupSession) -> (Option<Timestamp>, &str, &str) {
    let created = session.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (created, session.namespace(), session.name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use sealift_api::backup_configuration::BackupConfiguration;
    use serde_json::json;

    use super::*;

    fn session(name: &str, second: u32, phase: &str) -> Arc<BackupSession> {
        let mut session = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
            "metadata": {"name": name, "namespace": "demo",
                "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": {"invoker": {"kind": "BackupConfiguration", "name": "demo-backup"}}
        });
        if !phase.is_empty() {
            session["status"] = json!({"phase": phase});
        }
        Arc::new(serde_json::from_value(session).unwrap())
    }

    fn invoker(phase: &str, generation: i64, observed: i64) -> Option<Arc<BackupConfiguration>> {
        let configuration = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
            "metadata": {"name": "demo-backup", "namespace": "demo", "generation": generation},
            "spec": {"retentionPolicy": {"name": "x", "prune": true}},
            "status": {"phase": phase, "observedGeneration": observed}
        });
        Some(Arc::new(serde_json::from_value(configuration).unwrap()))
    }

    fn found(session: Arc<BackupSession>) -> Dereferenced {
        Dereferenced {
            session,
            invoker: invoker("Ready", 1, 1),
            target: None,
            siblings: Vec::new(),
            rivals: Vec::new(),
        }
    }

    fn at(second: u32) -> Timestamp {
        format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()
    }

    #[test]
    fn a_session_of_a_ready_invoker_begins() {
        assert_eq!(validate(&found(session("s", 5, "")), at(6)), Decision::Begin);
    }

    #[test]
    fn while_another_one_runs_it_is_skipped_in_the_originals_words() {
        let siblings = vec![session("older", 1, "Running")];
        let found = Dereferenced { siblings, ..found(session("s", 5, "Pending")) };
        let text =
            "Skipped taking new backup. Reason: Previous BackupSession: older is \"Running\".";
        assert_eq!(validate(&found, at(6)), Decision::Skip(text.to_owned()));
    }

    #[test]
    fn an_invoker_that_is_not_ready_skips_and_one_that_was_just_edited_waits() {
        let base = || found(session("s", 5, ""));
        let not_ready = Dereferenced { invoker: invoker("NotReady", 1, 1), ..base() };
        let text =
            "Skipped taking backup. Reason: BackupConfiguration demo/demo-backup is not ready.";
        assert_eq!(validate(&not_ready, at(6)), Decision::Skip(text.to_owned()));
        let edited = Dereferenced { invoker: invoker("NotReady", 2, 1), ..base() };
        let waits = Decision::WaitFor(Key::new("demo", "demo-backup"));
        assert_eq!(validate(&edited, at(6)), waits);
    }

    #[test]
    fn an_invoker_that_goes_begins_nothing() {
        let mut going = BackupConfiguration::clone(&invoker("Ready", 1, 1).unwrap());
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:03Z")).unwrap();
        let found = Dereferenced { invoker: Some(Arc::new(going)), ..found(session("s", 5, "")) };
        let Decision::Skip(text) = validate(&found, at(6)) else { panic!("skipped") };
        assert!(text.contains("is being deleted"), "{text}");
    }

    #[test]
    fn an_invoker_that_does_not_come_is_named() {
        let orphan = Dereferenced { invoker: None, ..found(session("s", 5, "")) };
        assert!(matches!(validate(&orphan, at(6)), Decision::WaitFor(_)));
        let Decision::Skip(text) = validate(&orphan, at(40)) else { panic!("skipped") };
        assert!(text.contains("BackupConfiguration demo/demo-backup does not exist"), "{text}");
    }

    #[test]
    fn the_older_goes_first_and_nobody_waits_for_the_younger() {
        let waits = |other: &Arc<BackupSession>| Decision::WaitFor(Key::of(&**other));
        let (older, younger) = (session("older", 1, "Pending"), session("younger", 9, "Pending"));
        let with_rivals =
            |rivals: Vec<Arc<BackupSession>>| Dereferenced { rivals, ..found(session("s", 5, "")) };
        assert_eq!(validate(&with_rivals(vec![older.clone()]), at(10)), waits(&older));
        assert_eq!(validate(&with_rivals(vec![younger]), at(10)), Decision::Begin);
        let running = session("z", 9, "Running");
        assert_eq!(validate(&with_rivals(vec![running.clone()]), at(10)), waits(&running));
        // Of the same second, the name decides, for both alike.
        let (a, b) = (session("a", 5, ""), session("b", 5, ""));
        let first = Dereferenced { siblings: vec![b.clone()], ..found(a.clone()) };
        let second = Dereferenced { siblings: vec![a.clone()], ..found(b) };
        assert_eq!(validate(&first, at(6)), Decision::Begin);
        assert_eq!(validate(&second, at(6)), waits(&a));
    }
}
