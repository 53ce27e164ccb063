//! The CronJob of a BackupConfiguration.

use sealift_operator::build::Access;
use sealift_operator::build::cron_job::{Trigger, trigger};
use serde_json::json;

use crate::fixture::{backup, options};

#[test]
fn the_guides_cron_job_is_the_originals_with_safe_defaults() {
    let configuration = backup().configuration();
    let Trigger { cron_job, access } =
        trigger(&configuration, "stash-trigger-demo-backup", &options());
    let Access { service_account, role, binding } = access;
    insta::assert_yaml_snapshot!(json!({
        "cronJob": cron_job, "serviceAccount": service_account, "role": role, "binding": binding,
    }));
}

#[test]
fn a_paused_configuration_has_a_suspended_cron_job() {
    let paused = backup().edit("invoker", "spec:\n", "spec:\n  paused: true\n").configuration();
    let made = trigger(&paused, "stash-trigger-demo-backup", &options());
    assert_eq!(made.cron_job.spec.suspend, Some(true));
}
