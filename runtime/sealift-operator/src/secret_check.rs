//! Whether Secrets are there. They are asked for by name, and only their metadata is sent: the
//! operator never holds what is in one.
//!
//! One request for each distinct Secret, however many objects name it; what was found is
//! believed for ten minutes, what was missing for a few seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use sealift_kube::backoff::spread;
use sealift_kube::kube::Client;
use sealift_kube::read;
use sealift_kube::watch::Key;
use tokio::time::Instant;

/// A Secret that vanishes is noticed within this time, and before each session anyway.
pub const BELIEVE_PRESENT: Duration = Duration::from_secs(600);
/// Somebody waits for a missing Secret.
pub const BELIEVE_MISSING: Duration = Duration::from_secs(5);

/// Looks for Secrets.
pub struct SecretCheck {
    client: Client,
    known: Mutex<HashMap<Key, (bool, Instant)>>,
}

impl SecretCheck {
    /// Looks with this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// Whether a Secret is there, by what is known or by asking.
    ///
    /// # Errors
    /// The API server refuses or cannot be reached.
    pub async fn is_there(&self, secret: &Key) -> sealift_kube::Result<bool> {
        let known = self.known().get(secret).copied();
        match known {
            Some((there, until)) if Instant::now() < until => Ok(there),
            _ => self.ask(secret).await,
        }
    }

    /// Whether a Secret is there just now.
    ///
    /// # Errors
    /// The API server refuses or cannot be reached.
    pub async fn ask(&self, secret: &Key) -> sealift_kube::Result<bool> {
        let found =
            read::find_metadata::<Secret>(&self.client, &secret.namespace, &secret.name).await?;
        let there = found.is_some();
        let believe = spread(if there { BELIEVE_PRESENT } else { BELIEVE_MISSING });
        let now = Instant::now();
        let mut known = self.known();
        // What nobody asks for any more is forgotten.
        known.retain(|_, (_, until)| *until > now);
        known.insert(secret.clone(), (there, now + believe));
        Ok(there)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (bool, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
