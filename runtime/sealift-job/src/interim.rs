//! The interim volume of one session: a private folder for artifacts whose size is not known.
//!
//! What is kept there lies in files without a name (`sealift-repository`), which are gone when
//! the process is; the folder itself is removed at the end of the session. A process that is
//! killed leaves it behind, empty. What the volume is for is said in the plan.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sealift_core::plan::{Direction, Plan};
use tempfile::TempDir;

use crate::failure::SessionError;

/// A folder of this session's own below `parent`, if its plan is a backup with an interim volume.
/// Dropping it removes the folder.
///
/// # Errors
/// `parent` is missing, or nothing can be made there.
pub(crate) fn folder(plan: &Plan, parent: &Path) -> Result<Option<TempDir>, SessionError> {
    let needed = matches!(plan.direction, Direction::Backup(_)) && plan.interim_volume.is_some();
    if !needed {
        return Ok(None);
    }
    tempfile::Builder::new()
        .prefix("sealift-interim-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map(Some)
        .map_err(|source| SessionError::Interim { folder: parent.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use sealift_core::plan::InterimVolume;

    use super::*;

    const BACKUP: &str =
        r#"{"backup": {"hostname": "host-0", "path": "/p", "tags": [], "description": ""}}"#;
    const RESTORE: &str = r#"{"restore": {"snapshot": "latest", "targetTag": "t", "paths": []}}"#;

    fn plan(direction: &str, interim_volume: Option<InterimVolume>) -> Plan {
        let object = r#"{"group": "", "kind": "K", "namespace": "demo", "name": "x"}"#;
        let text = format!(
            r#"{{
                "version": "sealift.plan/v1", "task": "t", "stages": [], "observers": [],
                "direction": {direction}, "session": {object}, "invoker": {object},
                "target": {{"hostname": "host-0", "metricsGroup": "", "metricsKind": "",
                    "reference": {object}}},
                "repository": {{"location": {{"local": {{"path": "/r"}}}}, "reference": {object},
                    "secret": {{"namespace": "demo", "name": "s"}}}},
                "origins": [], "timeoutSeconds": 60
            }}"#
        );
        Plan { interim_volume, ..serde_json::from_str(&text).unwrap() }
    }

    #[test]
    fn a_backup_with_the_volume_gets_a_folder_nobody_else_can_read_and_leaves_none() {
        let parent = tempfile::tempdir().unwrap();
        let made = folder(&plan(BACKUP, Some(InterimVolume::default())), parent.path());
        let made = made.unwrap().unwrap();
        assert_eq!(made.path().parent(), Some(parent.path()));
        assert_eq!(made.path().metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        drop(made);
        assert_eq!(parent.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn nobody_else_gets_one() {
        let missing = Path::new("/proc/none");
        assert!(folder(&plan(BACKUP, None), missing).unwrap().is_none());
        let restore = plan(RESTORE, Some(InterimVolume::default()));
        assert!(folder(&restore, missing).unwrap().is_none());
        let error = folder(&plan(BACKUP, Some(InterimVolume::default())), missing).unwrap_err();
        assert!(error.to_string().contains("/proc/none"), "{error}");
    }
}
