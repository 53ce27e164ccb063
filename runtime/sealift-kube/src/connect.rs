//! The client: from a kubeconfig, or from within a pod.

use kube::{Client, Config};

use crate::error::{Error, Result};

/// Connects as the environment says: `KUBECONFIG` or the user's kubeconfig, else the pod's
/// ServiceAccount. No request is made.
///
/// # Errors
/// Neither is there, or it cannot be used.
pub async fn connect() -> Result<Client> {
    let config = Config::infer().await.map_err(|source| Error::Configure {
        source: Box::new(kube::Error::InferConfig(source)),
    })?;
    client(config)
}

/// Connects as `config` says. No request is made.
///
/// # Errors
/// The configuration cannot be used.
pub fn client(mut config: Config) -> Result<Client> {
    // One provider for the whole process; whoever comes second finds the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Retries are decided where it is known whether repeating is harmless.
    config.default_retry = false;
    Client::try_from(config).map_err(|source| Error::Configure { source: Box::new(source) })
}
