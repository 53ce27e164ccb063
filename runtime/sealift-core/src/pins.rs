//! What a plan was made from, and whether that is still what is there.
//!
//! A plan is carried out later than it is made, and by somebody else. In between a Function may
//! have got other grants, an AppBinding another address, or a whole object may have been
//! deleted and made anew by another person. So the planner pins what it saw. Whoever carries
//! the plan out reads the same objects, makes pins of them in the same way and compares.
//!
//! Pure: reading the objects is not done here. Objects from files have no uid and are not
//! pinned, since there is nothing to read them from again.

use serde::{Deserialize, Serialize};

use crate::plan::{ObjectRef, Plan};

/// What a plan was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pins {
    /// The AppBinding, the Repository and the Functions, in this order; those without a uid are
    /// left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectPin>,
    /// `sha256:<hex>` of the AppBinding's `spec.clientConfig.caBundle`, decoded; none = it has
    /// none, or an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_digest: Option<String>,
}

/// One object as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectPin {
    /// The object.
    pub object: ObjectRef,
    /// `metadata.uid`: differs when it was deleted and made anew.
    pub uid: String,
    /// `metadata.generation`: rises with every change of `spec`; none = the server counts none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// Something is no longer what the plan was made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {field} is {live}, but the plan was made for {planned}; make the plan again")]
pub struct Outdated {
    /// The object.
    pub object: Box<ObjectRef>,
    /// JSON path in it.
    pub field: &'static str,
    /// What the plan has.
    pub planned: String,
    /// What is there now.
    pub live: String,
}

impl Outdated {
    /// The reason in conditions, events and metrics.
    pub const REASON: &'static str = "PlanOutdated";
}

impl Pins {
    /// Whether nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Plan {
    /// Whether the objects are still those the plan was made from. `live` are the pins of the
    /// objects as they are now; one that is gone is left out of them.
    ///
    /// # Errors
    /// The first difference: of the objects in the plan's order, then of the certificates.
    pub fn check_pins(&self, live: &Pins) -> Result<(), Outdated> {
        for planned in &self.pins.objects {
            planned.check(live.objects.iter().find(|live| live.object == planned.object))?;
        }
        if self.pins.ca_digest != live.ca_digest {
            let text = |digest: &Option<String>| digest.clone().unwrap_or_else(nothing);
            return Err(Outdated {
                object: Box::new(self.target.reference.clone()),
                field: "spec.clientConfig.caBundle",
                planned: text(&self.pins.ca_digest),
                live: text(&live.ca_digest),
            });
        }
        Ok(())
    }
}

impl ObjectPin {
    fn check(&self, live: Option<&Self>) -> Result<(), Outdated> {
        let outdated = |field, planned: String, live: String| {
            Err(Outdated { object: Box::new(self.object.clone()), field, planned, live })
        };
        let Some(live) = live else {
            return outdated("metadata.uid", self.uid.clone(), nothing());
        };
        if live.uid != self.uid {
            return outdated("metadata.uid", self.uid.clone(), live.uid.clone());
        }
        if live.generation != self.generation {
            let text =
                |pin: &Self| pin.generation.map_or_else(nothing, |number| number.to_string());
            return outdated("metadata.generation", text(self), text(live));
        }
        Ok(())
    }
}

/// How messages name what is not there.
fn nothing() -> String {
    "absent".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn pin(kind: &str, uid: &str, generation: Option<i64>) -> ObjectPin {
        ObjectPin {
            object: ObjectRef {
                group: String::new(),
                kind: kind.to_owned(),
                namespace: if kind == "Function" { "" } else { "demo" }.to_owned(),
                name: "x".to_owned(),
            },
            uid: uid.to_owned(),
            generation,
        }
    }

    fn plan(pins: Pins) -> Plan {
        let text = r#"{
            "version": "sealift.plan/v1", "task": "t", "stages": [], "observers": [],
            "direction": {"restore": {"snapshot": "latest", "targetTag": "t", "paths": []}},
            "session": {"group": "", "kind": "RestoreSession", "namespace": "demo", "name": "r"},
            "invoker": {"group": "", "kind": "RestoreSession", "namespace": "demo", "name": "r"},
            "target": {"hostname": "host-0", "metricsGroup": "", "metricsKind": "", "reference":
                {"group": "", "kind": "AppBinding", "namespace": "demo", "name": "x"}},
            "repository": {"location": {"local": {"path": "/r"}}, "reference":
                {"group": "", "kind": "Repository", "namespace": "demo", "name": "x"},
                "secret": {"namespace": "demo", "name": "s"}},
            "origins": [], "timeoutSeconds": 60
        }"#;
        Plan { pins, ..serde_json::from_str(text).unwrap() }
    }

    fn both() -> Pins {
        Pins {
            objects: vec![pin("AppBinding", "a", Some(2)), pin("Function", "f", None)],
            ca_digest: Some("sha256:00".to_owned()),
        }
    }

    #[test]
    fn a_plan_of_what_is_there_is_carried_out() {
        assert_eq!(plan(both()).check_pins(&both()), Ok(()));
        // What was not pinned, such as an object from a file, is not asked for.
        let mut more = both();
        more.objects.push(pin("Repository", "r", Some(1)));
        assert_eq!(plan(both()).check_pins(&more), Ok(()));
        assert_eq!(plan(Pins::default()).check_pins(&Pins::default()), Ok(()));
    }

    #[test]
    fn whatever_changed_is_named_with_both_values() {
        type Change = fn(&mut Pins);
        let rows: [(Change, &str); 6] = [
            (
                |live| live.objects.clear(),
                "AppBinding demo/x: metadata.uid is absent, but the plan was made for a; make the plan again",
            ),
            (
                |live| live.objects[0].uid = "b".to_owned(),
                "AppBinding demo/x: metadata.uid is b, but the plan was made for a; make the plan again",
            ),
            (
                |live| live.objects[0].generation = Some(3),
                "AppBinding demo/x: metadata.generation is 3, but the plan was made for 2; make the plan again",
            ),
            (
                |live| live.objects[1].generation = Some(1),
                "Function x: metadata.generation is 1, but the plan was made for absent; make the plan again",
            ),
            (
                |live| live.ca_digest = Some("sha256:11".to_owned()),
                "AppBinding demo/x: spec.clientConfig.caBundle is sha256:11, but the plan was made for sha256:00; make the plan again",
            ),
            (
                |live| live.ca_digest = None,
                "AppBinding demo/x: spec.clientConfig.caBundle is absent, but the plan was made for sha256:00; make the plan again",
            ),
        ];
        for (change, message) in rows {
            let mut live = both();
            change(&mut live);
            assert_eq!(plan(both()).check_pins(&live).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn pins_survive_being_written_and_read_and_a_plan_without_them_shows_none() {
        let with = plan(both());
        let text = serde_json::to_string(&with).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), with);
        assert!(!serde_json::to_string(&plan(Pins::default())).unwrap().contains("pins"));
    }
}
