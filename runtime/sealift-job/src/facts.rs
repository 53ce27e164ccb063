//! What Functions may know of a session. The names are part of the contract: `wit/README.md`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealift_core::plan::{Direction, Location, Plan};

/// The facts of this session. No secrets.
#[must_use]
pub fn session_facts(plan: &Plan, started: Timestamp) -> BTreeMap<String, String> {
    let direction = match plan.direction {
        Direction::Backup(_) => "backup",
        Direction::Restore(_) => "restore",
    };
    let (bucket, prefix) = bucket_and_prefix(&plan.repository.location);
    let mut facts = BTreeMap::new();
    let mut add = |name: &str, value: &str| facts.insert(name.to_owned(), value.to_owned());
    add("direction", direction);
    add("session.kind", &plan.session.kind);
    add("session.name", &plan.session.name);
    add("session.namespace", &plan.session.namespace);
    add("session.started", &started.as_second().to_string());
    add("invoker.kind", &plan.invoker.kind);
    add("invoker.name", &plan.invoker.name);
    add("invoker.namespace", &plan.invoker.namespace);
    add("target.kind", &plan.target.metrics_kind);
    add("target.group", &plan.target.metrics_group);
    add("target.name", &plan.target.reference.name);
    add("target.namespace", &plan.target.reference.namespace);
    add("target.hostname", &plan.target.hostname);
    add("driver", "Restic");
    add("repository.name", &plan.repository.reference.name);
    add("repository.namespace", &plan.repository.reference.namespace);
    add("repository.provider", plan.repository.location.provider());
    add("repository.bucket", &bucket);
    add("repository.prefix", &prefix);
    if let Some(keys) = &plan.keys {
        add("keys.prefix", &keys.prefix);
        add("keys.snapshot-prefix", &keys.snapshot_prefix);
        add("keys.shares", &keys.shares.to_string());
        add("keys.threshold", &keys.threshold.to_string());
    }
    facts
}

/// Bucket and prefix as the original's metrics have them: of REST the URL's host and path, of
/// a folder only the path.
fn bucket_and_prefix(location: &Location) -> (String, String) {
    match location {
        Location::Local { path } => (String::new(), path.clone()),
        Location::S3 { bucket, prefix, .. } => (bucket.clone(), prefix.clone()),
        Location::Rest { url } => url::Url::parse(url).map_or_else(
            |_| (String::new(), String::new()),
            |url| (url.host_str().unwrap_or_default().to_owned(), url.path().to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::sample;

    #[test]
    fn the_prefix_is_the_manifests_letter_for_letter() {
        let mut plan = sample::plan(std::path::Path::new("/nowhere"));
        plan.repository.location = Location::S3 {
            endpoint: "minio.demo".into(),
            bucket: "backups".into(),
            prefix: "/demo/vault/".into(),
            region: String::new(),
            insecure_tls: false,
        };
        let facts = session_facts(&plan, Timestamp::UNIX_EPOCH);
        assert_eq!(facts["repository.bucket"], "backups");
        assert_eq!(facts["repository.prefix"], "/demo/vault/");
    }
}
