//! The volume of `interimVolumeTemplate`: made for a session, gone with it.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Work;
use crate::names;

/// What a template without a name is called.
const UNNAMED: &str = "interim";

pub(super) fn claim(work: &Work<'_>) -> Option<PersistentVolumeClaim> {
    let template = work.interim?;
    let mut metadata = work.metadata(name(work)?, work.session_owner);
    metadata
        .labels
        .get_or_insert_default()
        .extend(template.metadata.labels.clone().unwrap_or_default());
    let metadata = ObjectMeta { annotations: template.metadata.annotations.clone(), ..metadata };
    Some(PersistentVolumeClaim { metadata, spec: template.spec.clone(), status: None })
}

/// The claim's name.
pub(super) fn name(work: &Work<'_>) -> Option<String> {
    let template = work.interim?.metadata.name.as_deref().filter(|name| !name.is_empty());
    Some(names::interim_claim(&work.plan.session.name, template.unwrap_or(UNNAMED)))
}
