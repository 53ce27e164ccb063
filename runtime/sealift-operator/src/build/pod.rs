//! The pod of a Job: the user's settings over defaults that are safe.
//!
//! Defaults: no root, nothing writable but the emptyDir, no capability, the runtime's seccomp
//! profile. Each single field a user sets wins. A user who asks for root (the guides of the
//! original do) gets it, and the default that forbids it steps back.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    LocalObjectReference, ObjectFieldSelector, PersistentVolumeClaimVolumeSource,
    PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Volume, VolumeMount,
};
use sealift_api::runtime_settings::{
    ContainerRuntimeSettings, PodRuntimeSettings, RuntimeSettings,
};
use sealift_api::volume_source::LocalBackend;

use super::{Error, Work, access, interim, plan_map};
use crate::names;
use crate::options::Options;

/// User and group of our processes: nobody in particular, and not root.
const USER: i64 = 65535;
/// Long enough to break a chain off and say so; a passed deadline is over within half a minute.
const GRACE_SECONDS: i64 = 20;
/// The argument before the plan's digest.
pub(super) const PLAN_DIGEST: &str = "--plan-sha256";
const PLAN_VOLUME: &str = "sealift-plan";
const PLAN_FOLDER: &str = "/etc/sealift/plan";
const TEMP_VOLUME: &str = "stash-tmp-dir";
const TEMP_FOLDER: &str = "/stash-tmp";
const INTERIM_VOLUME: &str = "stash-interim-volume";
const INTERIM_FOLDER: &str = "/stash-interim-volume";
const REPOSITORY_VOLUME: &str = "stash-local";

pub(super) fn spec(work: &Work<'_>, digest: &str) -> Result<PodSpec, Error> {
    let mut pod = settings(work.runtime, work.options);
    pod.service_account_name = Some(access::service_account_name(work));
    pod.automount_service_account_token = Some(
        pod.automount_service_account_token
            // The Job reads its Secrets from the API server and writes its status there.
            .unwrap_or(true),
    );
    let (volumes, mounts) = volumes(work)?;
    pod.volumes = Some(volumes);
    let mut container = container(
        names::label_value(&sealift_core::names::stage_name(&work.plan.task, 0)),
        work.runtime,
        work.options,
    );
    container.args = Some(vec![
        "job".to_owned(),
        "--plan".to_owned(),
        format!("{PLAN_FOLDER}/{}", plan_map::FILE),
        PLAN_DIGEST.to_owned(),
        digest.to_owned(),
    ]);
    container.volume_mounts = Some(mounts);
    let own = container.env.take().unwrap_or_default();
    container.env = Some(environment(work.runtime).into_iter().chain(own).collect());
    pod.containers = vec![container];
    Ok(pod)
}

/// Everything of the pod that does not depend on what it does.
pub(super) fn settings(runtime: Option<&RuntimeSettings>, options: &Options) -> PodSpec {
    let default = PodRuntimeSettings::default();
    let user = runtime.and_then(|runtime| runtime.pod.as_ref()).unwrap_or(&default);
    let some = |list: &Vec<_>| (!list.is_empty()).then(|| list.clone());
    PodSpec {
        affinity: user.affinity.clone(),
        automount_service_account_token: user.automount_service_account_token,
        enable_service_links: Some(user.enable_service_links.unwrap_or(false)),
        image_pull_secrets: pull_secrets(&user.image_pull_secrets, options),
        node_name: user.node_name.clone(),
        node_selector: node_selector(&user.node_selector, options),
        priority: user.priority,
        priority_class_name: user.priority_class_name.clone(),
        readiness_gates: (!user.readiness_gates.is_empty()).then(|| user.readiness_gates.clone()),
        restart_policy: Some("Never".to_owned()),
        runtime_class_name: user.runtime_class_name.clone(),
        scheduler_name: user.scheduler_name.clone(),
        security_context: Some(pod_security(user.security_context.as_ref())),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        tolerations: some(&user.tolerations),
        topology_spread_constraints: (!user.topology_spread_constraints.is_empty())
            .then(|| user.topology_spread_constraints.clone()),
        ..PodSpec::default()
    }
}

/// Everything of the container that does not depend on what it does.
pub(super) fn container(
    name: String,
    runtime: Option<&RuntimeSettings>,
    options: &Options,
) -> Container {
    let default = ContainerRuntimeSettings::default();
    let user = runtime.and_then(|runtime| runtime.container.as_ref()).unwrap_or(&default);
    let pod = runtime.and_then(|runtime| runtime.pod.as_ref());
    let pod_security = pod.and_then(|pod| pod.security_context.as_ref());
    Container {
        name,
        image: Some(options.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        env: (!user.env.is_empty()).then(|| user.env.clone()),
        env_from: (!user.env_from.is_empty()).then(|| user.env_from.clone()),
        lifecycle: user.lifecycle.clone(),
        liveness_probe: user.liveness_probe.clone(),
        readiness_probe: user.readiness_probe.clone(),
        resources: user.resources.clone(),
        security_context: Some(container_security(user.security_context.as_ref(), pod_security)),
        ..Container::default()
    }
}

fn node_selector(
    own: &BTreeMap<String, String>,
    options: &Options,
) -> Option<BTreeMap<String, String>> {
    let mut all = options.node_selector.clone();
    all.extend(own.clone());
    (!all.is_empty()).then_some(all)
}

fn pull_secrets(
    own: &[LocalObjectReference],
    options: &Options,
) -> Option<Vec<LocalObjectReference>> {
    let mut all = own.to_vec();
    for name in &options.image_pull_secrets {
        if !all.iter().any(|secret| secret.name == *name) {
            all.push(LocalObjectReference { name: name.clone() });
        }
    }
    (!all.is_empty()).then_some(all)
}

fn pod_security(user: Option<&PodSecurityContext>) -> PodSecurityContext {
    let mut security = user.cloned().unwrap_or_default();
    // A volume of the cluster belongs to root; the group makes it writable.
    security.fs_group = security.fs_group.or(Some(USER));
    security.seccomp_profile = security.seccomp_profile.or_else(|| {
        Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None })
    });
    security
}

fn container_security(
    user: Option<&SecurityContext>,
    pod: Option<&PodSecurityContext>,
) -> SecurityContext {
    let mut security = user.cloned().unwrap_or_default();
    let asked = security.run_as_user.or(pod.and_then(|pod| pod.run_as_user));
    let told = security.run_as_non_root.or(pod.and_then(|pod| pod.run_as_non_root));
    security.run_as_user = Some(asked.unwrap_or(USER));
    if told.is_none() && asked != Some(0) {
        security.run_as_non_root = Some(true);
    }
    if security.run_as_group.is_none() && pod.and_then(|pod| pod.run_as_group).is_none() {
        security.run_as_group = Some(asked.unwrap_or(USER));
    }
    // A privileged container without a way to get privileges is refused by the API server.
    if security.privileged != Some(true) {
        security.allow_privilege_escalation = security.allow_privilege_escalation.or(Some(false));
    }
    security.read_only_root_filesystem = security.read_only_root_filesystem.or(Some(true));
    security.capabilities = security
        .capabilities
        .or_else(|| Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }));
    security
}

/// What every process of ours is told of its pod.
pub(super) fn pod_name() -> EnvVar {
    EnvVar {
        name: "POD_NAME".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: "metadata.name".to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// Ours, before the user's, so that the user's win.
fn environment(runtime: Option<&RuntimeSettings>) -> Vec<EnvVar> {
    let value = |name: &str, value: String| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    };
    let mut variables = vec![pod_name(), value("TMPDIR", TEMP_FOLDER.to_owned())];
    let container = runtime.and_then(|runtime| runtime.container.as_ref());
    let nice = container.and_then(|container| container.nice.as_ref()?.adjustment);
    variables.extend(nice.map(|number| value("NICE_ADJUSTMENT", number.to_string())));
    variables
}

fn volumes(work: &Work<'_>) -> Result<(Vec<Volume>, Vec<VolumeMount>), Error> {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut volumes = vec![
        Volume {
            name: PLAN_VOLUME.to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::plan(&work.plan.session),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: TEMP_VOLUME.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                medium: work.temp_dir.and_then(|dir| dir.medium.clone()),
                size_limit: work.temp_dir.and_then(|dir| dir.size_limit.clone()),
            }),
            ..Volume::default()
        },
    ];
    let mut mounts =
        vec![mount(PLAN_VOLUME, PLAN_FOLDER, true), mount(TEMP_VOLUME, TEMP_FOLDER, false)];
    if let Some(claim_name) = interim::name(work) {
        volumes.push(Volume {
            name: INTERIM_VOLUME.to_owned(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name,
                read_only: None,
            }),
            ..Volume::default()
        });
        mounts.push(mount(INTERIM_VOLUME, INTERIM_FOLDER, false));
    }
    if let Some(local) = &work.repository.spec.backend.local {
        volumes.push(repository_volume(work, local)?);
        let sub_path = local.sub_path.clone().filter(|path| !path.is_empty());
        mounts.push(VolumeMount {
            sub_path,
            ..mount(REPOSITORY_VOLUME, local.mount_path.trim_end_matches('/'), false)
        });
    }
    Ok((volumes, mounts))
}

/// A local backend is a volume's source with two fields more.
fn repository_volume(work: &Work<'_>, local: &LocalBackend) -> Result<Volume, Error> {
    let failed = |source| {
        let repository = &work.plan.repository.reference;
        Error::Volume {
            repository: format!("{}/{}", repository.namespace, repository.name),
            source,
        }
    };
    let mut fields = serde_json::to_value(local).map_err(failed)?;
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("mountPath");
        fields.remove("subPath");
        fields.insert("name".to_owned(), REPOSITORY_VOLUME.into());
    }
    serde_json::from_value(fields).map_err(failed)
}
