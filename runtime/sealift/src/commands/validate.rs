//! `sealift validate`: everything that can be said of manifests without touching anything.
//!
//! A component that lies in a registry is fetched to be looked at, if the trust policy knows it.

use jiff::Timestamp;
use serde::Serialize;

use crate::args::PlanArgs;
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

pub(crate) async fn run(args: &PlanArgs, output: Output) -> Result<Exit, Failure> {
    let objects = manifests::read(&args.filename)?;
    let components = context::components(&args.policy)?;
    let invokers = match &args.invoker {
        Some(wanted) => vec![manifests::invoker(&objects, Some(wanted))?],
        None => objects.invokers(),
    };
    let mut failure = Failure::new(Exit::Invalid, "");
    let alone = context::check_alone(&objects, &components, &args.policy).await;
    if let Err(more) = alone {
        add(&mut failure, more);
    }
    let mut validated = Validated {
        objects: objects.iter().map(|(_, object)| object.reference().to_string()).collect(),
        planned: Vec::new(),
    };
    for invoker in &invokers {
        let plan = context::plan_of(&objects, invoker, args, Timestamp::now(), &components).await;
        match plan {
            Ok(_) => validated.planned.push(invoker.to_string()),
            Err(more) => add(&mut failure, more),
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

/// One failure of several. What is not the manifests' fault makes it the whole's.
fn add(failure: &mut Failure, more: Failure) {
    if more.exit != Exit::Invalid {
        failure.exit = more.exit;
    }
    failure.lines.extend(more.lines);
    failure.help.extend(more.help);
}
