//! Hooks of a plan: what is done before and after the work, with no choices left.
//!
//! Templates are still templates here, since they tell of an outcome that is not known yet; the
//! planner has read them and checked their fields. Running hooks is `sealift-job`'s.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::plan::ObjectRef;
use crate::template::Value;

/// How long an HTTP request or a TCP connection of a hook may take: the original's five minutes.
pub const HOOK_SECONDS: u64 = 300;

/// The hooks of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hooks {
    /// Before the work; a failure ends the session before anything was touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<HookAction>,
    /// After the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AfterHook>,
}

impl Hooks {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All actions there are.
    pub fn actions(&self) -> impl Iterator<Item = &HookAction> {
        self.before.iter().chain(self.after.iter().map(|after| &after.action))
    }
}

/// A hook after the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AfterHook {
    /// When it is run.
    pub policy: HookPolicy,
    /// What it does.
    pub action: HookAction,
}

/// When a hook after the work is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookPolicy {
    /// In every case.
    Always,
    /// Only after a failure.
    OnFailure,
    /// Only after a success.
    OnSuccess,
    /// Only after a failure that is not followed by another try.
    OnFinalRetryFailure,
}

impl HookPolicy {
    /// The name in manifests and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::OnFailure => "OnFailure",
            Self::OnSuccess => "OnSuccess",
            Self::OnFinalRetryFailure => "OnFinalRetryFailure",
        }
    }

    /// Whether a hook with this policy is due.
    #[must_use]
    pub fn is_due(self, succeeded: bool, retry_left: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => !succeeded,
            Self::OnSuccess => succeeded,
            Self::OnFinalRetryFailure => !succeeded && retry_left <= 0,
        }
    }
}

/// What a hook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HookAction {
    /// Runs a command in a pod behind a Service.
    #[serde(rename_all = "camelCase")]
    Exec {
        /// Program and arguments; each a template.
        command: Vec<String>,
        /// Namespace of the Service.
        namespace: String,
        /// The Service whose pods are meant.
        service: String,
        /// The container; none = the pod's first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
    },
    /// Sends a GET request.
    #[serde(rename_all = "camelCase")]
    HttpGet {
        /// Where to.
        request: HookRequest,
    },
    /// Sends a POST request.
    #[serde(rename_all = "camelCase")]
    HttpPost {
        /// Where to.
        request: HookRequest,
        /// What is sent.
        body: HookBody,
    },
    /// Opens a connection and closes it.
    #[serde(rename_all = "camelCase")]
    TcpSocket {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

/// Where a request of a hook goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookRequest {
    /// Scheme, host, port, path and query.
    pub url: Url,
    /// Headers, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// PEM certificates that sign the server's; none = the bundled public roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
}

/// What a POST request of a hook sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HookBody {
    /// Text; a template.
    Text(String),
    /// Fields of a form, in order, each with its values.
    Form(Vec<(String, Vec<String>)>),
}

/// What templates of hooks know, as the original names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary<'a> {
    /// The session.
    pub session: &'a ObjectRef,
    /// What it was made for.
    pub invoker: &'a ObjectRef,
    /// What is backed up, or restored into.
    pub target: &'a ObjectRef,
    /// Group and version of the target's kind.
    pub target_version: &'a str,
    /// `Running`, `Succeeded` or `Failed`.
    pub phase: &'a str,
    /// How long it took, as Go prints it; empty before the work.
    pub duration: &'a str,
    /// Why it failed; empty unless it did.
    pub error: &'a str,
    /// Tries that are left.
    pub retry_left: i32,
}

impl Summary<'_> {
    /// The data of a template.
    #[must_use]
    pub fn value(&self) -> Value {
        Value::fields([
            ("Name", Value::text(&*self.session.name)),
            ("Namespace", Value::text(&*self.session.namespace)),
            (
                "Invoker",
                Value::fields([
                    ("APIGroup", Value::text(&*self.invoker.group)),
                    ("Kind", Value::text(&*self.invoker.kind)),
                    ("Name", Value::text(&*self.invoker.name)),
                ]),
            ),
            (
                "Target",
                Value::fields([
                    ("APIVersion", Value::text(self.target_version)),
                    ("Kind", Value::text(&*self.target.kind)),
                    ("Name", Value::text(&*self.target.name)),
                    ("Namespace", Value::text(&*self.target.namespace)),
                ]),
            ),
            (
                "Status",
                Value::fields([
                    ("Phase", Value::text(self.phase)),
                    ("Duration", Value::text(self.duration)),
                    ("Error", Value::text(self.error)),
                ]),
            ),
            ("RetryLeft", Value::Number(self.retry_left.into())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_decides_by_the_outcome_and_the_tries_that_are_left() {
        for (policy, due) in [
            (HookPolicy::Always, [true, true, true, true]),
            (HookPolicy::OnFailure, [false, false, true, true]),
            (HookPolicy::OnSuccess, [true, true, false, false]),
            (HookPolicy::OnFinalRetryFailure, [false, false, true, false]),
        ] {
            let cases = [(true, 0), (true, 1), (false, 0), (false, 1)];
            let found = cases.map(|(succeeded, left)| policy.is_due(succeeded, left));
            assert_eq!(found, due, "{}", policy.as_str());
        }
    }
}
