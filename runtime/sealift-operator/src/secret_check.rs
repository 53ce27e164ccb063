//! Whether Secrets are there. They are asked for by name, and only their metadata is sent: the
//! operator never holds what is in one.
//!
//! One request for each distinct Secret, however many objects name it, also when all of them ask
//! at once; what was found is believed for ten minutes, what was missing for a few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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

/// What is known of one Secret: whether it is there, and until when that is believed. Locked
/// while it is asked for.
type Known = tokio::sync::Mutex<Option<(bool, Instant)>>;

/// Looks for Secrets.
pub struct SecretCheck {
    client: Client,
    known: Mutex<HashMap<Key, Arc<Known>>>,
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
        let known = self.known(secret);
        let mut known = known.lock().await;
        if let Some((there, until)) = *known {
            let again = until.duration_since(Instant::now());
            if !again.is_zero() {
                return Ok(Seen { there, again });
            }
        }
        self.request(secret, &mut known).await
    }

    /// Whether a Secret is there just now.
    ///
    /// # Errors
    /// The API server refuses or cannot be reached.
    pub async fn ask(&self, secret: &Key) -> sealift_kube::Result<Seen> {
        let known = self.known(secret);
        let mut known = known.lock().await;
        self.request(secret, &mut known).await
    }

    async fn request(
        &self,
        secret: &Key,
        known: &mut Option<(bool, Instant)>,
    ) -> sealift_kube::Result<Seen> {
        let found =
            read::find_metadata::<Secret>(&self.client, &secret.namespace, &secret.name).await?;
        let there = found.is_some();
        let again = spread(if there { BELIEVE_PRESENT } else { BELIEVE_MISSING });
        *known = Some((there, Instant::now() + again));
        Ok(Seen { there, again })
    }

    fn known(&self, secret: &Key) -> Arc<Known> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(secret) {
            return Arc::clone(known);
        }
        let now = Instant::now();
        // What nobody asks for any more is forgotten.
        all.retain(|_, known| match known.try_lock() {
            Ok(known) => known.is_some_and(|(_, until)| until > now),
            Err(_) => true,
        });
        let known = Arc::<Known>::default();
        all.insert(secret.clone(), Arc::clone(&known));
        known
    }
}
