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

/// A pod that is not let in, placed or pulled makes no session. The original's CronJob gets nothing of
/// this; where it ran without, it still does.
#[test]
fn what_a_pod_needs_to_run_at_all_reaches_the_cron_job_too() {
    let settings = "  runtimeSettings:
    pod:
      podLabels: {tier: backup, app.kubernetes.io/managed-by: nobody}
      podAnnotations: {sidecar.istio.io/inject: \"false\"}
      nodeSelector: {disk: ssd}
      nodeName: node-1
      serviceAccountName: mine
      serviceAccountAnnotations: {role: arn}
      automountServiceAccountToken: false
      securityContext: {supplementalGroups: [8]}
      imagePullSecrets: [{name: own}]
      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
      schedulerName: mine
      tolerations: [{key: t, operator: Exists}]
      priorityClassName: high
      runtimeClassName: gvisor
";
    let configuration = backup().edit("invoker", "  runtimeSettings:\n", settings).configuration();
    let made = trigger(&configuration, "stash-trigger-demo-backup", &options());
    assert_eq!(made.access.service_account.metadata.annotations, None);
    let mut template =
        serde_json::to_value(made.cron_job.spec.job_template.spec.unwrap().template).unwrap();
    template["spec"]["containers"] = json!("(as always)");
    insta::assert_yaml_snapshot!(template);
}
