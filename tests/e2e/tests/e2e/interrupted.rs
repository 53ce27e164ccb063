//! SIGKILL at any point leaves no snapshot, and the next run succeeds and uses what was uploaded.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::refusing_repository::Refusing;
use crate::rest_proxy::{File, Policy, Verdict, When};
use crate::vault_double::{Answer, End, Health, VaultDouble, Watch};
use crate::world::{World, trial};

/// Where the process is when it is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// The Vault was asked for a snapshot.
    Asked,
    /// The Vault has sent half of it.
    HalfSent,
    /// A write to the repository.
    Write(File, usize, When),
}

/// Name, point, and the share in per cent of the packs the next run may upload again at most.
const ROWS: [(&str, Point, u64); 11] = [
    ("when_the_vault_is_asked", Point::Asked, 110),
    ("when_half_of_the_snapshot_has_come", Point::HalfSent, 110),
    ("before_the_key_of_a_new_repository", Point::Write(File::Key, 1, When::Arrives), 110),
    ("before_the_config_of_a_new_repository", Point::Write(File::Config, 1, When::Arrives), 110),
    ("after_the_config_of_a_new_repository", Point::Write(File::Config, 1, When::Stored), 110),
    ("before_the_first_pack", Point::Write(File::Pack, 1, When::Arrives), 110),
    ("after_the_first_pack", Point::Write(File::Pack, 1, When::Stored), 80),
    ("after_the_last_pack", Point::Write(File::Pack, 3, When::Stored), 60),
    ("before_the_index", Point::Write(File::Index, 1, When::Arrives), 10),
    ("after_the_index", Point::Write(File::Index, 1, When::Stored), 10),
    ("before_the_snapshot_file", Point::Write(File::Snapshot, 1, When::Arrives), 10),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let row = |&(name, point, percent): &(&str, Point, u64)| {
        trial(world, format!("no_false_success::killed_{name}"), move |world| {
            killed(world, point, percent)
        })
    };
    ROWS.iter().map(row).collect()
}

/// Holds the first that comes by until the test has killed the process.
struct Trap {
    armed: AtomicBool,
    reached: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl Trap {
    fn hold(&self) {
        if self.armed.swap(false, Ordering::SeqCst) {
            let _ = self.reached.send(());
            // The other end is dropped when the process is dead.
            let _ = self.released.lock().unwrap().recv();
        }
    }
}

fn killed(world: &World, point: Point, percent: u64) -> Result<()> {
    let filled = world.large()?;
    let (reached, reached_here) = channel();
    let (release, released) = channel::<()>();
    let trap =
        Arc::new(Trap { armed: AtomicBool::new(true), reached, released: Mutex::new(released) });

    let (half, in_vault) = (filled.snapshot.len() / 2, Arc::clone(&trap));
    let watch: Watch = Arc::new(move |sent| match point {
        Point::Asked => in_vault.hold(),
        Point::HalfSent if sent >= half => in_vault.hold(),
        _ => (),
    });
    let in_repository = Arc::clone(&trap);
    let policy: Policy = Arc::new(move |write, when| {
        if let Point::Write(file, number, moment) = point
            && write.file == file
            && write.number == number
            && when == moment
            && in_repository.armed.load(Ordering::SeqCst)
        {
            in_repository.hold();
            return Verdict::Break;
        }
        Verdict::Forward
    });
    let whole = Answer::Body { bytes: filled.snapshot.clone(), end: End::Proper };
    let vault = VaultDouble::watched(Health::Active, whole, watch)?;
    let stage = Refusing::new(world, &vault.address(), policy)?;

    let mut run = stage.scene.start_backup(&[])?;
    if reached_here.recv_timeout(Duration::from_secs(240)).is_err() {
        let outcome = run.wait()?;
        anyhow::bail!("the run never came to {point:?}: {}", outcome.text());
    }
    run.kill()?;
    let outcome = run.wait().context("the killed run")?;
    drop(release);
    ensure!(outcome.code.is_none(), "it ended by itself: {}", outcome.text());
    ensure!(stage.snapshot_files()? == 0, "a snapshot appeared");
    stage.assert_recovers(world, percent)
}
