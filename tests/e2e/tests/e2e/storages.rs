//! What Sealift writes restic reads, what restic writes Sealift reads: on every storage.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::rest_server::RestServer;
use sealift_e2e::restic::Restic;
use sealift_e2e::s3::S3;

use crate::scene::{PASSWORD, Scene};
use crate::world::{World, trial};

const BUCKET: &str = "backups";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "storages::local", local),
        trial(world, "storages::rest", rest),
        trial(world, "storages::s3", s3),
    ]
}

fn local(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    both_ways(world, &scene, &scene.restic()?)
}

fn rest(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let server = RestServer::start(folder.path())?;
    let scene = Scene::new(world, world.small()?)?;
    scene.manifests.rest_repository(&server.repository("vault"), PASSWORD)?;
    both_ways(
        world,
        &scene,
        &Restic::new(format!("rest:{}", server.repository("vault")), PASSWORD)?,
    )
}

fn s3(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let server = S3::start(folder.path(), BUCKET)?;
    let mut scene = Scene::new(world, world.small()?)?;
    scene.sealift = scene.sealift.with_secrets([&server.secret_key]);
    scene.manifests.s3_repository(&server, BUCKET, "team-a/vault", PASSWORD)?;
    let restic = Restic::new(format!("s3:{}/{BUCKET}/team-a/vault", server.endpoint()), PASSWORD)?
        .with_environment(&[
            ("AWS_ACCESS_KEY_ID", &server.access_key),
            ("AWS_SECRET_ACCESS_KEY", &server.secret_key),
        ]);
    both_ways(world, &scene, &restic)
}

/// Sealift makes the repository and a snapshot, restic adds one of its own, both list and check both.
fn both_ways(world: &World, scene: &Scene, restic: &Restic) -> Result<()> {
    let outcome = scene.backup(&[])?;
    ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());
    restic.check()?;
    let ours = restic.snapshots()?;
    ensure!(ours.len() == 1, "restic lists {} snapshots instead of one", ours.len());
    let id = ours[0]["id"].as_str().unwrap_or_default().to_owned();
    let path = restic
        .files(&id)?
        .into_iter()
        .find(|file| file.ends_with("/backup.snap"))
        .unwrap_or_default();
    let dumped = crate::archive::Archive::read(&restic.dump(&id, &path)?)?;
    let names: Vec<&str> = dumped.members.iter().map(|(name, _)| name.as_str()).collect();
    ensure!(
        names == ["meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed"],
        "members: {names:?}"
    );

    let folder = world.folder()?;
    fs::write(folder.path().join("notes.txt"), "written by restic itself")?;
    restic.backup(folder.path(), "somewhere-else")?;
    let repository = scene.manifests.path("repository.yaml");
    let repository = repository.to_string_lossy();
    let listed = scene.sealift.succeed(&["snapshots", "-f", &repository, "--output", "json"])?;
    for snapshot in restic.snapshots()? {
        let id = snapshot["id"].as_str().unwrap_or_default();
        ensure!(listed.stdout.contains(id), "sealift does not list {id}: {}", listed.stdout);
    }
    scene.sealift.succeed(&["check", "-f", &repository, "--read-data"])?;
    // The next backup goes into the repository restic has written to as well.
    let outcome = scene.backup(&[])?;
    ensure!(outcome.code == Some(0), "the second backup failed: {}", outcome.text());
    ensure!(restic.snapshots()?.len() == 3, "there are not three snapshots");
    restic.check()
}
