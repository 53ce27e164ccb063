//! The plan as an immutable ConfigMap, and its digest, which the Job's arguments carry.

use k8s_openapi::api::core::v1::ConfigMap;
use sha2::{Digest, Sha256};

use super::{Error, Work};
use crate::names;

/// The file in the ConfigMap.
pub const FILE: &str = "plan.json";

pub(super) fn config_map(work: &Work<'_>) -> Result<(ConfigMap, String), Error> {
    let session = &work.plan.session;
    let text = serde_json::to_string(work.plan)
        .map_err(|source| Error::Plan { session: session.to_string(), source })?;
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let map = ConfigMap {
        metadata: work.metadata(names::plan(session), work.session_owner),
        data: Some([(FILE.to_owned(), text)].into()),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    Ok((map, digest))
}
