//! `sealift`: backup and restore of secrets through chains of WebAssembly Functions.
//!
//! Layers: `args` is what was typed, `manifests` and `context` turn it into objects and plans,
//! `commands` do one thing each, `output` prints, `exit` says how it ended.

mod args;
mod built_in;
mod commands;
mod context;
mod exit;
mod logs;
mod manifests;
mod output;
#[cfg(test)]
mod pods;
mod priority;
mod progress;
mod repository;
mod summary;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, JobArgs};
use crate::exit::{Exit, Failure};
use crate::logs::Style;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::failure(&failure);
            failure.exit.into()
        }
    }
}

fn start(cli: &Cli) -> Result<Exit, Failure> {
    let (style, filter) = match cli.command {
        // Nobody watches a pod; somebody reads its log afterwards.
        Command::Job(_) | Command::Operator(_) | Command::Trigger(_) | Command::Wipe(_) => {
            (Style::Json, "info")
        }
        _ => (Style::Text, "warn"),
    };
    logs::init(cli.log.as_deref().unwrap_or(filter), style)?;
    if let Command::Job(JobArgs { nice: Some(nice), .. }) = &cli.command {
        priority::adjust(*nice);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Exit::Failed, &error))?;
    runtime.block_on(dispatch(cli))
}

async fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let output = Output::new(cli.output);
    match &cli.command {
        Command::Operator(args) => commands::operator::run(args).await,
        Command::Job(args) => commands::job::run(args, output).await,
        Command::Trigger(args) => commands::trigger::run(args, output).await,
        Command::Wipe(args) => commands::wipe::run(args, output).await,
        Command::Run(args) => commands::run::run(args, output).await,
        Command::Plan(args) => commands::plan::run(args, output),
        Command::Validate(args) => commands::validate::run(args, output),
        Command::Catalog(args) => commands::catalog::run(args, output),
        Command::Snapshots(args) => commands::snapshots::run(args, output).await,
        Command::Check(args) => commands::check::run(args, output).await,
        Command::Function(command) => commands::function::run(command, output),
        Command::Forget(args) => commands::forget::run(args, output).await,
        Command::Prune(args) => commands::prune::run(args, output).await,
    }
}
