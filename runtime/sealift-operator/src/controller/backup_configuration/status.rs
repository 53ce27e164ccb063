//! Writes the status of a BackupConfiguration, and says on the object what has become worse.

use std::sync::Arc;

use jiff::Timestamp;
use sealift_api::backup_configuration::{
    BackupConfiguration, BackupConfigurationPhase, BackupConfigurationStatus,
};
use sealift_core::causes::chain_of_causes;
use sealift_kube::event::Event;
use sealift_kube::status;

use super::COMPONENT;
use crate::cluster::Cluster;
use crate::condition::{self, Statement, Truth, Type};
use crate::error::{Error, Result};

/// The CronJob could not be made.
pub(super) fn cron_job_failed(error: &Error) -> Statement {
    Statement::no(
        Type::CronJobCreated,
        "CronJobCreationFailed",
        format!("Failed to create backup triggering CronJob. Reason: {}", chain_of_causes(error)),
    )
}

/// Writes what was found. True = it is Ready, and something of its status is new.
pub(super) async fn update(
    cluster: &Cluster,
    known: &Arc<BackupConfiguration>,
    statements: &[Statement],
) -> Result<bool> {
    let now = cluster.now();
    let written =
        status::update_known(&cluster.client, &**known, |found: &mut BackupConfiguration| {
            // Somebody edited it meanwhile: what was found is not about this generation.
            if found.metadata.generation == known.metadata.generation {
                let status = found.status.get_or_insert_default();
                apply(status, statements, found.metadata.generation, now);
            }
        })
        .await?;
    let before = known.status.clone().unwrap_or_default();
    let phase = |status: &Option<BackupConfigurationStatus>| {
        status.as_ref().and_then(|status| status.phase)
    };
    if phase(&known.status) != phase(&written.status) {
        tracing::info!(object = %sealift_kube::watch::Key::of(&**known), phase = ?phase(&written.status), "a BackupConfiguration has a new phase");
    }
    for said in statements.iter().filter(|said| said.truth != Truth::True) {
        if condition::find(&before.conditions, said.type_)
            .is_none_or(|found| found.message.as_deref() != Some(&said.message))
        {
            cluster.tell(COMPONENT, &**known, event(said, known)).await;
        }
    }
    let is_ready = phase(&written.status) == Some(BackupConfigurationPhase::Ready);
    Ok(is_ready && written.status != known.status)
}

fn event(said: &Statement, about: &BackupConfiguration) -> Event {
    match said.type_ {
        // Literally the original's, the two blanks included.
        Type::CronJobCreated => Event::warning(
            "CronJob Creation Failed",
            format!(
                "failed to ensure CronJob for BackupConfiguration  {}/{}. Reason: {}",
                about.namespace(),
                about.name(),
                said.message
            ),
        ),
        _ => Event::warning(said.reason, &said.message),
    }
}

/// The new status, from the old one and what was found.
fn apply(
    status: &mut BackupConfigurationStatus,
    statements: &[Statement],
    generation: Option<i64>,
    now: Timestamp,
) {
    for statement in statements {
        condition::set(&mut status.conditions, statement, generation, now);
    }
    // It is only said while it holds.
    if statements.iter().all(|said| said.type_ != Type::BackupTriggered) {
        condition::remove(&mut status.conditions, Type::BackupTriggered);
    }
    status.observed_generation = generation;
    status.phase = Some(phase(status));
}

/// The rules of the original; a target that is missing is not ready either.
fn phase(status: &BackupConfigurationStatus) -> BackupConfigurationPhase {
    use BackupConfigurationPhase::{Invalid, NotReady, Ready};
    let holds = |type_| condition::holds(&status.conditions, type_);
    let said = |type_| condition::find(&status.conditions, type_).is_some();
    let backend = [Type::RepositoryFound, Type::BackendSecretFound];
    if backend.iter().any(|type_| said(*type_) && holds(*type_) != Some(true)) {
        return NotReady;
    }
    if holds(Type::ValidationPassed) == Some(false) {
        return Invalid;
    }
    let needed = [
        Type::RepositoryFound,
        Type::BackendSecretFound,
        Type::ValidationPassed,
        Type::BackupTargetFound,
        Type::CronJobCreated,
    ];
    if needed.iter().all(|type_| holds(*type_) == Some(true)) { Ready } else { NotReady }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase_of(statements: &[(Type, Truth)]) -> BackupConfigurationPhase {
        let mut status = BackupConfigurationStatus::default();
        let statements: Vec<Statement> = statements
            .iter()
            .map(|(type_, truth)| Statement {
                type_: *type_,
                truth: *truth,
                reason: "R",
                message: "m".to_owned(),
            })
            .collect();
        apply(&mut status, &statements, Some(3), Timestamp::UNIX_EPOCH);
        assert_eq!(status.observed_generation, Some(3));
        phase(&status)
    }

    #[test]
    fn the_phase_follows_the_conditions() {
        use BackupConfigurationPhase::{Invalid, NotReady, Ready};
        let all = [
            (Type::RepositoryFound, Truth::True),
            (Type::BackendSecretFound, Truth::True),
            (Type::ValidationPassed, Truth::True),
            (Type::BackupTargetFound, Truth::True),
            (Type::CronJobCreated, Truth::True),
        ];
        assert_eq!(phase_of(&all), Ready);
        let expected = [NotReady, NotReady, Invalid, NotReady, NotReady];
        for (index, expected) in expected.into_iter().enumerate() {
            let mut one_wrong = all;
            if let Some((_, truth)) = one_wrong.get_mut(index) {
                *truth = Truth::False;
            }
            assert_eq!(phase_of(&one_wrong), expected, "{index}");
            let without: Vec<_> = all
                .into_iter()
                .enumerate()
                .filter(|(at, _)| *at != index)
                .map(|(_, it)| it)
                .collect();
            assert_eq!(phase_of(&without), NotReady, "{index}");
        }
        // A missing Repository hides what else may be wrong.
        assert_eq!(
            phase_of(&[
                (Type::RepositoryFound, Truth::False),
                (Type::ValidationPassed, Truth::False)
            ]),
            NotReady
        );
        assert_eq!(phase_of(&[(Type::BackendSecretFound, Truth::Unknown)]), NotReady);
        assert_eq!(phase_of(&[]), NotReady);
    }
}
