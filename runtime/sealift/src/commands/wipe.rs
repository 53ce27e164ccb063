//! `sealift wipe`: the data of a Repository that is being deleted, in a pod of the cluster.
//!
//! What happened is told by the termination message; the operator says it on the object.

use sealift_core::outcome::Ending;
use sealift_job::cluster::{Wiping, wipe};
use tokio_util::sync::CancellationToken;

use super::job::leave;
use super::run::cancel_on_signal;
use crate::args::WipeArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(crate) async fn run(args: &WipeArgs, output: Output) -> Result<Exit, Failure> {
    let cancel = CancellationToken::new();
    cancel_on_signal(cancel.clone())?;
    let client =
        sealift_kube::connect().await.map_err(|error| Failure::of(Exit::Failed, &error))?;
    let wiping = Wiping {
        namespace: args.namespace.clone(),
        name: args.name.clone(),
        uid: args.uid.clone(),
        generation: args.generation,
        holder: format!("the wipe of {}/{} ({})", args.namespace, args.name, args.pod_name),
    };
    let outcome = wipe(&client, &wiping, &cancel).await;
    let line = outcome.to_line();
    leave(&args.termination_log, &line);
    output.result(|| format!("{line}\n"), &outcome)?;
    Ok(match outcome.ending {
        Ending::Succeeded => Exit::Done,
        _ => Exit::Failed,
    })
}
