//! Tests of the whole: the built `sealift` against real servers.
//!
//! Every row of a table is a test of its own. The servers that rows share belong to the `World`,
//! which is dropped before the process ends, so that none outlives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests"
)]

mod archive;
mod bad_input;
mod commands;
mod disaster;
mod exit_codes;
mod function_stage;
mod function_verbs;
mod functions;
mod guests;
mod hooked;
mod interrupted;
mod memory;
mod metrics;
mod original;
mod other_worlds;
mod pages;
mod published;
mod refusing_repository;
mod rest_proxy;
mod round_trip;
mod scene;
mod standby;
mod storages;
mod tcp_proxy;
mod trap;
mod unknown_size;
mod vault_double;
mod vault_faults;
mod world;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use world::World;

fn main() {
    let mut arguments = Arguments::from_args();
    // Most rows wait for retries and servers: twice the cores keep the cores busy.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    arguments.test_threads.get_or_insert(2 * cores);
    let world = Arc::new(World::new().expect("failed to create the folder of the tests"));
    let mut trials: Vec<Trial> = [
        round_trip::tests(&world),
        disaster::tests(&world),
        original::tests(&world),
        storages::tests(&world),
        metrics::tests(&world),
        vault_faults::tests(&world),
        refusing_repository::tests(&world),
        interrupted::tests(&world),
        guests::tests(&world),
        functions::tests(&world),
        pages::tests(&world),
        unknown_size::tests(&world),
        memory::tests(&world),
        bad_input::tests(&world),
        exit_codes::tests(&world),
        commands::tests(&world),
        function_verbs::tests(&world),
        hooked::tests(&world),
        other_worlds::tests(&world),
        published::tests(&world),
    ]
    .into_iter()
    .flatten()
    .collect();
    // They take turns with one cluster: spread out, they do not keep others waiting.
    let rows = standby::tests(&world);
    let apart = trials.len() / rows.len() + 1;
    for (index, row) in rows.into_iter().enumerate() {
        trials.insert(index * apart, row);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors: the servers end here.
    drop(world);
    conclusion.exit();
}
