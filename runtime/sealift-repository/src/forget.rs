//! Removes the snapshots a retention policy does not keep.
//!
//! Groups are restic's, host and paths, and beside them the target by its tag: two targets without
//! an alias write the same host and path, and the snapshots of one must never push out those of
//! the other. What has no such tag, as all of the original's, are groups of their own; both
//! interim paths of the original count as one. A policy acts on every group of the repository, as
//! in restic, not only on those of the target it was written for. One without a keep rule keeps
//! everything; one that would keep nothing of a group is an error, as in restic. Only snapshot
//! files are removed here, data is `prune`'s.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rustic_core::ReadBackend;
use rustic_core::repofile::FileType;
use sealift_core::plan::Retention;

use crate::retention::{Count, Period, Rules, Subject, judge};
use crate::select::TARGET_TAG;
use crate::snapshots::Hold;
use crate::{Error, Repository, SnapshotInfo};

/// What a retention policy kept and removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetReport {
    /// Snapshots that are left.
    pub kept: u64,
    /// Identifiers of those removed, or on a dry run of those that would be.
    pub removed: Vec<String>,
    /// The same by group.
    pub groups: Vec<ForgetGroup>,
    /// There is no keep rule, so everything was kept.
    pub no_rule: bool,
    /// Snapshots that lie in the future; they are kept, and prune refuses while they are there.
    pub in_future: Vec<String>,
}

/// Snapshots of one target, host and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetGroup {
    /// Target as its tag names it, `<kind>/<namespace>/<name>`; none = they have no such tag.
    pub target: Option<String>,
    /// Host.
    pub hostname: String,
    /// Paths; the original's second interim path stands as its first.
    pub paths: Vec<String>,
    /// Oldest first.
    pub kept: Vec<KeptSnapshot>,
    /// Identifiers, oldest first.
    pub removed: Vec<String>,
}

/// A snapshot that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSnapshot {
    /// Identifier.
    pub id: String,
    /// The rules that keep it, in restic's words.
    pub reasons: Vec<&'static str>,
}

impl Repository {
    /// Removes what the policy does not keep. `now` decides what lies in the future. Hold the
    /// repository alone.
    ///
    /// # Errors
    /// The policy would keep nothing of a group, or the storage failed; what was to be removed
    /// may then be removed in part, what is to be kept never is.
    pub fn forget(&self, retention: &Retention, now: Timestamp) -> Result<ForgetReport, Error> {
        self.forget_keeping(retention, now, &[])
    }

    /// The same, and never removes the snapshots with these full identifiers: what a session has
    /// just committed must not fall to a policy, a clock or a newer snapshot of somebody else.
    ///
    /// # Errors
    /// As [`Repository::forget`].
    pub fn forget_keeping(
        &self,
        retention: &Retention,
        now: Timestamp,
        keep_ids: &[String],
    ) -> Result<ForgetReport, Error> {
        let rules = rules(retention);
        let snapshots = self.snapshots()?;
        let report = plan(&snapshots, &rules, now, keep_ids)?;
        if retention.dry_run || report.removed.is_empty() {
            return Ok(report);
        }
        let removed: BTreeSet<&str> = report.removed.iter().map(String::as_str).collect();
        let ids: Vec<_> = snapshots
            .iter()
            .filter(|snapshot| removed.contains(snapshot.id.as_str()))
            .map(|snapshot| snapshot.file_id)
            .collect();
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        gate.run("removing snapshots", || engine.delete_snapshots(&ids))?;
        let left = gate.run("listing the snapshots", || gate.list(FileType::Snapshot))?;
        let still = left.iter().filter(|id| removed.contains(id.to_hex().as_str())).count();
        let lost = report.kept.saturating_sub((left.len() - still) as u64);
        if still > 0 || lost > 0 {
            return Err(Error::Damaged {
                what: format!(
                    "after forget {still} removed snapshots are still listed and {lost} kept ones are not"
                ),
            });
        }
        Ok(report)
    }
}

fn rules(retention: &Retention) -> Rules {
    let counts = [
        (Period::Last, retention.keep_last),
        (Period::Hour, retention.keep_hourly),
        (Period::Day, retention.keep_daily),
        (Period::Week, retention.keep_weekly),
        (Period::Month, retention.keep_monthly),
        (Period::Year, retention.keep_yearly),
    ];
    Rules {
        counts: counts.into_iter().map(|(period, n)| (period, Count::Newest(n))).collect(),
        within: Vec::new(),
        // A comma inside one entry asks for all of them, as it does for restic.
        tags: retention
            .keep_tags
            .iter()
            .map(|entry| entry.split(',').map(|tag| tag.trim().to_owned()).collect())
            .collect(),
    }
}

/// Decides, and touches nothing. `snapshots` must be sorted, oldest first.
pub(crate) fn plan(
    snapshots: &[SnapshotInfo],
    rules: &Rules,
    now: Timestamp,
    keep_ids: &[String],
) -> Result<ForgetReport, Error> {
    let mut report = ForgetReport {
        no_rule: !rules.any(),
        in_future: snapshots
            .iter()
            .filter(|snapshot| snapshot.time.timestamp() > now)
            .map(|snapshot| snapshot.id.clone())
            .collect(),
        ..ForgetReport::default()
    };
    if report.no_rule {
        report.kept = snapshots.len() as u64;
        return Ok(report);
    }
    let mut groups: BTreeMap<GroupKey, Vec<&SnapshotInfo>> = BTreeMap::new();
    for snapshot in snapshots {
        groups.entry(group_of(snapshot)).or_default().push(snapshot);
    }
    for (GroupKey { target, hostname, paths }, members) in groups {
        let subjects: Vec<Subject> = members
            .iter()
            .map(|snapshot| Subject {
                time: snapshot.time.clone(),
                tags: snapshot
                    .tags
                    .iter()
                    .filter(|tag| !tag.starts_with("sealift."))
                    .cloned()
                    .collect(),
            })
            .collect();
        let mut group =
            ForgetGroup { target, hostname, paths, kept: Vec::new(), removed: Vec::new() };
        let verdicts = judge(&subjects, rules, now);
        // What a hold or the future keeps does not make a policy that matches nothing right.
        if verdicts.iter().all(|reasons| reasons.iter().all(|reason| *reason == "in the future")) {
            return Err(Error::Invalid {
                subject: "retention policy".to_owned(),
                reason: format!(
                    "it would keep no snapshot of {}host {}, path {}; nothing was removed",
                    group.target.as_ref().map(|it| format!("target {it}, ")).unwrap_or_default(),
                    group.hostname,
                    group.paths.join(", ")
                ),
            });
        }
        for (snapshot, mut reasons) in members.into_iter().zip(verdicts) {
            match snapshot.hold {
                Hold::Forever => reasons.push("marked as never to be removed"),
                Hold::Until(time) if time > now => reasons.push("marked to be kept until later"),
                Hold::No | Hold::Until(_) => {}
            }
            if keep_ids.contains(&snapshot.id) {
                reasons.push("made by this session");
            }
            if reasons.is_empty() {
                group.removed.push(snapshot.id.clone());
            } else {
                group.kept.push(KeptSnapshot { id: snapshot.id.clone(), reasons });
            }
        }
        report.kept += group.kept.len() as u64;
        report.removed.extend(group.removed.iter().cloned());
        report.groups.push(group);
    }
    Ok(report)
}

/// What the snapshots of a group have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    target: Option<String>,
    hostname: String,
    paths: Vec<String>,
}

fn group_of(snapshot: &SnapshotInfo) -> GroupKey {
    let paths: BTreeSet<String> = snapshot
        .paths
        .iter()
        .map(|path| match path.strip_prefix("/stash-tmp") {
            Some(rest) if rest.starts_with("/stash-interim-volume/") => rest.to_owned(),
            _ => path.clone(),
        })
        .collect();
    GroupKey {
        // Sorted: of several, which only other programs write, the first.
        target: snapshot
            .tags
            .iter()
            .find_map(|tag| tag.strip_prefix(TARGET_TAG))
            .map(str::to_owned),
        hostname: snapshot.hostname.clone(),
        paths: paths.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
