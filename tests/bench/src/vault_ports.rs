//! What `vault-snapshot` is connected to: one Vault, its token, and no keys.

use async_trait::async_trait;
use sealift_core::plan::Origin;
use sealift_host::ports::{Credentials, KeyStore, PortError, PortResult};
use url::Url;
use zeroize::Zeroizing;

/// The origin `target`: a Vault on loopback without TLS.
pub(crate) fn origin(url: Url) -> Origin {
    Origin {
        name: "target".to_owned(),
        url,
        ca_pem: None,
        server_name: None,
        insecure_skip_tls_verify: false,
        credential: None,
        redirect_hosts: Vec::new(),
        redirect_domains: Vec::new(),
        addresses: Vec::new(),
    }
}

/// The token of a Vault, as the header the host adds.
pub(crate) struct Token(pub(crate) String);

#[async_trait]
impl Credentials for Token {
    async fn header(&self, origin: &str) -> PortResult<Option<(String, Zeroizing<String>)>> {
        let header = ("x-vault-token".to_owned(), Zeroizing::new(self.0.clone()));
        Ok((origin == "target").then_some(header))
    }
}

/// A target without unseal keys.
pub(crate) struct NoKeys;

#[async_trait]
impl KeyStore for NoKeys {
    async fn names(&self) -> PortResult<Vec<String>> {
        Ok(Vec::new())
    }

    async fn read(&self, name: &str) -> PortResult<Zeroizing<Vec<u8>>> {
        Err(PortError::Denied(format!("there is no key {name}")))
    }

    async fn put(&self, name: &str, _: Zeroizing<Vec<u8>>) -> PortResult<()> {
        Err(PortError::Denied(format!("the key {name} is not taken")))
    }

    async fn commit(&self) -> PortResult<()> {
        Ok(())
    }
}
