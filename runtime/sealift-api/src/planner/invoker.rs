//! The BackupConfiguration or RestoreSession a plan is made for, seen as one thing.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use sealift_core::causes::chain_of_causes;
use sealift_core::chain::Flow;
use sealift_core::names::{self, DEFAULT_HOSTNAME};
use sealift_core::plan::{ObjectRef, Retention};
use sealift_core::{duration, retention, schedule};

use super::PlanInput;
use super::problem::{Problems, Reason};
use crate::backup_configuration::{BackupConfiguration, RetentionPolicy, RetryConfig};
use crate::hook::{Handler, PostHandler};
use crate::manifest::STASH_GROUP;
use crate::reference::{Driver, RepositoryRef, TargetRef, TaskRef};
use crate::restore_session::{RestoreSession, Rule};

/// What both kinds have in common.
pub(super) struct Invoker<'a> {
    pub(super) reference: ObjectRef,
    pub(super) session: ObjectRef,
    pub(super) flow: Flow,
    pub(super) task: Option<&'a TaskRef>,
    pub(super) repository: Option<&'a RepositoryRef>,
    pub(super) target: Option<&'a TargetRef>,
    pub(super) alias: Option<&'a str>,
    pub(super) driver: Driver,
    pub(super) time_out: Option<&'a str>,
    /// The effective rules of a restore and the field they stand in.
    pub(super) rules: &'a [Rule],
    pub(super) rules_field: &'static str,
    pub(super) interim_volume: Option<&'a PersistentVolumeClaim>,
    pub(super) disable_caching: bool,
    pub(super) exclude: &'a [String],
    pub(super) paths: &'a [String],
    pub(super) args: &'a [String],
    pub(super) retention: Option<&'a RetentionPolicy>,
    schedule: Option<&'a str>,
    retry: Option<&'a RetryConfig>,
    pub(super) hooks: Handlers<'a>,
    without_effect: Vec<&'static str>,
}

/// The two hooks of an invoker and the fields they stand in.
#[derive(Default)]
pub(super) struct Handlers<'a> {
    pub(super) before: Option<(&'static str, &'a Handler)>,
    pub(super) after: Option<(&'static str, &'a PostHandler)>,
}

impl<'a> Invoker<'a> {
    pub(super) fn find(input: &PlanInput<'a>, problems: &mut Problems) -> Option<Self> {
        let wanted = input.invoker;
        let found = match wanted.kind.as_str() {
            "BackupConfiguration" => input
                .objects
                .backup_configuration(&wanted.namespace, &wanted.name)
                .map(|object| Self::of_backup(object, input.session)),
            "RestoreSession" => {
                input.objects.restore_session(&wanted.namespace, &wanted.name).map(Self::of_restore)
            }
            _ => None,
        };
        if found.is_none() {
            problems.add(
                Reason::NotFound,
                wanted,
                "metadata.name",
                "is not among the objects",
                "give a BackupConfiguration or RestoreSession that is among the objects",
            );
        }
        let invoker = found?;
        if let Err(error) = names::check_object_name(&invoker.session.name) {
            problems.add(
                Reason::Invalid,
                &invoker.session,
                "metadata.name",
                chain_of_causes(&error),
                "give the session a name an object can have",
            );
        }
        Some(invoker)
    }

    pub(super) fn of_backup(object: &'a BackupConfiguration, session: &str) -> Self {
        let spec = &object.spec;
        let target = spec.target.as_ref();
        let mut without_effect = Vec::new();
        if target.is_some_and(|target| !target.args.is_empty()) {
            without_effect.push("spec.target.args");
        }
        if target.is_some_and(|target| !target.exclude.is_empty()) {
            without_effect.push("spec.target.exclude");
        }
        if target.is_some_and(|target| !target.paths.is_empty()) {
            without_effect.push("spec.target.paths");
        }
        let hooks = spec.hooks.as_ref().map_or_else(Handlers::default, |hooks| Handlers {
            before: hooks.pre_backup.as_ref().map(|hook| ("spec.hooks.preBackup", hook)),
            after: hooks.post_backup.as_ref().map(|hook| ("spec.hooks.postBackup", hook)),
        });
        Self {
            reference: object.reference(),
            session: session_ref("BackupSession", object.namespace(), session),
            flow: Flow::Backup,
            task: spec.task.as_ref(),
            repository: spec.repository.as_ref(),
            target: target.and_then(|target| target.reference.as_ref()),
            alias: target.and_then(|target| text(target.alias.as_deref())),
            driver: spec.driver.unwrap_or_default(),
            time_out: text(spec.time_out.as_deref()),
            rules: &[],
            rules_field: "",
            interim_volume: spec.interim_volume_template.as_ref(),
            disable_caching: spec.temp_dir.as_ref().and_then(|dir| dir.disable_caching)
                == Some(true),
            exclude: target.map_or(&[], |target| target.exclude.as_slice()),
            paths: target.map_or(&[], |target| target.paths.as_slice()),
            args: target.map_or(&[], |target| target.args.as_slice()),
            retention: Some(&spec.retention_policy),
            schedule: text(spec.schedule.as_deref()),
            retry: spec.retry_config.as_ref(),
            hooks,
            without_effect,
        }
    }

    fn of_restore(object: &'a RestoreSession) -> Self {
        let spec = &object.spec;
        let target = spec.target.as_ref();
        let of_target = target.map_or(&[][..], |target| target.rules.as_slice());
        // The deprecated place wins: a webhook of the original moves it there, and all guides use it.
        let (rules, rules_field) = match spec.rules.is_empty() {
            true => (of_target, "spec.target.rules"),
            false => (spec.rules.as_slice(), "spec.rules"),
        };
        let mut without_effect = Vec::new();
        if target.is_some_and(|target| !target.args.is_empty()) {
            without_effect.push("spec.target.args");
        }
        if !spec.rules.is_empty() && !of_target.is_empty() {
            without_effect.push("spec.target.rules (spec.rules wins)");
        }
        let hooks = spec.hooks.as_ref().map_or_else(Handlers::default, |hooks| Handlers {
            before: hooks.pre_restore.as_ref().map(|hook| ("spec.hooks.preRestore", hook)),
            after: hooks.post_restore.as_ref().map(|hook| ("spec.hooks.postRestore", hook)),
        });
        Self {
            reference: object.reference(),
            session: object.reference(),
            flow: Flow::Restore,
            task: spec.task.as_ref(),
            repository: spec.repository.as_ref(),
            target: target.and_then(|target| target.reference.as_ref()),
            alias: target.and_then(|target| text(target.alias.as_deref())),
            driver: spec.driver.unwrap_or_default(),
            time_out: text(spec.time_out.as_deref()),
            rules,
            rules_field,
            interim_volume: spec.interim_volume_template.as_ref(),
            disable_caching: spec.temp_dir.as_ref().and_then(|dir| dir.disable_caching)
                == Some(true),
            exclude: &[],
            paths: &[],
            args: target.map_or(&[], |target| target.args.as_slice()),
            retention: None,
            schedule: None,
            retry: None,
            hooks,
            without_effect,
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.reference.namespace
    }

    /// The hostname in statistics, metrics and, for a backup, in the snapshot.
    pub(super) fn hostname(&self) -> &str {
        self.alias.unwrap_or(DEFAULT_HOSTNAME)
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.without_effect
            .iter()
            .map(|field| format!("{field}: has no effect on an AppBinding"))
            .collect()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if self.driver == Driver::VolumeSnapshotter {
            problems.add(
                Reason::NotSupported,
                &self.reference,
                "spec.driver",
                "VolumeSnapshotter is not supported yet",
                "use driver: Restic",
            );
        }
        if let Some(Err(error)) = self.schedule.map(schedule::check_schedule) {
            problems.add(
                Reason::Invalid,
                &self.reference,
                "spec.schedule",
                error.to_string(),
                "write minute, hour, day of month, month and day of week, such as \"0 2 * * *\"",
            );
        }
        if let Some(retry) = self.retry {
            self.check_retry(retry, problems);
        }
        if let Some(alias) = self.alias
            && alias.chars().any(|character| character.is_control() || character.is_whitespace())
        {
            problems.add(
                Reason::Invalid,
                &self.reference,
                "spec.target.alias",
                format!("{alias:?} is not a hostname"),
                "use letters, digits and dashes",
            );
        }
    }

    fn check_retry(&self, retry: &RetryConfig, problems: &mut Problems) {
        if let Some(Err(error)) = text(retry.delay.as_deref()).map(duration::parse_seconds) {
            problems.add(
                Reason::Invalid,
                &self.reference,
                "spec.retryConfig.delay",
                error.to_string(),
                "write hours, minutes and seconds, such as 10m",
            );
        }
        if retry.max_retry.is_some_and(|tries| tries < 0) {
            problems.add(
                Reason::Invalid,
                &self.reference,
                "spec.retryConfig.maxRetry",
                "is negative",
                "write how many tries follow a failure, 0 for none",
            );
        }
    }

    pub(super) fn retention(
        &self,
        notes: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<Retention> {
        let policy = self.retention?;
        let mut count = |field, value| match retention::count(field, value) {
            Ok(count) => count,
            Err(error) => {
                self.retention_problem(&error, problems);
                0
            }
        };
        let plan = Retention {
            name: policy.name.clone(),
            keep_last: count("keepLast", policy.keep_last),
            keep_hourly: count("keepHourly", policy.keep_hourly),
            keep_daily: count("keepDaily", policy.keep_daily),
            keep_weekly: count("keepWeekly", policy.keep_weekly),
            keep_monthly: count("keepMonthly", policy.keep_monthly),
            keep_yearly: count("keepYearly", policy.keep_yearly),
            keep_tags: policy.keep_tags.clone(),
            prune: policy.prune,
            dry_run: policy.dry_run == Some(true),
        };
        if let Err(error) = retention::check_tags(&policy.keep_tags) {
            self.retention_problem(&error, problems);
        }
        if retention::keeps_everything(&plan) {
            notes.push(
                "spec.retentionPolicy: has no keep rule, so every snapshot is kept".to_owned(),
            );
        }
        Some(plan)
    }

    fn retention_problem(&self, error: &retention::RetentionError, problems: &mut Problems) {
        problems.add(
            Reason::Invalid,
            &self.reference,
            format!("spec.retentionPolicy.{}", error.field()),
            error.to_string(),
            "write a number of snapshots to keep, or leave the rule out",
        );
    }
}

fn session_ref(kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: STASH_GROUP.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// An empty text means: not set.
fn text(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}
