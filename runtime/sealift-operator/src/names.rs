//! Names of the objects the operator makes, as the original makes them: scripts rely on them.
//!
//! Pure text. A name that is too long keeps its ends and has a hash of the whole in its middle,
//! so that two long names never become one.

use sealift_core::plan::ObjectRef;
use sha2::{Digest, Sha256};

/// Longest name of what becomes a label or a pod's name.
const LABEL: usize = 63;
/// Longest name of a CronJob: its Jobs add eleven characters.
const CRON_JOB: usize = 52;
/// Longest name of an object.
const OBJECT: usize = 253;
/// Hexadecimal digits of a hash in a name: 32 bits tell the objects of one namespace apart.
const HASH: usize = 8;
/// How the name of every CronJob begins.
pub(crate) const TRIGGER: &str = "stash-trigger-";

/// CronJob, its ServiceAccount, Role and RoleBinding. With a target in another namespace the
/// invoker's namespace is part of it.
#[must_use]
pub fn trigger(namespace: &str, invoker: &str, target_namespace: &str) -> String {
    let whole = whole_trigger(namespace, invoker, target_namespace);
    // The original keeps the end of the name only.
    match CRON_JOB - TRIGGER.len() {
        room if whole.len() > room => format!("{TRIGGER}{}", tail(&whole, room)),
        _ => format!("{TRIGGER}{whole}"),
    }
}

/// As [`trigger`], for an invoker whose plain name is taken by another one: cut names and dots
/// make the same name of different invokers.
#[must_use]
pub fn trigger_apart(namespace: &str, invoker: &str, target_namespace: &str) -> String {
    let whole = whole_trigger(namespace, invoker, target_namespace);
    let room = CRON_JOB - TRIGGER.len() - HASH - 1;
    format!("{TRIGGER}{}-{}", hash(invoker), tail(&whole, room))
}

/// What older releases of the original called it, and its guides still do.
#[must_use]
pub fn old_trigger(invoker: &str) -> String {
    format!("{TRIGGER}-{invoker}")
}

fn whole_trigger(namespace: &str, invoker: &str, target_namespace: &str) -> String {
    match target_namespace.is_empty() || target_namespace == namespace {
        true => dashed(invoker),
        false => dashed(&format!("{namespace}-{invoker}")),
    }
}

/// The Job of a BackupSession.
#[must_use]
pub fn backup_job(session: &str) -> String {
    cut(&format!("stash-backup-{}-0", dashed(session)), LABEL)
}

/// The Job of a RestoreSession.
#[must_use]
pub fn restore_job(session: &str) -> String {
    cut(&format!("stash-restore-{}-0", dashed(session)), LABEL)
}

/// The Job that pushes a session's metrics again, its Role and its RoleBinding.
#[must_use]
pub fn push_job(session: &ObjectRef) -> String {
    cut(&format!("sealift-push-{}", dashed(&apart(session))), LABEL)
}

/// What removes the data of a Repository: ServiceAccount, Role and RoleBinding. Names that differ
/// in dots only become one, so the object's uid is part of it.
#[must_use]
pub fn wipe(repository: &str, uid: &str) -> String {
    let uid: String = uid.chars().take(HASH).collect();
    // Room for the number of an attempt.
    cut(&format!("sealift-wipe-{}-{uid}", dashed(repository)), LABEL - 5)
}

/// The Job of an attempt; `wipe` is a name of [`wipe`].
#[must_use]
pub fn wipe_job(wipe: &str, attempt: u32) -> String {
    cut(&format!("{wipe}-{attempt}"), LABEL)
}

/// ServiceAccount, Role and RoleBinding of an invoker's Jobs.
#[must_use]
pub fn service_account(kind: &str, invoker: &str) -> String {
    cut(&format!("{}-{invoker}-0", kind.to_lowercase()), LABEL)
}

/// Role and RoleBinding in the namespace of a Repository that is used from another one.
#[must_use]
pub fn repository_access(namespace: &str, kind: &str, invoker: &str) -> String {
    cut(&format!("{namespace}-{}-{invoker}-0", kind.to_lowercase()), LABEL)
}

/// The PersistentVolumeClaim of `interimVolumeTemplate`.
#[must_use]
pub fn interim_claim(session: &str, template: &str) -> String {
    cut(&format!("{session}-{template}"), LABEL)
}

/// The ConfigMap that holds a session's plan.
#[must_use]
pub fn plan(session: &ObjectRef) -> String {
    cut(&format!("sealift-plan-{}", apart(session)), OBJECT)
}

/// A BackupSession and a RestoreSession may have the same name.
fn apart(session: &ObjectRef) -> String {
    match session.kind.as_str() {
        "RestoreSession" => format!("restore-{}", session.name),
        _ => session.name.clone(),
    }
}

/// A name as the value of a label.
#[must_use]
pub fn label_value(name: &str) -> String {
    cut(name, LABEL)
}

fn dashed(name: &str) -> String {
    name.replace('.', "-")
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes())).chars().take(HASH).collect()
}

/// Names are ASCII: the API server takes no others.
fn tail(text: &str, length: usize) -> &str {
    let tail = text.get(text.len().saturating_sub(length)..).unwrap_or(text);
    tail.trim_start_matches(['-', '.'])
}

/// `<begin>-<hash>-<end>`, if it is longer than allowed.
fn cut(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let room = longest - HASH - 2;
    let head = name.get(..room - room / 2).unwrap_or_default().trim_end_matches(['-', '.']);
    format!("{head}-{}-{}", hash(name), tail(name, room / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealift_core::names::{check_namespace as label, check_object_name as object};

    fn session(kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            group: "stash.appscode.com".to_owned(),
            kind: kind.to_owned(),
            namespace: "demo".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn names_are_those_of_the_original() {
        assert_eq!(trigger("demo", "demo-backup", "demo"), "stash-trigger-demo-backup");
        assert_eq!(trigger("demo", "demo-backup", ""), "stash-trigger-demo-backup");
        assert_eq!(trigger("demo", "a.b", "vault"), "stash-trigger-demo-a-b");
        assert_eq!(old_trigger("demo-backup"), "stash-trigger--demo-backup");
        assert_eq!(backup_job("demo-backup-1.2"), "stash-backup-demo-backup-1-2-0");
        assert_eq!(restore_job("vault-restore-session"), "stash-restore-vault-restore-session-0");
        assert_eq!(
            service_account("BackupConfiguration", "demo-backup"),
            "backupconfiguration-demo-backup-0"
        );
        assert_eq!(repository_access("demo", "RestoreSession", "r"), "demo-restoresession-r-0");
        assert_eq!(interim_claim("demo-backup-17", "v1"), "demo-backup-17-v1");
        assert_eq!(plan(&session("BackupSession", "a.b")), "sealift-plan-a.b");
        assert_eq!(plan(&session("RestoreSession", "a.b")), "sealift-plan-restore-a.b");
        assert_eq!(push_job(&session("RestoreSession", "a.b")), "sealift-push-restore-a-b");
        assert_eq!(wipe_job(&wipe("a.b", "0a1b2c3d-4e"), 2), "sealift-wipe-a-b-0a1b2c3d-2");
    }

    #[test]
    fn a_long_cron_job_keeps_the_end_of_the_name_and_no_dot() {
        let long = format!("{}.{}", "a".repeat(29), "b".repeat(30));
        let name = trigger("demo", &long, "");
        assert_eq!(name.len(), CRON_JOB);
        assert_eq!(name, format!("stash-trigger-{}-{}", "a".repeat(7), "b".repeat(30)));
        assert_eq!(label(&name), Ok(()));
    }

    #[test]
    fn invokers_that_would_share_a_name_can_be_told_apart() {
        let end = "x".repeat(38);
        let [one, two] = ["one", "two"].map(|begin| format!("{begin}-{end}"));
        assert_eq!(trigger("demo", &one, ""), trigger("demo", &two, ""));
        let (one, two) = (trigger_apart("demo", &one, ""), trigger_apart("demo", &two, ""));
        assert_ne!(one, two);
        assert!(one.len() <= CRON_JOB && one.ends_with(&"x".repeat(29)));
        assert_ne!(trigger_apart("demo", "a.b", ""), trigger_apart("demo", "a-b", ""));
        assert_eq!(label(&one), Ok(()));
    }

    #[test]
    fn a_long_name_keeps_both_ends_and_stays_unique_and_valid() {
        let long = format!("{}.{}", "a".repeat(120), "b".repeat(120));
        for name in [
            backup_job(&long),
            restore_job(&long),
            push_job(&session("BackupSession", &long)),
            service_account("BackupConfiguration", &long),
            repository_access("demo", "BackupConfiguration", &long),
            interim_claim(&long, "v1"),
            label_value(&long),
            wipe_job(&wipe(&long, "0a1b2c3d-4e5f"), 1234),
        ] {
            assert!(name.len() <= LABEL && name.len() > 55, "{name}");
            assert_eq!(object(&name), Ok(()), "{name}");
        }
        assert!(backup_job(&long).starts_with("stash-backup-aaa"));
        assert!(backup_job(&long).ends_with("bbb-0"));
        assert_ne!(backup_job(&long), backup_job(&format!("a{long}")));
        assert!(plan(&session("RestoreSession", &long)).len() <= OBJECT);
        assert_eq!(label(&backup_job(&long)), Ok(()));
    }

    #[test]
    fn cuts_at_a_dash_or_dot_leave_a_valid_name() {
        for length in 40..80 {
            let dashes = format!("a{}b", "-.".repeat(length));
            let name = label_value(&dashes);
            assert!(!name.contains("--") && name.len() <= LABEL || dashes.len() <= LABEL, "{name}");
        }
    }
}
