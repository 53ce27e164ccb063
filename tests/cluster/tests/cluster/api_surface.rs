//! A: the API that `kubectl` sees: names, columns, subresources, and every manifest of the guides.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::manifests::{self, Found};
use sealift_e2e::binaries;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::world::{World, text, trial};

/// Plural, group and version of everything we serve.
const SERVED: [(&str, &str, &str); 10] = [
    ("appbindings", "appcatalog.appscode.com", "v1alpha1"),
    ("backupbatches", "stash.appscode.com", "v1beta1"),
    ("backupblueprints", "stash.appscode.com", "v1beta1"),
    ("backupconfigurations", "stash.appscode.com", "v1beta1"),
    ("backupsessions", "stash.appscode.com", "v1beta1"),
    ("functions", "stash.appscode.com", "v1beta1"),
    ("repositories", "stash.appscode.com", "v1alpha1"),
    ("restorebatches", "stash.appscode.com", "v1beta1"),
    ("restoresessions", "stash.appscode.com", "v1beta1"),
    ("tasks", "stash.appscode.com", "v1beta1"),
];

/// Those whose status is a subresource: the original's, and Function, which is our addition.
const WITH_STATUS: [&str; 7] = [
    "repositories",
    "backupconfigurations",
    "backupsessions",
    "restoresessions",
    "backupbatches",
    "restorebatches",
    "functions",
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(world, "A01: the nine CRDs have the original's label and one version each", crds),
        trial(world, "A02: short names and categories list what they listed", short_names),
        trial(world, "A05: a misspelt field is refused by the same check", misspelt),
        trial(
            world,
            "A05: an AppBinding with the name of its Secret alone is accepted",
            bare_secret,
        ),
        trial(world, "A06: the catalogue has the Vault Functions and Tasks", catalog),
    ];
    for (plural, group, _) in SERVED {
        trials.push(trial(
            world,
            format!("A03: {plural} have the columns of the original"),
            move |world| columns(world, plural, group),
        ));
        let kept = if WITH_STATUS.contains(&plural) { "a" } else { "no" };
        trials.push(trial(
            world,
            format!("A04: {plural} have {kept} status subresource"),
            move |world| status(world, plural, group),
        ));
    }
    match manifests::all() {
        Ok(found) => {
            for (index, found) in found.into_iter().filter(is_served).enumerate() {
                let name = format!(
                    "A05: {} {} of {} is accepted as it is",
                    text(&found.object, "/kind"),
                    text(&found.object, "/metadata/name"),
                    found.file
                );
                trials.push(trial(world, name, move |world| accepted(world, index, &found.object)));
            }
        }
        Err(error) => {
            let error = format!("{error:#}");
            trials.push(trial(world, "A05: the reference manifests can be read", |_| {
                Err(anyhow::anyhow!(error))
            }));
        }
    }
    trials
}

fn is_served(found: &Found) -> bool {
    let group = text(&found.object, "/apiVersion").split('/').next().unwrap_or_default();
    matches!(group, "stash.appscode.com" | "appcatalog.appscode.com")
}

fn crd(world: &World, plural: &str, group: &str) -> Result<Value> {
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}");
    world.plane()?.client().get(&path)?.with_context(|| format!("there is no CRD {plural}.{group}"))
}

fn crds(world: &World) -> Result<()> {
    let said = world.plane()?.kubectl().succeed(&[
        "get",
        "crd",
        "-l",
        "app.kubernetes.io/name=stash",
        "-o",
        "name",
    ])?;
    let mut listed: Vec<&str> = said.lines().collect();
    listed.sort_unstable();
    let wanted: Vec<String> = SERVED
        .iter()
        .filter(|(_, group, _)| *group == "stash.appscode.com")
        .map(|(plural, group, _)| {
            format!("customresourcedefinition.apiextensions.k8s.io/{plural}.{group}")
        })
        .collect();
    ensure!(listed == wanted, "listed: {listed:?}");
    for (plural, group, version) in SERVED {
        let crd = crd(world, plural, group)?;
        let versions = crd["spec"]["versions"].as_array().cloned().unwrap_or_default();
        ensure!(
            versions.len() == 1
                && versions[0]["name"] == version
                && versions[0]["served"] == true
                && versions[0]["storage"] == true,
            "{plural}: versions {versions:?}"
        );
    }
    Ok(())
}

fn short_names(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "A02")?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&scene.backup()?)?;
    scene.kubectl(&["get", "repo,bc,restore"])?;
    scene.kubectl(&["get", "bb,fn,task"])?;
    let stash = scene.kubectl(&["get", "stash", "-o", "name"])?;
    for listed in ["repository.stash.appscode.com/", "backupconfiguration.stash.appscode.com/"] {
        ensure!(stash.contains(listed), "`get stash` does not list {listed}: {stash}");
    }
    let all = scene.kubectl(&["get", "all", "-o", "name"])?;
    ensure!(all.contains("backupconfiguration.stash.appscode.com/"), "`get all` lists: {all}");
    ensure!(!all.contains("repository.stash.appscode.com/"), "`get all` lists: {all}");
    Ok(())
}

fn columns(world: &World, plural: &str, group: &str) -> Result<()> {
    let file = binaries::source_root().join(format!("tests/data/crds/{group}_{plural}.json"));
    let original: Value = serde_json::from_slice(&fs::read(&file)?)?;
    let wanted = names_and_paths(&original["columns"]);
    ensure!(!wanted.is_empty(), "the original's columns are missing in {}", file.display());
    let crd = crd(world, plural, group)?;
    let ours = &crd["spec"]["versions"][0]["additionalPrinterColumns"];
    ensure!(names_and_paths(ours) == wanted, "columns: {ours:#}");
    for column in ours.as_array().into_iter().flatten() {
        let time = text(column, "/jsonPath").ends_with("Time")
            || text(column, "/jsonPath").ends_with("Timestamp");
        ensure!((column["type"] == "date") == time, "column {column}");
    }
    Ok(())
}

fn names_and_paths(columns: &Value) -> Vec<(String, String)> {
    columns
        .as_array()
        .into_iter()
        .flatten()
        .map(|column| (text(column, "/name").to_owned(), text(column, "/jsonPath").to_owned()))
        .collect()
}

fn status(world: &World, plural: &str, group: &str) -> Result<()> {
    let crd = crd(world, plural, group)?;
    let has = crd["spec"]["versions"][0]["subresources"].get("status").is_some();
    ensure!(has == WITH_STATUS.contains(&plural), "subresource status: {has}");
    Ok(())
}

/// As it is, in its own namespace, which is made for it.
fn accepted(world: &World, index: usize, object: &Value) -> Result<()> {
    let scene = Scene::without_operator(world, &format!("a05-{index}"))?;
    let namespace = text(object, "/metadata/namespace");
    if !namespace.is_empty() {
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        // Rows run side by side and several want the same one.
        scene.program().run_with(&["create", "-f", "-"], Some(&body.to_string()))?;
    }
    let said = dry_run(&scene, object)?;
    ensure!(said.code == Some(0), "{}", said.text());
    Ok(())
}

fn dry_run(scene: &Scene<'_>, object: &Value) -> Result<sealift_cluster::kubectl::Said> {
    scene.program().run_with(
        &["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        Some(&object.to_string()),
    )
}

/// Shows that the rows above would fail.
fn misspelt(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "a05-misspelt")?;
    let mut backup = scene.backup()?;
    backup["spec"]["shedule"] = json!("* * * * *");
    let said = dry_run(&scene, &backup)?;
    ensure!(said.code != Some(0) && said.stderr.contains("shedule"), "{}", said.text());
    Ok(())
}

fn bare_secret(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "a05-bare")?;
    let mut binding = scene.app_binding()?;
    binding["spec"]["secret"] = json!({"name": "vault-auth"});
    binding["spec"]["tlsSecret"] = json!({"name": "vault-tls"});
    let said = dry_run(&scene, &binding)?;
    ensure!(said.code == Some(0), "{}", said.text());
    scene.apply(&binding)?;
    let stored = scene.object(sealift_cluster::Resource::APP_BINDING, "vault")?;
    ensure!(stored["spec"]["tlsSecret"]["kind"] == "Secret", "stored: {}", stored["spec"]);
    Ok(())
}

fn catalog(world: &World) -> Result<()> {
    let listed = world.plane()?.kubectl().succeed(&["get", "fn,task", "-o", "name"])?;
    for name in [
        "function.stash.appscode.com/vault-backup-1.10.3",
        "function.stash.appscode.com/vault-restore-1.10.3",
        "function.stash.appscode.com/update-status",
        "task.stash.appscode.com/vault-backup-1.10.3",
        "task.stash.appscode.com/vault-restore-1.10.3",
    ] {
        ensure!(listed.lines().any(|line| line == name), "{name} is not listed: {listed}");
    }
    Ok(())
}
