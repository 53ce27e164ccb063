//! What is said of a backup with which nothing is wrong: once, and where it belongs.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::scene::BACKUP;
use crate::shore::Shore;
use crate::world::{World, text, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "C11: a good backup has one Event, and its remarks are said once", one_event),
        trial(
            world,
            "F05: series carry the Repository's prefix as it is written",
            prefix_as_written,
        ),
    ]
}

/// Events about an object, as `<type> <reason>: <message>`, in the order of their names.
fn events(shore: &Shore<'_>, about: &str) -> Result<Vec<String>> {
    let all = shore.scene.client().list(Resource::EVENT, &shore.scene.namespace)?;
    let of = all.iter().filter(|event| event["involvedObject"]["name"] == about);
    Ok(of
        .map(|event| {
            let [type_, reason, message] =
                ["/type", "/reason", "/message"].map(|pointer| text(event, pointer));
            format!("{type_} {reason}: {message}")
        })
        .collect())
}

fn one_event(world: &World) -> Result<()> {
    let shore = Shore::new(world, "C11-events")?;
    let _vault = shore.vault(world)?;
    // An AppBinding has no paths.
    shore.ready(|_| (), |backup| backup["target"]["paths"] = json!(["/data"]))?;
    shore.tells(BACKUP, "Normal PlanNote", "spec.target.paths: has no effect")?;
    shore.tells(BACKUP, "Warning UnsealKeysInRepository", "unsealKeys: omit leaves them out")?;
    let remarks = || -> Result<usize> {
        let said = events(&shore, BACKUP)?;
        let is =
            |it: &&String| it.contains(" PlanNote: ") || it.contains(" UnsealKeysInRepository: ");
        Ok(said.iter().filter(is).count())
    };
    ensure!(remarks()? == 2, "{:?}", events(&shore, BACKUP)?);
    for session in ["one", "two"] {
        shore.back_up(session, "Succeeded")?;
        let said = events(&shore, session)?;
        ensure!(
            said == [
                "Normal Host Backup Succeeded: backup succeeded for host host-0 of \"AppBinding\"/\"vault\"."
            ],
            "{session}: {said:?}"
        );
    }
    ensure!(remarks()? == 2, "{:?}", events(&shore, BACKUP)?);
    Ok(())
}

fn prefix_as_written(world: &World) -> Result<()> {
    let shore = Shore::new(world, "F05-prefix")?;
    let _vault = shore.vault(world)?;
    let written = "/demo-vault/";
    shore.ready(|repository| repository["backend"]["s3"]["prefix"] = json!(written), |_| ())?;
    shore.back_up("one", "Succeeded")?;
    let job = format!("backupconfiguration-{}-{BACKUP}", shore.scene.namespace);
    let families = world.pushgateway()?.families(&job)?;
    let families = families.with_context(|| format!("nothing is pushed as {job}"))?;
    for name in ["stash_repository_integrity", "stash_appscode_com_repository_integrity"] {
        let family = families.get(name).with_context(|| format!("{name} is missing"))?;
        let labels: &Value = &family["metrics"][0]["labels"];
        ensure!(
            labels["prefix"] == written && labels["bucket"] == "backups",
            "{name} has the labels {labels}"
        );
    }
    // The place is that without slashes, as restic names it.
    let found = shore.restic("demo-vault")?.snapshots()?;
    ensure!(found.len() == 1, "snapshots: {found:?}");
    Ok(())
}
