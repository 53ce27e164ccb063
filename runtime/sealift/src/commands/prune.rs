//! `sealift prune`: removes data that no snapshot uses.

use jiff::Timestamp;
use sealift_job::status::size;
use sealift_repository::{Amount, KEEP_DELETE_HOURS, PruneReport};
use serde::Serialize;

use crate::args::PruneArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::repository::{self, Use};

/// What was found and done, for programs.
#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    blobs_used: u64,
    bytes_used: u64,
    blobs_unused: u64,
    bytes_unused: u64,
    packs_used: u64,
    packs_partly_used: u64,
    packs_repacked: u64,
    bytes_repacked: u64,
    bytes_dropped: u64,
    packs_marked: u64,
    bytes_marked: u64,
    packs_unindexed: u64,
    bytes_unindexed: u64,
    packs_waiting: u64,
    bytes_waiting: u64,
    packs_recovered: u64,
    packs_removed: u64,
    bytes_removed: u64,
}

pub(crate) async fn run(args: &PruneArgs, output: Output) -> Result<Exit, Failure> {
    let dry_run = args.dry_run;
    let report = repository::with(&args.repository, Use::Exclusive, move |repository| {
        repository.prune(Timestamp::now(), dry_run)
    })
    .await?;
    output.result(|| render(&report, dry_run), &pruned(&report, dry_run))?;
    Ok(Exit::Done)
}

fn pruned(report: &PruneReport, dry_run: bool) -> Pruned {
    Pruned {
        dry_run,
        blobs_used: report.used.blobs,
        bytes_used: report.used.bytes,
        blobs_unused: report.unused.blobs,
        bytes_unused: report.unused.bytes + report.bytes_unindexed,
        packs_used: report.packs_used,
        packs_partly_used: report.packs_partly_used,
        packs_repacked: report.packs_repacked,
        bytes_repacked: report.repacked.bytes,
        bytes_dropped: report.dropped.bytes,
        packs_marked: report.packs_marked,
        bytes_marked: report.marked.bytes,
        packs_unindexed: report.packs_unindexed,
        bytes_unindexed: report.bytes_unindexed,
        packs_waiting: report.packs_waiting,
        bytes_waiting: report.bytes_waiting,
        packs_recovered: report.packs_recovered,
        packs_removed: report.packs_removed,
        bytes_removed: report.bytes_removed,
    }
}

/// Lines about what is not there are left out, but for what prune is about.
fn render(report: &PruneReport, dry_run: bool) -> String {
    let would = if dry_run { "would be " } else { "" };
    let amount = |amount: Amount| format!("{} blobs, {}", amount.blobs, size(amount.bytes));
    let mut lines = vec![
        format!("used by snapshots: {}", amount(report.used)),
        format!("not used by any snapshot: {}", amount(report.unused)),
        format!(
            "packs: {} used, {} used in part, {} unused",
            report.packs_used, report.packs_partly_used, report.packs_marked
        ),
        format!(
            "{} packs {would}repacked ({}), which drops {}",
            report.packs_repacked,
            amount(report.repacked),
            amount(report.dropped)
        ),
        format!("{} packs {would}marked ({})", report.packs_marked, amount(report.marked)),
    ];
    if report.packs_unindexed > 0 {
        lines.push(format!(
            "{} packs that no index names {would}marked ({})",
            report.packs_unindexed,
            size(report.bytes_unindexed)
        ));
    }
    if report.packs_waiting > 0 {
        lines.push(format!(
            "{} packs were marked less than {KEEP_DELETE_HOURS} hours ago and stay ({})",
            report.packs_waiting,
            size(report.bytes_waiting)
        ));
    }
    if report.packs_recovered > 0 {
        lines.push(format!(
            "{} marked packs are used again and {would}kept",
            report.packs_recovered
        ));
    }
    lines.push(format!(
        "{} packs {would}removed ({})",
        report.packs_removed,
        size(report.bytes_removed)
    ));
    if dry_run {
        lines.push("nothing was changed".to_owned());
    } else if report.packs_marked + report.packs_repacked + report.packs_unindexed > 0 {
        lines.push(format!(
            "marked packs are removed by a run at least {KEEP_DELETE_HOURS} hours later"
        ));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> PruneReport {
        let amount = |blobs, bytes| Amount { blobs, bytes };
        PruneReport {
            used: amount(40, 4 << 20),
            unused: amount(9, 3 << 20),
            packs_used: 2,
            packs_partly_used: 1,
            packs_marked: 1,
            marked: amount(5, 2 << 20),
            packs_repacked: 1,
            repacked: amount(7, 1 << 20),
            dropped: amount(4, 1 << 19),
            ..PruneReport::default()
        }
    }

    #[test]
    fn a_dry_run_tells_of_packs_and_blobs_and_changes_nothing() {
        insta::assert_snapshot!(render(&report(), true), @r"
        used by snapshots: 40 blobs, 4.000 MiB
        not used by any snapshot: 9 blobs, 3.000 MiB
        packs: 2 used, 1 used in part, 1 unused
        1 packs would be repacked (7 blobs, 1.000 MiB), which drops 4 blobs, 512.000 KiB
        1 packs would be marked (5 blobs, 2.000 MiB)
        0 packs would be removed (0 B)
        nothing was changed
        ");
    }

    #[test]
    fn what_earlier_runs_and_broken_backups_left_is_told() {
        let left = PruneReport {
            packs_unindexed: 3,
            bytes_unindexed: 300,
            packs_waiting: 4,
            bytes_waiting: 400,
            packs_recovered: 5,
            packs_removed: 6,
            bytes_removed: 600,
            ..report()
        };
        insta::assert_snapshot!(render(&left, false), @r"
        used by snapshots: 40 blobs, 4.000 MiB
        not used by any snapshot: 9 blobs, 3.000 MiB
        packs: 2 used, 1 used in part, 1 unused
        1 packs repacked (7 blobs, 1.000 MiB), which drops 4 blobs, 512.000 KiB
        1 packs marked (5 blobs, 2.000 MiB)
        3 packs that no index names marked (300 B)
        4 packs were marked less than 23 hours ago and stay (400 B)
        5 marked packs are used again and kept
        6 packs removed (600 B)
        marked packs are removed by a run at least 23 hours later
        ");
        let value = pruned(&left, false);
        assert_eq!((value.bytes_unused, value.packs_waiting), ((3 << 20) + 300, 4));
    }
}
