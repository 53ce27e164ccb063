//! Which ended sessions stay: `backupHistoryLimit`, as the original counts. The choice is pure.

use std::sync::Arc;
use std::time::Duration;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::causes::chain_of_causes;
use sealift_core::session::Phase;
use sealift_kube::backoff::spread;
use sealift_kube::watch::Key;
use sealift_kube::{Class, delete};

use super::status::phase_of;
use super::{is_open, of_invoker};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::labels;

/// When the BackupConfiguration says nothing.
const DEFAULT_LIMIT: i32 = 1;

/// A removal that is refused for the moment (an API server that has too much to do, or that has just
/// started and knows no rights yet) is tried so often: what is not removed fails the session.
const TRIES: u32 = 4;
/// Between two tries, longer each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Removes what is too much, `ending` counting as one that ended in `phase`. It stays itself. Why
/// something could not be removed is for the session's status.
///
/// # Errors
/// The API server gave no answer: nothing can be said of it yet.
pub(super) async fn clean(
    cluster: &Cluster,
    invoker: &BackupConfiguration,
    ending: &Arc<BackupSession>,
    phase: Phase,
) -> Result<Result<(), String>> {
    let mut others = of_invoker(&cluster.stores, &Key::of(invoker));
    others.retain(|session| {
        session.name() != ending.name() && !is_open(session) && !labels::is_going(&session.metadata)
    });
    let limit = invoker.spec.backup_history_limit.unwrap_or(DEFAULT_LIMIT);
    let mut ended: Vec<(Arc<BackupSession>, Phase)> =
        others.into_iter().map(|session| (Arc::clone(&session), phase_of(&session))).collect();
    ended.push((Arc::clone(ending), phase));
    for session in surplus(ended, limit) {
        if session.name() == ending.name() {
            continue;
        }
        match remove(cluster, &session).await {
            Ok(()) => {}
            Err(error) if error.is_unanswered() => return Err(Error::Call(error)),
            Err(error) => return Ok(Err(chain_of_causes(&error))),
        }
    }
    Ok(Ok(()))
}

async fn remove(cluster: &Cluster, session: &BackupSession) -> sealift_kube::Result<()> {
    let uid = session.metadata.uid.as_deref();
    let (namespace, name) = (session.namespace(), session.name());
    let mut tries = 1;
    loop {
        let done = delete::delete::<BackupSession>(&cluster.client, namespace, name, uid).await;
        match done {
            Err(error) if is_for_the_moment(&error) && tries < TRIES => {
                tokio::time::sleep(spread(PAUSE * tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

fn is_for_the_moment(error: &sealift_kube::Error) -> bool {
    let answered = !error.is_unanswered();
    answered && (error.class() == Class::Transient || error.is_forbidden())
}

/// Of these ended sessions, those that are too many. The newest stay, and besides them the last
/// one that really ran, whatever came after it, unless nothing is to be kept.
fn surplus(mut ended: Vec<(Arc<BackupSession>, Phase)>, limit: i32) -> Vec<Arc<BackupSession>> {
    ended.sort_by(|(one, _), (other, _)| {
        let time = |session: &BackupSession| {
            session.metadata.creation_timestamp.as_ref().map(|time| time.0)
        };
        (time(other), other.name()).cmp(&(time(one), one.name()))
    });
    let limit = usize::try_from(limit).unwrap_or(0);
    let mut need_one_that_ran = limit > 0;
    let mut surplus = Vec::new();
    for (place, (session, phase)) in ended.into_iter().enumerate() {
        let ran = matches!(phase, Phase::Succeeded | Phase::Failed);
        if place >= limit && !(need_one_that_ran && ran) {
            surplus.push(session);
        }
        need_one_that_ran = need_one_that_ran && !ran;
    }
    surplus
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Names of those that go, of sessions in the order in which they were made.
    fn gone(phases: &[Phase], limit: i32) -> Vec<String> {
        let sessions = phases.iter().enumerate().map(|(index, phase)| {
            let session = serde_json::json!({
                "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
                "metadata": {"name": format!("s{index}"),
                    "creationTimestamp": format!("2026-01-01T00:00:0{index}Z")},
                "spec": {}
            });
            (Arc::new(serde_json::from_value(session).unwrap()), *phase)
        });
        let gone = surplus(sessions.collect(), limit);
        gone.iter().map(|session| session.name().to_owned()).collect()
    }

    #[test]
    fn the_newest_stay() {
        use Phase::{Failed, Succeeded};
        let all = [Succeeded, Failed, Succeeded, Succeeded];
        assert_eq!(gone(&all, 1), ["s2", "s1", "s0"]);
        assert_eq!(gone(&all, 3), ["s0"]);
        assert_eq!(gone(&all, 9), Vec::<String>::new());
        assert_eq!(gone(&all, 0), ["s3", "s2", "s1", "s0"]);
        assert_eq!(gone(&all, -4).len(), 4);
    }

    #[test]
    fn the_last_one_that_ran_stays_beside_skipped_ones() {
        use Phase::{Failed, Skipped, Succeeded};
        assert_eq!(gone(&[Failed, Succeeded, Skipped], 1), ["s0"]);
        assert_eq!(gone(&[Failed, Skipped, Skipped], 1), ["s1"]);
        assert_eq!(gone(&[Succeeded, Skipped, Skipped, Skipped], 2), ["s1"]);
        assert_eq!(gone(&[Succeeded, Skipped], 0), ["s1", "s0"]);
    }
}
