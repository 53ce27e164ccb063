//! Which gauges a session has, under the original's old and new names.

use crate::facts::{Direction, Facts};

/// A gauge with one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gauge {
    pub(crate) name: String,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: f64,
    /// Whether it is of the target, and not of the whole session or the repository.
    pub(crate) of_target: bool,
}

/// Where a gauge's value comes from.
#[derive(Clone, Copy)]
enum Value {
    /// 1 or 0; a failed session pushes these.
    Success,
    /// One target, one host: what a session has.
    One,
    /// A statistic; without it the gauge is left out.
    Statistic(&'static str),
    /// A statistic that a failed session pushes as well, if it has it: a damaged repository is why
    /// sessions fail.
    Finding(&'static str),
}

/// Which labels a gauge has.
#[derive(Clone, Copy)]
enum Scope {
    Session,
    Target,
    Host,
    Repository,
}

/// Old name without `stash_`, new name without `stash_appscode_com_`, labels, value.
type Row = (&'static str, &'static str, Scope, Value);

use Scope::{Host, Repository, Session, Target};
use Value::{Finding, One, Statistic, Success};

const BACKUP: [Row; 16] = [
    ("backup_session_success", "backupsession_success", Session, Success),
    (
        "backup_session_duration_seconds",
        "backupsession_duration_seconds",
        Session,
        Statistic("duration-seconds"),
    ),
    ("backup_target_count_total", "backupsession_target_count_total", Session, One),
    (
        "backup_last_success_time_seconds",
        "backupsession_last_success_time_seconds",
        Session,
        Statistic("finished-seconds"),
    ),
    ("backup_target_success", "backupsession_target_success", Target, Success),
    ("backup_target_host_count_total", "backupsession_target_host_count_total", Target, One),
    (
        "backup_target_last_success_time_seconds",
        "backupsession_target_last_success_time_seconds",
        Target,
        Statistic("finished-seconds"),
    ),
    ("backup_host_backup_success", "backupsession_host_backup_success", Host, Success),
    (
        "backup_host_backup_duration_seconds",
        "backupsession_host_backup_duration_seconds",
        Host,
        Statistic("duration-seconds"),
    ),
    (
        "backup_host_data_size_bytes",
        "backupsession_host_data_size_bytes",
        Host,
        Statistic("data-size-bytes"),
    ),
    (
        "backup_host_data_uploaded_bytes",
        "backupsession_host_data_uploaded_bytes",
        Host,
        Statistic("uploaded-bytes"),
    ),
    (
        "backup_host_data_processing_time_seconds",
        "backupsession_host_data_processing_time_seconds",
        Host,
        Statistic("processing-seconds"),
    ),
    ("backup_host_files_total", "backupsession_host_files_total", Host, Statistic("files-total")),
    ("backup_host_files_new", "backupsession_host_files_new", Host, Statistic("files-new")),
    (
        "backup_host_files_modified",
        "backupsession_host_files_modified",
        Host,
        Statistic("files-modified"),
    ),
    (
        "backup_host_files_unmodified",
        "backupsession_host_files_unmodified",
        Host,
        Statistic("files-unmodified"),
    ),
];

const REPOSITORY: [Row; 4] = [
    ("repository_integrity", "repository_integrity", Repository, Finding("repository-integrity")),
    (
        "repository_size_bytes",
        "repository_size_bytes",
        Repository,
        Statistic("repository-size-bytes"),
    ),
    (
        "repository_snapshot_count",
        "repository_snapshot_count",
        Repository,
        Statistic("repository-snapshots"),
    ),
    (
        "repository_snapshot_cleaned",
        "repository_snapshot_cleaned",
        Repository,
        Statistic("repository-snapshots-removed"),
    ),
];

const RESTORE: [Row; 7] = [
    ("restore_session_success", "restoresession_success", Session, Success),
    (
        "restore_session_duration_seconds",
        "restoresession_duration_seconds",
        Session,
        Statistic("duration-seconds"),
    ),
    ("restore_target_count_total", "restoresession_target_count_total", Session, One),
    ("restore_target_success", "restoresession_target_success", Target, Success),
    ("restore_target_host_count_total", "restoresession_target_host_count_total", Target, One),
    ("restore_host_restore_success", "restoresession_host_restore_success", Host, Success),
    (
        "restore_host_restore_duration_seconds",
        "restoresession_host_restore_duration_seconds",
        Host,
        Statistic("duration-seconds"),
    ),
];

/// The gauges of a session.
pub(crate) fn of(
    facts: &Facts,
    succeeded: bool,
    statistic: impl Fn(&str) -> Option<f64>,
) -> Vec<Gauge> {
    let rows: Vec<&Row> = match facts.direction {
        Direction::Backup => BACKUP.iter().chain(&REPOSITORY).collect(),
        Direction::Restore => RESTORE.iter().collect(),
    };
    let mut gauges = Vec::new();
    for (old, new, scope, value) in rows {
        let value = match value {
            Success => Some(if succeeded { 1.0 } else { 0.0 }),
            One if succeeded => Some(1.0),
            Finding(name) => statistic(name).filter(|value| value.is_finite()),
            Statistic(name) if succeeded => statistic(name).filter(|value| value.is_finite()),
            One | Statistic(_) => None,
        };
        let Some(value) = value else { continue };
        for name in [format!("stash_{old}"), format!("stash_appscode_com_{new}")] {
            let of_target = matches!(scope, Target | Host);
            gauges.push(Gauge { name, labels: labels(facts, *scope), value, of_target });
        }
    }
    gauges
}

fn labels(facts: &Facts, scope: Scope) -> Vec<(&'static str, String)> {
    // A repository's metrics carry its own namespace in the place of the invoker's.
    let namespace = match scope {
        Repository => &facts.repository_namespace,
        Session | Target | Host => &facts.invoker_namespace,
    };
    let mut labels = vec![
        ("invoker_kind", &facts.invoker_kind),
        ("invoker_name", &facts.invoker_name),
        ("namespace", namespace),
        ("driver", &facts.driver),
        ("repository", &facts.repository_name),
    ];
    match scope {
        Session => {}
        Target | Host => labels.extend([
            ("kind", &facts.target_kind),
            ("group", &facts.target_group),
            ("name", &facts.target_name),
        ]),
        Repository => labels.extend([
            ("name", &facts.repository_name),
            ("backend", &facts.provider),
            ("bucket", &facts.bucket),
            ("prefix", &facts.prefix),
        ]),
    }
    if let Host = scope {
        labels.push(("hostname", &facts.hostname));
    }
    labels.into_iter().map(|(name, value)| (name, value.clone())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::facts::tests::facts;

    fn names(gauges: &[Gauge]) -> Vec<&str> {
        gauges.iter().map(|gauge| gauge.name.as_str()).collect()
    }

    #[test]
    fn a_good_backup_has_every_metric_under_both_names() {
        let gauges = of(&facts("backup"), true, |_| Some(5.0));
        assert_eq!(gauges.len(), 2 * (16 + 4));
        let mut unique = names(&gauges);
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), gauges.len());
    }

    #[test]
    fn a_failed_session_pushes_nothing_but_zeros_for_success() {
        let gauges =
            of(&facts("backup"), false, |name| (name != "repository-integrity").then_some(5.0));
        assert_eq!(
            names(&gauges),
            [
                "stash_backup_session_success",
                "stash_appscode_com_backupsession_success",
                "stash_backup_target_success",
                "stash_appscode_com_backupsession_target_success",
                "stash_backup_host_backup_success",
                "stash_appscode_com_backupsession_host_backup_success",
            ]
        );
        assert!(gauges.iter().all(|gauge| gauge.value == 0.0));
    }

    #[test]
    fn a_failed_session_says_that_the_repository_is_damaged() {
        let gauges =
            of(&facts("backup"), false, |name| (name == "repository-integrity").then_some(0.0));
        let damaged = gauges.iter().filter(|gauge| gauge.name.ends_with("repository_integrity"));
        assert_eq!(damaged.map(|gauge| gauge.value).collect::<Vec<_>>(), [0.0, 0.0]);
    }

    #[test]
    fn a_statistic_that_is_unknown_leaves_its_metric_out() {
        let gauges =
            of(&facts("restore"), true, |name| (name != "duration-seconds").then_some(1.0));
        assert_eq!(
            names(&gauges),
            [
                "stash_restore_session_success",
                "stash_appscode_com_restoresession_success",
                "stash_restore_target_count_total",
                "stash_appscode_com_restoresession_target_count_total",
                "stash_restore_target_success",
                "stash_appscode_com_restoresession_target_success",
                "stash_restore_target_host_count_total",
                "stash_appscode_com_restoresession_target_host_count_total",
                "stash_restore_host_restore_success",
                "stash_appscode_com_restoresession_host_restore_success",
            ]
        );
    }

    #[test]
    fn what_is_no_number_is_no_metric() {
        for value in [f64::NAN, f64::INFINITY] {
            let gauges = of(&facts("backup"), true, |_| Some(value));
            assert!(gauges.iter().all(|gauge| gauge.value.is_finite()), "{gauges:?}");
        }
    }

    #[test]
    fn a_repository_s_metrics_carry_its_own_namespace() {
        let gauges = of(&facts("backup"), true, |_| Some(1.0));
        let size = gauges.iter().find(|gauge| gauge.name == "stash_repository_size_bytes").unwrap();
        assert!(size.labels.contains(&("namespace", "backups".to_owned())), "{size:?}");
    }
}
