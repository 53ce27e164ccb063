//! A real Pushgateway shows the documented metrics after a success and after a failure.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::process::free_port;
use sealift_e2e::pushgateway::Pushgateway;

use crate::scene::Scene;
use crate::world::{World, trial};

/// Old name and new name of every metric of a backup that succeeded.
const OF_A_BACKUP: &[(&str, &str)] = &[
    ("stash_backup_session_success", "stash_appscode_com_backupsession_success"),
    ("stash_backup_session_duration_seconds", "stash_appscode_com_backupsession_duration_seconds"),
    ("stash_backup_target_count_total", "stash_appscode_com_backupsession_target_count_total"),
    (
        "stash_backup_last_success_time_seconds",
        "stash_appscode_com_backupsession_last_success_time_seconds",
    ),
    ("stash_backup_target_success", "stash_appscode_com_backupsession_target_success"),
    (
        "stash_backup_target_host_count_total",
        "stash_appscode_com_backupsession_target_host_count_total",
    ),
    (
        "stash_backup_target_last_success_time_seconds",
        "stash_appscode_com_backupsession_target_last_success_time_seconds",
    ),
    ("stash_backup_host_backup_success", "stash_appscode_com_backupsession_host_backup_success"),
    (
        "stash_backup_host_backup_duration_seconds",
        "stash_appscode_com_backupsession_host_backup_duration_seconds",
    ),
    ("stash_backup_host_data_size_bytes", "stash_appscode_com_backupsession_host_data_size_bytes"),
    (
        "stash_backup_host_data_uploaded_bytes",
        "stash_appscode_com_backupsession_host_data_uploaded_bytes",
    ),
    (
        "stash_backup_host_data_processing_time_seconds",
        "stash_appscode_com_backupsession_host_data_processing_time_seconds",
    ),
    ("stash_backup_host_files_total", "stash_appscode_com_backupsession_host_files_total"),
    ("stash_backup_host_files_new", "stash_appscode_com_backupsession_host_files_new"),
    ("stash_backup_host_files_modified", "stash_appscode_com_backupsession_host_files_modified"),
    (
        "stash_backup_host_files_unmodified",
        "stash_appscode_com_backupsession_host_files_unmodified",
    ),
    ("stash_repository_integrity", "stash_appscode_com_repository_integrity"),
    ("stash_repository_size_bytes", "stash_appscode_com_repository_size_bytes"),
    ("stash_repository_snapshot_count", "stash_appscode_com_repository_snapshot_count"),
    ("stash_repository_snapshot_cleaned", "stash_appscode_com_repository_snapshot_cleaned"),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "metrics::a_success_and_then_a_failure_show_the_documented_series",
            documented,
        ),
        trial(world, "metrics::a_pushgateway_that_is_down_is_a_warning", pushgateway_down),
    ]
}

fn documented(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let gateway = Pushgateway::start(folder.path())?;
    let scene = Scene::new(world, world.small()?)?;
    let push = ["--pushgateway-url", &gateway.url()];
    let outcome = scene.backup(&push)?;
    ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());

    let samples = gateway.samples()?;
    let names: Vec<&str> = samples.keys().filter_map(|series| series.split('{').next()).collect();
    for name in OF_A_BACKUP.iter().flat_map(|(old, new)| [old, new]) {
        ensure!(names.contains(name), "{name} is missing among {names:?}");
    }
    for (old, new) in OF_A_BACKUP {
        ensure!(gateway.value(old)? == gateway.value(new)?, "{old} and {new} differ");
    }
    ensure!(gateway.value("stash_backup_session_success")? == Some(1.0), "success is not 1");
    ensure!(
        gateway.value("stash_repository_snapshot_count")? == Some(1.0),
        "snapshot count is not 1"
    );
    ensure!(gateway.value("stash_repository_integrity")? == Some(1.0), "integrity is not 1");
    let session = samples.keys().find(|series| series.starts_with("stash_backup_session_success{"));
    let session = session.cloned().unwrap_or_default();
    for label in [
        "job=\"backupconfiguration-demo-vault-backup\"",
        "invoker_kind=\"BackupConfiguration\"",
        "invoker_name=\"vault-backup\"",
        "namespace=\"demo\"",
        "driver=\"Restic\"",
        "repository=\"vault-repository\"",
    ] {
        ensure!(session.contains(label), "{label} is missing in {session}");
    }
    let last_success = gateway.value("stash_backup_last_success_time_seconds")?;

    // A failure: success becomes 0, the older last success stays.
    scene.manifests.token("hvs.not-a-token-of-this-vault")?;
    let outcome = scene.backup(&push)?;
    ensure!(outcome.code == Some(1), "a wrong token did not fail the backup: {}", outcome.text());
    for name in ["stash_backup_session_success", "stash_appscode_com_backupsession_success"] {
        ensure!(gateway.value(name)? == Some(0.0), "{name} is not 0 after a failure");
    }
    ensure!(gateway.value("stash_backup_target_success")? == Some(0.0), "target success is not 0");
    ensure!(
        gateway.value("stash_backup_last_success_time_seconds")? == last_success,
        "the last success is not the older one"
    );
    Ok(())
}

/// With the snapshot safe, metrics that cannot be pushed are a warning.
fn pushgateway_down(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let url = format!("http://127.0.0.1:{}", free_port()?);
    let outcome = scene.backup(&["--pushgateway-url", &url, "--output", "json"])?;
    ensure!(outcome.code == Some(0), "it failed the session: {}", outcome.text());
    let session = outcome.json()?;
    let conditions = session["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let pushed = conditions.iter().find(|condition| condition["type"] == "MetricsPushed");
    ensure!(
        pushed.is_some_and(|condition| condition["status"] == "False"),
        "no MetricsPushed=False: {session}"
    );
    ensure!(scene.snapshot_files()? == 1, "there is not one snapshot");
    Ok(())
}
