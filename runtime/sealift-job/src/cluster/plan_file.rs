//! The plan of a Job: read from its mounted file, and proven to be the one the Job was made for.
//!
//! The digest stands in the Job's pod template, which nobody can change; the plan lies in a
//! ConfigMap. A plan that is another one is not looked at, so nothing is known of its session.

use std::path::{Path, PathBuf};

use sealift_core::plan::{PLAN_VERSION, Plan};
use sha2::{Digest, Sha256};

/// Why the plan is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read.
    #[error("failed to read the plan {path:?}; check the ConfigMap that is mounted there")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not the plan the Job was made for.
    #[error(
        "the plan {path:?} has the SHA-256 {found}, but the Job was made for {wanted}; somebody changed the ConfigMap, so nothing was done"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The Job's.
        wanted: String,
    },
    /// It is no plan.
    #[error("the plan {path:?} is not readable by this version of sealift")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another format.
    #[error(
        "the plan has version {found:?}, and {PLAN_VERSION} is understood; operator and Job must be of one release"
    )]
    Version {
        /// What it says.
        found: String,
    },
}

impl PlanFileError {
    /// A stable word for machines.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "PlanMissing",
            Self::Digest { .. } => "PlanChanged",
            Self::Parse { .. } | Self::Version { .. } => "PlanUnreadable",
        }
    }
}

/// Reads the plan, if it is the one with this SHA-256 (64 hex digits).
///
/// # Errors
/// It is another one, or none.
pub fn read(path: &Path, sha256: &str) -> Result<Plan, PlanFileError> {
    let bytes = std::fs::read(path)
        .map_err(|source| PlanFileError::Read { path: path.to_owned(), source })?;
    let found = hex::encode(Sha256::digest(&bytes));
    let wanted = sha256.strip_prefix("sha256:").unwrap_or(sha256);
    if !found.eq_ignore_ascii_case(wanted) {
        return Err(PlanFileError::Digest {
            path: path.to_owned(),
            found,
            wanted: wanted.to_owned(),
        });
    }
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|source| PlanFileError::Parse { path: path.to_owned(), source })?;
    if plan.version != PLAN_VERSION {
        return Err(PlanFileError::Version { found: plan.version });
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn refusal(text: &str, sha256: Option<&str>) -> PlanFileError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        std::fs::write(&path, text).unwrap();
        let right = hex::encode(Sha256::digest(text));
        read(&path, sha256.unwrap_or(&right)).unwrap_err()
    }

    #[test]
    fn a_plan_that_was_changed_is_not_even_looked_at() {
        let error = refusal("{}", Some(&"0".repeat(64)));
        assert_eq!(error.reason(), "PlanChanged");
        let error = refusal("{}", Some(""));
        assert_eq!(error.reason(), "PlanChanged");
        assert_eq!(refusal("{}", None).reason(), "PlanUnreadable");
        assert_eq!(read(Path::new("/nowhere/plan.json"), "").unwrap_err().reason(), "PlanMissing");
    }

    #[test]
    fn a_plan_of_another_release_is_not_carried_out() {
        let plan = crate::sample::plan(Path::new("/nowhere"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let text = serde_json::to_string(&plan).unwrap();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(&path, &hex::encode(Sha256::digest(&text))).unwrap(), plan);
        let other = Plan { version: "sealift.plan/v0".to_owned(), ..plan };
        let error = refusal(&serde_json::to_string(&other).unwrap(), None);
        assert!(matches!(error, PlanFileError::Version { .. }), "{error}");
    }
}
