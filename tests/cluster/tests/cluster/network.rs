//! What may talk to the pods of the chart and to whom they may talk, against what runs in them.
//!
//! The network of the tests enforces no policy, so the rendered ones are read: whoever listens,
//! by the arguments of its container, is reached, and nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::Value;

use crate::deploy::rendered;
use crate::scene::Scene;
use crate::world::{World, text, trial};

/// The forms in which the pods differ.
const FORMS: [&[&str]; 5] = [
    &[],
    &["--set=replicas=2"],
    &["--set=pushgateway.enabled=false,pushgateway.url=http://elsewhere.monitoring.svc:9091"],
    &["--set=metricsPort=9999,networkPolicy.apiServerPorts={8443}"],
    &["--set=networkPolicy.scrapers=null,networkPolicy.apiServerCidrs={10.0.0.1/32}"],
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(world, "deploy: the policy lets the pods of Jobs push", pushes),
        trial(world, "deploy: what is optional is made only where it is asked for", |_| optional()),
    ];
    for form in FORMS {
        let values = if form.is_empty() { "the defaults".to_owned() } else { form.join(" ") };
        trials.push(trial(
            world,
            format!("deploy: the policy allows the ports that are used and no others: {values}"),
            move |_| ports(form),
        ));
    }
    trials
}

/// `TCP/8080`.
type Port = String;

fn ports(values: &[&str]) -> Result<()> {
    let objects = rendered(values)?;
    let kind = |wanted: &'static str| objects.iter().filter(move |object| object["kind"] == wanted);
    let mut selected = 0;
    for deployment in kind("Deployment") {
        let name = text(deployment, "/metadata/name");
        let template = &deployment["spec"]["template"];
        let listening = listening(template)?;
        let policies: Vec<&Value> = kind("NetworkPolicy")
            .filter(|policy| {
                selects(&policy["spec"]["podSelector"], &template["metadata"]["labels"])
            })
            .collect();
        let [policy] = policies.as_slice() else {
            bail!("{name} has {} policies instead of one", policies.len());
        };
        selected += 1;
        let spec = &policy["spec"];
        ensure!(spec["policyTypes"] == serde_json::json!(["Ingress", "Egress"]), "{spec}");
        let scraped = !values.iter().any(|value| value.contains("scrapers=null"));
        // Without scrapers only Jobs come, and they come to push.
        let wanted: BTreeSet<Port> = listening
            .iter()
            .filter(|(port, _)| scraped || *port == "pushgateway")
            .map(|(_, number)| format!("TCP/{number}"))
            .collect();
        ensure!(allowed(&spec["ingress"], &listening)? == wanted, "{name}: {:#}", spec["ingress"]);
        let runs_operator = listening.iter().any(|(port, _)| port == "metrics");
        let called: BTreeSet<Port> = if runs_operator {
            let api = if values.iter().any(|value| value.contains("8443")) {
                vec!["TCP/8443"]
            } else {
                vec!["TCP/443", "TCP/6443"]
            };
            api.into_iter().chain(["TCP/53", "UDP/53"]).map(str::to_owned).collect()
        } else {
            BTreeSet::new()
        };
        ensure!(allowed(&spec["egress"], &[])? == called, "{name}: {:#}", spec["egress"]);
        for rule in spec["egress"].as_array().into_iter().flatten() {
            let limited = values.iter().any(|value| value.contains("apiServerCidrs"));
            let dns = rule["ports"][0]["port"] == 53;
            ensure!(rule["to"].is_array() == (limited && !dns), "{name}: {rule:#}");
        }
    }
    ensure!(selected == kind("NetworkPolicy").count(), "a policy selects no pod");
    services(&objects)
}

/// Where the containers of a pod listen, by the arguments of their programs: the name of the port
/// and its number. What the pod says of it and what its probes ask must be the same.
fn listening(template: &Value) -> Result<Vec<(String, u16)>> {
    let mut listening = Vec::new();
    for container in template["spec"]["containers"].as_array().into_iter().flatten() {
        let arguments =
            container["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for argument in arguments {
            let address = argument
                .strip_prefix("--metrics-address=0.0.0.0:")
                .or_else(|| argument.strip_prefix("--web.listen-address=:"));
            let Some(address) = address else { continue };
            let number: u16 = address.parse().with_context(|| argument.to_owned())?;
            let ports = container["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
            let [port] = ports else { bail!("not one port: {container:#}") };
            ensure!(port["containerPort"] == number, "{port} is not {argument}");
            for probe in ["livenessProbe", "readinessProbe"] {
                ensure!(container[probe]["httpGet"]["port"] == port["name"], "{container:#}");
            }
            listening.push((text(port, "/name").to_owned(), number));
        }
    }
    Ok(listening)
}

fn allowed(rules: &Value, listening: &[(String, u16)]) -> Result<BTreeSet<Port>> {
    let mut allowed = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        let ports = rule["ports"].as_array().context("a rule allows every port")?;
        ensure!(!ports.is_empty(), "a rule allows every port: {rule}");
        for port in ports {
            ensure!(port["endPort"].is_null(), "a range of ports: {port}");
            let number = match &port["port"] {
                Value::Number(number) => number.to_string(),
                Value::String(name) => listening
                    .iter()
                    .find(|(found, _)| found == name)
                    .map(|(_, number)| number.to_string())
                    .with_context(|| format!("nobody listens at {name}"))?,
                _ => bail!("a rule allows every port: {rule}"),
            };
            allowed.insert(format!("{}/{number}", port["protocol"].as_str().unwrap_or("TCP")));
        }
    }
    Ok(allowed)
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object();
    wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
}

/// Each Service leads to a port somebody listens at, and Jobs are told one of them.
fn services(objects: &[Value]) -> Result<()> {
    let deployments: Vec<&Value> =
        objects.iter().filter(|object| object["kind"] == "Deployment").collect();
    let mut reached = BTreeSet::new();
    for service in objects.iter().filter(|object| object["kind"] == "Service") {
        let pods = deployments.iter().find(|deployment| {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            let selector = service["spec"]["selector"].as_object();
            selector.is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
        });
        let pods = pods.with_context(|| format!("{service:#} selects no pod"))?;
        let listening = listening(&pods["spec"]["template"])?;
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            let name = text(port, "/targetPort");
            ensure!(listening.iter().any(|(found, _)| found == name), "nobody listens at {name}");
            reached.insert(format!(
                "http://{}.{}.svc:{}",
                text(service, "/metadata/name"),
                text(service, "/metadata/namespace"),
                port["port"]
            ));
        }
    }
    let arguments = deployments
        .iter()
        .flat_map(|deployment| {
            deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten()
        })
        .flat_map(|container| container["args"].as_array().into_iter().flatten())
        .filter_map(Value::as_str);
    let told: Vec<&str> =
        arguments.filter_map(|argument| argument.strip_prefix("--pushgateway-url=")).collect();
    let [told] = told.as_slice() else { bail!("the operator is told {told:?}") };
    ensure!(
        reached.contains(*told) || told.contains("elsewhere"),
        "Jobs push to {told}, and reached are {reached:?}"
    );
    Ok(())
}

/// The labels in the policy are those of a real Job's pod.
fn pushes(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "network")?;
    scene.session("demo-backup-1700000000")?;
    let name = "stash-backup-demo-backup-1700000000-0";
    let job = scene.wait("the Job exists", Resource::JOB, name, |_| true)?;
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    for values in [[].as_slice(), &["--set=replicas=2"]] {
        let rules: Vec<Value> = rendered(values)?
            .iter()
            .filter(|object| object["kind"] == "NetworkPolicy")
            .flat_map(|policy| policy["spec"]["ingress"].as_array().cloned().unwrap_or_default())
            .filter(|rule| {
                rule["ports"] == serde_json::json!([{"protocol": "TCP", "port": "pushgateway"}])
            })
            .filter(|rule| {
                rule["from"].as_array().into_iter().flatten().any(|from| {
                    from["namespaceSelector"] == serde_json::json!({})
                        && selects(&from["podSelector"], labels)
                })
            })
            .collect();
        ensure!(rules.len() == 1, "{values:?}: {rules:?} for {labels}");
    }
    Ok(())
}

fn optional() -> Result<()> {
    let rows: [(&str, &[&str], bool); 6] = [
        ("PodDisruptionBudget", &[], false),
        ("PodDisruptionBudget", &["--set=replicas=2"], true),
        ("PodDisruptionBudget", &["--set=replicas=2,podDisruptionBudget.enabled=false"], false),
        ("ServiceMonitor", &["--set=replicas=2"], false),
        ("ServiceMonitor", &["--set=serviceMonitor.enabled=true"], true),
        ("NetworkPolicy", &["--set=networkPolicy.enabled=false"], false),
    ];
    for (kind, values, wanted) in rows {
        let objects = rendered(values)?;
        let found: Vec<&Value> = objects.iter().filter(|object| object["kind"] == kind).collect();
        ensure!(found.is_empty() != wanted, "{kind} with {values:?}: {found:?}");
        for budget in found.iter().filter(|_| kind == "PodDisruptionBudget") {
            let pods = objects.iter().filter(|object| {
                object["kind"] == "Deployment"
                    && selects(
                        &budget["spec"]["selector"],
                        &object["spec"]["template"]["metadata"]["labels"],
                    )
            });
            let replicas: Vec<&Value> = pods.map(|pods| &pods["spec"]["replicas"]).collect();
            ensure!(replicas == [2], "it holds back pods of {replicas:?} replicas");
        }
    }
    Ok(())
}
