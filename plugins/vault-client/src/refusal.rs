//! Why Vault refused, in words that say what to do.

use sealift_function::Error;
use serde::Deserialize;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// What Vault said, on one line.
    pub message: String,
}

#[derive(Deserialize)]
struct Answer {
    errors: Vec<String>,
}

/// Reads the answer: Vault's `errors`, or the beginning of whatever came.
#[must_use]
pub fn refusal(status: u16, body: &str) -> Refusal {
    let text = match serde_json::from_str::<Answer>(body) {
        Ok(answer) => answer.errors.join("; "),
        Err(_) => body.chars().take(200).collect(),
    };
    // Vault lists several causes as "2 errors occurred:\n\t* a\n\t* b\n\n".
    let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "*").collect();
    let message = if words.is_empty() { "without a reason".to_owned() } else { words.join(" ") };
    Refusal { status, message }
}

impl Refusal {
    /// Whether the token was not good enough.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// The error for a request to `what`, of the kind that fits the status.
    #[must_use]
    pub fn into_error(self, what: &str) -> Error {
        let Self { status, message } = self;
        let text = format!("Vault answered {what} with {status}: {message}");
        match status {
            401 | 403 => Error::Denied(text),
            // Too early, no leader, sealed meanwhile, a proxy that lost it.
            412 | 425 | 429 | 472 | 473 | 502..=504 => Error::retryable(text),
            _ => Error::ExternalFailed(text),
        }
    }

    /// The error for a request that needs a policy. `policy` is what the token must be allowed,
    /// as HCL.
    #[must_use]
    pub fn into_policy_error(self, what: &str, policy: &str) -> Error {
        if !self.is_denied() {
            return self.into_error(what);
        }
        let advice = if self.message.contains("invalid token") {
            "the token in the Secret is unknown to this Vault or expired: issue a new one"
                .to_owned()
        } else {
            format!("the token in the Secret needs a policy with {policy}")
        };
        match self.into_error(what) {
            Error::Denied(text) => Error::Denied(format!("{text}; {advice}")),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"path "sys/storage/raft/snapshot" { capabilities = ["read"] }"#;

    #[test]
    fn vault_s_list_becomes_one_line() {
        let body = "{\"errors\":[\"2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n\"]}";
        assert_eq!(
            refusal(403, body).message,
            "2 errors occurred: permission denied invalid token"
        );
        assert_eq!(refusal(502, "<html>\n bad gateway").message, "<html> bad gateway");
        assert_eq!(refusal(500, "").message, "without a reason");
    }

    #[test]
    fn a_missing_policy_is_written_out() {
        let error = refusal(403, r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#)
            .into_policy_error("sys/storage/raft/snapshot", POLICY);
        assert_eq!(
            error,
            Error::Denied(format!(
                "Vault answered sys/storage/raft/snapshot with 403: 1 error occurred: permission \
                 denied; the token in the Secret needs a policy with {POLICY}"
            ))
        );
    }

    #[test]
    fn an_expired_token_is_told_apart_from_a_missing_policy() {
        let error = refusal(403, r#"{"errors":["permission denied","invalid token"]}"#)
            .into_policy_error("sys/storage/raft/snapshot", POLICY);
        assert!(error.to_string().ends_with("unknown to this Vault or expired: issue a new one"));
    }

    #[test]
    fn what_may_pass_is_retryable() {
        for (status, retryable) in [(503, true), (412, true), (400, false), (500, false)] {
            let error = refusal(status, "{\"errors\":[]}").into_error("sys/leader");
            assert_eq!(matches!(error, Error::Retryable { .. }), retryable, "{status}");
        }
    }
}
