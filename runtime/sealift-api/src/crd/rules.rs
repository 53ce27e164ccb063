//! Rules the API server checks by itself, in CEL: what the original's webhooks refuse.
//!
//! A rule stands here only if it needs nothing but the object, and only for what the original
//! refuses as well. Everything else is for the planner and the controllers, which can say more.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;

/// Of a whole object whose `spec` is written once.
///
/// It stands at the top, not at `spec`: there it would not see a `spec` that is taken away, and
/// the next write could bring another one.
pub(super) fn immutable_spec(next: &str) -> Vec<ValidationRule> {
    vec![ValidationRule {
        rule: "!has(oldSelf.spec) || (has(self.spec) && self.spec == oldSelf.spec)".to_owned(),
        message: Some(format!("spec is immutable; {next}")),
        field_path: Some(".spec".to_owned()),
        ..ValidationRule::default()
    }]
}

/// Of the `spec` of a Repository.
pub(super) fn repository_spec() -> Vec<ValidationRule> {
    let rule = |field: &str, rule: &str, message: &str| ValidationRule {
        rule: rule.to_owned(),
        message: Some(message.to_owned()),
        field_path: Some(field.to_owned()),
        ..ValidationRule::default()
    };
    vec![
        rule(
            ".backend",
            "!has(self.backend) || [has(self.backend.local), has(self.backend.s3), \
             has(self.backend.gcs), has(self.backend.azure), has(self.backend.swift), \
             has(self.backend.b2), has(self.backend.rest)].filter(named, named).size() == 1",
            "name exactly one of local, s3, gcs, azure, swift, b2 and rest",
        ),
        rule(
            ".wipeOut",
            "!has(self.wipeOut) || !self.wipeOut || !has(self.backend) || \
             !(has(self.backend.local) || has(self.backend.b2))",
            "the data of a local or b2 backend cannot be removed with the Repository; leave \
             wipeOut out",
        ),
        rule(
            ".backend",
            "!has(self.backend) || !has(self.backend.local) || \
             !(self.backend.local.mountPath == '/stash' || \
             self.backend.local.mountPath.startsWith('/stash/'))",
            "local.mountPath cannot be /stash or below it; mount the volume elsewhere",
        ),
    ]
}
