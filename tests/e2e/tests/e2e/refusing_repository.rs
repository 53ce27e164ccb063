//! No false success, repository side: a storage that refuses a write at any point leaves no
//! snapshot, and the next run uses what had been uploaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::rest_server::RestServer;
use sealift_e2e::restic::Restic;
use tempfile::TempDir;

use crate::rest_proxy::{File, Policy, RestProxy, Verdict};
use crate::scene::{PASSWORD, Scene, assert_failure, files_below};
use crate::world::{World, trial};

/// Name, the write that is refused, how, and the share in per cent of the packs that the next
/// run may upload again at most.
type Row = (&'static str, File, usize, Verdict, u64);

/// The large Vault fills at least three packs: two of data, one of trees.
const ROWS: &[Row] = &[
    ("first_pack", File::Pack, 1, Verdict::Refuse(507), 110),
    ("first_pack_by_a_broken_connection", File::Pack, 1, Verdict::Break, 110),
    ("middle_pack", File::Pack, 2, Verdict::Refuse(507), 80),
    ("last_pack", File::Pack, 3, Verdict::Refuse(507), 60),
    ("index", File::Index, 1, Verdict::Refuse(507), 10),
    ("index_as_forbidden", File::Index, 1, Verdict::Refuse(403), 10),
    ("snapshot_file", File::Snapshot, 1, Verdict::Refuse(507), 10),
    ("snapshot_file_by_a_broken_connection", File::Snapshot, 1, Verdict::Break, 10),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    ROWS.iter()
        .map(|row| {
            trial(
                world,
                format!("no_false_success::repository::refuses_the_{}", row.0),
                move |world| refused(world, row),
            )
        })
        .collect()
}

/// A REST server, a proxy before it, and a stage whose Repository is there.
pub struct Refusing {
    folder: TempDir,
    _server: RestServer,
    authority: String,
    pub proxy: RestProxy,
    pub scene: Scene,
}

impl Refusing {
    /// The stage for a Vault at `url`.
    pub fn new(world: &World, url: &str, policy: Policy) -> Result<Self> {
        let folder = world.folder()?;
        let server = RestServer::start(folder.path())?;
        let proxy = RestProxy::start(&server.authority(), policy)?;
        let filled = world.large()?;
        let scene = Scene::at(world, url, &filled.token, &filled.keys)?;
        scene.manifests.rest_repository(&proxy.repository("vault"), PASSWORD)?;
        Ok(Self { authority: server.authority(), folder, _server: server, proxy, scene })
    }

    /// How many snapshot files the server holds.
    pub fn snapshot_files(&self) -> Result<usize> {
        files_below(&self.folder.path().join("data").join("vault").join("snapshots"))
    }

    /// The run after a failure: it succeeds, restic accepts all, and at most `percent` of the
    /// packs' bytes are uploaded again.
    pub fn assert_recovers(&self, world: &World, percent: u64) -> Result<()> {
        self.proxy.reset();
        let outcome = self.scene.backup(&[])?;
        ensure!(outcome.code == Some(0), "the next run failed: {}", outcome.text());
        ensure!(self.snapshot_files()? == 1, "there is not one snapshot");
        let whole = world.large()?.snapshot.len() as u64;
        let (_, uploaded) = self.proxy.packs();
        ensure!(
            uploaded * 100 <= whole * percent,
            "the next run uploaded {uploaded} of {whole} bytes, more than {percent} %"
        );
        Restic::new(format!("rest:http://{}/vault/", self.authority), PASSWORD)?.check()
    }
}

fn refused(world: &World, &(_, file, number, verdict, percent): &Row) -> Result<()> {
    let refuse = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuse);
    let policy: Policy = Arc::new(move |write, _| {
        // Once refused, always refused: a retry must not get around it.
        let meant = write.file == file && write.number >= number;
        if meant && refusing.load(Ordering::SeqCst) { verdict } else { Verdict::Forward }
    });
    let refusal = Refusing::new(world, &world.large()?.vault.address(), policy)?;
    let outcome = refusal.scene.backup(&[])?;
    let kind = match file {
        File::Pack => "failed to write pack",
        File::Index => "failed to write index",
        _ => "failed to write snapshot",
    };
    let cause = match verdict {
        Verdict::Refuse(status) => status.to_string(),
        _ => "sending request".to_owned(),
    };
    // The file is named by kind and URL; a stage is named where one was running.
    let stage = if file == File::Snapshot { "failed to commit" } else { "restic-upload-1" };
    assert_failure(&outcome, 1, &[stage, kind, &cause, &refusal.proxy.repository("vault")])?;
    ensure!(refusal.snapshot_files()? == 0, "a snapshot appeared: {}", outcome.text());
    refuse.store(false, Ordering::SeqCst);
    refusal.assert_recovers(world, percent)
}
