//! The observer of every session: pushes its metrics to a Pushgateway.
//!
//! All metrics of a session go in one request, under the original's old and new names, with the
//! original's labels and job. POST replaces series of the same name and leaves others, so a
//! failed session, which pushes nothing but zeros for success and a damaged repository's
//! integrity, keeps the time of the last success. Of a batch, what is a target's own goes in a
//! second request: see `Facts::target_path`.

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
        let (path, target_path) = (facts.path(), facts.target_path());
        if path == target_path {
            return post(&path, &exposition::write(&gauges, &user_labels));
        }
        let part = |of_target| gauges.iter().filter(move |gauge| gauge.of_target == of_target);
        post(&target_path, &exposition::write(part(true), &user_labels))?;
        post(&path, &exposition::write(part(false), &user_labels))
    }
}

fn post(path: &str, text: &str) -> Result<()> {
    let answer = http::post(&format!("http://pushgateway{path}"))
        .header("content-type", CONTENT_TYPE)
        .timeout(TIMEOUT)
        .send_bytes(text.as_bytes())?;
    if answer.is_success() {
        return Ok(());
    }
    Err(refused(answer.status(), &answer.into_excerpt(EXCERPT)))
}

/// Why the gateway took nothing, and whether it may take it later.
fn refused(status: u16, said: &str) -> Error {
    let message = format!("the Pushgateway answered with {status}: {}", said.replace('\n', " "));
    match status {
        401 | 403 => Error::Denied(message),
        400..=499 => Error::ExternalFailed(message),
        _ => Error::retryable(message),
    }
}

export!(observer, PushgatewayPush);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_refuses_is_asked_again_only_where_that_may_help() {
        for status in [401, 403] {
            assert!(matches!(refused(status, "no"), Error::Denied(_)), "{status}");
        }
        for status in [400, 404, 499] {
            assert!(matches!(refused(status, "no"), Error::ExternalFailed(_)), "{status}");
        }
        for status in [301, 500, 503] {
            assert!(matches!(refused(status, "no"), Error::Retryable { .. }), "{status}");
        }
        let told = refused(400, "text format parsing error\nin line 3").to_string();
        assert_eq!(told, "the Pushgateway answered with 400: text format parsing error in line 3");
    }
}
