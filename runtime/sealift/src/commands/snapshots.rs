//! `sealift snapshots`: what is in a repository.

use sealift_job::status::size;
use sealift_repository::SnapshotInfo;
use serde::Serialize;

use crate::args::RepositoryArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::repository::{self, Use};
use crate::summary::short;

/// A snapshot, by the names restic uses in its JSON.
#[derive(Serialize)]
struct Snapshot {
    id: String,
    short_id: String,
    time: String,
    hostname: String,
    paths: Vec<String>,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
    /// What made it: JSON of the stages, with each component's reference and digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl From<SnapshotInfo> for Snapshot {
    fn from(info: SnapshotInfo) -> Self {
        Self {
            short_id: short(&info.id),
            id: info.id,
            time: info.time.timestamp().to_string(),
            hostname: info.hostname,
            paths: info.paths,
            tags: info.tags,
            files: info.summary.as_ref().map(|summary| summary.files),
            total_bytes: info.summary.as_ref().map(|summary| summary.total_bytes),
            description: info.description,
        }
    }
}

pub(crate) async fn run(args: &RepositoryArgs, output: Output) -> Result<Exit, Failure> {
    let snapshots: Vec<Snapshot> =
        repository::with(args, Use::Shared, |repository| repository.snapshots())
            .await?
            .into_iter()
            .map(Snapshot::from)
            .collect();
    output.result(|| table(&snapshots), &snapshots)?;
    Ok(Exit::Done)
}

fn table(snapshots: &[Snapshot]) -> String {
    let mut text = String::new();
    let mut row = |id: &str, time: &str, host: &str, bytes: &str, path: &str| {
        text.push_str(&format!("{id:<8}  {time:<20}  {host:<16}  {bytes:>12}  {path}\n"));
    };
    row("ID", "TIME", "HOST", "SIZE", "PATH");
    for snapshot in snapshots {
        let seconds = snapshot.time.split('.').next().unwrap_or_default().trim_end_matches('Z');
        row(
            &snapshot.short_id,
            &format!("{seconds}Z"),
            &snapshot.hostname,
            &snapshot.total_bytes.map(size).unwrap_or_default(),
            &snapshot.paths.join(" "),
        );
    }
    text.push_str(&format!("{} snapshots\n", snapshots.len()));
    text
}
