//! The objects of a session.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_session::{BackupSession, BackupSessionSpec};
use sealift_operator::build::{Desired, Work, desired};
use sealift_operator::labels::{self, Purpose};
use serde_json::{Value, json};

use crate::fixture::{World, backup, options, restore};

fn backup_objects(world: &World) -> Desired {
    let configuration = world.configuration();
    let session = BackupSession::new(
        ObjectMeta {
            name: Some("demo-backup-1700000000".to_owned()),
            namespace: Some("demo".to_owned()),
            uid: Some("session-uid".to_owned()),
            ..ObjectMeta::default()
        },
        BackupSessionSpec::default(),
    );
    desired(&Work {
        plan: &world.plan(),
        purpose: Purpose::Backup,
        invoker: &configuration.metadata,
        invoker_owner: &labels::owner(&configuration),
        session_owner: &labels::owner(&session),
        runtime: configuration.spec.runtime_settings.as_ref(),
        temp_dir: configuration.spec.temp_dir.as_ref(),
        interim: configuration.spec.interim_volume_template.as_ref(),
        repository: &world.repository(),
        seconds_left: 7200,
        options: &options(),
    })
    .unwrap()
}

fn restore_objects(world: &World) -> Desired {
    let session = world.restore_session();
    let owner = labels::owner(&session);
    desired(&Work {
        plan: &world.plan(),
        purpose: Purpose::Restore,
        invoker: &session.metadata,
        invoker_owner: &owner,
        session_owner: &owner,
        runtime: session.spec.runtime_settings.as_ref(),
        temp_dir: session.spec.temp_dir.as_ref(),
        interim: session.spec.interim_volume_template.as_ref(),
        repository: &world.repository(),
        seconds_left: 7200,
        options: &options(),
    })
    .unwrap()
}

/// Everything but the plan's text, which is the planner's.
fn shown(objects: Desired) -> Value {
    let Desired { lease, access, repository_access, interim, mut plan, job } = objects;
    let text = plan.data.as_mut().unwrap().get_mut("plan.json").unwrap();
    assert!(text.contains("sealift.plan/v1"));
    *text = "(the plan)".to_owned();
    let mut job = serde_json::to_value(job).unwrap();
    let digest = job
        .pointer_mut("/spec/template/spec/containers/0/args/4")
        .expect("the digest is an argument");
    assert_eq!(digest.as_str().unwrap().len(), 64);
    *digest = "(the digest)".into();
    json!({
        "lease": lease,
        "access": access.map(|access| json!({
            "serviceAccount": access.service_account,
            "role": access.role,
            "binding": access.binding,
        })),
        "repositoryAccess": repository_access.map(|(role, binding)| json!([role, binding])),
        "interim": interim,
        "plan": plan,
        "job": job,
    })
}

#[test]
fn the_guides_backup_becomes_one_job_with_the_rights_it_needs() {
    insta::assert_yaml_snapshot!(shown(backup_objects(&backup())));
}

#[test]
fn the_guides_restore_becomes_one_job_with_the_rights_it_needs() {
    insta::assert_yaml_snapshot!(shown(restore_objects(&restore())));
}

#[test]
fn every_setting_of_the_user_is_found_in_the_pod() {
    let settings = "  runtimeSettings:
    pod:
      podLabels: {tier: backup, app.kubernetes.io/managed-by: nobody}
      podAnnotations: {note: hello}
      nodeSelector: {disk: ssd}
      serviceAccountAnnotations: {role: arn}
      automountServiceAccountToken: true
      nodeName: node-1
      securityContext: {fsGroup: 7, supplementalGroups: [8]}
      imagePullSecrets: [{name: own}]
      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
      schedulerName: mine
      tolerations: [{key: t, operator: Exists}]
      priorityClassName: high
      priority: 5
      readinessGates: [{conditionType: ready}]
      runtimeClassName: gvisor
      enableServiceLinks: true
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
    container:
      resources: {requests: {memory: 64Mi}}
      livenessProbe: {tcpSocket: {port: 1}}
      readinessProbe: {tcpSocket: {port: 2}}
      lifecycle: {preStop: {sleep: {seconds: 1}}}
      securityContext: {runAsUser: 5, readOnlyRootFilesystem: false}
      nice: {adjustment: 5}
      ionice: {class: 2, classData: 4}
      env: [{name: HTTPS_PROXY, value: x}]
      envFrom: [{configMapRef: {name: more}}]
  tempDir: {medium: Memory, sizeLimit: 1Gi}
  interimVolumeTemplate:
    metadata: {name: v1, labels: {kind: interim}}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";
    let guide = "  runtimeSettings:
    container:
      securityContext:
        runAsUser: 0
        runAsGroup: 0
";
    let objects = shown(backup_objects(&backup().edit("invoker", guide, settings)));
    insta::assert_yaml_snapshot!(json!({
        "interim": objects["interim"],
        "serviceAccount": objects["access"]["serviceAccount"],
        "template": objects["job"]["spec"]["template"],
    }));
}

#[test]
fn a_service_account_of_the_user_is_used_and_none_is_made() {
    let guide = "  runtimeSettings:\n";
    let own = "  runtimeSettings:\n    pod: {serviceAccountName: mine}\n";
    let objects = backup_objects(&backup().edit("invoker", guide, own));
    assert_eq!(objects.access, None);
    let pod = objects.job.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.service_account_name.as_deref(), Some("mine"));
}

#[test]
fn a_local_repository_is_mounted_where_the_plan_looks_for_it() {
    let s3 =
        "s3: {endpoint: http://s3.storage.svc:7070, bucket: stash-testing, prefix: demo-vault}";
    let local =
        "local: {mountPath: /safe/data/, subPath: vault, persistentVolumeClaim: {claimName: nfs}}";
    let objects = backup_objects(&backup().edit("repository", s3, local));
    let pod = objects.job.spec.unwrap().template.spec.unwrap();
    let volumes = pod.volumes.unwrap();
    insta::assert_yaml_snapshot!(json!({
        "volume": volumes.last(),
        "mount": pod.containers[0].volume_mounts.as_ref().unwrap().last(),
    }), @r"
    mount:
      mountPath: /safe/data
      name: stash-local
      subPath: vault
    volume:
      name: stash-local
      persistentVolumeClaim:
        claimName: nfs
    ");
}

/// What the owner of the Repository writes is mounted into the pods of all who may use it.
#[test]
fn a_local_repository_hides_nothing_of_the_pod() {
    let s3 =
        "s3: {endpoint: http://s3.storage.svc:7070, bucket: stash-testing, prefix: demo-vault}";
    let interim = "  interimVolumeTemplate:
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
  schedule:";
    let at = |path: &str| {
        let local = format!("local: {{mountPath: \"{path}\", emptyDir: {{}}}}");
        backup().edit("repository", s3, &local).edit("invoker", "  schedule:", interim)
    };
    let job = backup_objects(&at("/safe/data")).job;
    let pod = job.spec.unwrap().template.spec.unwrap();
    let mounts = pod.containers[0].volume_mounts.as_deref().unwrap();
    assert_eq!(mounts.len(), 4);
    // Kubelet's own, and what the image holds.
    let mut paths = vec![
        "/var/run/secrets/kubernetes.io/serviceaccount".to_owned(),
        "/dev/termination-log".to_owned(),
        "/etc/resolv.conf".to_owned(),
        "/etc/ssl/certs/ca-certificates.crt".to_owned(),
        "/sealift".to_owned(),
    ];
    let own = mounts.iter().filter(|mount| mount.name != "stash-local");
    paths.extend(own.map(|mount| mount.mount_path.clone()));
    for path in paths {
        let (above, _) = path.rsplit_once('/').unwrap();
        let above = if above.is_empty() { path.as_str() } else { above };
        let (below, otherwise) = (format!("{path}/below"), format!("/.//{path}/"));
        for mount in [path.as_str(), above, &below, &otherwise] {
            let error = at(mount).planned().expect_err(mount);
            let text = error.to_string();
            assert!(text.contains("spec.backend.local.mountPath: a volume at"), "{text}");
        }
    }
    for mount in ["/safe", "/sealift-data", "/stash-tmp-data", "/var/lib/data"] {
        assert_eq!(at(mount).planned().map(drop), Ok(()), "{mount}");
    }
}

#[test]
fn a_repository_of_another_namespace_gets_a_role_of_its_own() {
    let own = "metadata: {name: gcp-demo-repo, namespace: demo,";
    let other = "metadata: {name: gcp-demo-repo, namespace: storage,";
    let world = backup()
        .edit("repository", own, other)
        .edit("repository", "spec:\n", "spec:\n  usagePolicy: {allowedNamespaces: {from: All}}\n")
        .edit(
            "invoker",
            "name: gcp-demo-repo\n    namespace: demo",
            "name: gcp-demo-repo\n    namespace: storage",
        );
    let objects = shown(backup_objects(&world));
    insta::assert_yaml_snapshot!(json!({
        "role": objects["access"]["role"]["rules"],
        "repositoryAccess": objects["repositoryAccess"],
        "lease": objects["lease"]["metadata"],
    }));
}
