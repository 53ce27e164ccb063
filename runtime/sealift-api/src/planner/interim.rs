//! The interim volume of a session, and whether its chain needs one.
//!
//! A repository must know the size of a file before it stores it. What a component of unknown
//! size sends waits in the interim volume until its end is seen. Whether a component sends such
//! artifacts may stand in its descriptor; then a backup without the volume is refused here,
//! before anything runs. Otherwise the artifact itself shows it.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use sealift_core::chain::Flow;
use sealift_core::limits;
use sealift_core::plan::InterimVolume;

use super::invoker::Invoker;
use super::problem::{Problems, Reason, cluster_ref};
use super::stages::Stages;

const FIELD: &str = "spec.interimVolumeTemplate";

/// None after a problem, or if the invoker has no template.
pub(super) fn plan(invoker: &Invoker<'_>, problems: &mut Problems) -> Option<InterimVolume> {
    let template = invoker.interim_volume?;
    let Some(requested) = requested(template) else {
        return Some(InterimVolume { size_bytes: None });
    };
    let size_bytes = limits::quantity(requested).filter(|bytes| *bytes > 0);
    if size_bytes.is_none() {
        problems.add(
            Reason::Invalid,
            &invoker.reference,
            format!("{FIELD}.spec.resources.requests.storage"),
            format!("{requested:?} is not an amount of storage"),
            "write an amount such as 10Gi",
        );
    }
    Some(InterimVolume { size_bytes })
}

fn requested(template: &PersistentVolumeClaim) -> Option<&str> {
    let requests = template.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage").map(|quantity| quantity.0.as_str())
}

/// Refuses a backup without the volume if the stage before the sink says that it needs it. What
/// a transform makes of an artifact of unknown size is the transform's to say.
pub(super) fn check(invoker: &Invoker<'_>, stages: &Stages, problems: &mut Problems) {
    if invoker.flow != Flow::Backup || invoker.interim_volume.is_some() {
        return;
    }
    let Some(before_sink) = stages.stages.iter().rev().nth(1) else { return };
    if stages.unknown_size.contains(&before_sink.name) {
        problems.add(
            Reason::Invalid,
            &invoker.reference,
            FIELD,
            format!(
                "is needed, because {} sends artifacts whose size it does not know beforehand",
                cluster_ref("Function", &before_sink.function)
            ),
            "give the template of a volume that holds the largest artifact",
        );
    }
}
