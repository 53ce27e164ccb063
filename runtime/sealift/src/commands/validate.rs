//! `sealift validate`: everything that can be said of manifests without touching anything.

use std::path::PathBuf;

use jiff::Timestamp;
use sealift_job::components::LocalComponents;
use serde::Serialize;

use crate::args::PlanArgs;
use crate::built_in::BUILT_IN;
use crate::context;
use crate::exit::{Exit, Failure};
use crate::manifests;
use crate::output::Output;

/// What was checked.
#[derive(Serialize)]
struct Validated {
    /// Every object that was read.
    objects: Vec<String>,
    /// Those of them for which a plan can be made.
    planned: Vec<String>,
}

pub(crate) fn run(args: &PlanArgs, output: Output) -> Result<Exit, Failure> {
    let objects = manifests::read(&args.filename)?;
    let components = LocalComponents::new(BUILT_IN, PathBuf::from("."));
    let invokers = match &args.invoker {
        Some(wanted) => vec![manifests::invoker(&objects, Some(wanted))?],
        None => objects.invokers(),
    };
    let mut failure = Failure::new(Exit::Invalid, "");
    if let Err(more) = context::check_alone(&objects, &components) {
        failure.lines.extend(more.lines);
        failure.help.extend(more.help);
    }
    let mut validated = Validated {
        objects: objects.iter().map(|(_, object)| object.reference().to_string()).collect(),
        planned: Vec::new(),
    };
    for invoker in &invokers {
        match context::plan_of(&objects, invoker, args, Timestamp::now(), &components) {
            Ok(_) => validated.planned.push(invoker.to_string()),
            Err(more) => {
                failure.lines.extend(more.lines);
                failure.help.extend(more.help);
            }
        }
    }
    // What an invoker leads to is found on both ways.
    failure.lines.sort();
    failure.lines.dedup();
    failure.help.sort();
    failure.help.dedup();
    if failure.lines.iter().any(|line| !line.is_empty()) {
        return Err(failure);
    }
    let text = || {
        let mut text = format!("{} objects are valid\n", validated.objects.len());
        for planned in &validated.planned {
            text.push_str(&format!("{planned} can be run\n"));
        }
        text
    };
    output.result(text, &validated)?;
    Ok(Exit::Done)
}
