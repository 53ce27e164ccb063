//! `sealift function build`: the component of a project, made by its language's own toolchain.

use std::path::PathBuf;

use clap::Args;
use sealift_author::{BuildError, Built, Machine, Project};
use serde::Serialize;

use super::page::size;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The project, or a folder in it.
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

/// What was built, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: PathBuf,
    bytes: u64,
    digest: &'a str,
    imports: &'a [String],
    seconds: f64,
}

pub(super) fn run(args: &BuildArgs, output: Output) -> Result<Exit, Failure> {
    let project = Project::find(&args.folder)
        .map_err(|error| Failure::new(Exit::Invalid, sealift_job::chain_of_causes(&error)))?;
    let machine = Machine::of(&|name| std::env::var_os(name));
    let built =
        sealift_author::build(&project, &machine, &crate::output::talk).map_err(|e| failed(&e))?;
    let report = Report {
        file: built.file.clone(),
        bytes: built.inspected.size,
        digest: &built.inspected.digest,
        imports: &built.inspected.imports,
        seconds: built.took.as_secs_f64(),
    };
    output.result(|| text(&built), &report)?;
    Ok(Exit::Done)
}

fn failed(error: &BuildError) -> Failure {
    match error {
        BuildError::Missing { missing, .. } => {
            let mut failure = Failure::new(Exit::Invalid, error.to_string());
            for part in missing {
                failure = failure.help(&part.install);
            }
            failure
        }
        _ => Failure::new(Exit::Failed, sealift_job::chain_of_causes(error)),
    }
}

fn text(built: &Built) -> String {
    let component = &built.inspected;
    format!(
        "{}  {}  {}  in {:.1} s\n",
        built.file.display(),
        size(component.size),
        component.digest,
        built.took.as_secs_f64()
    )
}
