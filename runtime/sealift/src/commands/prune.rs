//! `sealift prune`: removes data that no snapshot uses.

use jiff::Timestamp;
use sealift_job::status::size;
use serde::Serialize;

use crate::args::PruneArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::repository::{self, Use};

/// What was removed.
#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    packs_marked: u64,
    packs_removed: u64,
    packs_repacked: u64,
    bytes_unused: u64,
    bytes_removed: u64,
}

pub(crate) async fn run(args: &PruneArgs, output: Output) -> Result<Exit, Failure> {
    let dry_run = args.dry_run;
    let report = repository::with(&args.repository, Use::Exclusive, move |repository| {
        repository.prune(Timestamp::now(), dry_run)
    })
    .await?;
    let pruned = Pruned {
        dry_run,
        packs_marked: report.packs_marked,
        packs_removed: report.packs_removed,
        packs_repacked: report.packs_repacked,
        bytes_unused: report.bytes_unused,
        bytes_removed: report.bytes_removed,
    };
    output.result(|| render(&pruned), &pruned)?;
    Ok(Exit::Done)
}

fn render(pruned: &Pruned) -> String {
    let mut text = format!("{} of data are not used by any snapshot\n", size(pruned.bytes_unused));
    if pruned.dry_run {
        text.push_str("nothing was changed\n");
        return text;
    }
    text.push_str(&format!(
        "{} packs repacked, {} marked, {} removed ({})\n",
        pruned.packs_repacked,
        pruned.packs_marked,
        pruned.packs_removed,
        size(pruned.bytes_removed)
    ));
    if pruned.packs_marked > 0 {
        text.push_str("marked packs are removed by a run at least 23 hours later\n");
    }
    text
}
