//! F10: the targets of a batch push one after another under one job, and none takes the place of
//! another. Batches have no controller yet: this is the observer alone, given the plan of a session
//! as a batch would name itself.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::binaries;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::metrics_pushed::{OF_A_BACKUP, Row, twins};
use crate::scene::BACKUP;
use crate::world::{World, text, trial};

const SESSION: &str = "demo-backup-1700000001";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "F10: series of two targets of one batch stay side by side", side_by_side)]
}

fn side_by_side(world: &World) -> Result<()> {
    let row = Row::ready(world, "F10")?;
    let (ran, _) = row.succeed(SESSION)?;
    let map = row.scene().object(Resource::CONFIG_MAP, &format!("sealift-plan-{SESSION}"))?;
    let plan: Value = serde_json::from_str(text(&map, "/data/plan.json"))?;
    for target in ["vault", "other"] {
        push(&row, &plan, target, &ran.left)?;
    }
    let job = format!("job=\"backupbatch-{}-{BACKUP}\"", row.scene().namespace);
    let samples = world.pushgateway()?.samples()?;
    let of = |name: &str| -> Vec<&String> {
        let name = format!("{name}{{");
        samples.keys().filter(|series| series.starts_with(&name) && series.contains(&job)).collect()
    };
    for (old, new) in twins("backup", "backupsession", &OF_A_BACKUP) {
        let own = old.contains("_target_success")
            || old.contains("_target_host_count")
            || old.contains("_target_last")
            || old.contains("_host_");
        for name in [old, new] {
            let found = of(&name);
            let targets = ["vault", "other"].map(|target| format!("name=\"{target}\""));
            let each = targets.iter().all(|name| found.iter().any(|series| series.contains(name)));
            ensure!(found.len() == if own { 2 } else { 1 } && (each || !own), "{name}: {found:?}");
        }
    }
    Ok(())
}

/// Runs the observers of the plan as the Job of one target of a batch would.
fn push(row: &Row<'_>, plan: &Value, target: &str, record: &Value) -> Result<()> {
    let mut plan = plan.clone();
    plan["invoker"]["kind"] = json!("BackupBatch");
    plan["target"]["reference"]["name"] = json!(target);
    let folder = tempfile::tempdir()?;
    let (file, written) = (folder.path().join("plan.json"), plan.to_string());
    std::fs::write(&file, &written)?;
    let digest = hex::encode(Sha256::digest(written.as_bytes()));
    let name = format!("{}-{target}", row.scene().namespace);
    let kubeconfig = row.scene().plane.kubeconfig(&name, "admin", Some("system:masters"))?;
    let output = Command::new(binaries::sealift()?)
        .args(["job", "--observers-only", "--plan-sha256", &digest, "--plan"])
        .arg(&file)
        .arg(format!("--outcome={record}"))
        .arg("--termination-log")
        .arg(folder.path().join("termination-log"))
        .env("KUBECONFIG", &kubeconfig)
        .env("POD_NAME", "a-pod-of-a-batch")
        .current_dir(folder.path())
        .output()
        .context("failed to start sealift job")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
