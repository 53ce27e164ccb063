//! C and K: what the guide's round left behind.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::conditions;
use crate::world::{World, text, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "C03: the Job's one container holds no right it does not need", locked_down),
        trial(world, "C06: the session goes forward through its phases to Succeeded", phases),
        trial(world, "C07: the session's duration is written as before", duration),
        trial(world, "C08: the target's status has the original's actions", target_status),
        trial(world, "C09: the statistics are written as the original writes them", statistics),
        trial(
            world,
            "C10: every condition of a success is True with its reason",
            success_conditions,
        ),
        trial(world, "C11: one event says that the backup succeeded", backup_event),
        trial(world, "C07: kubectl shows the session's columns", columns),
        trial(world, "C12: the Repository's status knows the backup", repository_status),
        trial(world, "C12: the Repository's first backup stays the first", first_backup),
        trial(world, "C13: restic finds one sound snapshot of host-0", snapshot),
        trial(world, "C18: no log and no object holds a credential", credentials),
        trial(
            world,
            "K02: the restore goes forward to Succeeded with its conditions",
            restore_status,
        ),
        trial(world, "K03: Vault serves what was backed up once the restore has succeeded", canary),
        trial(world, "K04: one event says that the restore succeeded", restore_event),
    ]
}

fn locked_down(world: &World) -> Result<()> {
    let pod = &world.round()?.job["spec"]["template"]["spec"];
    let containers = pod["containers"].as_array().cloned().unwrap_or_default();
    ensure!(containers.len() == 1 && pod.get("initContainers").is_none(), "pod: {pod}");
    let context = &containers[0]["securityContext"];
    ensure!(
        context["allowPrivilegeEscalation"] == false
            && context["readOnlyRootFilesystem"] == true
            && context["capabilities"]["drop"] == json!(["ALL"]),
        "securityContext: {context}"
    );
    let seccomp =
        [&context["seccompProfile"]["type"], &pod["securityContext"]["seccompProfile"]["type"]];
    ensure!(seccomp.iter().any(|kind| **kind == "RuntimeDefault"), "seccompProfile: {seccomp:?}");
    Ok(())
}

fn phases(world: &World) -> Result<()> {
    forward(&world.round()?.phases)
}

/// Never backwards, and at the end Succeeded.
fn forward(phases: &[String]) -> Result<()> {
    let order = ["", "Pending", "Running", "Succeeded"];
    let places: Option<Vec<usize>> =
        phases.iter().map(|phase| order.iter().position(|known| known == phase)).collect();
    let places = places.unwrap_or_default();
    ensure!(places.is_sorted() && places.last() == Some(&3), "phases: {phases:?}");
    Ok(())
}

fn duration(world: &World) -> Result<()> {
    is_duration(text(&world.round()?.session, "/status/sessionDuration"))
}

/// Hours, minutes and seconds in whole numbers, the first two where they are due.
fn is_duration(duration: &str) -> Result<()> {
    let units: Vec<char> = duration.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    let numbers = duration.split(['h', 'm', 's']).filter(|number| !number.is_empty()).count();
    ensure!(
        matches!(units.as_slice(), ['s'] | ['m', 's'] | ['h', 's'] | ['h', 'm', 's'])
            && numbers == units.len(),
        "duration: {duration}"
    );
    Ok(())
}

fn target_status(world: &World) -> Result<()> {
    let target = &world.round()?.session["status"]["targets"][0];
    for (field, wanted) in [
        ("totalHosts", json!(1)),
        ("phase", json!("Succeeded")),
        ("preBackupActions", json!(["InitializeBackendRepository"])),
        (
            "postBackupActions",
            json!(["ApplyRetentionPolicy", "VerifyRepositoryIntegrity", "SendRepositoryMetrics"]),
        ),
    ] {
        ensure!(target[field] == wanted, "{field}: {target}");
    }
    let reference = &target["ref"];
    ensure!(reference["kind"] == "AppBinding" && reference["name"] == "vault", "ref: {reference}");
    Ok(())
}

fn statistics(world: &World) -> Result<()> {
    let round = world.round()?;
    let stats = &round.session["status"]["targets"][0]["stats"][0];
    ensure!(stats["hostname"] == "host-0" && stats["phase"] == "Succeeded", "stats: {stats}");
    ensure!(stats["error"].is_null() && stats["duration"].is_string(), "stats: {stats}");
    let snapshot = &stats["snapshots"][0];
    let id = text(snapshot, "/name");
    let known = round.snapshots.iter().any(|known| text(known, "/id").starts_with(id));
    ensure!((8..=64).contains(&id.len()) && known, "snapshot: {snapshot}");
    for field in ["totalSize", "uploaded"] {
        let size = text(snapshot, &format!("/{field}"));
        let (number, unit) = size.split_once(' ').unwrap_or_default();
        let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let right = match unit {
            "B" => decimals == 0,
            "KiB" | "MiB" | "GiB" | "TiB" => decimals == 3,
            _ => false,
        };
        ensure!(right && number.parse::<f64>().is_ok(), "{field}: {size:?}");
    }
    let time = text(snapshot, "/processingTime");
    ensure!(matches!(time.split(':').count(), 2 | 3), "processingTime: {time}");
    for field in ["totalFiles", "newFiles", "modifiedFiles", "unmodifiedFiles"] {
        ensure!(
            snapshot["fileStats"][field].is_i64() || snapshot["fileStats"][field].is_u64(),
            "{snapshot}"
        );
    }
    Ok(())
}

fn success_conditions(world: &World) -> Result<()> {
    let session = &world.round()?.session;
    for (kind, wanted) in [
        ("BackendRepositoryInitialized", "True BackendRepositoryFound"),
        ("RetentionPolicyApplied", "True SuccessfullyAppliedRetentionPolicy"),
        ("RepositoryIntegrityVerified", "True SuccessfullyVerifiedRepositoryIntegrity"),
        ("BackupHistoryCleaned", "True SuccessfullyCleanedBackupHistory"),
        ("RepositoryMetricsPushed", "True SuccessfullyPushedRepositoryMetrics"),
        ("MetricsPushed", "True SuccessfullyPushedMetrics"),
    ] {
        let found = conditions::of(session, kind);
        ensure!(found == wanted, "{kind}: {found:?} in {}", session["status"]["conditions"]);
    }
    let found = conditions::at(session, "/status/targets/0/conditions", "BackupExecutorEnsured");
    ensure!(found == "True SuccessfullyEnsuredBackupExecutor", "BackupExecutorEnsured: {found}");
    Ok(())
}

fn backup_event(world: &World) -> Result<()> {
    one_event(
        &world.round()?.session_events,
        "Host Backup Succeeded",
        &["host-0", "AppBinding", "vault"],
    )
}

fn one_event(events: &[Value], reason: &str, words: &[&str]) -> Result<()> {
    let found: Vec<&Value> = events.iter().filter(|event| event["reason"] == reason).collect();
    ensure!(found.len() == 1, "events: {events:?}");
    ensure!(
        found[0]["type"] == "Normal" && found[0]["source"]["component"] == "Status Updater",
        "event: {}",
        found[0]
    );
    for word in words {
        ensure!(text(found[0], "/message").contains(word), "message: {}", found[0]["message"]);
    }
    Ok(())
}

fn repository_status(world: &World) -> Result<()> {
    let round = world.round()?;
    let status = &round.repository["status"];
    ensure!(status["integrity"] == true && status["snapshotCount"] == 1, "status: {status}");
    ensure!(
        status["lastBackupTime"] == round.session["metadata"]["creationTimestamp"],
        "lastBackupTime: {status}"
    );
    ensure!(status["snapshotsRemovedOnLastCleanup"].is_number(), "status: {status}");
    Ok(())
}

fn first_backup(world: &World) -> Result<()> {
    let round = world.round()?;
    let [first, then] = [&round.repository["status"], &round.repository_again["status"]];
    let made = &round.session["metadata"]["creationTimestamp"];
    ensure!(first["firstBackupTime"] == *made, "firstBackupTime: {first}");
    ensure!(
        then["firstBackupTime"] == *made
            && then["lastBackupTime"] == round.again["metadata"]["creationTimestamp"]
            && then["lastBackupTime"] != *made
            && then["snapshotCount"] == 2,
        "after the second: {then}"
    );
    Ok(())
}

fn columns(world: &World) -> Result<()> {
    let round = world.round()?;
    let shown: Vec<&str> = round.columns.split_whitespace().collect();
    let name = text(&round.session, "/metadata/name");
    let duration = text(&round.session, "/status/sessionDuration");
    let wanted = [name, "BackupConfiguration", "demo-backup", "Succeeded", duration];
    ensure!(shown.len() == 6 && shown.starts_with(&wanted), "columns: {shown:?}");
    Ok(())
}

fn snapshot(world: &World) -> Result<()> {
    let round = world.round()?;
    ensure!(round.snapshots.len() == 1, "snapshots: {:?}", round.snapshots);
    ensure!(round.snapshots[0]["hostname"] == "host-0", "snapshot: {}", round.snapshots[0]);
    round.check.clone().map_err(|error| anyhow::anyhow!(error))
}

fn credentials(world: &World) -> Result<()> {
    let round = world.round()?;
    for (place, text) in &round.texts {
        for secret in &round.secrets {
            ensure!(!secret.is_empty() && !text.contains(secret.as_str()), "{place}: a credential");
        }
    }
    Ok(())
}

fn restore_status(world: &World) -> Result<()> {
    let round = world.round()?;
    forward(&round.restore_phases)?;
    let status = &round.restore["status"];
    ensure!(status["totalHosts"] == 1, "status: {status}");
    ensure!(status["stats"][0]["phase"] == "Succeeded", "status: {status}");
    is_duration(text(&round.restore, "/status/sessionDuration"))?;
    for (kind, wanted) in [
        ("RepositoryFound", "True RepositoryAvailable"),
        ("BackendSecretFound", "True BackendSecretAvailable"),
        ("ValidationPassed", "True ResourceValidationPassed"),
        ("RestoreTargetFound", "True TargetAvailable"),
    ] {
        let found = conditions::of(&round.restore, kind);
        ensure!(found == wanted, "{kind}: {found:?} in {status}");
    }
    Ok(())
}

fn canary(world: &World) -> Result<()> {
    let [before, changed, after] = &world.round()?.canary;
    ensure!(before != changed, "the secret was not changed in between");
    ensure!(after == before, "after the restore Vault serves {after:?}");
    Ok(())
}

fn restore_event(world: &World) -> Result<()> {
    one_event(&world.round()?.restore_events, "Host Restore Succeeded", &["host-0"])
}
