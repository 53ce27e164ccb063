//! The charts on the node: installed as the README says, with the rights they give.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::helm::Helm;
use sealift_cluster::images::Image;
use sealift_cluster::workloads::pod_address;
use sealift_cluster::{Kubectl, Resource};
use sealift_e2e::binaries;
use sealift_e2e::process::http_client;
use serde_json::{Value, json};

use crate::conditions;
use crate::round::Round;
use crate::scene::{BACKUP, Scene};
use crate::world::{World, text, trial_alone};

/// Where the charts go.
const NAMESPACE: &str = "sealift";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial_alone(
        world,
        "A07: from helm install to a finished restore with the guide's own files",
        charts,
    )]
}

fn charts(world: &World) -> Result<()> {
    let node = world.node()?;
    let values = values()?;
    node.import(&Image::of(&values.image, &binaries::sealift()?)?)?;
    let pushgateway = binaries::server("pushgateway", "pushgateway")?;
    node.import(&Image::of(&values.pushgateway, &pushgateway)?)?;
    let kubectl = world.plane()?.kubectl();
    // In a cluster there is one operator.
    world.operator()?.kill()?;
    let judged = install(&Helm::new(kubectl)?, kubectl).and_then(|()| look(world, kubectl));
    let removed = Helm::new(kubectl)?.succeed(&["uninstall", "sealift", "-n", NAMESPACE, "--wait"]);
    kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", &catalog()])?;
    world.operator()?.restart()?;
    judged.and(removed.map(drop))
}

fn catalog() -> String {
    binaries::source_root().join("deploy").join("catalog").to_string_lossy().into_owned()
}

struct Values {
    image: String,
    pushgateway: String,
}

/// The images the charts name by default.
fn values() -> Result<Values> {
    let chart = binaries::source_root().join("deploy").join("chart").join("sealift");
    let values: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(chart.join("values.yaml"))?)?;
    let about: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart.join("Chart.yaml"))?)?;
    let pushgateway = &values["pushgateway"]["image"];
    Ok(Values {
        image: format!("{}:{}", text(&values, "/image/repository"), text(&about, "/appVersion")),
        pushgateway: format!("{}:{}", text(pushgateway, "/repository"), text(pushgateway, "/tag")),
    })
}

fn install(helm: &Helm, kubectl: &Kubectl) -> Result<()> {
    let charts = binaries::source_root().join("deploy").join("chart");
    for (release, conflicts) in
        [("sealift-crds", "--force-conflicts"), ("sealift", "--force-conflicts")]
    {
        let chart = charts.join(release);
        let installed = helm.succeed(&[
            "upgrade",
            "--install",
            release,
            &chart.to_string_lossy(),
            "--namespace",
            NAMESPACE,
            "--create-namespace",
            "--take-ownership",
            conflicts,
            "--wait",
            "--timeout=180s",
        ]);
        if let Err(error) = installed {
            let pods = kubectl.run(&["-n", NAMESPACE, "describe", "pods"])?.text();
            let logs = kubectl.run(&[
                "-n",
                NAMESPACE,
                "logs",
                "--all-containers",
                "--prefix",
                "-l",
                "app.kubernetes.io/instance=sealift",
            ])?;
            return Err(error.context(format!("{pods}\n{}", logs.text())));
        }
    }
    Ok(())
}

fn look(world: &World, kubectl: &Kubectl) -> Result<()> {
    let client = world.plane()?.client();
    let services = kubectl.json(&["-n", NAMESPACE, "get", "services"])?;
    let port = services["items"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|service| service["spec"]["ports"].as_array().cloned().unwrap_or_default())
        .any(|port| port["name"] == "pushgateway" && port["port"] == 56789);
    ensure!(port, "no Service has the port pushgateway 56789: {services:#}");
    let pods = client.list(Resource::POD, NAMESPACE)?;
    let pod = pods.iter().find(|pod| {
        let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
        containers.iter().any(|container| container["name"] == "pushgateway")
    });
    let name = pod.map(|pod| text(pod, "/metadata/name")).unwrap_or_default();
    ensure!(!name.is_empty(), "no pod has a container named pushgateway");
    let address = pod_address(client, NAMESPACE, name)?;
    let answer = http_client().get(format!("http://{address}:56789/metrics")).call()?;
    ensure!(answer.status() == 200, "/metrics was answered with {}", answer.status());

    // With the rights of the chart and no others.
    let scene = Scene::without_operator(world, "A07")?;
    let namespace = scene.namespace.clone();
    let round = Round::in_pods(world, scene)?;
    let phase = conditions::phase(&round.restore);
    ensure!(phase == "Succeeded", "the restore: {:#}", round.restore["status"]);
    // Of the nodes the image is built for.
    let nodes = &round.job["spec"]["template"]["spec"]["nodeSelector"];
    let wanted = json!({"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"});
    ensure!(*nodes == wanted, "the Job takes nodes by {nodes}");
    let [before, changed, after] = &round.canary;
    ensure!(changed != before && after == before, "Vault serves {:?}", round.canary);
    let mut answer = http_client().get(format!("http://{address}:56789/metrics")).call()?;
    let metrics = answer.body_mut().read_to_string()?;
    for name in ["stash_backup_session_success", "stash_restore_session_success"] {
        let is_true = |line: &str| {
            line.starts_with(&format!("{name}{{"))
                && line.contains(&namespace)
                && line.ends_with(" 1")
        };
        ensure!(metrics.lines().any(is_true), "{name} is not 1: {metrics}");
    }
    kubectl.succeed(&["-n", &namespace, "delete", "bc", BACKUP, "--wait=false"])?;
    client.wait_until_gone(&Resource::BACKUP_CONFIGURATION.path(&namespace, BACKUP))
}
