//! Tests of registries: what `sealift-registry` writes other tools read and trust, what they write
//! it reads and trusts, and nothing else.
//!
//! Every row of a table is a test of its own. The registries that rows share belong to the
//! `World`, which is dropped before the process ends, so that none outlives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests"
)]

mod carried;
mod exchange;
mod hostile;
mod keyless;
mod login;
mod names;
mod signatures;
mod tampered;
mod world;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use world::World;

fn main() {
    let arguments = Arguments::from_args();
    let world = Arc::new(World::new().expect("failed to create the folder of the tests"));
    let trials: Vec<Trial> = [
        exchange::tests(&world),
        signatures::tests(&world),
        keyless::tests(&world),
        tampered::tests(&world),
        carried::tests(&world),
        login::tests(&world),
        hostile::tests(),
        names::tests(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors: the registries end here.
    drop(world);
    conclusion.exit();
}
