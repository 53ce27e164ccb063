//! A release from its installation to its end, as `deploy/README.md` types it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deploy::{chart, helm_program, succeeded};
use crate::scene::{BACKUP, REPOSITORY, Scene};
use crate::world::{World, trial};

/// The pod is not what this is about, and must not run beside the operator of the other rows.
const NOWHERE: &str = "--set-string=nodeSelector.sealift\\.dev/nowhere=true";
const FUNCTIONS: &str = "functions.stash.appscode.com";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "deploy: install, upgrade and uninstall with Helm", release)]
}

/// Helm in the namespace of a scene.
struct Release<'a> {
    scene: &'a Scene<'a>,
    home: TempDir,
}

impl Release<'_> {
    fn helm(&self, arguments: &[&str]) -> Result<String> {
        let mut command = helm_program()?;
        command.env("HOME", self.home.path());
        command.arg("--kubeconfig").arg(self.scene.plane.kubectl().kubeconfig());
        command.arg(format!("--namespace={}", self.scene.namespace)).args(arguments);
        succeeded(&command.output().context("failed to run helm")?)
            .with_context(|| arguments.join(" "))
    }

    fn deployment(&self) -> Result<Value> {
        let namespace = &self.scene.namespace;
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/two-sealift");
        self.scene.client().get(&path)?.context("there is no Deployment")
    }

    fn arguments(&self) -> Result<Vec<String>> {
        let deployment = self.deployment()?;
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].as_array().cloned().unwrap_or_default();
        Ok(arguments.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    fn columns(&self) -> Result<usize> {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{FUNCTIONS}");
        let found = self.scene.client().get(&path)?.context("there is no definition")?;
        let columns = &found["spec"]["versions"][0]["additionalPrinterColumns"];
        Ok(columns.as_array().map_or(0, Vec::len))
    }
}

fn release(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "deploy-helm")?;
    let release = Release { scene: &scene, home: tempfile::tempdir()? };
    let (crds, sealift) = (chart("sealift-crds"), chart("sealift"));
    let (crds, sealift) = (crds.to_string_lossy(), sealift.to_string_lossy());
    let older = tempfile::tempdir()?;
    let (older_crds, older_sealift) = older_charts(older.path())?;

    // The definitions are there already, applied by kubectl.
    let columns = release.columns()?;
    let install = ["upgrade", "--install", "--take-ownership", "--force-conflicts", "crds"];
    release.helm(&[install.as_slice(), &[&older_crds]].concat())?;
    ensure!(release.columns()? < columns, "the older definitions are not older");
    release.helm(&["upgrade", "crds", &crds, "--force-conflicts"])?;
    ensure!(release.columns()? == columns, "the definitions were not upgraded");

    release.helm(&[
        "install",
        "two",
        &older_sealift,
        NOWHERE,
        "--set=catalog=false",
        "--set=maxConcurrentSessions=3",
    ])?;
    let before = release.arguments()?;
    ensure!(before.contains(&"--max-concurrent-sessions=3".to_owned()), "{before:?}");
    let digest = format!("sha256:{}", "0".repeat(64));
    // Values the older chart did not know have the defaults of the new one.
    release.helm(&[
        "upgrade",
        "two",
        &sealift,
        "--reset-then-reuse-values",
        &format!("--set=image.digest={digest}"),
    ])?;
    let after = release.arguments()?;
    ensure!(after.contains(&"--max-concurrent-sessions=3".to_owned()), "{after:?}");
    ensure!(after.iter().any(|word| word.ends_with(&digest)), "{after:?}");
    ensure!(after.contains(&"--pending-limit=600".to_owned()), "{after:?}");

    // There and back again: what one form leaves must not stand in the way of the next.
    for values in [
        "pushgateway.persistence.enabled=true",
        "replicas=2",
        "watchNamespace=row-deploy-helm",
        "watchNamespace=",
        "replicas=1",
    ] {
        release.helm(&[
            "upgrade",
            "two",
            &sealift,
            NOWHERE,
            "--set=catalog=false",
            "--set",
            values,
        ])?;
    }
    uninstall(&release)
}

/// Everything of the release goes, and nothing of the user's.
fn uninstall(release: &Release<'_>) -> Result<()> {
    let scene = release.scene;
    let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    release.helm(&["uninstall", "two", "--wait"])?;
    release.helm(&["uninstall", "crds", "--wait"])?;
    let left = scene.kubectl(&[
        "get",
        "deployments,services,serviceaccounts,roles,rolebindings,networkpolicies,clusterroles,clusterrolebindings,poddisruptionbudgets,configmaps,persistentvolumeclaims",
        "-l",
        "app.kubernetes.io/instance=two",
        "-o",
        "name",
    ])?;
    ensure!(left.is_empty(), "left behind: {left}");
    let definitions = scene.kubectl(&["get", "crd", "-o", "name"])?;
    let ours = definitions.lines().filter(|name| name.contains("appscode.com")).count();
    ensure!(ours == 10, "uninstalling took definitions away: {definitions}");
    let catalog = scene.kubectl(&[
        "get",
        "functions.stash.appscode.com,tasks.stash.appscode.com",
        "-o",
        "name",
    ])?;
    ensure!(catalog.contains("vault-backup-1.10.3"), "the catalogue is {catalog}");
    let kept = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    ensure!(
        kept["metadata"]["uid"] == backup["metadata"]["uid"]
            && kept["metadata"]["deletionTimestamp"].is_null(),
        "uninstalling touched {kept}"
    );
    scene.object(Resource::REPOSITORY, REPOSITORY)?;
    Ok(())
}

/// Copies of the charts as an older release could have them: a definition that shows less, and
/// values, with the objects made of them, that did not exist yet.
fn older_charts(folder: &Path) -> Result<(String, String)> {
    for name in ["sealift-crds", "sealift"] {
        copy(&chart(name), &folder.join(name))?;
        edit(&folder.join(name).join("Chart.yaml"), |text| {
            text.lines()
                .map(|line| {
                    if line.starts_with("version:") {
                        "version: 0.0.1\n".to_owned()
                    } else {
                        format!("{line}\n")
                    }
                })
                .collect()
        })?;
    }
    let definition = folder.join("sealift-crds/crds").join(format!("{FUNCTIONS}.yaml"));
    let text = fs::read_to_string(&definition)?;
    let mut object: Value = serde_saphyr::from_str(&text)?;
    object["spec"]["versions"][0]["additionalPrinterColumns"] = json!([]);
    fs::write(&definition, object.to_string())?;

    let chart = folder.join("sealift");
    fs::remove_file(chart.join("templates/pod-disruption-budget.yaml"))?;
    let values = chart.join("values.yaml");
    let mut object: Value = serde_saphyr::from_str(&fs::read_to_string(&values)?)?;
    let known = object.as_object_mut().context("the values are no mapping")?;
    for new in ["podDisruptionBudget", "watchNamespace", "pendingLimitSeconds"] {
        ensure!(known.remove(new).is_some(), "the chart has no value {new}");
    }
    fs::write(&values, object.to_string())?;
    edit(&chart.join("templates/deployment.yaml"), |text| {
        text.lines()
            .filter(|line| !line.contains("pendingLimitSeconds"))
            .map(|line| format!("{line}\n"))
            .collect()
    })?;
    let of = |name: &str| text_of(&folder.join(name));
    Ok((of("sealift-crds")?, of("sealift")?))
}

fn text_of(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a folder's name is no text")?.to_owned())
}

fn edit(path: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    fs::write(path, change(&text)).with_context(|| format!("failed to write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
