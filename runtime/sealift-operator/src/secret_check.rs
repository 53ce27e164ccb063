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
const BELIEVE_PRESENT: Duration = Duration::from_secs(600);
/// Somebody waits for a missing Secret.
const BELIEVE_MISSING: Duration = Duration::from_secs(5);

/// What is known of a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is there.
    pub there: bool,
    /// After this time it is to be asked again.
    pub again: Duration,
}

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
    pub async fn look(&self, secret: &Key) -> sealift_kube::Result<Seen> {
        let known = self.known().get(secret).copied();
        match known.map(|(there, until)| (there, until.duration_since(Instant::now()))) {
            Some((there, again)) if !again.is_zero() => Ok(Seen { there, again }),
            _ => self.ask(secret).await,
        }
    }

    /// Whether a Secret is there just now.
    ///
    /// # Errors
    /// The API server refuses or cannot be reached.
    pub async fn ask(&self, secret: &Key) -> sealift_kube::Result<Seen> {
        let found =
            read::find_metadata::<Secret>(&self.client, &secret.namespace, &secret.name).await?;
        let there = found.is_some();
        let again = spread(if there { BELIEVE_PRESENT } else { BELIEVE_MISSING });
        let now = Instant::now();
        let mut known = self.known();
        // What nobody asks for any more is forgotten.
        known.retain(|_, (_, until)| *until > now);
        known.insert(secret.clone(), (there, now + again));
        Ok(Seen { there, again })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (bool, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
