//! Connects the host's credential port to Secrets.
//!
//! A credential is read once, when the first request needs it, and lives as long as the
//! session. A Function never sees it: the host adds the header.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sealift_core::plan::{Credential, ObjectRef, Plan};
use sealift_host::ports::{Credentials, PortError, PortResult};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::chain_of_causes;
use crate::objects::{Objects, read_credential};

/// Credentials of a plan's origins.
pub struct SessionCredentials {
    objects: Arc<dyn Objects>,
    binding: ObjectRef,
    origins: BTreeMap<String, (Credential, OnceCell<Zeroizing<String>>)>,
}

impl SessionCredentials {
    /// Binds the origins of this plan.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>, plan: &Plan) -> Self {
        let origins = plan
            .origins
            .iter()
            .filter_map(|origin| {
                let credential = origin.credential.clone()?;
                Some((origin.name.clone(), (credential, OnceCell::new())))
            })
            .collect();
        Self { objects, binding: plan.target.reference.clone(), origins }
    }
}

#[async_trait]
impl Credentials for SessionCredentials {
    async fn header(&self, origin: &str) -> PortResult<Option<(String, Zeroizing<String>)>> {
        let Some((credential, value)) = self.origins.get(origin) else {
            return Ok(None);
        };
        let value = value
            .get_or_try_init(|| read_credential(&*self.objects, &self.binding, credential))
            .await
            .map_err(|error| PortError::Denied(chain_of_causes(&error)))?;
        Ok(Some((credential.header.clone(), value.clone())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    use crate::sample::{Answer, Fake, data, plan};

    #[tokio::test]
    async fn a_token_goes_to_the_origin_it_is_for_and_to_no_other() {
        let objects = Arc::new(Fake::new(Answer::Found, data(&[("token", "s.token\n")])));
        let credentials = SessionCredentials::new(objects, &plan(std::path::Path::new("/data")));
        let (header, value) = credentials.header("target").await.unwrap().unwrap();
        // A Secret made from a file often ends with a line break, which no header can hold.
        assert_eq!((header.as_str(), value.as_str()), ("X-Vault-Token", "s.token"));
        for other in ["pushgateway", "elsewhere", ""] {
            assert!(credentials.header(other).await.unwrap().is_none(), "{other}");
        }
    }
}
