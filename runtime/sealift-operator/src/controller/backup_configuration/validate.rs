//! Judges a BackupConfiguration by what it names: pure. The conditions are the original's.

use sealift_api::planner::{PlanError, Problem};
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::watch::Key;

use super::dereference::Dereferenced;
use crate::build;
use crate::condition::{Statement, Type};
use crate::controller::launch;
use crate::controller::references::{self, Presence};
use crate::planning;

/// What was found.
#[derive(Debug, PartialEq)]
pub(crate) struct Validated {
    /// For the status, in the order in which they were found.
    pub(crate) statements: Vec<Statement>,
    /// Whether sessions can be started.
    pub(crate) sound: bool,
}

pub(crate) fn validate(found: &Dereferenced) -> Validated {
    let mut judgement = Judgement::default();
    let there = judgement.repository(found);
    if there {
        if let Some(secret) = &found.secret {
            judgement.secret(&secret.key, &secret.presence);
        }
        let runtime = found.object.spec.runtime_settings.as_ref();
        judgement.plan(&found.plan, build::own_service_account(runtime));
    }
    if let Some(target) = &found.target {
        let words = Words { type_: Type::BackupTargetFound, noun: "Backup" };
        judgement.target(&words, target, found.target_found);
    }
    Validated { sound: judgement.is_sound(), statements: judgement.statements }
}

/// How a kind calls its target.
pub(crate) struct Words {
    pub(crate) type_: Type,
    pub(crate) noun: &'static str,
}

/// Statements about an invoker, shared by BackupConfigurations and RestoreSessions.
#[derive(Default)]
pub(crate) struct Judgement {
    pub(crate) statements: Vec<Statement>,
}

impl Judgement {
    pub(crate) fn is_sound(&self) -> bool {
        self.statements.iter().all(|said| said.truth == crate::condition::Truth::True)
    }

    /// Whether it is there. No Repository named is the planner's to say.
    pub(crate) fn repository<Object>(&mut self, found: &references::Dereferenced<Object>) -> bool {
        let Some(key) = &found.repository_key else { return true };
        let there = found.repository.is_some();
        self.statements.push(if there {
            Statement::yes(
                Type::RepositoryFound,
                "RepositoryAvailable",
                format!("Repository {key} exist."),
            )
        } else {
            Statement::no(
                Type::RepositoryFound,
                "RepositoryNotAvailable",
                match found.repository_goes {
                    true => format!("Repository {key} is being deleted."),
                    false => format!("Repository {key} does not exist."),
                },
            )
        });
        there
    }

    pub(crate) fn secret(&mut self, key: &Key, presence: &Presence) {
        let type_ = Type::BackendSecretFound;
        self.statements.push(match presence {
            Presence::There => Statement::yes(
                type_,
                "BackendSecretAvailable",
                format!("Backend Secret {key} exist."),
            ),
            Presence::Missing => Statement::no(
                type_,
                "BackendSecretNotAvailable",
                format!("Backend Secret {key} does not exist."),
            ),
            Presence::Unknown(error) => Statement::unknown(
                type_,
                "UnableToCheckBackendSecretAvailability",
                format!(
                    "Failed to check whether the backend Secret {key} exist or not. Reason: {error}"
                ),
            ),
        });
    }

    /// Everything that is wrong and not merely absent.
    pub(crate) fn plan(&mut self, plan: &Result<Plan, PlanError>, own_account: Option<&str>) {
        let refusal = match plan {
            Ok(plan) => launch::foreign_target(plan, own_account),
            Err(error) => {
                let wrong: Vec<&Problem> =
                    error.problems.iter().filter(|found| !planning::is_absence(found)).collect();
                (!wrong.is_empty()).then(|| planning::text(wrong))
            }
        };
        let type_ = Type::ValidationPassed;
        self.statements.push(match refusal {
            None => Statement::yes(type_, "ResourceValidationPassed", "Successfully validated."),
            Some(refusal) => Statement::no(type_, "ResourceValidationFailed", refusal),
        });
    }

    pub(crate) fn target(&mut self, words: &Words, target: &ObjectRef, there: bool) {
        let ObjectRef { kind, namespace, name, .. } = target;
        // A kind that is not supported is the planner's to say.
        if kind != "AppBinding" {
            return;
        }
        let noun = words.noun;
        self.statements.push(if there {
            Statement::yes(
                words.type_,
                "TargetAvailable",
                format!("{noun} target {kind} {namespace}/{name} found."),
            )
        } else {
            Statement::no(
                words.type_,
                "TargetNotAvailable",
                format!("{noun} target {kind} {namespace}/{name} does not exist."),
            )
        });
    }
}
