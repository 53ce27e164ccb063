//! `sealift plan`: the plan of a run, without running it.

use jiff::Timestamp;

use crate::args::PlanArgs;
use crate::context;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};

pub(crate) async fn run(args: &PlanArgs, output: Output) -> Result<Exit, Failure> {
    let plan = context::plan(args, Timestamp::now()).await?.plan;
    let yaml = output::yaml(&plan)?;
    output.result(|| yaml, &plan)?;
    Ok(Exit::Done)
}
