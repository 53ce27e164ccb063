//! `deploy/`: what the charts render, what they refuse, and that a cluster takes it.
//!
//! Rendered by the pinned Helm. `deploy/manifests` is the picture of the default values and is
//! compared by `cargo xtask manifests --check`; the pictures of other values lie beside this file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_cluster::audit::grants;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::manifests;
use sealift_e2e::{binaries, wait};
use serde_json::Value;

use crate::scene::Scene;
use crate::world::{World, text, trial};

/// Values that are refused, and a word of the refusal.
const REFUSED: [(&str, &[&str], &str); 15] = [
    ("a value it does not know", &["--set=replica=2"], "additional properties 'replica'"),
    ("no replica", &["--set=replicas=0"], "'/replicas': minimum"),
    ("text where a number belongs", &["--set-string=replicas=2"], "'/replicas': got string"),
    ("a digest that is none", &["--set=image.digest=latest"], "'/image/digest': 'latest'"),
    ("an image without a name", &["--set=image.repository="], "'/image/repository'"),
    ("an unknown pull policy", &["--set=image.pullPolicy=Sometimes"], "'/image/pullPolicy'"),
    (
        "a Pushgateway of its own and another one",
        &["--set=pushgateway.url=http://pushgateway.monitoring.svc:9091"],
        "set pushgateway.enabled=false to use that one",
    ),
    (
        "no Pushgateway at all",
        &["--set=pushgateway.enabled=false"],
        "pushgateway.url is empty: with pushgateway.enabled=false",
    ),
    (
        "an address of a Pushgateway that is none",
        &["--set=pushgateway.enabled=false,pushgateway.url=monitoring:9091"],
        "'/pushgateway/url': 'monitoring:9091'",
    ),
    (
        "the Pushgateway's port for its own metrics",
        &["--set=metricsPort=56789"],
        "metricsPort is 56789",
    ),
    ("a label that is no text", &["--set=podLabels.a=1"], "'/podLabels/a': got number"),
    (
        "two namespaces to watch",
        &["--set-string=watchNamespace=demo\\,other"],
        "'/watchNamespace': 'demo,other'",
    ),
    (
        "an address where a network belongs",
        &["--set=networkPolicy.apiServerCidrs={10.0.0.1}"],
        "'/networkPolicy/apiServerCidrs/0': '10.0.0.1'",
    ),
    (
        "an amount of memory that is none",
        &["--set=resources.limits.memory=much"],
        "'/resources/limits/memory': 'much'",
    ),
    ("a right it does not know", &["--set=rbac.all=true"], "additional properties 'all'"),
];

/// Values whose whole output is kept: `deploy/<name>.yaml`.
const PICTURES: [(&str, &[&str]); 3] = [
    (
        "two-replicas",
        &[
            "--set=replicas=2",
            "--set=pushgateway.persistence.enabled=true",
            "--set=serviceMonitor.enabled=true",
            "--set=imagePullSecrets={one,two}",
            "--set=takeover=true",
        ],
    ),
    (
        "least-rights",
        &[
            "--set=rbac.execHooks=false,rbac.restoreUnsealKeys=false,rbac.users=false",
            "--set=pushgateway.enabled=false,pushgateway.url=http://pushgateway.monitoring.svc:9091",
            "--set=networkPolicy.scrapers=null,networkPolicy.apiServerCidrs={10.0.0.1/32}",
            "--set=serviceAccount.create=false,serviceAccount.name=made-elsewhere",
        ],
    ),
    (
        "persistent",
        &[
            "--set=pushgateway.persistence.enabled=true",
            "--set=pushgateway.persistence.storageClass=fast",
            "--set=image.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "--set=networkPolicy.enabled=false",
        ],
    ),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(world, "deploy: the chart carries the catalogue as it is", |_| catalogue()),
        trial(world, "deploy: no container but the operator's has the token", |_| token()),
        trial(world, "deploy: sealift knows every argument of the chart", |_| arguments()),
        trial(world, "deploy: the API server takes the plain manifests, strictly", plain_manifests),
        trial(world, "deploy: the operator's rights are these and no others", rights),
        trial(world, "deploy: who may only view a namespace sees no AppBinding", users),
        trial(world, "deploy: users may edit and view every kind of a namespace", |_| kinds()),
    ];
    for chart in ["sealift", "sealift-crds"] {
        trials.push(trial(world, format!("deploy: lint finds nothing in {chart}"), move |_| {
            succeeded(&lint(chart)?).map(drop)
        }));
    }
    for (what, values, word) in REFUSED {
        trials.push(trial(world, format!("deploy: the chart refuses {what}"), move |_| {
            let said = template(values)?;
            let words = String::from_utf8_lossy(&said.stderr).into_owned();
            ensure!(!said.status.success(), "it was rendered");
            ensure!(words.contains(word), "the refusal does not name {word}: {words}");
            Ok(())
        }));
    }
    for (name, values) in PICTURES {
        trials.push(trial(world, format!("deploy: the chart renders {name}"), move |_| {
            picture(name, values)
        }));
    }
    trials
}

/// The pinned Helm, which reads nothing of the user's.
pub fn helm_program() -> Result<Command> {
    let mut command = Command::new(binaries::server("helm", "helm")?);
    // It looks for a kubeconfig, for plugins and for repositories of the user.
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    Ok(command)
}

/// The folder of a chart.
pub fn chart(name: &str) -> PathBuf {
    binaries::source_root().join("deploy").join("chart").join(name)
}

fn lint(name: &str) -> Result<Output> {
    helm_program()?
        .args(["lint", "--strict"])
        .arg(chart(name))
        .output()
        .context("failed to run helm")
}

fn template(values: &[&str]) -> Result<Output> {
    helm_program()?
        .args(["template", "sealift"])
        .arg(chart("sealift"))
        .args(["--namespace=sealift"])
        .args(values)
        .output()
        .context("failed to run helm")
}

/// What a program printed that must end well.
pub fn succeeded(output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!(
            "helm ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The objects of the chart with these values.
pub fn rendered(values: &[&str]) -> Result<Vec<Value>> {
    let text = succeeded(&template(values)?)?;
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).context("what helm rendered is no YAML")?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// Compares with the file of this name; `SEALIFT_UPDATE=1` writes it instead.
fn picture(name: &str, values: &[&str]) -> Result<()> {
    // The catalogue is the same in all of them.
    let values = [values, &["--set=catalog=false"]].concat();
    let text = without_rules(&succeeded(&template(&values)?)?);
    let folder = binaries::source_root().join("tests/cluster/tests/cluster/deploy");
    let path = folder.join(format!("{name}.yaml"));
    if std::env::var("SEALIFT_UPDATE").is_ok() {
        fs::write(&path, &text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    let kept =
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let differs = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
    let differs = differs.or_else(|| (kept != text).then(|| kept.lines().count()));
    if let Some(line) = differs {
        bail!(
            "{}:{} is {:?} and was rendered as {:?}; if that is right, run with SEALIFT_UPDATE=1",
            path.display(),
            line + 1,
            kept.lines().nth(line),
            text.lines().nth(line)
        );
    }
    Ok(())
}

/// The rules are compared with the code that needs them, and change with it.
fn without_rules(text: &str) -> String {
    const RULES: &str = "# Source: sealift/templates/cluster-role.yaml\n";
    let kept: Vec<&str> =
        text.split("---\n").filter(|document| !document.starts_with(RULES)).collect();
    kept.join("---\n")
}

/// Without their labels, which are Helm's, the objects are those of `deploy/catalog`.
fn catalogue() -> Result<()> {
    let mut wanted = Vec::new();
    for file in ["functions.yaml", "tasks.yaml"] {
        wanted.extend(manifests::read(
            &binaries::source_root().join("deploy").join("catalog").join(file),
        )?);
    }
    let mut found: Vec<Value> = rendered(&[])?
        .into_iter()
        .filter(|object| ["Function", "Task"].contains(&text(object, "/kind")))
        .collect();
    for object in &mut found {
        let metadata = object["metadata"].as_object_mut().context("it has no metadata")?;
        let labels = metadata.remove("labels").unwrap_or_default();
        let version = &labels["app.kubernetes.io/version"];
        ensure!(version == env!("CARGO_PKG_VERSION"), "labelled with version {version}");
        // Somebody may have edited it: neither an upgrade nor uninstalling takes it away.
        let annotations = metadata.remove("annotations").unwrap_or_default();
        ensure!(annotations["helm.sh/resource-policy"] == "keep", "it would be removed");
    }
    ensure!(found == wanted, "rendered: {found:#?}");
    Ok(())
}

/// Kubelet's own mount would give the token to every container of the pod.
fn token() -> Result<()> {
    for object in rendered(&[])?.into_iter().chain(rendered(&["--set=replicas=2"])?) {
        if object["kind"] != "Deployment" {
            continue;
        }
        let pod = &object["spec"]["template"]["spec"];
        ensure!(pod["automountServiceAccountToken"] == false, "kubelet mounts a token: {pod:#}");
        for container in pod["containers"].as_array().into_iter().flatten() {
            let mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
            let mounted = mounts.iter().any(|mount| mount["name"] == "token");
            ensure!(mounted == (container["name"] == "operator"), "{container:#}");
        }
    }
    Ok(())
}

/// Asked for help last, it reads all arguments before.
fn arguments() -> Result<()> {
    let values = [
        "--set=replicas=2,takeover=true,clusterDomain=cluster.local",
        "--set=imagePullSecrets={one,two}",
    ];
    let deployment = rendered(&values)?
        .into_iter()
        .find(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == "sealift")
        .context("there is no Deployment")?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<&str> =
        container["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ensure!(arguments.contains(&"operator"), "{arguments:?}");
    let ask = |more: &[&str]| {
        let mut command = Command::new(binaries::sealift()?);
        command.args(&arguments).args(more).stdin(Stdio::null());
        command.output().context("failed to run sealift")
    };
    let said = ask(&["--help"])?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = ask(&["--no-such-flag", "--help"])?;
    ensure!(!said.status.success(), "help is given whatever stands before it");
    Ok(())
}

/// Every object of `deploy/manifests`, into a namespace that enforces the `restricted` standard.
fn plain_manifests(world: &World) -> Result<()> {
    let kubectl = world.plane()?.kubectl();
    let path = binaries::source_root().join("deploy").join("manifests").join("sealift.yaml");
    for object in manifests::read(&path)?.into_iter().filter(|object| !object.is_null()) {
        // The others need the namespace to be there; nothing else is made.
        let dry = if object["kind"] == "Namespace" { "none" } else { "server" };
        let said = kubectl.run_with(
            &[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--validate=strict",
                &format!("--dry-run={dry}"),
                "-f",
                "-",
            ],
            Some(&object.to_string()),
        )?;
        // Pods that the standard does not allow are told as a warning.
        ensure!(
            said.code == Some(0) && said.stderr.is_empty(),
            "{} {}: {}",
            text(&object, "/kind"),
            text(&object, "/metadata/name"),
            said.text()
        );
    }
    Ok(())
}

/// What the operator's ServiceAccount may do, by the words of the API server.
fn rights(world: &World) -> Result<()> {
    const ROWS: [(&str, &str, bool); 20] = [
        ("get", "secrets", true),
        ("list", "secrets", false),
        ("watch", "secrets", false),
        ("create", "secrets", false),
        ("patch", "secrets", true),
        ("delete", "secrets", false),
        ("create", "pods", false),
        ("create", "pods/exec", true),
        ("escalate", "roles.rbac.authorization.k8s.io", false),
        ("bind", "roles.rbac.authorization.k8s.io", false),
        ("create", "clusterroles.rbac.authorization.k8s.io", false),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", false),
        ("impersonate", "serviceaccounts", false),
        ("create", "serviceaccounts/token", false),
        ("watch", "deployments.apps", true),
        ("create", "jobs.batch", true),
        ("update", "backupconfigurations.stash.appscode.com/status", true),
        ("delete", "repositories.stash.appscode.com", false),
        ("update", "functions.stash.appscode.com", false),
        ("delete", "nodes", false),
    ];
    let scene = Scene::without_operator(world, "deploy-rights")?;
    let user = format!("system:serviceaccount:{}:rights-sealift", scene.namespace);
    for object in helm_rendered_for(&scene, "cluster-role", &[])? {
        scene
            .plane
            .kubectl()
            .apply(&object.to_string(), &["--server-side", "--force-conflicts"])?;
    }
    let may = |verb: &str, resource: &str| -> Result<bool> {
        // `kubectl` takes what stands behind a slash for a name.
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let part = format!("--subresource={part}");
        let arguments = ["auth", "can-i", verb, resource, &part, "--all-namespaces", "--as", &user];
        let said = scene.plane.kubectl().run(&arguments)?;
        match said.stdout.trim() {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => bail!("can-i {verb} {resource}: {}", said.text()),
        }
    };
    for (verb, resource, wanted) in ROWS {
        ensure!(may(verb, resource)? == wanted, "{verb} {resource}: not {wanted}");
    }
    let less = ["--set=rbac.execHooks=false,rbac.restoreUnsealKeys=false"];
    for object in helm_rendered_for(&scene, "cluster-role", &less)? {
        scene
            .plane
            .kubectl()
            .apply(&object.to_string(), &["--server-side", "--force-conflicts"])?;
    }
    ensure!(!may("create", "pods/exec")?, "hooks are off and pods/exec is still allowed");
    ensure!(!may("patch", "secrets")?, "unseal keys are off and Secrets can still be changed");
    Ok(())
}

/// An AppBinding may hold a secret in its text, and who may view reads no Secrets.
fn users(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "deploy-users")?;
    for object in helm_rendered_for(&scene, "users", &[])? {
        scene.plane.kubectl().apply(&object.to_string(), &["--server-side"])?;
    }
    for role in ["view", "edit"] {
        let (cluster_role, user) =
            (format!("--clusterrole=rights-sealift-{role}"), format!("--user={role}er"));
        scene.kubectl(&["create", "rolebinding", role, &cluster_role, &user])?;
    }
    let may = |user: &str, verb: &str, resource: &str| -> Result<bool> {
        let namespace = format!("--namespace={}", scene.namespace);
        let arguments = ["auth", "can-i", verb, resource, &namespace, "--as", user];
        Ok(scene.plane.kubectl().run(&arguments)?.stdout.trim() == "yes")
    };
    let (backups, bindings) =
        ("backupconfigurations.stash.appscode.com", "appbindings.appcatalog.appscode.com");
    // A binding counts a little later than it is made.
    for (user, resource) in [("viewer", backups), ("editer", bindings)] {
        let what = format!("the {user} may get {resource}");
        wait::until(&what, PATIENCE, || Ok(may(user, "get", resource)?.then_some(())))?;
    }
    for verb in ["get", "list", "watch"] {
        ensure!(may("viewer", verb, backups)?, "{verb} {backups}");
        ensure!(!may("viewer", verb, bindings)?, "the viewer may {verb} {bindings}");
        ensure!(may("editer", verb, bindings)?, "the editer may not {verb} {bindings}");
    }
    Ok(())
}

/// What the users' ClusterRoles name is what the definitions have, and never a status, which is
/// the operator's and the Jobs'.
fn kinds() -> Result<()> {
    let mut namespaced = BTreeSet::new();
    let folder = binaries::source_root().join("deploy").join("crds");
    for entry in fs::read_dir(&folder).context("failed to list the definitions")? {
        for definition in manifests::read(&entry?.path())? {
            let spec = &definition["spec"];
            if spec["scope"] == "Namespaced" {
                let name = (text(spec, "/group"), text(spec, "/names/plural"));
                namespaced.insert((name.0.to_owned(), name.1.to_owned()));
            }
        }
    }
    ensure!(!namespaced.is_empty(), "there are no definitions");
    let roles = rendered(&["--show-only=templates/users.yaml"])?;
    let of = |role: &str, verb: &str| -> Result<BTreeSet<(String, String)>> {
        let name = format!("sealift-{role}");
        let role = roles.iter().find(|found| found["metadata"]["name"] == name.as_str());
        let rules = role.with_context(|| format!("there is no ClusterRole {name}"))?["rules"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let granted = grants(&rules).into_iter().filter(|grant| grant.right.verb == verb);
        Ok(granted.map(|grant| (grant.right.group, grant.right.resource)).collect())
    };
    // An AppBinding may hold a secret in its text.
    let mut seen = namespaced.clone();
    seen.retain(|(_, plural)| plural != "appbindings");
    for (role, verbs, wanted) in [
        ("edit", ["create", "update", "patch", "delete"].as_slice(), &namespaced),
        ("view", ["get", "list", "watch"].as_slice(), &seen),
    ] {
        for verb in verbs {
            let granted = of(role, verb)?;
            ensure!(granted == *wanted, "{role} may {verb} {granted:?} instead of {wanted:?}");
        }
    }
    Ok(())
}

/// The chart's objects of one template about rights, for a release named `rights` in the scene's
/// namespace.
fn helm_rendered_for(scene: &Scene<'_>, file: &str, values: &[&str]) -> Result<Vec<Value>> {
    let output = helm_program()?
        .args(["template", "rights"])
        .arg(chart("sealift"))
        .arg(format!("--namespace={}", scene.namespace))
        .arg(format!("--show-only=templates/{file}.yaml"))
        .args(values)
        .output()
        .context("failed to run helm")?;
    serde_saphyr::from_multiple(&succeeded(&output)?).context("what helm rendered is no YAML")
}
