//! The CronJob of a BackupConfiguration, and what it may do: make BackupSessions.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{PodTemplateSpec, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::runtime_settings::{
    ContainerRuntimeSettings, PodRuntimeSettings, RuntimeSettings,
};
use sealift_core::schedule::time_zone;

use super::{Access, access, pod};
use crate::labels::{self, DELETE_ON_COMPLETION, Purpose};
use crate::options::Options;
use crate::rules;

/// The container's name, the original's.
const CONTAINER: &str = "stash-trigger";
/// A start that was missed (the controller manager was away) is made up for within this time,
/// once; after that the next regular one counts. It must be above 10 s, or the CronJob may never
/// start anything; a schedule of every minute misses 30 starts in it, below the 100 after which
/// old controller managers give up.
const STARTING_DEADLINE_SECONDS: i64 = 1800;
/// Making one object takes seconds; whatever takes longer is stuck. A pod has the time of a
/// session's to get its node and its image, before that counts.
const ACTIVE_DEADLINE_SECONDS: i64 = 300;
/// A session that could not be made is tried again: the API server may have been away.
const TRIES: i32 = 3;

/// What starts sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// When.
    pub cron_job: CronJob,
    /// With what rights.
    pub access: Access,
}

/// Makes it. `name` is of the `trigger` family in `names`.
#[must_use]
pub fn trigger(configuration: &BackupConfiguration, name: &str, options: &Options) -> Trigger {
    let labels = labels::of_invoker(Purpose::Backup, &configuration.metadata);
    let namespace = configuration.namespace();
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels.clone()),
        owner_references: Some(vec![labels::owner(configuration)]),
        ..ObjectMeta::default()
    };
    let mut job_labels = labels.clone();
    job_labels.insert(DELETE_ON_COMPLETION.0.to_owned(), DELETE_ON_COMPLETION.1.to_owned());
    let runtime = settings(configuration.spec.runtime_settings.as_ref());
    let user = runtime.pod.clone().unwrap_or_default();
    let mut pod_labels = user.pod_labels;
    pod_labels.extend(labels);
    let patience = i64::try_from(options.pending_limit.as_secs()).unwrap_or(i64::MAX);
    let mut spec = pod::settings(Some(&runtime), options);
    spec.service_account_name = Some(name.to_owned());
    let mut container = pod::container(CONTAINER.to_owned(), Some(&runtime), options);
    container.args = Some(vec![
        "create-backupsession".to_owned(),
        format!("--invoker-name={}", configuration.name()),
        "--invoker-kind=BackupConfiguration".to_owned(),
        format!("--invoker-namespace={namespace}"),
    ]);
    // What it says last is told on the BackupConfiguration.
    container.termination_message_policy = Some("FallbackToLogsOnError".to_owned());
    spec.containers = vec![container];
    let (time_zone, schedule) =
        time_zone(configuration.spec.schedule.as_deref().unwrap_or_default());
    let cron_job = CronJob {
        metadata: metadata.clone(),
        spec: CronJobSpec {
            concurrency_policy: Some("Forbid".to_owned()),
            failed_jobs_history_limit: Some(1),
            successful_jobs_history_limit: Some(1),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(job_labels), ..ObjectMeta::default() }),
                spec: Some(JobSpec {
                    active_deadline_seconds: Some(patience.saturating_add(ACTIVE_DEADLINE_SECONDS)),
                    backoff_limit: Some(TRIES),
                    template: PodTemplateSpec {
                        metadata: Some(ObjectMeta {
                            labels: Some(pod_labels),
                            annotations: Some(user.pod_annotations).filter(|it| !it.is_empty()),
                            ..ObjectMeta::default()
                        }),
                        spec: Some(spec),
                    },
                    ..JobSpec::default()
                }),
            },
            schedule: schedule.to_owned(),
            starting_deadline_seconds: Some(STARTING_DEADLINE_SECONDS),
            suspend: Some(configuration.spec.paused == Some(true)),
            time_zone: time_zone.map(str::to_owned),
        },
        status: None,
    };
    let role =
        Role { metadata: metadata.clone(), rules: Some(trigger_rules(configuration.name())) };
    let binding = access::binding(metadata.clone(), name, namespace, name);
    let service_account = ServiceAccount { metadata, ..ServiceAccount::default() };
    Trigger { cron_job, access: Access { service_account, role, binding } }
}

/// Of the user's settings a CronJob gets these. The original's gets those of the container alone;
/// but where a pod needs a pull secret, a toleration or a node of a kind to run at all, so does this
/// one, and without it no session is ever made. Who it runs as is its own, and its probes and
/// priorities are nobody's.
fn settings(user: Option<&RuntimeSettings>) -> RuntimeSettings {
    let pod = user.and_then(|user| user.pod.as_ref());
    let container = user.and_then(|user| user.container.as_ref());
    RuntimeSettings {
        pod: pod.map(|pod| PodRuntimeSettings {
            service_account_name: None,
            service_account_annotations: BTreeMap::new(),
            automount_service_account_token: None,
            ..pod.clone()
        }),
        container: container.map(|container| ContainerRuntimeSettings {
            resources: container.resources.clone(),
            env: container.env.clone(),
            env_from: container.env_from.clone(),
            security_context: container.security_context.clone(),
            ..ContainerRuntimeSettings::default()
        }),
    }
}

/// What `sealift trigger` uses.
#[must_use]
pub fn trigger_rules(configuration: &str) -> Vec<PolicyRule> {
    vec![
        // Labels, owner and retries of the new session come from it.
        rules::named("stash.appscode.com", "backupconfigurations", &["get"], &[configuration]),
        // A name that does not exist yet cannot be named here; one that exists is read, to see
        // whether it is for the same invoker.
        rules::any("stash.appscode.com", "backupsessions", &["create", "get"]),
    ]
}
