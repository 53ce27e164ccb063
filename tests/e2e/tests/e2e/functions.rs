//! The Functions of `examples/functions`, each in a chain and judged by a program of others:
//! `sha256sum`, `age`, an etcd, `crane`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use sealift_e2e::etcd::Etcd;
use sealift_e2e::oci::Tool;
use sealift_e2e::registry::{Options, Registry};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::function_stage::{COUNT, SIZE, Stage, artifacts};
use crate::scene::assert_failure;
use crate::world::{World, trial};

/// Name of the row, whether it belongs to the tests with `--full`, and the row. In those, engines of
/// Python and JavaScript are compiled.
type Row = (&'static str, bool, fn(&World) -> Result<()>);

const ROWS: [Row; 8] = [
    ("checksums::sha256sum_accepts_what_was_stored", false, checksums),
    ("inventory::lists_what_was_stored", false, inventory),
    ("age_encrypt::who_has_the_identity_can_read_what_was_stored", false, age_encrypt),
    ("age_encrypt::who_is_no_recipient_is_named", false, no_recipient),
    ("etcd::comes_back_key_for_key", true, etcd),
    ("etcd::an_import_that_lacks_a_part_is_a_failure", true, etcd_incomplete),
    ("registry::comes_back_digest_for_digest", true, registry),
    ("registry::an_import_that_lacks_a_blob_is_a_failure", true, registry_incomplete),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let full = std::env::var("SEALIFT_TEST_TIER").is_ok_and(|tier| tier == "full");
    ROWS.into_iter()
        .filter(|(_, only_full, _)| full || !only_full)
        .map(|(name, _, test)| trial(world, format!("functions::{name}"), test))
        .collect()
}

fn checksums(world: &World) -> Result<()> {
    let stage = Stage::of_transform(world, "checksums", &json!([]))?;
    let stored = stage.stored()?;
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
    let stage = Stage::of_transform(world, "inventory", &json!([]))?;
    let stored = stage.stored()?;
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
    let stage = Stage::of_transform(world, "age-encrypt", &params)?;
    let stored = stage.stored()?;
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
    // The host knows the type of a parameter; what is no public key only the Function knows.
    assert_failure(&stage.run()?, 1, &["age-encrypt", "recipients", "age1nobody"])
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
    let outcome = stage.restore("etcd", target.url())?;
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
    stage.store_instead(&stored)?;
    let target = Etcd::start(&servers.path().join("target"))?;
    let outcome = stage.restore("etcd", target.url())?;
    assert_failure(&outcome, 1, &["etcd-import", "keys were put"])
}

/// Images as registries have them, made by crane: two of one layer and of two, a list that names
/// both, and one in another repository that shares the layer.
struct Images {
    crane: Tool,
    folder: TempDir,
}

/// Their names.
const IMAGES: [&str; 4] = ["team/app:v1", "team/app:v2", "team/app:both", "other:latest"];

impl Images {
    fn new(world: &World, registry: &Registry) -> Result<Self> {
        let folder = world.folder()?;
        let images = Self { crane: Tool::crane(folder.path())?, folder };
        let large: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 253) as u8).collect();
        images.layer("large.tar", &large)?;
        images.layer("small.tar", b"hi")?;
        let [v1, v2, both, other] = IMAGES.map(|image| format!("{}/{image}", registry.host()));
        images.run(&["append", "-f", "large.tar", "-t", &v1])?;
        images.run(&["append", "-f", "large.tar", "-f", "small.tar", "-t", &v2])?;
        images.run(&["append", "-f", "large.tar", "-t", &other])?;
        images.run(&["index", "append", "-m", &v1, "-m", &v2, "-t", &both])?;
        Ok(images)
    }

    fn layer(&self, name: &str, content: &[u8]) -> Result<()> {
        let mut tar = tar::Builder::new(fs::File::create(self.folder.path().join(name))?);
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "content", content)?;
        Ok(tar.finish()?)
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        self.crane.run(self.folder.path(), arguments).map(drop)
    }

    /// What a registry says each of them is.
    fn digests(&self, registry: &Registry) -> Result<Vec<String>> {
        let digest = |image: &&str| {
            let image = format!("{}/{image}", registry.host());
            self.crane.text(self.folder.path(), &["digest", &image])
        };
        IMAGES.iter().map(digest).collect()
    }
}

/// From the one kind of registry into the other.
fn registry(world: &World) -> Result<()> {
    let servers = world.folder()?;
    let source = Registry::distribution(servers.path(), &Options::default())?;
    let images = Images::new(world, &source)?;
    let mut stage = Stage::new(world, &format!("http://{}", source.host()))?;
    stage.example("registry-backup.yaml", &[])?;
    let stored = stage.stored()?;
    ensure!(stored.join("inventory.json").is_file(), "the list of what was stored is missing");

    let target = Registry::referrers(servers.path())?;
    let outcome = stage.restore("registry", &format!("http://{}", target.host()))?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    let (expected, found) = (images.digests(&source)?, images.digests(&target)?);
    ensure!(found == expected, "digests were {expected:?} and are {found:?}");
    for image in IMAGES {
        // It fetches all of it, and compares each part with its digest.
        images.run(&["validate", "--remote", &format!("{}/{image}", target.host())])?;
    }
    Ok(())
}

/// `registry.json` says what there is; without this row nothing would show that it is asked.
fn registry_incomplete(world: &World) -> Result<()> {
    let servers = world.folder()?;
    let source = Registry::distribution(servers.path(), &Options::default())?;
    let images = Images::new(world, &source)?;
    let mut stage = Stage::new(world, &format!("http://{}", source.host()))?;
    stage.example("registry-backup.yaml", &[])?;
    let stored = stage.stored()?;
    let blobs = stored.join("blobs").join("team").join("app");
    let lost = artifacts(&blobs)?.pop().context("no blob was stored")?;
    fs::remove_file(blobs.join(&lost))?;
    stage.store_instead(&stored)?;
    let target = Registry::referrers(servers.path())?;
    let outcome = stage.restore("registry", &format!("http://{}", target.host()))?;
    assert_failure(&outcome, 1, &["registry-import", &format!("sha256:{lost}"), "not stored"])?;
    // A tag that can be seen is whole.
    let tag = format!("{}/team/app:v1", target.host());
    ensure!(images.run(&["digest", &tag]).is_err(), "half an image has its tag");
    Ok(())
}
