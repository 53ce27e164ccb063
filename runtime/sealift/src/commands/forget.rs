//! `sealift forget`: removes the snapshots that a retention policy does not keep.
//!
//! The policy is that of the BackupConfiguration in the files which writes to the Repository.

use jiff::Timestamp;
use sealift_core::plan::Retention;
use sealift_repository::ForgetReport;
use serde::Serialize;

use crate::args::ForgetArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::repository::{self, Use};
use crate::summary::short;

/// What was forgotten.
#[derive(Serialize)]
struct Forgotten {
    policy: String,
    dry_run: bool,
    kept: u64,
    removed: Vec<String>,
    no_rule: bool,
    in_future: Vec<String>,
}

pub(crate) async fn run(args: &ForgetArgs, output: Output) -> Result<Exit, Failure> {
    let retention = repository::retention(&args.repository)?;
    let retention = Retention { dry_run: args.dry_run || retention.dry_run, ..retention };
    let (policy, dry_run) = (retention.name.clone(), retention.dry_run);
    let report = repository::with(&args.repository, Use::Exclusive, move |repository| {
        repository.forget(&retention, Timestamp::now())
    })
    .await?;
    let ForgetReport { kept, removed, no_rule, in_future, groups: _ } = report;
    let forgotten = Forgotten { policy, dry_run, kept, removed, no_rule, in_future };
    output.result(|| render(&forgotten), &forgotten)?;
    Ok(Exit::Done)
}

fn render(forgotten: &Forgotten) -> String {
    let would = if forgotten.dry_run { "would be forgotten" } else { "forgotten" };
    let mut text = String::new();
    for id in &forgotten.removed {
        text.push_str(&format!("{} {would}\n", short(id)));
    }
    for id in &forgotten.in_future {
        text.push_str(&format!("warning: {} lies in the future; check the clocks\n", short(id)));
    }
    if forgotten.no_rule {
        text.push_str("the policy has no keep rule: everything is kept\n");
    }
    text.push_str(&format!(
        "policy {}: {} kept, {} {would}\n",
        forgotten.policy,
        forgotten.kept,
        forgotten.removed.len()
    ));
    text
}
