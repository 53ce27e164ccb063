//! Conditions: their types, and how they are set. Texts are those of the original.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sealift_api::condition::Condition;

/// Longest message of a condition: a status stays readable.
const MESSAGE: usize = 4000;

macro_rules! condition_types {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The types of conditions the operator reads or writes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Type { $($(#[$doc])* $name),* }

        impl Type {
            /// As it stands in the object.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

condition_types! {
    /// The Repository exists.
    RepositoryFound,
    /// The Secret of the storage exists.
    BackendSecretFound,
    /// Nothing is wrong with the object and those it names.
    ValidationPassed,
    /// The target of a backup exists.
    BackupTargetFound,
    /// The target of a restore exists.
    RestoreTargetFound,
    /// The CronJob is there.
    CronJobCreated,
    /// Ours: why the CronJob's last Job made no session; nothing is said while all is well.
    BackupTriggered,
    /// The session was skipped.
    BackupSkipped,
    /// The Job of a backup was made.
    BackupExecutorEnsured,
    /// The Job of a restore was made.
    RestoreJobCreated,
    /// The Job of a restore was made.
    RestoreExecutorEnsured,
    /// Old sessions were removed.
    BackupHistoryCleaned,
    /// The session took too long.
    DeadlineExceeded,
    /// Metrics were pushed.
    MetricsPushed,
    /// Retention was applied.
    RetentionPolicyApplied,
    /// The repository was checked.
    RepositoryIntegrityVerified,
    /// Metrics of the repository were pushed.
    RepositoryMetricsPushed,
    /// The hook before a backup.
    PreBackupHookExecutionSucceeded,
    /// The hook after a backup.
    PostBackupHookExecutionSucceeded,
    /// The hook before a restore.
    PreRestoreHookExecutionSucceeded,
    /// The hook after a restore.
    PostRestoreHookExecutionSucceeded,
    /// The hook before all backups of a batch.
    GlobalPreBackupHookSucceeded,
    /// The hook after all backups of a batch.
    GlobalPostBackupHookSucceeded,
    /// The backup was disturbed.
    BackupDisrupted,
    /// Ours: the session waits for its turn.
    Queued,
    /// Ours: whether what a deleted Repository waits for is done.
    Deletable,
}

/// `True`, `False` or `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

impl Truth {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// About what.
    pub type_: Type,
    /// Whether it holds.
    pub truth: Truth,
    /// A stable word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Statement {
    /// It holds.
    #[must_use]
    pub fn yes(type_: Type, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, truth: Truth::True, reason, message: message.into() }
    }

    /// It does not hold.
    #[must_use]
    pub fn no(type_: Type, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, truth: Truth::False, reason, message: message.into() }
    }

    /// Nobody knows.
    #[must_use]
    pub fn unknown(type_: Type, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, truth: Truth::Unknown, reason, message: message.into() }
    }
}

/// Says it. The time of a condition moves only when its truth changes; the order of the others
/// stays.
pub fn set(
    conditions: &mut Vec<Condition>,
    statement: &Statement,
    generation: Option<i64>,
    now: Timestamp,
) {
    let message: String = statement.message.chars().take(MESSAGE).collect();
    let status = statement.truth.as_str();
    let found = conditions.iter_mut().find(|found| found.type_ == statement.type_.as_str());
    match found {
        Some(found) => {
            if found.status != status {
                status.clone_into(&mut found.status);
                found.last_transition_time = Time(seconds(now));
            }
            found.reason = Some(statement.reason.to_owned());
            found.message = Some(message);
            found.observed_generation = generation.or(found.observed_generation);
        }
        None => conditions.push(Condition {
            type_: statement.type_.as_str().to_owned(),
            status: status.to_owned(),
            last_transition_time: Time(seconds(now)),
            reason: Some(statement.reason.to_owned()),
            message: Some(message),
            severity: None,
            observed_generation: generation,
        }),
    }
}

/// No longer says anything about it.
pub fn remove(conditions: &mut Vec<Condition>, type_: Type) {
    conditions.retain(|found| found.type_ != type_.as_str());
}

/// What is said about it: none = nothing, or that nobody knows.
#[must_use]
pub fn holds(conditions: &[Condition], type_: Type) -> Option<bool> {
    match find(conditions, type_)?.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// What is said about it.
#[must_use]
pub fn find(conditions: &[Condition], type_: Type) -> Option<&Condition> {
    conditions.iter().find(|found| found.type_ == type_.as_str())
}

/// Times in objects are whole seconds; a finer one would differ from itself once it is read.
#[must_use]
pub fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_time_moves_only_with_the_truth() {
        let mut conditions = Vec::new();
        let at = |second| Timestamp::from_second(second).unwrap();
        let no = Statement::no(Type::RepositoryFound, "RepositoryNotAvailable", "a");
        set(&mut conditions, &no, Some(1), at(10));
        let again = Statement::no(Type::RepositoryFound, "RepositoryNotAvailable", "b");
        set(&mut conditions, &again, Some(2), at(20));
        let found = find(&conditions, Type::RepositoryFound).unwrap();
        assert_eq!(found.last_transition_time.0, at(10));
        assert_eq!(found.message.as_deref(), Some("b"));
        assert_eq!(found.observed_generation, Some(2));
        assert_eq!(holds(&conditions, Type::RepositoryFound), Some(false));
        set(
            &mut conditions,
            &Statement::yes(Type::RepositoryFound, "RepositoryAvailable", "c"),
            Some(2),
            at(30),
        );
        assert_eq!(
            find(&conditions, Type::RepositoryFound).unwrap().last_transition_time.0,
            at(30)
        );
        assert_eq!(conditions.len(), 1);
        remove(&mut conditions, Type::RepositoryFound);
        assert_eq!(holds(&conditions, Type::RepositoryFound), None);
    }
}
