//! An operator that looks after one namespace: chart value `watchNamespace`.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::helm::Helm;
use sealift_cluster::operator::Operator;
use sealift_e2e::binaries;
use serde_json::Value;

use crate::conditions;
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, Scene};
use crate::stage::IMAGE;
use crate::world::{World, trial_alone};

const SESSION: &str = "demo-backup-1700000000";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial_alone(
        world,
        "deploy: with watchNamespace the operator works there, and has rights only there",
        |world| instead_of_the_one(world, one_namespace),
    )]
}

fn one_namespace(world: &World) -> Result<()> {
    let watched = Scene::without_operator(world, "watched")?;
    let other = Scene::without_operator(world, "unwatched")?;
    let home = Scene::without_operator(world, "watching")?;
    let kubectl = home.plane.kubectl();
    let chart = binaries::source_root().join("deploy").join("chart").join("sealift");
    let rendered = Helm::new(kubectl)?.succeed(&[
        "template",
        "watch",
        &chart.to_string_lossy(),
        &format!("--namespace={}", home.namespace),
        &format!("--set=watchNamespace={}", watched.namespace),
        "--set=catalog=false",
    ])?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    for object in objects.iter().filter(|object| {
        object["apiVersion"] == "rbac.authorization.k8s.io/v1" || object["kind"] == "ServiceAccount"
    }) {
        kubectl.apply(&object.to_string(), &["--server-side"])?;
    }
    let user = format!("system:serviceaccount:{}:watch-sealift", home.namespace);
    let kubeconfig = home.plane.kubeconfig("watching", &user, Some("system:serviceaccounts"))?;
    let folder = tempfile::tempdir()?;
    let mut operator = Operator::start(
        folder.path(),
        &kubeconfig,
        &[
            &format!("--image={IMAGE}"),
            "--leader-elect",
            "--pod-name=watching",
            &format!("--service-account-namespace={}", home.namespace),
            &format!("--watch-namespace={}", watched.namespace),
        ],
    )?;
    other.apply_guide()?;
    watched.apply_guide()?;
    watched.wait_for_phase(BACKUP, "Ready")?;
    watched.session(SESSION)?;
    watched.wait(
        "the Job exists",
        Resource::JOB,
        "stash-backup-demo-backup-1700000000-0",
        |_| true,
    )?;
    let unseen = other.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    ensure!(conditions::phase(&unseen).is_empty(), "it was looked at: {}", unseen["status"]);

    let may = |verb: &str, resource: &str, namespace: &str| -> Result<bool> {
        let said =
            kubectl.run(&["auth", "can-i", verb, resource, "-n", namespace, "--as", &user])?;
        Ok(said.stdout.trim() == "yes")
    };
    for (verb, resource) in
        [("get", "secrets"), ("create", "jobs.batch"), ("watch", "pods"), ("patch", "roles")]
    {
        ensure!(may(verb, resource, &watched.namespace)?, "{verb} {resource} is not allowed there");
        for elsewhere in [&other.namespace, &home.namespace] {
            ensure!(
                !may(verb, resource, elsewhere)?,
                "{verb} {resource} in {elsewhere} is allowed"
            );
        }
    }
    let refused = home.plane.audit_log()?.refusals(&user);
    ensure!(refused.is_empty(), "it was refused {refused:?}");
    operator.kill()?;
    watched.kubectl(&[
        "patch",
        "bc",
        BACKUP,
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ])?;
    watched.kubectl(&["delete", "bc", BACKUP, "--wait=false"])?;
    Ok(())
}
