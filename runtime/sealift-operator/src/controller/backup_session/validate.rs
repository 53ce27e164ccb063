//! Whether a BackupSession that has not begun may begin: pure.

use sealift_api::backup_configuration::BackupConfigurationPhase;
use sealift_api::backup_session::BackupSession;
use sealift_core::session::Phase;
use sealift_kube::watch::Key;

use super::dereference::Dereferenced;
use super::status::phase_of;

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

pub(super) fn validate(found: &Dereferenced) -> Decision {
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
        return Decision::Refuse(format!(
            "spec.invoker: {kind} {namespace}/{name} does not exist; create it, or correct the name"
        ));
    };
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
fn age(session: &BackupSession) -> (Option<jiff::Timestamp>, &str, &str) {
    let created = session.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (created, session.namespace(), session.name())
}
