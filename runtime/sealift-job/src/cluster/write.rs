//! Writes the status of objects, again where that may help: a status that is lost is an outcome
//! that is lost.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use sealift_api::kind::Kind;
use sealift_api::manifest::Manifest;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::ObjectRef;
use sealift_kube::kube::Client;
use sealift_kube::{Class, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ask::FORBIDDEN_TRIES;

/// The API server may be restarted under a session; it is back within two minutes.
const PAUSES: [u64; 7] = [1, 2, 4, 8, 15, 30, 60];

/// Changes the status of an object; nothing is written where nothing changes.
///
/// # Errors
/// The API server refuses, or could not be reached for two minutes.
pub(super) async fn status<Spec, Status>(
    client: &Client,
    object: &ObjectRef,
    mut change: impl FnMut(&mut Status),
) -> Result<(), Error>
where
    Spec: Kind<Scope = NamespaceResourceScope>
        + Clone
        + PartialEq
        + Debug
        + Serialize
        + DeserializeOwned,
    Status: Clone + Default + PartialEq + Debug + Serialize + DeserializeOwned,
{
    let mut pauses = PAUSES.iter();
    let mut forbidden = 0;
    loop {
        let written = sealift_kube::status::update(
            client,
            &object.namespace,
            &object.name,
            |found: &mut Manifest<Spec, Status>| {
                let mut status = found.status.take().unwrap_or_default();
                change(&mut status);
                found.status = Some(status);
            },
        );
        let error = match written.await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        forbidden += usize::from(error.is_forbidden());
        let may_pass = error.is_forbidden() && forbidden <= FORBIDDEN_TRIES;
        match pauses.next().filter(|_| may_pass || error.class() == Class::Transient) {
            None => return Err(error),
            Some(seconds) => {
                tracing::warn!("{}; again in {seconds} s", chain_of_causes(&error));
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
            }
        }
    }
}
