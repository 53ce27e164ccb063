//! Whether what we once applied is still as we applied it, without reading it.
//!
//! The API server keeps books for server-side apply: `metadata.managedFields` names, for each
//! writer, the fields whose values are that writer's. Whoever changes a field takes it over, and
//! whoever removes one takes it from all: so an object all of whose wanted fields are still ours
//! holds our values. Only where a value is wanted does not show here; the caller knows that it
//! wants what it wanted then. Labels, annotations and owners are compared themselves.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::apply::FIELD_MANAGER;

/// What is ours of an object besides its metadata, as compact text. None = we have not applied it.
#[must_use]
pub fn of(meta: &ObjectMeta) -> Option<String> {
    let entry = meta.managed_fields.iter().flatten().find(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    })?;
    let mut fields = entry.fields_v1.as_ref()?.0.as_object()?.clone();
    fields.remove("f:metadata");
    Some(Value::Object(fields).to_string())
}

/// Whether all of a wanted object is still ours. `owned` is what [`of`] said, `live` the metadata
/// it has. In doubt it is not.
#[must_use]
pub fn is_all(owned: &str, live: &ObjectMeta, desired: &Value) -> bool {
    let (Ok(owned), Some(wanted)) = (serde_json::from_str::<Value>(owned), desired.as_object())
    else {
        return false;
    };
    let Ok(live) = serde_json::to_value(live) else { return false };
    wanted.iter().all(|(name, value)| match name.as_str() {
        "apiVersion" | "kind" => true,
        "metadata" => holds(&live, value),
        _ => field(&owned, name).is_some_and(|owned| covers(owned, value)),
    })
}

/// Whether `live` has everything that `wanted` has.
fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| live.get(name).is_some_and(|it| holds(it, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            wanted.iter().all(|value| live.iter().any(|it| holds(it, value)))
        }
        (live, wanted) => live == wanted,
    }
}

fn field<'a>(owned: &'a Value, name: &str) -> Option<&'a Value> {
    owned.get(format!("f:{name}"))
}

/// Whether all of `wanted` is among the fields `owned`. An empty set stands for a value that is
/// owned as a whole; a structure of which nothing is owned any more is not in the books at all.
fn covers(owned: &Value, wanted: &Value) -> bool {
    let Some(fields) = owned.as_object() else { return false };
    if fields.is_empty() {
        return true;
    }
    match wanted {
        Value::Object(wanted) => wanted
            .iter()
            .all(|(name, value)| field(owned, name).is_some_and(|owned| covers(owned, value))),
        Value::Array(items) => items.iter().all(|item| {
            fields.iter().any(|(key, owned)| is_key_of(key, item) && covers_item(key, owned, item))
        }),
        _ => false,
    }
}

/// As [`covers`], for the item of a list: it is in the books by itself (`.`), so that an empty set
/// says nothing of its fields.
fn covers_item(key: &str, owned: &Value, item: &Value) -> bool {
    let nothing = owned.as_object().is_none_or(|fields| fields.is_empty());
    key.starts_with("v:") || !nothing && covers(owned, item)
}

/// Whether a key of a list's fields means this item: `k:` and its identifying fields, of which
/// those with a default may be missing in it, or `v:` and the item itself.
fn is_key_of(key: &str, item: &Value) -> bool {
    if let Some(value) = key.strip_prefix("v:") {
        return serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item);
    }
    let Some(Ok(Value::Object(names))) = key.strip_prefix("k:").map(serde_json::from_str) else {
        return false;
    };
    let mut known = names.iter().filter_map(|(name, value)| Some((item.get(name)?, value)));
    known.clone().next().is_some() && known.all(|(own, value)| own == value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    /// As API server 1.36 keeps it for a CronJob.
    fn live() -> ObjectMeta {
        serde_json::from_value(json!({
            "name": "c", "namespace": "demo", "uid": "u", "resourceVersion": "7",
            "labels": {"app": "stash", "foreign": "x"}, "annotations": {"hash": "1"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "o1"}],
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update",
                 "subresource": "status", "fieldsType": "FieldsV1", "apiVersion": "batch/v1",
                 "fieldsV1": {"f:status": {"f:lastScheduleTime": {}}}},
                {"manager": "sealift", "operation": "Apply", "fieldsType": "FieldsV1",
                 "apiVersion": "batch/v1", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {"f:schedule": {}, "f:suspend": {}, "f:jobTemplate": {"f:spec": {
                        "f:template": {"f:spec": {
                            "f:containers": {"k:{\"name\":\"main\"}": {
                                ".": {}, "f:name": {}, "f:args": {}, "f:ports": {
                                    "k:{\"containerPort\":1,\"protocol\":\"TCP\"}":
                                        {".": {}, "f:containerPort": {}}}}},
                            "f:volumes": {"k:{\"name\":\"tmp\"}":
                                {".": {}, "f:name": {}, "f:emptyDir": {}}}}}}}}}},
            ],
        }))
        .unwrap()
    }

    fn wanted() -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": "c", "namespace": "demo", "labels": {"app": "stash"},
                "annotations": {"hash": "1"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "o1"}]},
            "spec": {"schedule": "@daily", "suspend": false, "jobTemplate": {"spec": {"template": {
                "spec": {
                    "containers": [{"name": "main", "args": ["a", "b"],
                        "ports": [{"containerPort": 1}]}],
                    "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}]}}}}},
        })
    }

    fn is_ours(live: &ObjectMeta, wanted: &Value) -> bool {
        of(live).is_some_and(|owned| is_all(&owned, live, wanted))
    }

    #[test]
    fn what_nobody_else_has_written_is_ours() {
        assert!(is_ours(&live(), &wanted()));
    }

    #[test]
    fn a_field_another_writer_took_over_or_away_is_not_ours() {
        let pod = "/f:spec/f:jobTemplate/f:spec/f:template/f:spec";
        for pointer in [
            "/f:spec/f:suspend",
            &format!("{pod}/f:volumes"),
            &format!("{pod}/f:volumes/k:{{\"name\":\"tmp\"}}/f:emptyDir"),
            &format!("{pod}/f:containers/k:{{\"name\":\"main\"}}/f:args"),
        ] {
            let mut changed = live();
            let (above, name) = pointer.rsplit_once('/').unwrap();
            for entry in changed.managed_fields.iter_mut().flatten() {
                if let Some(above) = entry.fields_v1.as_mut().unwrap().0.pointer_mut(above) {
                    above.as_object_mut().unwrap().remove(name);
                }
            }
            assert!(!is_ours(&changed, &wanted()), "{pointer}");
        }
    }

    #[test]
    fn an_item_of_which_nothing_but_itself_is_ours_is_not_ours() {
        let item = json!([{"name": "tmp", "emptyDir": {}}]);
        let owned = |fields: Value| json!({"k:{\"name\":\"tmp\"}": fields});
        assert!(covers(&owned(json!({".": {}, "f:name": {}, "f:emptyDir": {}})), &item));
        assert!(!covers(&owned(json!({})), &item));
        assert!(covers(&json!({"v:\"a\"": {}}), &json!(["a"])));
        assert!(!covers(&json!({"v:\"a\"": {}}), &json!(["b"])));
    }

    #[test]
    fn metadata_counts_by_its_values() {
        let mut relabelled = live();
        relabelled.labels.as_mut().unwrap().insert("app".into(), "other".into());
        assert!(!is_ours(&relabelled, &wanted()));
        let mut orphaned = live();
        orphaned.owner_references = None;
        assert!(!is_ours(&orphaned, &wanted()));
    }

    #[test]
    fn what_somebody_else_made_is_not_ours() {
        let mut foreign = live();
        for entry in foreign.managed_fields.iter_mut().flatten() {
            entry.operation = Some("Update".to_owned());
        }
        assert_eq!(of(&foreign), None);
        // Others apply, too; beside them ours is still ours.
        let mut both = live();
        let fields = both.managed_fields.as_mut().unwrap();
        let mut other = fields.last().unwrap().clone();
        other.manager = Some("gitops".to_owned());
        other.fields_v1 = serde_json::from_value(json!({"f:spec": {"f:schedule": {}}})).unwrap();
        fields.insert(0, other);
        assert!(is_ours(&both, &wanted()));
        let fields = both.managed_fields.as_mut().unwrap();
        fields.retain(|entry| entry.manager.as_deref() != Some("sealift"));
        assert_eq!(of(&both), None);
    }
}
