//! SIGKILL at any point leaves no snapshot, and the next run succeeds and uses what was uploaded.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::refusing_repository::Refusing;
use crate::rest_proxy::{File, Policy, Verdict, When};
use crate::trap::trap;
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

fn killed(world: &World, point: Point, percent: u64) -> Result<()> {
    let filled = world.large()?;
    let (trap, hand) = trap();
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
            && in_repository.is_armed()
        {
            in_repository.hold();
            return Verdict::Break;
        }
        Verdict::Forward
    });
    let whole = Answer::Body { bytes: filled.snapshot.clone(), end: End::Proper };
    let vault = VaultDouble::watched(Health::Active, whole, watch)?;
    let stage = Refusing::new(world, &vault.address(), policy)?;

    let run = stage.scene.start_backup(&[])?;
    let mut run = hand.wait_for(run).with_context(|| format!("{point:?}"))?;
    run.kill()?;
    let outcome = run.wait().context("the killed run")?;
    drop(hand);
    ensure!(outcome.code.is_none(), "it ended by itself: {}", outcome.text());
    ensure!(stage.snapshot_files()? == 0, "a snapshot appeared");
    stage.assert_recovers(world, percent)
}
