//! The observer of every session: pushes its metrics to a Pushgateway.
//!
//! All metrics of a session go in one request, under the original's old and new names, with the
//! original's labels and job. POST replaces series of the same name and leaves others, so a
//! failed session, which pushes nothing but zeros for success, keeps the time of the last
//! success.

mod exposition;
mod facts;
mod labels;
mod metrics;

use std::time::Duration;

use sealift_function::{
    Error, Observer, Outcome, Result, export, http, outcomes::Status, progress, session,
};
use serde::Deserialize;

use facts::Facts;

/// The gateway is near; an observer must not hold up the end of a session.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of a refusal that are shown.
const EXCERPT: usize = 500;

/// What the gateway is sent.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Parameters of `pushgateway-push`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Parameters {
    /// More labels for every metric, each `name=value`.
    pub metrics_labels: Vec<String>,
}

/// Pushes metrics.
#[derive(Debug)]
pub struct PushgatewayPush;

impl Observer for PushgatewayPush {
    type Parameters = Parameters;

    fn run(parameters: Parameters, outcome: Outcome) -> Result<()> {
        progress::phase("pushing metrics");
        let user_labels = labels::parse(&parameters.metrics_labels)?;
        let facts = Facts::read(session::fact)?;
        let succeeded = outcome.status == Status::Succeeded;
        let gauges = metrics::of(&facts, succeeded, |name| outcome.statistic(name));
        let text = exposition::write(&gauges, &user_labels);
        let answer = http::post(&format!("http://pushgateway{}", facts.path()))
            .header("content-type", CONTENT_TYPE)
            .timeout(TIMEOUT)
            .send_bytes(text.as_bytes())?;
        if answer.is_success() {
            return Ok(());
        }
        let status = answer.status();
        let message = format!(
            "the Pushgateway answered with {status}: {}",
            answer.into_excerpt(EXCERPT).replace('\n', " ")
        );
        Err(match status {
            401 | 403 => Error::Denied(message),
            400..=499 => Error::ExternalFailed(message),
            _ => Error::retryable(message),
        })
    }
}

export!(observer, PushgatewayPush);
