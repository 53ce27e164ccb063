//! L: hooks that call somebody, before and after backups and restores.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::client::PATIENCE;
use serde_json::{Value, json};

use crate::chain::Chain;
use crate::conditions;
use crate::gate::Mode;
use crate::ground::Ground;
use crate::receiver::receiver;
use crate::scene::VAULT;
use crate::world::{World, trial};

const AFTER: &str = "PostBackupHookExecutionSucceeded";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "L02: postBackup is called as its policy says", policies),
        trial(world, "L02: a restore's hooks are called before and after it", around_a_restore),
        trial(world, "L02: a preRestore hook that fails keeps Vault as it is", refused),
    ]
}

fn post(world: &World, port: u16, body: &str) -> Value {
    json!({"host": world.address(), "port": port, "scheme": "HTTP", "path": "/", "body": body})
}

fn called(by: &Receiver<String>, with: &str) -> Result<()> {
    let body = by.recv_timeout(PATIENCE).context("nobody called")?;
    ensure!(body == with, "{body:?} instead of {with:?}");
    Ok(())
}

fn not_called(by: &Receiver<String>) -> Result<()> {
    let body = by.try_recv();
    ensure!(body.is_err(), "somebody called: {body:?}");
    Ok(())
}

fn policies(world: &World) -> Result<()> {
    let (port, received) = receiver(world.address(), "200 OK")?;
    let (refusing, refused) = receiver(world.address(), "500 No")?;
    let chain = Chain::ready(world, "L02", |_| ())?;
    let succeeded = "True SuccessfullyExecutedPostBackupHook";
    let failed = "False FailedToExecutePostBackupHook";
    let rows = [
        (port, "Always", true, Some("vault Succeeded 0."), succeeded),
        (port, "OnSuccess", true, Some("vault Succeeded 0."), succeeded),
        (port, "OnFailure", true, None, succeeded),
        (port, "OnFinalRetryFailure", true, None, succeeded),
        (refusing, "Always", true, Some("vault Succeeded 0."), failed),
        (port, "OnSuccess", false, None, succeeded),
        (port, "OnFailure", false, Some("vault Failed 0."), succeeded),
        (port, "OnFinalRetryFailure", false, Some("vault Failed 0."), succeeded),
    ];
    for (number, (port, policy, is_good, wanted, condition)) in (1..).zip(rows) {
        let post = post(world, port, "{{ .Target.Name }} {{ .Status.Phase }} {{ .RetryLeft }}.");
        let hooks = json!({"postBackup": {"executionPolicy": policy, "httpPost": post}});
        chain.scene.edit(&json!({"spec": {"hooks": hooks}}))?;
        chain.target.gate.set(if is_good { Mode::Open } else { Mode::Empty });
        let session = format!("demo-backup-170000000{number}");
        let ran = chain.run(&session)?;
        let is_whole = is_good && condition == succeeded;
        let ended = chain.ended(&session, if is_whole { "Succeeded" } else { "Failed" })?;
        let found = conditions::at(&ended, "/status/targets/0/conditions", AFTER);
        ensure!(found == condition, "{policy}: {found} {} {}", ended["status"], ran.log);
        let by = if port == refusing { &refused } else { &received };
        match wanted {
            Some(wanted) => called(by, wanted),
            None => not_called(by),
        }
        .with_context(|| format!("{policy}, {is_good}"))?;
    }
    Ok(())
}

/// A Vault that was changed since it was backed up.
fn changed<'a>(
    world: &'a World,
    number: &str,
) -> Result<(Ground<'a>, crate::real_vault::RealVault)> {
    let ground = Ground::new(world, number)?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("backed up")?;
    ground.back_up(VAULT, "demo-backup-1700000001")?;
    vault.put("changed")?;
    Ok((ground, vault))
}

fn around_a_restore(world: &World) -> Result<()> {
    let (ground, vault) = changed(world, "L02-restore")?;
    let (port, received) = receiver(world.address(), "200 OK")?;
    let restore = ground.restore("told", |spec| {
        spec["hooks"] = json!({
            "preRestore": {"httpPost": post(world, port, "before {{ .Target.Name }}.")},
            "postRestore": {"executionPolicy": "OnSuccess",
                "httpPost": post(world, port, "{{ .Target.Name }} {{ .Status.Phase }}.")},
        });
    })?;
    let ended = ground.succeed(&restore)?;
    called(&received, "before vault.")?;
    called(&received, "vault Succeeded.")?;
    for hook in ["PreRestoreHook", "PostRestoreHook"] {
        let found = conditions::of(&ended, &format!("{hook}ExecutionSucceeded"));
        ensure!(found == format!("True SuccessfullyExecuted{hook}"), "{}", ended["status"]);
    }
    vault.ensure_holds("backed up")
}

fn refused(world: &World) -> Result<()> {
    let (ground, vault) = changed(world, "L02-refused")?;
    let (port, received) = receiver(world.address(), "200 OK")?;
    let (refusing, refused) = receiver(world.address(), "500 No")?;
    let restore = ground.restore("refused", |spec| {
        spec["hooks"] = json!({
            "preRestore": {"httpPost": post(world, refusing, "before.")},
            "postRestore": {"executionPolicy": "Always", "httpPost": post(world, port, "after.")},
        });
    })?;
    let (ended, error) = ground.fail(&restore)?;
    called(&refused, "before.")?;
    not_called(&received)?;
    let found = conditions::of(&ended, "PreRestoreHookExecutionSucceeded");
    ensure!(found == "False FailedToExecutePreRestoreHook", "{error} {}", ended["status"]);
    vault.ensure_untouched("changed")
}
