//! What the metrics say of the session: taken from the session's facts.

use sealift_function::{Error, Result};

/// Whether data went into the repository or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Backup,
    Restore,
}

/// The facts the labels and the job are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) direction: Direction,
    pub(crate) invoker_kind: String,
    pub(crate) invoker_name: String,
    pub(crate) invoker_namespace: String,
    pub(crate) driver: String,
    pub(crate) target_kind: String,
    pub(crate) target_group: String,
    pub(crate) target_name: String,
    pub(crate) hostname: String,
    pub(crate) repository_name: String,
    pub(crate) repository_namespace: String,
    pub(crate) provider: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
}

impl Facts {
    /// Asks for every fact. Only those that make the job's name must be there: metrics without
    /// one label are better than none.
    pub(crate) fn read(fact: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let optional = |name: &str| fact(name).unwrap_or_default();
        let required = |name: &str| {
            fact(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| Error::InvalidState(format!("the session has no fact {name}")))
        };
        let direction = match required("direction")?.as_str() {
            "backup" => Direction::Backup,
            "restore" => Direction::Restore,
            other => return Err(Error::InvalidState(format!("unknown direction {other:?}"))),
        };
        Ok(Self {
            direction,
            invoker_kind: required("invoker.kind")?,
            invoker_name: required("invoker.name")?,
            invoker_namespace: required("invoker.namespace")?,
            driver: optional("driver"),
            target_kind: optional("target.kind"),
            target_group: optional("target.group"),
            target_name: optional("target.name"),
            hostname: optional("target.hostname"),
            repository_name: optional("repository.name"),
            repository_namespace: optional("repository.namespace"),
            provider: optional("repository.provider"),
            bucket: optional("repository.bucket"),
            prefix: optional("repository.prefix"),
        })
    }

    /// The gateway's path for this session's job.
    pub(crate) fn path(&self) -> String {
        let job = format!(
            "{}-{}-{}",
            self.invoker_kind.to_lowercase(),
            self.invoker_namespace,
            self.invoker_name
        );
        format!("/metrics/job/{}", encode(&job))
    }

    /// The path for what is the target's own. A POST replaces every series of its names in its
    /// group. The targets of a batch push one after another under one job, so each of them has a
    /// group of its own below that; its labels are those the series have anyway.
    pub(crate) fn target_path(&self) -> String {
        let mut path = self.path();
        if matches!(self.invoker_kind.as_str(), "BackupBatch" | "RestoreBatch") {
            let labels = [
                ("kind", &self.target_kind),
                ("group", &self.target_group),
                ("name", &self.target_name),
            ];
            for (name, value) in labels {
                path.push_str(&match value.as_str() {
                    // As the Pushgateway wants an empty value.
                    "" => format!("/{name}@base64/="),
                    value => format!("/{name}/{}", encode(value)),
                });
            }
        }
        path
    }
}

/// Percent-encodes what cannot stand in a path (RFC 3986, 2.3).
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    pub(crate) fn facts(direction: &str) -> Facts {
        let known = [
            ("direction", direction),
            (
                "invoker.kind",
                if direction == "backup" { "BackupConfiguration" } else { "RestoreSession" },
            ),
            ("invoker.name", "demo-backup"),
            ("invoker.namespace", "demo"),
            ("driver", "Restic"),
            ("target.kind", "appbindings"),
            ("target.group", "appcatalog.appscode.com"),
            ("target.name", "vault"),
            ("target.hostname", "host-0"),
            ("repository.name", "gcp-demo-repo"),
            ("repository.namespace", "backups"),
            ("repository.provider", "gcs"),
            ("repository.bucket", "stash-testing"),
            ("repository.prefix", "demo-vault"),
        ];
        Facts::read(|name| {
            known.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        })
        .unwrap()
    }

    #[test]
    fn the_job_is_the_original_s() {
        assert_eq!(facts("backup").path(), "/metrics/job/backupconfiguration-demo-demo-backup");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        let facts = Facts { invoker_name: "../a b".to_owned(), ..facts("restore") };
        assert_eq!(facts.path(), "/metrics/job/restoresession-demo-..%2Fa%20b");
    }

    #[test]
    fn an_empty_fact_and_an_unknown_direction_are_errors() {
        let read = |direction: &str, invoker: &str| {
            let fact = |name: &str| match name {
                "direction" => Some(direction.to_owned()),
                _ => Some(invoker.to_owned()),
            };
            Facts::read(fact)
        };
        read("backup", "x").unwrap();
        let error = read("backup", "").unwrap_err();
        assert_eq!(error.to_string(), "the session has no fact invoker.kind");
        let error = read("sideways", "x").unwrap_err();
        assert_eq!(error.to_string(), "unknown direction \"sideways\"");
    }

    #[test]
    fn each_target_of_a_batch_has_a_group_of_its_own() {
        let alone = facts("backup");
        assert_eq!(alone.target_path(), alone.path());
        let batch = Facts { invoker_kind: "BackupBatch".to_owned(), ..alone };
        assert_eq!(
            batch.target_path(),
            "/metrics/job/backupbatch-demo-demo-backup/kind/appbindings/group/appcatalog.appscode.com/name/vault"
        );
        let unnamed = Facts { target_group: String::new(), ..batch };
        assert!(unnamed.target_path().ends_with("/group@base64/=/name/vault"));
    }

    #[test]
    fn a_session_without_an_invoker_is_an_error() {
        let error =
            Facts::read(|name| (name == "direction").then(|| "backup".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "the session has no fact invoker.kind");
    }
}
