//! Asks the API server, again where that may help, and says what became of it in words that a
//! person can act on.

use std::time::Duration;

use sealift_core::causes::chain_of_causes;
use sealift_kube::kube;

/// The API server may be restarted under a session; it is back within a minute.
const PAUSES: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// Why the API server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("failed to {verb} {object}{hint}")]
pub struct AskError {
    /// What was asked.
    pub verb: &'static str,
    /// Of which object.
    pub object: String,
    /// What to do, with `; ` before it, or empty.
    pub hint: String,
    /// The status of the answer; none = there was no answer.
    pub code: Option<u16>,
    /// What was said.
    #[source]
    pub source: Said,
}

/// The API server's own words, or those of the connection to it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

impl AskError {
    /// In the words of an answer.
    #[must_use]
    pub fn new(verb: &'static str, object: impl Into<String>, error: &kube::Error) -> Self {
        let object = object.into();
        let (code, said) = match error {
            kube::Error::Api(status) => (Some(status.code), status.message.clone()),
            // Its text already names its causes.
            other => (None, chain_of_causes(other)),
        };
        let hint = match code {
            Some(403) => format!("; grant {verb} on it to the ServiceAccount of the Job"),
            Some(401) => "; the ServiceAccount's token is not accepted".to_owned(),
            None => "; check that the API server can be reached from the pod".to_owned(),
            Some(_) => String::new(),
        };
        Self { verb, object, hint, code, source: Said(said) }
    }

    /// Whether there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code == Some(404)
    }

    /// Whether the right is missing.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.code == Some(403)
    }
}

/// Whether asking again may help: no answer, too many requests, or a server that is not well.
fn may_help(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

/// An API server that has just started forbids everything until it has read the roles: so often a
/// right is taken for missing only for the moment.
pub(super) const FORBIDDEN_TRIES: usize = 4;

/// Asks until there is an answer; only for requests that may be repeated.
///
/// # Errors
/// The answer was no, and stayed so where a right is missing; or there was none for a minute.
pub async fn ask<T, F: Future<Output = Result<T, kube::Error>>>(
    verb: &'static str,
    object: &str,
    mut request: impl FnMut() -> F,
) -> Result<T, AskError> {
    let mut pauses = PAUSES.iter();
    let mut forbidden = 0;
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let may_help = may_help(&error);
        let error = AskError::new(verb, object, &error);
        forbidden += usize::from(error.is_forbidden());
        let may_pass = error.is_forbidden() && forbidden <= FORBIDDEN_TRIES;
        match pauses.next().filter(|_| may_help || may_pass) {
            None => return Err(error),
            Some(seconds) => {
                tracing::warn!("{}; again in {seconds} s", chain_of_causes(&error));
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn refusal(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(kube::core::Status::failure(message, "").with_code(code).boxed())
    }

    #[test]
    fn a_refusal_names_the_object_and_what_to_do() {
        let error =
            AskError::new("get", "Secret demo/x", &refusal(403, "secrets \"x\" is forbidden"));
        assert_eq!(
            chain_of_causes(&error),
            "failed to get Secret demo/x; grant get on it to the ServiceAccount of the Job: secrets \"x\" is forbidden"
        );
        assert!(error.is_forbidden() && !error.is_not_found());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_not_well_is_asked_again_and_a_refusal_is_not() {
        let mut tries = 0;
        let answer = ask("get", "x", || {
            tries += 1;
            let answer = if tries < 3 { Err(refusal(503, "later")) } else { Ok(tries) };
            async move { answer }
        })
        .await;
        assert_eq!(answer.unwrap(), 3);
        let mut tries = 0;
        let answer = ask("get", "x", || {
            tries += 1;
            async { Err::<(), _>(refusal(404, "no")) }
        })
        .await;
        assert!(answer.unwrap_err().is_not_found());
        assert_eq!(tries, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_is_missing_only_if_it_stays_so() {
        let mut tries = 0;
        let answer = ask("get", "x", || {
            tries += 1;
            let answer = if tries < 3 { Err(refusal(403, "no")) } else { Ok(tries) };
            async move { answer }
        })
        .await;
        assert_eq!(answer.unwrap(), 3);
        let mut tries = 0;
        let answer = ask("get", "x", || {
            tries += 1;
            async { Err::<(), _>(refusal(403, "no")) }
        })
        .await;
        assert!(answer.unwrap_err().is_forbidden());
        assert_eq!(tries, FORBIDDEN_TRIES + 1);
    }
}
