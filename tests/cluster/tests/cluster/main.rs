//! Tests on a real Kubernetes: the acceptance list of the operator, row by row.
//!
//! One control plane serves all rows; each has a namespace of its own. A row is named by its
//! number in the list and says what a user sees.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests"
)]

mod acted;
mod api_proxy;
mod api_surface;
mod at_rest;
mod calls;
mod chain;
mod conditions;
mod deletion;
mod deploy;
mod faults;
mod forced_restores;
mod gate;
mod good_backups;
mod ground;
mod guide;
mod history;
mod hooks;
mod in_use;
mod installed;
mod intruders;
mod job_faults;
mod jobs;
mod last_words;
mod lifecycle;
mod lost_pods;
mod metrics_of_batches;
mod metrics_pushed;
mod metrics_untaken;
mod migration;
mod mistaken;
mod moved_clock;
mod names_taken;
mod network;
mod node_faults;
mod operator_faults;
mod operator_metrics;
mod operators;
mod parameters;
mod pod_faults;
mod pods;
mod process;
mod pulled;
mod readiness;
mod real_vault;
mod receiver;
mod refusals;
mod repositories;
mod restore_ends;
mod restored_pods;
mod restores;
mod retries;
mod rights;
mod round;
mod scene;
mod secrets;
mod security;
mod sessions;
mod shared_repository;
mod shore;
mod stage;
mod taken_over;
mod tasks;
mod triggers;
mod waiting;
mod watched;
mod wiping;
mod world;

use std::sync::Arc;

use libtest_mimic::{Arguments, Conclusion, Trial};
use sealift_cluster::namespaces::{self, Place};

use world::World;

fn main() {
    let mut arguments = Arguments::from_args();
    if arguments.list {
        // Nothing is started for a list.
        let world = Arc::new(World::new(Place::Own));
        let all = without_node(&world).into_iter().chain(on_node(&world)).collect();
        libtest_mimic::run(&arguments, all).exit();
    }
    let place = namespaces::enter().expect("failed to enter namespaces");
    if let Place::Shared(reason) = &place {
        eprintln!("the cluster runs among the other programs of this machine: {reason}");
    }
    // Rows wait for controllers most of the time.
    arguments.test_threads.get_or_insert(8);
    let all = arguments.filter.is_none() && arguments.skip.is_empty();
    let mut conclusions = Vec::new();
    // Each on a cluster of its own: a node would run the pods that rows without one play
    // themselves, and all that they have left behind.
    for (rows, judged) in [(without_node as Rows, all), (on_node, false)] {
        let world = Arc::new(World::new(place.clone()));
        conclusions.push(libtest_mimic::run(&arguments, rows(&world)));
        let mut judgement = rights::judgement(&world, judged);
        judgement.extend(secrets::judgement(&world, judged));
        conclusions.push(libtest_mimic::run(&arguments, judgement));
        world.say_figures();
    }
    // `exit` runs no destructors: the servers have ended by now.
    conclusions.iter().for_each(Conclusion::exit_if_failed);
}

type Rows = fn(&Arc<World>) -> Vec<Trial>;

fn without_node(world: &Arc<World>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        api_surface::tests(world),
        readiness::tests(world),
        triggers::tests(world),
        tasks::tests(world),
        sessions::tests(world),
        deletion::tests(world),
        deploy::tests(world),
        faults::tests(world),
        operators::tests(world),
        refusals::tests(world),
        jobs::tests(world),
        calls::tests(world),
        restores::tests(world),
        forced_restores::tests(world),
        restore_ends::tests(world),
        history::tests(world),
        retries::tests(world),
        job_faults::tests(world),
        operator_faults::tests(world),
        parameters::tests(world),
        metrics_pushed::tests(world),
        metrics_untaken::tests(world),
        metrics_of_batches::tests(world),
        operator_metrics::tests(world),
        waiting::tests(world),
        rights::tests(world),
        watched::tests(world),
        lifecycle::tests(world),
        network::tests(world),
        repositories::tests(world),
        wiping::tests(world),
        in_use::tests(world),
        security::tests(world),
        secrets::tests(world),
        pulled::tests(world),
        intruders::tests(world),
        mistaken::tests(world),
        lost_pods::tests(world),
        names_taken::tests(world),
        taken_over::tests(world),
        last_words::tests(world),
        good_backups::tests(world),
        shared_repository::tests(world),
    ]
    .into_iter()
    .flatten()
    .collect();
    if world::is_full_tier() {
        trials.extend(moved_clock::tests(world));
        trials.extend(migration::tests(world));
        trials.extend(at_rest::tests(world));
        trials.extend(waiting::apart(world));
    } else {
        trials.extend(guide::tests(world));
    }
    in_order(trials)
}

/// What runs pods: in every run what shows the whole; the others take minutes.
fn on_node(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = installed::tests(world);
    trials.push(hooks::first(world));
    if world::is_full_tier() {
        trials.extend(guide::tests(world));
        trials.extend(pods::tests(world));
        trials.extend(restored_pods::tests(world));
        trials.extend(pod_faults::tests(world));
        trials.extend(node_faults::tests(world));
        trials.extend(hooks::tests(world));
        trials.extend(wiping::on_the_node(world));
    }
    in_order(trials)
}

/// Those that run alone together and last: before each of them, all that run must end.
fn in_order(mut trials: Vec<Trial>) -> Vec<Trial> {
    trials.sort_by_key(|trial| trial.kind() == world::ALONE);
    trials
}
