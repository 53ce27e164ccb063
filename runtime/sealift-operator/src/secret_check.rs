//! Whether Secrets are there. They are asked for by name, and only their metadata is sent: the
//! operator never holds what is in one.
//!
//! One request for each distinct Secret, however many objects name it, also when all of them ask
//! at once; what was found is believed for ten minutes, what was missing for a few seconds, and
//! longer each time it is missing again. Watching them would take the right to read all of them.

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
/// Somebody waits for a missing Secret, and may be just about to make it.
const BELIEVE_MISSING: Duration = Duration::from_secs(5);
/// One that is missing for long is looked for this often.
const BELIEVE_MISSING_LONG: Duration = Duration::from_secs(120);

/// What is known of a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is there.
    pub there: bool,
    /// After this time it is to be asked again.
    pub again: Duration,
}

/// What is known of one Secret. Locked while it is asked for.
type Known = tokio::sync::Mutex<Option<Answer>>;

/// What the API server said of a Secret.
#[derive(Debug, Clone, Copy)]
struct Answer {
    there: bool,
    /// Until when that is believed.
    until: Instant,
    /// For how long a missing one was believed to be missing, before it is spread.
    patience: Duration,
}

impl Answer {
    /// What follows from asking now, after `before`.
    fn next(there: bool, before: Option<Self>, now: Instant) -> Self {
        let patience = match before.filter(|before| !before.there) {
            // Those who look while it is believed to be missing make nobody wait longer.
            Some(before) if before.until > now => before.patience,
            Some(before) => before.patience.saturating_mul(2).min(BELIEVE_MISSING_LONG),
            None => BELIEVE_MISSING,
        };
        let believed = if there { BELIEVE_PRESENT } else { patience };
        Self { there, until: now + spread(believed), patience }
    }

    /// Whether it is of no use any more. How long a Secret has been missing is kept for whoever
    /// comes to ask again when it is due.
    fn is_stale(&self, now: Instant) -> bool {
        now >= self.until + BELIEVE_MISSING_LONG
    }
}

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
        if let Some(Answer { there, until, .. }) = *known {
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
        known: &mut Option<Answer>,
    ) -> sealift_kube::Result<Seen> {
        let found =
            read::find_metadata::<Secret>(&self.client, &secret.namespace, &secret.name).await?;
        let now = Instant::now();
        let answer = Answer::next(found.is_some(), *known, now);
        *known = Some(answer);
        Ok(Seen { there: answer.there, again: answer.until.duration_since(now) })
    }

    fn known(&self, secret: &Key) -> Arc<Known> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(secret) {
            return Arc::clone(known);
        }
        let now = Instant::now();
        // What nobody asks for any more is forgotten.
        all.retain(|_, known| match known.try_lock() {
            Ok(known) => known.is_some_and(|answer| !answer.is_stale(now)),
            Err(_) => true,
        });
        let known = Arc::<Known>::default();
        all.insert(secret.clone(), Arc::clone(&known));
        known
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_stays_missing_is_asked_for_less_and_less_often() {
        let mut now = Instant::now();
        let mut answer = Answer::next(false, None, now);
        let mut patience = Vec::new();
        for _ in 0..8 {
            patience.push(answer.patience.as_secs());
            // Whoever asks all the same, such as a backup that begins, changes nothing.
            let asked = Answer::next(false, Some(answer), now);
            assert_eq!(asked.patience, answer.patience);
            now = asked.until;
            assert!(!asked.is_stale(now));
            answer = Answer::next(false, Some(asked), now);
        }
        assert_eq!(patience, [5, 10, 20, 40, 80, 120, 120, 120]);
        let found = Answer::next(true, Some(answer), now);
        assert!(found.until >= now + BELIEVE_PRESENT / 2 && !found.is_stale(found.until));
        // Once it was there, its absence is news.
        let gone = Answer::next(false, Some(found), found.until);
        assert_eq!(gone.patience, BELIEVE_MISSING);
        assert!(gone.is_stale(gone.until + BELIEVE_MISSING_LONG));
    }
}
