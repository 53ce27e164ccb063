//! An alert as Alertmanager's API takes it. It asks nobody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealift_function::{Error, Result};
use serde::Serialize;

/// What is known of the session, as far as an alert tells it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    direction: String,
    session: String,
    namespace: String,
    target: String,
    invoker: String,
    repository: String,
}

impl Facts {
    /// Asks for each; what is not known is empty.
    pub(crate) fn read(fact: impl Fn(&str) -> Option<String>) -> Self {
        let fact = |name| fact(name).unwrap_or_default();
        Self {
            direction: fact("direction"),
            session: fact("session.name"),
            namespace: fact("target.namespace"),
            target: fact("target.name"),
            invoker: fact("invoker.name"),
            repository: fact("repository.name"),
        }
    }
}

/// The labels of an alert: the same for a failure and for the success that ends it.
pub(crate) fn labels(
    alert: &str,
    more: &[String],
    facts: &Facts,
) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::from([("alertname".to_owned(), alert.to_owned())]);
    let own = [
        ("direction", &facts.direction),
        ("namespace", &facts.namespace),
        ("target", &facts.target),
        ("invoker", &facts.invoker),
        ("repository", &facts.repository),
    ];
    for (name, value) in own.into_iter().filter(|(_, value)| !value.is_empty()) {
        labels.insert(name.to_owned(), value.clone());
    }
    for label in more {
        let (name, value) =
            label.split_once('=').filter(|(name, _)| is_label(name)).ok_or_else(|| {
                let message = format!("{label:?} is not name=value with a name of a-z, 0-9 and _");
                Error::invalid_parameter("labels", message)
            })?;
        labels.insert(name.to_owned(), value.to_owned());
    }
    Ok(labels)
}

/// Names of labels, as Prometheus has them.
fn is_label(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// One alert.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alert {
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    ends_at: String,
}

impl Alert {
    /// A session failed.
    pub(crate) fn raised(
        labels: BTreeMap<String, String>,
        facts: &Facts,
        cause: Option<&str>,
        ended: f64,
        hold_hours: i64,
    ) -> Result<Self> {
        let ended = seconds(ended);
        let summary = format!("{} of {} failed", facts.direction, facts.target);
        let description = format!("{}: {}", facts.session, cause.unwrap_or("no cause is known"));
        Ok(Self {
            labels,
            annotations: BTreeMap::from([("summary", summary), ("description", description)]),
            starts_at: Some(time(ended)?),
            ends_at: time(ended.saturating_add(hold_hours.saturating_mul(3600)))?,
        })
    }

    /// A session succeeded.
    pub(crate) fn resolved(labels: BTreeMap<String, String>, ended: f64) -> Result<Self> {
        let ends_at = time(seconds(ended))?;
        Ok(Self { labels, annotations: BTreeMap::new(), starts_at: None, ends_at })
    }

    /// Whether it ends an alert.
    pub(crate) fn is_resolved(&self) -> bool {
        self.starts_at.is_none()
    }

    /// The body of the request.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&[self])
            .map_err(|error| Error::InvalidState(format!("the alert cannot be written: {error}")))
    }
}

/// Whole seconds: the API takes fractions, people do not need them.
#[expect(clippy::cast_possible_truncation, reason = "a time in Unix seconds fits, and saturates")]
fn seconds(ended: f64) -> i64 {
    ended as i64
}

fn time(seconds: i64) -> Result<String> {
    Timestamp::from_second(seconds)
        .map(|time| time.to_string())
        .map_err(|_| Error::InvalidState(format!("{seconds} s is no time of this world")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn facts() -> Facts {
        Facts::read(|name| match name {
            "direction" => Some("backup".to_owned()),
            "session.name" => Some("nightly-1".to_owned()),
            "target.name" => Some("vault".to_owned()),
            "target.namespace" => Some("demo".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn a_failure_and_the_success_after_it_are_the_same_alert() {
        let labels = labels("Failed", &["severity=page".to_owned()], &facts()).unwrap();
        let raised = Alert::raised(labels.clone(), &facts(), Some("disk full"), 60.9, 1).unwrap();
        assert_eq!(
            String::from_utf8(raised.to_json().unwrap()).unwrap(),
            concat!(
                r#"[{"labels":{"alertname":"Failed","direction":"backup","namespace":"demo","#,
                r#""severity":"page","target":"vault"},"annotations":{"description":"#,
                r#""nightly-1: disk full","summary":"backup of vault failed"},"#,
                r#""startsAt":"1970-01-01T00:01:00Z","endsAt":"1970-01-01T01:01:00Z"}]"#
            )
        );
        let resolved = Alert::resolved(labels, 120.0).unwrap();
        assert!(resolved.is_resolved() && !raised.is_resolved());
        assert_eq!(resolved.labels, raised.labels);
        assert!(!String::from_utf8(resolved.to_json().unwrap()).unwrap().contains("startsAt"));
    }

    #[test]
    fn what_is_no_label_is_the_users_mistake() {
        for label in ["severity", "1st=x", "a-b=c", "=x"] {
            let error = labels("x", &[label.to_owned()], &Facts::default()).unwrap_err();
            assert!(error.to_string().contains("/labels"), "{error}");
        }
    }
}
