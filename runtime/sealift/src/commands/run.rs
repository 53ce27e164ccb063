//! `sealift run`: a session on this machine, by the same code that runs in a Job.

use std::sync::Arc;

use jiff::Timestamp;
use sealift_core::plan::Direction;
use sealift_host::Host;
use sealift_job::hooks::HookSurroundings;
use sealift_job::locks::FileLocks;
use sealift_job::session;
use sealift_job::status;
use sealift_job::surroundings::Surroundings;
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;
use crate::context;
use crate::exit::{Exit, Failure};
use crate::manifests;
use crate::output::Output;
use crate::progress::Display;
use crate::summary;

pub(crate) async fn run(args: &RunArgs, output: Output) -> Result<Exit, Failure> {
    let started = Timestamp::now();
    let planned = context::plan(&args.plan, started).await?;
    let objects = manifests::session_objects(&planned.objects, args.write_secrets.clone());
    let display = Arc::new(Display::new());
    let cancel = CancellationToken::new();
    cancel_on_signal(cancel.clone())?;
    let around = Surroundings {
        host: Host::new().map_err(|error| Failure::of(Exit::Failed, &error))?,
        components: planned.components,
        objects: Arc::new(objects),
        events: Arc::clone(&display) as _,
        cancel,
        allow_loopback: true,
        locks: Arc::new(FileLocks::new(context::lock_dir(&args.lock))),
        interim_dir: args.interim_dir.clone().unwrap_or_else(std::env::temp_dir),
        hooks: HookSurroundings::default(),
    };
    let mut report = session::run(planned.plan, started, &around).await;
    display.clear();
    report.warnings.extend(display.take_warnings());
    match report.plan.direction {
        Direction::Backup(_) => {
            output.result(|| summary::render(&report), &status::backup_session(&report))?;
        }
        Direction::Restore(_) => {
            output.result(|| summary::render(&report), &status::restore_session(&report))?;
        }
    }
    let exit = Exit::of_session(&report);
    match &report.failure {
        None => Ok(exit),
        Some(error) => Err(Failure::of(exit, error)),
    }
}

/// The first signal ends the session cleanly, the second ends the process.
pub(crate) fn cancel_on_signal(cancel: CancellationToken) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Failure::of(Exit::Failed, &error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if last {
                std::process::exit(Exit::Interrupted as i32);
            }
            tracing::warn!("interrupted; ending the session, again to end at once");
            cancel.cancel();
        }
    });
    Ok(())
}
