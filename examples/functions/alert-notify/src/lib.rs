//! Raises an alert in Prometheus' Alertmanager when a session failed, and resolves it when one of
//! the same target and direction succeeded.
//!
//! The Function's origin `alerts` says where the Alertmanager is. What belongs to an alert's
//! identity, its labels, is the same for both outcomes; what changes stands in annotations.

mod alert;

use std::time::Duration;

use sealift_function::outcomes::Status;
use sealift_function::{Error, Observer, Outcome, Result, export, http, progress, session};
use serde::Deserialize;

use alert::{Alert, Facts};

/// The Alertmanager is near; an observer must not hold up the end of a session.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Parameters of `alert-notify`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// Name of the alert.
    alert: String,
    /// More labels, each `name=value`.
    labels: Vec<String>,
    /// How long an alert stays if nothing resolves it.
    hold_hours: i64,
}

/// Raises and resolves alerts.
#[derive(Debug)]
pub struct AlertNotify;

impl Observer for AlertNotify {
    type Parameters = Parameters;

    fn run(parameters: Parameters, outcome: Outcome) -> Result<()> {
        let facts = Facts::read(session::fact);
        let labels = alert::labels(&parameters.alert, &parameters.labels, &facts)?;
        let cause = outcome.cause.as_ref().map(ToString::to_string);
        let ended = outcome.statistic("finished-seconds").unwrap_or_default();
        let alert = match outcome.status {
            Status::Succeeded => Alert::resolved(labels, ended)?,
            // Nobody's fault, and no backup either: it is for the next session to tell.
            Status::Cancelled | Status::Skipped => return Ok(()),
            Status::Failed => {
                Alert::raised(labels, &facts, cause.as_deref(), ended, parameters.hold_hours)?
            }
        };
        progress::phase(if alert.is_resolved() {
            "resolving the alert"
        } else {
            "raising an alert"
        });
        let answer = http::post("http://alerts/api/v2/alerts")
            .header("content-type", "application/json")
            .timeout(TIMEOUT)
            .send_bytes(&alert.to_json()?)?;
        if answer.is_success() {
            return Ok(());
        }
        let status = answer.status();
        let message =
            format!("the Alertmanager answered with {status}: {}", answer.into_excerpt(500));
        Err(match status {
            400..=499 => Error::ExternalFailed(message),
            _ => Error::retryable(message),
        })
    }
}

export!(observer, AlertNotify);
