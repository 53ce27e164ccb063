//! Which ended sessions stay: `backupHistoryLimit`, as the original counts. The choice is pure.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::session::Phase;
use sealift_kube::delete;

use super::status::phase_of;
use super::{is_of, is_open};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::labels;

/// When the BackupConfiguration says nothing.
const DEFAULT_LIMIT: i32 = 1;

/// Removes what is too much, `ending` counting as ended. It stays itself.
pub(super) async fn clean(
    cluster: &Cluster,
    invoker: &BackupConfiguration,
    ending: &BackupSession,
    phase: Phase,
) -> Result<()> {
    let ended = cluster.stores.sessions.select_in(invoker.namespace(), |session| {
        session.name() != ending.name()
            && is_of(session, invoker.name())
            && !is_open(session)
            && !labels::is_going(&session.metadata)
    });
    let limit = invoker.spec.backup_history_limit.unwrap_or(DEFAULT_LIMIT);
    for session in surplus(ended, limit, phase) {
        let uid = session.metadata.uid.as_deref();
        delete::delete::<BackupSession>(&cluster.client, session.namespace(), session.name(), uid)
            .await?;
    }
    Ok(())
}

/// Of the ended sessions besides the one that is just ending in `phase`: those that go. The last
/// one that really ran stays, whatever came after it, unless nothing is to be kept.
fn surplus(
    mut ended: Vec<Arc<BackupSession>>,
    limit: i32,
    phase: Phase,
) -> Vec<Arc<BackupSession>> {
    ended.sort_by(|one, other| {
        let time = |session: &BackupSession| {
            session.metadata.creation_timestamp.as_ref().map(|time| time.0)
        };
        (time(other), other.name()).cmp(&(time(one), one.name()))
    });
    let ran = |phase: Phase| matches!(phase, Phase::Succeeded | Phase::Failed);
    let mut room = usize::try_from(limit).unwrap_or(0).saturating_sub(1);
    let mut need_one_that_ran = limit > 0 && !ran(phase);
    ended.retain(|session| {
        let keep = if room > 0 {
            room -= 1;
            true
        } else {
            need_one_that_ran && ran(phase_of(session))
        };
        if keep && ran(phase_of(session)) {
            need_one_that_ran = false;
        }
        !keep
    });
    ended
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sessions(phases: &[&str]) -> Vec<Arc<BackupSession>> {
        phases
            .iter()
            .enumerate()
            .map(|(index, phase)| {
                let session = serde_json::json!({
                    "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
                    "metadata": {"name": format!("s{index}"),
                        "creationTimestamp": format!("2026-01-01T00:00:0{index}Z")},
                    "spec": {}, "status": {"phase": phase}
                });
                Arc::new(serde_json::from_value(session).unwrap())
            })
            .collect()
    }

    fn gone(phases: &[&str], limit: i32, phase: Phase) -> Vec<String> {
        surplus(sessions(phases), limit, phase)
            .iter()
            .map(|session| session.name().to_owned())
            .collect()
    }

    #[test]
    fn the_newest_stay() {
        let all = ["Succeeded", "Failed", "Succeeded", "Succeeded"];
        assert_eq!(gone(&all, 1, Phase::Succeeded), ["s3", "s2", "s1", "s0"]);
        assert_eq!(gone(&all, 3, Phase::Succeeded), ["s1", "s0"]);
        assert_eq!(gone(&all, 9, Phase::Failed), Vec::<String>::new());
        assert_eq!(gone(&all, 0, Phase::Succeeded), ["s3", "s2", "s1", "s0"]);
        assert_eq!(gone(&all, -4, Phase::Succeeded).len(), 4);
    }

    #[test]
    fn the_last_one_that_ran_stays_beside_skipped_ones() {
        assert_eq!(gone(&["Failed", "Succeeded"], 1, Phase::Skipped), ["s0"]);
        assert_eq!(gone(&["Succeeded", "Skipped", "Skipped"], 1, Phase::Skipped), ["s2", "s1"]);
        assert_eq!(gone(&["Succeeded", "Skipped", "Skipped"], 2, Phase::Skipped), ["s1"]);
        assert_eq!(gone(&["Succeeded", "Skipped"], 0, Phase::Skipped), ["s1", "s0"]);
    }
}
