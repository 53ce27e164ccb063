//! Judges a RestoreSession by what it names: pure. The conditions are the original's.

use super::dereference::Dereferenced;
use crate::build;
use crate::condition::{Statement, Type};
use crate::controller::backup_configuration::{Judgement, Words};

/// What was found.
#[derive(Debug, PartialEq)]
pub(super) struct Validated {
    /// For the status, in the order in which they were found.
    pub(super) statements: Vec<Statement>,
    /// Whether it can be started.
    pub(super) sound: bool,
}

impl Validated {
    /// It cannot be started for this, either.
    pub(super) fn refuse(&mut self, message: String) {
        self.statements.retain(|said| said.type_ != Type::ValidationPassed);
        let reason = "ResourceValidationFailed";
        self.statements.push(Statement::no(Type::ValidationPassed, reason, message));
        self.sound = false;
    }
}

pub(super) fn validate(found: &Dereferenced) -> Validated {
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
        let words = Words { type_: Type::RestoreTargetFound, noun: "Restore" };
        judgement.target(&words, target, found.target_found);
    }
    Validated { sound: judgement.is_sound(), statements: judgement.statements }
}
