//! What Sealift writes restic reads, what restic writes Sealift reads: on every storage.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::rest_server::RestServer;
use sealift_e2e::restic::Restic;
use sealift_e2e::s3::S3;
use sealift_e2e::sealift::Sealift;

use crate::scene::{PASSWORD, Scene, assert_failure};
use crate::world::{World, authority, certificate, trial};

const BUCKET: &str = "backups";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "storages::local", local),
        trial(world, "storages::rest", rest),
        trial(world, "storages::s3", s3),
        trial(world, "storages::s3_with_an_authority_of_its_own", s3_encrypted),
        trial(world, "storages::a_repository_of_format_1_is_appended_to", format_1),
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
    scene.sealift = nobody_trusted(scene.sealift.with_secrets([&server.secret_key]));
    scene.manifests.s3_repository(&server, BUCKET, "team-a/vault", PASSWORD)?;
    let restic = Restic::new(format!("s3:{}/{BUCKET}/team-a/vault", server.endpoint()), PASSWORD)?
        .with_environment(&[
            ("AWS_ACCESS_KEY_ID", &server.access_key),
            ("AWS_SECRET_ACCESS_KEY", &server.secret_key),
        ]);
    both_ways(world, &scene, &restic)
}

/// As in an image that holds a program and nothing else: the authority in the Repository's Secret
/// is all that is trusted, and it is needed.
fn s3_encrypted(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let (tls, right) = certificate(folder.path())?;
    let server = S3::start_encrypted(folder.path(), BUCKET, &tls)?;
    let mut scene = Scene::new(world, world.small()?)?;
    scene.sealift = nobody_trusted(scene.sealift.with_secrets([&server.secret_key]));
    let trust = |pem: &str| {
        scene.manifests.s3_repository(&server, BUCKET, "team-a/vault", PASSWORD)?;
        let line = format!("stringData:\n  CA_CERT_DATA: {}\n", serde_json::to_string(pem)?);
        scene.edit("repository.yaml", "stringData:\n", &line)
    };
    let (wrong, _) = authority("Another authority")?;
    trust(&wrong)?;
    assert_failure(&scene.backup(&[])?, 1, &["certificate"])?;
    trust(&right)?;
    let pem = folder.path().join("authority.pem");
    fs::write(&pem, &right)?;
    let restic = Restic::new(format!("s3:{}/{BUCKET}/team-a/vault", server.endpoint()), PASSWORD)?
        .with_environment(&[
            ("AWS_ACCESS_KEY_ID", &server.access_key),
            ("AWS_SECRET_ACCESS_KEY", &server.secret_key),
            ("RESTIC_CACERT", &pem.to_string_lossy()),
        ]);
    both_ways(world, &scene, &restic)
}

/// `sealift` where the system trusts no authority.
fn nobody_trusted(sealift: Sealift) -> Sealift {
    sealift.with_variable("SSL_CERT_FILE", "/dev/null")
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

/// The format of before 2022, without compression. A repository of it stays one: a client that
/// knows no other can go on reading it.
fn format_1(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let restic = scene.restic()?;
    restic.run(&["init", "--repository-version", "1"])?;
    let folder = world.folder()?;
    let text = "written by restic itself, before Sealift came\n".repeat(5_000);
    fs::write(folder.path().join("notes.txt"), &text)?;
    restic.backup(folder.path(), "somewhere-else")?;
    let before = id_of(&restic)?;

    append(&scene, &restic, 2)?;
    append(&scene, &restic, 3)?;
    ensure!(id_of(&restic)? == before, "it is no longer the same repository");
    let first = &restic.snapshots()?[0];
    let id = first["id"].as_str().unwrap_or_default();
    let notes = restic.dump(id, &format!("{}/notes.txt", folder.path().display()))?;
    ensure!(notes == text.as_bytes(), "what restic had stored has changed");

    // Maintenance as well reads and writes what has no lengths of compressed bytes.
    let repository = scene.manifests.path("repository.yaml");
    let repository = repository.to_string_lossy();
    scene.sealift.succeed(&["check", "-f", &repository, "--read-data"])?;
    restic.run(&["forget", id])?;
    scene.sealift.succeed(&["prune", "-f", &repository])?;
    ensure!(restic.snapshots()?.len() == 2, "there are not two snapshots after forget and prune");
    restic.check()
}

/// Version and id of the repository, which must be of format 1.
fn id_of(restic: &Restic) -> Result<String> {
    let config: serde_json::Value = serde_json::from_slice(&restic.run(&["cat", "config"])?)?;
    ensure!(config["version"] == 1, "it is not of format 1: {config}");
    Ok(config["id"].as_str().unwrap_or_default().to_owned())
}

/// One more backup, after which there are so many snapshots, and restic reads every byte.
fn append(scene: &Scene, restic: &Restic, count: usize) -> Result<()> {
    let outcome = scene.backup(&[])?;
    ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());
    let snapshots = restic.snapshots()?;
    ensure!(snapshots.len() == count, "there are {} snapshots instead of {count}", snapshots.len());
    restic.check()?;
    let newest = snapshots.last().and_then(|snapshot| snapshot["id"].as_str()).unwrap_or_default();
    let files = restic.files(newest)?;
    let path = files.iter().find(|file| file.ends_with("/backup.snap"));
    let dumped = restic.dump(newest, path.map_or("", String::as_str))?;
    let mut archive = crate::archive::Archive::read(&dumped)?;
    ensure!(!archive.member("state.bin")?.is_empty(), "the snapshot has no state");
    Ok(())
}
