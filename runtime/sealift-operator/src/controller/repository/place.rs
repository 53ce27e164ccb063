//! Whether another Repository keeps its snapshots where the data of one is to be removed: pure.

use sealift_api::planner::repository_in_pod;
use sealift_api::repository::Repository;
use sealift_core::plan::Location;

use crate::labels;

/// A Repository among `all` whose data would go with that at `location`, which is `going`'s.
pub(super) fn shared_with<'a>(
    going: &Repository,
    location: &Location,
    all: impl IntoIterator<Item = &'a Repository>,
) -> Option<&'a Repository> {
    all.into_iter().find(|other| {
        let same = other.metadata.uid == going.metadata.uid;
        let also_wiped = labels::is_going(&other.metadata) && other.spec.wipe_out == Some(true);
        !same
            && !also_wiped
            && repository_in_pod(other).is_ok_and(|plan| lies_in(&plan.location, location))
    })
}

/// Whether `other` is the place `whole`, or lies below it. A server that has several names is not
/// recognised; what lies below is found again when it is listed.
fn lies_in(other: &Location, whole: &Location) -> bool {
    let (
        Location::S3 {
            endpoint: other_endpoint, bucket: other_bucket, prefix: other_prefix, ..
        },
        Location::S3 { endpoint, bucket, prefix, .. },
    ) = (other, whole)
    else {
        return false;
    };
    let [other_prefix, prefix] = [other_prefix, prefix].map(|prefix| prefix.trim_matches('/'));
    server(other_endpoint) == server(endpoint)
        && other_bucket == bucket
        && (prefix.is_empty()
            || other_prefix
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn server(endpoint: &str) -> String {
    let name = endpoint.split_once("://").map_or(endpoint, |(_, name)| name);
    name.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn repository(uid: &str, prefix: &str, more: serde_json::Value) -> Repository {
        let mut object = serde_json::json!({
            "apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
            "metadata": {"name": uid, "namespace": "demo", "uid": uid},
            "spec": {"backend": {"storageSecretName": "s",
                "s3": {"endpoint": "https://S3.example.org/", "bucket": "b", "prefix": prefix}}},
        });
        for (pointer, value) in more.as_object().into_iter().flatten() {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[field] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn shared(prefix: &str, other: &Repository) -> bool {
        let going = repository("going", prefix, serde_json::json!({}));
        let location = repository_in_pod(&going).unwrap().location;
        shared_with(&going, &location, [&going, other]).is_some()
    }

    #[test]
    fn the_same_place_and_what_lies_below_it_are_shared_and_a_sibling_is_not() {
        let at = |prefix| repository("other", prefix, serde_json::json!({}));
        assert!(shared("demo-vault", &at("demo-vault")));
        assert!(shared("demo-vault", &at("/demo-vault/")));
        assert!(shared("/demo-vault/", &at("demo-vault")));
        assert!(shared("/", &at("demo-vault")));
        assert!(shared("demo-vault", &at("demo-vault/below")));
        assert!(shared("", &at("demo-vault")));
        assert!(!shared("demo-vault", &at("demo-vault-2")));
        assert!(!shared("demo-vault/below", &at("demo-vault")));
        let elsewhere = serde_json::json!({"/spec/backend/s3/bucket": "c"});
        assert!(!shared("demo-vault", &repository("other", "demo-vault", elsewhere)));
        let by_another_name = serde_json::json!({"/spec/backend/s3/endpoint": "s3.example.org"});
        assert!(shared("demo-vault", &repository("other", "demo-vault", by_another_name)));
    }

    #[test]
    fn two_that_are_removed_together_do_not_wait_for_each_other() {
        let going = "2026-01-01T00:00:00Z";
        let wiped = serde_json::json!({
            "/metadata/deletionTimestamp": going, "/spec/wipeOut": true
        });
        assert!(!shared("demo-vault", &repository("other", "demo-vault", wiped)));
        let kept = serde_json::json!({"/metadata/deletionTimestamp": going});
        assert!(shared("demo-vault", &repository("other", "demo-vault", kept)));
    }
}
