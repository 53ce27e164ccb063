//! The Functions of `examples/functions`, each in a chain and judged by a program of others:
//! `sha256sum`, `age`, an etcd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use sealift_e2e::etcd::Etcd;
use sealift_e2e::restic::Restic;
use sealift_e2e::sealift::{Outcome, Sealift};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guests::described;
use crate::scene::{PASSWORD, assert_failure};
use crate::world::{World, trial};

/// A source of the tests: this many artifacts of this many bytes.
const SOURCE: &str = "source-goes-wrong";
const COUNT: usize = 3;
const SIZE: usize = 300_000;

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let rows: [(&str, fn(&World) -> Result<()>); 6] = [
        ("checksums::sha256sum_accepts_what_was_stored", checksums),
        ("inventory::lists_what_was_stored", inventory),
        ("age_encrypt::who_has_the_identity_can_read_what_was_stored", age_encrypt),
        ("age_encrypt::who_is_no_recipient_is_named", no_recipient),
        ("etcd::comes_back_key_for_key", etcd),
        ("etcd::an_import_that_lacks_a_part_is_a_failure", etcd_incomplete),
    ];
    rows.into_iter().map(|(name, test)| trial(world, format!("functions::{name}"), test)).collect()
}

/// Manifests and a repository for chains of Functions; there is no Vault.
struct Stage {
    folder: TempDir,
    sealift: Sealift,
    files: Vec<PathBuf>,
}

impl Stage {
    /// With an application at `url`.
    fn new(world: &World, url: &str) -> Result<Self> {
        let folder = world.folder()?;
        let sealift = Sealift::new(folder.path())?.with_secrets([PASSWORD]);
        let mut stage = Self { folder, sealift, files: Vec::new() };
        let repository = stage.repository();
        stage.example(
            "common.yaml",
            &[
                ("APP_URL", url),
                ("RESTIC_PASSWORD", PASSWORD),
                ("REPOSITORY_PATH", path_text(&repository)?),
            ],
        )?;
        let components = binaries::target_folder()?.join("sealift").join("examples");
        stage.example("functions.yaml", &[("COMPONENTS", path_text(&components)?)])?;
        Ok(stage)
    }

    /// With a source of some artifacts before a transform with these params.
    fn of_transform(world: &World, transform: &str, params: &Value) -> Result<Self> {
        let mut stage = Self::new(world, "http://127.0.0.1:9")?;
        let component = stage.folder.path().join("source.wasm");
        fs::write(&component, described(SOURCE)?)?;
        let arguments =
            ["--mode=good".to_owned(), format!("--count={COUNT}"), format!("--size={SIZE}")];
        let image = format!("file:{}", component.display());
        stage.add(
            "source.json",
            &json!({
                "apiVersion": "stash.appscode.com/v1beta1", "kind": "Function",
                "metadata": {"name": "some-artifacts"}, "spec": {"image": image, "args": arguments},
            }),
        )?;
        let steps = json!([{"name": "some-artifacts"}, {"name": transform, "params": params},
            {"name": "restic-upload"}]);
        stage.add(
            "task.json",
            &json!({
                "apiVersion": "stash.appscode.com/v1beta1", "kind": "Task",
                "metadata": {"name": "etcd-backup"}, "spec": {"steps": steps},
            }),
        )?;
        // Its invoker names the Task, which is ours here.
        let invoker = example("etcd-backup.yaml")?;
        let (_, invoker) = invoker.split_once("---\n").context("one object in the example")?;
        stage.write("invoker.yaml", invoker)?;
        Ok(stage)
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Adds a file of `examples/functions`, filled in.
    fn example(&mut self, name: &str, values: &[(&str, &str)]) -> Result<()> {
        let mut text = example(name)?;
        for (variable, value) in values {
            text = text.replace(&format!("${{{variable}}}"), value);
        }
        self.write(name, &text)
    }

    fn add(&mut self, name: &str, object: &Value) -> Result<()> {
        self.write(name, &object.to_string())
    }

    fn write(&mut self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        self.files.push(path);
        Ok(())
    }

    fn run(&self) -> Result<Outcome> {
        let mut arguments = vec!["run".to_owned()];
        for file in &self.files {
            arguments.extend(["-f".to_owned(), path_text(file)?.to_owned()]);
        }
        self.sealift.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs to success and puts the files of the snapshot into a folder.
    fn stored(&self) -> Result<PathBuf> {
        let outcome = self.run()?;
        ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
        let out = self.folder.path().join("stored");
        let restic = Restic::new(path_text(&self.repository())?, PASSWORD)?;
        let snapshots = restic.snapshots()?;
        let id = snapshots[0]["id"].as_str().context("a snapshot without id")?;
        let below = folder_of(&restic)?;
        for file in restic.files(id)? {
            let name = file
                .strip_prefix(&below)
                .and_then(|rest| rest.strip_prefix('/'))
                .with_context(|| format!("{file} does not lie in {below}"))?;
            let path = out.join(name);
            fs::create_dir_all(path.parent().context("a file without folder")?)?;
            fs::write(&path, restic.dump(id, &file)?)?;
        }
        Ok(out)
    }
}

fn example(name: &str) -> Result<String> {
    let path = binaries::source_root().join("examples").join("functions").join(name);
    fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of a test is not UTF-8")
}

/// The artifacts of the source, by name.
fn artifacts(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn checksums(world: &World) -> Result<()> {
    let stored = Stage::of_transform(world, "checksums", &json!([]))?.stored()?;
    ensure!(artifacts(&stored)?.len() == COUNT + 1, "stored: {:?}", artifacts(&stored)?);
    let output =
        Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&stored).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "sha256sum: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(said.lines().filter(|line| line.ends_with(": OK")).count() == COUNT, "{said}");
    Ok(())
}

fn inventory(world: &World) -> Result<()> {
    let stored = Stage::of_transform(world, "inventory", &json!([]))?.stored()?;
    let list: Value = serde_json::from_slice(&fs::read(stored.join("inventory.json"))?)?;
    let mut names: Vec<String> = artifacts(&stored)?;
    names.retain(|name| name != "inventory.json");
    let listed: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "size": SIZE, "attributes": {"made-by": "test"}}))
        .collect();
    ensure!(list["artifacts"] == json!(listed), "the list is {list}");
    ensure!(list["bytes"] == json!(SIZE * COUNT), "the list is {list}");
    Ok(())
}

fn age_encrypt(world: &World) -> Result<()> {
    let keys = world.folder()?;
    let identity = keys.path().join("identity.txt");
    let made =
        Command::new(binaries::server("age", "age-keygen")?).arg("-o").arg(&identity).output()?;
    ensure!(made.status.success(), "age-keygen: {}", String::from_utf8_lossy(&made.stderr));
    let text = fs::read_to_string(&identity)?;
    let recipient = text
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "))
        .context("age-keygen told no public key")?;
    let params = json!([{"name": "recipients", "value": recipient}]);
    let stored = Stage::of_transform(world, "age-encrypt", &params)?.stored()?;
    let names = artifacts(&stored)?;
    ensure!(names.len() == COUNT, "stored: {names:?}");
    let expected: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    for name in names {
        ensure!(name.ends_with(".age"), "{name} has another ending");
        let file = stored.join(&name);
        ensure!(fs::read(&file)?.starts_with(b"age-encryption.org/v1\n"), "{name} is not age's");
        let plain = Command::new(binaries::server("age", "age")?)
            .arg("--decrypt")
            .arg("--identity")
            .args([&identity, &file])
            .output()?;
        ensure!(plain.status.success(), "age: {}", String::from_utf8_lossy(&plain.stderr));
        ensure!(plain.stdout == expected, "{name} holds other bytes");
    }
    Ok(())
}

fn no_recipient(world: &World) -> Result<()> {
    let params = json!([{"name": "recipients", "value": "age1nobody"}]);
    let stage = Stage::of_transform(world, "age-encrypt", &params)?;
    assert_failure(&stage.run()?, 2, &["age-encrypt", "recipients", "age1nobody"])
}

/// Keys of every kind, more than one page of them, and one that a lease holds.
fn filled(folder: &Path) -> Result<Etcd> {
    let etcd = Etcd::start(folder)?;
    for number in 0..250 {
        etcd.put(format!("/orders/{number:04}").as_bytes(), format!("order {number}").as_bytes())?;
    }
    etcd.put(b"empty", b"")?;
    etcd.put(&[0xff, 0xff, 0x00], &[0, 1, 2, 0xff])?;
    for number in 0..3 {
        etcd.put(format!("large/{number}").as_bytes(), &vec![number; 1_000_000])?;
    }
    etcd.put_leased(b"session", b"of somebody")?;
    Ok(etcd)
}

fn etcd(world: &World) -> Result<()> {
    let servers = world.folder()?;
    let source = filled(&servers.path().join("source"))?;
    let mut stage = Stage::new(world, source.url())?;
    stage.example("etcd-backup.yaml", &[])?;
    stage.stored()?;

    let target = Etcd::start(&servers.path().join("target"))?;
    target.put(b"its own", b"stays")?;
    let outcome = restore(&mut stage, &target)?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    let mut expected = source.all()?;
    ensure!(expected.remove(b"session".as_slice()).is_some(), "the lease is over");
    expected.insert(b"its own".to_vec(), b"stays".to_vec());
    let found = target.all()?;
    ensure!(found.len() == expected.len(), "{} keys of {}", found.len(), expected.len());
    ensure!(found == expected, "a key has another value");
    Ok(())
}

/// The count in `etcd.json` is what notices; without this row nothing would show that it does.
fn etcd_incomplete(world: &World) -> Result<()> {
    let servers = world.folder()?;
    let source = filled(&servers.path().join("source"))?;
    let mut stage = Stage::new(world, source.url())?;
    stage.example("etcd-backup.yaml", &[])?;
    let stored = stage.stored()?;
    fs::remove_file(stored.join("keys").join("00000002.json"))?;
    let restic = Restic::new(path_text(&stage.repository())?, PASSWORD)?;
    let at = folder_of(&restic)?;
    restic.backup_at(&stored, &at, "host-0")?;
    let target = Etcd::start(&servers.path().join("target"))?;
    let outcome = restore(&mut stage, &target)?;
    assert_failure(&outcome, 1, &["etcd-import", "keys were put"])
}

/// The folder in which a session's files lie in the repository.
fn folder_of(restic: &Restic) -> Result<String> {
    let snapshots = restic.snapshots()?;
    let paths = snapshots[0]["paths"].as_array().context("a snapshot without paths")?;
    Ok(paths[0].as_str().context("a path that is no text")?.to_owned())
}

/// Runs the restore into another etcd.
fn restore(stage: &mut Stage, target: &Etcd) -> Result<Outcome> {
    stage.files.retain(|file| !file.ends_with("etcd-backup.yaml"));
    let common = stage.folder.path().join("common.yaml");
    let text = fs::read_to_string(&common)?;
    let (_, rest) = text.split_once("    url: ").context("common.yaml has no url")?;
    let (old, _) = rest.split_once('\n').context("common.yaml ends with its url")?;
    let text = text.replace(old, target.url());
    fs::write(&common, text)?;
    stage.example("etcd-restore.yaml", &[])?;
    stage.run()
}
