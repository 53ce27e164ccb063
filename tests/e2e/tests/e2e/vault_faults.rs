//! No false success, source side: whatever a Vault does wrong, no snapshot appears, the message
//! says what happened to what, and the next run succeeds.

use std::sync::Arc;

use anyhow::{Context, Result};
use libtest_mimic::Trial;
use sealift_e2e::process::free_port;

use crate::archive::{Archive, gzip, gzip_without_end};
use crate::scene::Scene;
use crate::vault_double::{Answer, End, Health, VaultDouble};
use crate::world::{Filled, World, authority, trial};

/// The stage every message must name.
const STAGE: &str = "vault-backup-1-10-3-0";

/// One wrong snapshot: its name, what makes it, what the message must say besides stage and
/// artifact.
type Row = (&'static str, fn(&Filled) -> Result<Answer>, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("broken_off_after_one_byte", |vault| cut_bytes(vault, 1, End::Broken), &[]),
    ("ended_after_one_byte", |vault| cut_bytes(vault, 1, End::Proper), &["cut short"]),
    ("broken_off_in_meta", |vault| cut_member(vault, "meta.json", End::Broken), &[]),
    ("ended_in_meta", |vault| cut_member(vault, "meta.json", End::Proper), &[]),
    ("broken_off_in_state", |vault| cut_member(vault, "state.bin", End::Broken), &[]),
    ("ended_in_state", |vault| cut_member(vault, "state.bin", End::Proper), &[]),
    ("broken_off_in_sums", |vault| cut_member(vault, "SHA256SUMS", End::Broken), &[]),
    ("ended_in_sums", |vault| cut_member(vault, "SHA256SUMS", End::Proper), &[]),
    ("broken_off_in_sealed_sums", |vault| cut_member(vault, "SHA256SUMS.sealed", End::Broken), &[]),
    ("ended_in_sealed_sums", |vault| cut_member(vault, "SHA256SUMS.sealed", End::Proper), &[]),
    ("broken_off_before_sealed_sums", |vault| before_sealed_sums(vault, End::Broken), &[]),
    ("ended_before_sealed_sums", |vault| before_sealed_sums(vault, End::Proper), &[]),
    ("whole_but_for_the_sealed_sums", without_sealed_sums, &["SHA256SUMS.sealed"]),
    ("whole_with_empty_sealed_sums", empty_sealed_sums, &["SHA256SUMS.sealed"]),
    ("broken_off_before_the_gzip_trailer", |vault| before_trailer(vault, End::Broken), &[]),
    ("ended_before_the_gzip_trailer", |vault| before_trailer(vault, End::Proper), &["cut short"]),
    ("broken_off_after_the_gzip_trailer", broken_off_after_all, &[]),
    ("gzip_trailer_with_a_wrong_checksum", wrong_trailer, &["gzip"]),
    ("state_with_a_flipped_bit", flipped_state, &["state.bin"]),
    ("meta_with_a_flipped_bit", flipped_meta, &["meta.json"]),
    ("sums_of_another_snapshot", other_sums, &["sha"]),
    ("an_extra_member", extra_member, &["surprise.bin"]),
    ("bytes_after_the_gzip_stream", bytes_after_all, &[]),
    ("http_200_and_an_empty_body", empty_body, &[]),
    ("http_503", |_| Ok(status(503)), &["503"]),
    ("http_403", |_| Ok(status(403)), &["403"]),
    ("http_500", |_| Ok(status(500)), &["500"]),
    ("http_204", |_| Ok(status(204)), &["204"]),
    ("http_307_to_a_host_that_is_not_allowed", redirect, &["vault-1.elsewhere.example"]),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = ROWS
        .iter()
        .map(|(name, answer, words)| {
            trial(world, format!("no_false_success::vault::{name}"), move |world| {
                let answer = answer(world.small()?)?;
                wrong_snapshot(world, answer, words)
            })
        })
        .collect();
    trials.push(trial(
        world,
        "no_false_success::vault::the_double_alone_is_no_fault",
        healthy_double,
    ));
    trials.push(trial(
        world,
        "no_false_success::vault::a_rebuilt_archive_alone_is_no_fault",
        rebuilt_archive,
    ));
    trials.push(trial(world, "no_false_success::vault::sealed", sealed));
    trials.push(trial(world, "no_false_success::vault::unreachable", unreachable));
    trials.push(trial(world, "no_false_success::vault::wrong_token", wrong_token));
    trials.push(trial(world, "no_false_success::vault::right_authority", right_authority));
    trials.push(trial(world, "no_false_success::vault::wrong_authority", wrong_authority));
    trials.push(trial(world, "no_false_success::vault::no_authority", no_authority));
    trials
}

fn wrong_snapshot(world: &World, answer: Answer, words: &[&str]) -> Result<()> {
    let vault = world.small()?;
    let double = VaultDouble::start(Health::Active, answer)?;
    let scene = Scene::at(world, &double.address(), &vault.token, &vault.keys)?;
    let outcome = scene.backup(&[])?;
    let mut expected = vec![STAGE, "snapshot"];
    expected.extend(words);
    scene.assert_failed(&outcome, 1, &expected)?;
    drop(double);
    scene.manifests.app_binding(&vault.vault.address())?;
    scene.assert_recovers().map(drop)
}

/// Without this row, all others could fail for a reason of the double.
fn healthy_double(world: &World) -> Result<()> {
    let vault = world.small()?;
    let whole = Answer::Body { bytes: vault.snapshot.clone(), end: End::Proper };
    let double = VaultDouble::start(Health::Active, whole)?;
    let scene = Scene::at(world, &double.address(), &vault.token, &vault.keys)?;
    scene.assert_recovers().map(drop)
}

/// Nor may taking an archive apart and putting it together be the fault.
fn rebuilt_archive(world: &World) -> Result<()> {
    let vault = world.small()?;
    let bytes = gzip(&Archive::read(&vault.snapshot)?.tar()?)?;
    let double = VaultDouble::start(Health::Active, Answer::Body { bytes, end: End::Proper })?;
    let scene = Scene::at(world, &double.address(), &vault.token, &vault.keys)?;
    scene.assert_recovers().map(drop)
}

fn body(bytes: Vec<u8>, end: End) -> Result<Answer> {
    Ok(Answer::Body { bytes, end })
}

fn status(status: u16) -> Answer {
    Answer::Status { status, headers: Vec::new() }
}

fn cut_bytes(vault: &Filled, at: usize, end: End) -> Result<Answer> {
    body(vault.snapshot.get(..at).context("the snapshot is too short")?.to_vec(), end)
}

fn cut_member(vault: &Filled, member: &str, end: End) -> Result<Answer> {
    let archive = Archive::read(&vault.snapshot)?;
    let (offset, length) = archive.place(member)?;
    let tar = archive.tar()?;
    body(gzip_without_end(&tar[..offset + length / 2])?, end)
}

fn before_sealed_sums(vault: &Filled, end: End) -> Result<Answer> {
    let archive = Archive::read(&vault.snapshot)?;
    let (offset, _) = archive.place("SHA256SUMS.sealed")?;
    body(gzip_without_end(&archive.tar()?[..offset - 512])?, end)
}

fn without_sealed_sums(vault: &Filled) -> Result<Answer> {
    let mut archive = Archive::read(&vault.snapshot)?;
    archive.members.retain(|(name, _)| name != "SHA256SUMS.sealed");
    body(gzip(&archive.tar()?)?, End::Proper)
}

fn empty_sealed_sums(vault: &Filled) -> Result<Answer> {
    let mut archive = Archive::read(&vault.snapshot)?;
    archive.member("SHA256SUMS.sealed")?.clear();
    body(gzip(&archive.tar()?)?, End::Proper)
}

fn before_trailer(vault: &Filled, end: End) -> Result<Answer> {
    let length = vault.snapshot.len();
    body(vault.snapshot[..length - 8].to_vec(), end)
}

fn broken_off_after_all(vault: &Filled) -> Result<Answer> {
    body(vault.snapshot.clone(), End::Broken)
}

fn wrong_trailer(vault: &Filled) -> Result<Answer> {
    let mut bytes = vault.snapshot.clone();
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    body(bytes, End::Proper)
}

fn flipped_state(vault: &Filled) -> Result<Answer> {
    flipped(vault, "state.bin")
}

fn flipped_meta(vault: &Filled) -> Result<Answer> {
    // A digit of a number: the member stays JSON, only its sum tells.
    let mut archive = Archive::read(&vault.snapshot)?;
    let meta = archive.member("meta.json")?;
    let digit = meta.iter().position(|byte| (b'1'..=b'8').contains(byte)).context("no digit")?;
    meta[digit] += 1;
    body(gzip(&archive.tar()?)?, End::Proper)
}

fn flipped(vault: &Filled, member: &str) -> Result<Answer> {
    let mut archive = Archive::read(&vault.snapshot)?;
    let bytes = archive.member(member)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    body(gzip(&archive.tar()?)?, End::Proper)
}

fn other_sums(vault: &Filled) -> Result<Answer> {
    let mut archive = Archive::read(&vault.snapshot)?;
    let sums = archive.member("SHA256SUMS")?;
    let digit = sums.iter().position(u8::is_ascii_hexdigit).context("no digit")?;
    sums[digit] = if sums[digit] == b'0' { b'1' } else { b'0' };
    body(gzip(&archive.tar()?)?, End::Proper)
}

fn extra_member(vault: &Filled) -> Result<Answer> {
    let mut archive = Archive::read(&vault.snapshot)?;
    archive.members.push(("surprise.bin".to_owned(), b"surprise".to_vec()));
    body(gzip(&archive.tar()?)?, End::Proper)
}

fn bytes_after_all(vault: &Filled) -> Result<Answer> {
    let mut bytes = vault.snapshot.clone();
    bytes.extend_from_slice(b"more");
    body(bytes, End::Proper)
}

fn empty_body(_: &Filled) -> Result<Answer> {
    body(Vec::new(), End::Proper)
}

fn redirect(_: &Filled) -> Result<Answer> {
    let location = "http://vault-1.elsewhere.example:8200/v1/sys/storage/raft/snapshot".to_owned();
    Ok(Answer::Status { status: 307, headers: vec![("Location".to_owned(), location)] })
}

/// Waiting for an unsealed Vault must end soon in these rows.
fn short_wait(scene: &Scene) -> Result<()> {
    scene.edit(
        "backupconfiguration.yaml",
        "spec:\n",
        "spec:\n  task:\n    name: vault-backup-1.10.3\n    params:\n      - name: waitTimeout\n        value: \"1\"\n",
    )
}

fn sealed(world: &World) -> Result<()> {
    let vault = world.small()?;
    let whole = Answer::Body { bytes: vault.snapshot.clone(), end: End::Proper };
    let double = VaultDouble::start(Health::Sealed, whole)?;
    let scene = Scene::at(world, &double.address(), &vault.token, &vault.keys)?;
    short_wait(&scene)?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "sealed"])?;
    scene.manifests.app_binding(&vault.vault.address())?;
    scene.assert_recovers().map(drop)
}

fn unreachable(world: &World) -> Result<()> {
    let vault = world.small()?;
    let url = format!("http://127.0.0.1:{}", free_port()?);
    let scene = Scene::at(world, &url, &vault.token, &vault.keys)?;
    short_wait(&scene)?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "target"])?;
    scene.manifests.app_binding(&vault.vault.address())?;
    scene.assert_recovers().map(drop)
}

fn wrong_token(world: &World) -> Result<()> {
    let vault = world.small()?;
    let scene =
        Scene::at(world, &vault.vault.address(), "hvs.not-a-token-of-this-vault", &vault.keys)?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "403"])?;
    scene.manifests.token(&vault.token)?;
    scene.assert_recovers().map(drop)
}

/// A stage that talks to the encrypted listener of the small Vault.
fn encrypted(world: &World, authority: Option<&str>) -> Result<Scene> {
    let vault = world.small()?;
    let url = vault.vault.tls_address().context("the small Vault has no encrypted listener")?;
    let scene = Scene::at(world, &url, &vault.token, &vault.keys)?;
    short_wait(&scene)?;
    if let Some(pem) = authority {
        use base64::Engine;
        let encoded = base64::prelude::BASE64_STANDARD.encode(pem);
        scene.edit(
            "appbinding.yaml",
            "clientConfig:\n",
            &format!("clientConfig:\n    caBundle: {encoded}\n"),
        )?;
    }
    Ok(scene)
}

/// The leader is asked first and answers with its `api_addr`, which here is the plain listener:
/// the stream stays with the origin the AppBinding names.
fn right_authority(world: &World) -> Result<()> {
    let scene = encrypted(world, Some(&world.small()?.authority))?;
    scene.assert_recovers().map(drop)
}

fn wrong_authority(world: &World) -> Result<()> {
    let (pem, _) = authority("Another authority")?;
    let scene = encrypted(world, Some(&pem))?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "certificate"])
}

fn no_authority(world: &World) -> Result<()> {
    let scene = encrypted(world, None)?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "certificate"])
}
