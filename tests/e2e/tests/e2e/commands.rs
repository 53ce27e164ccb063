//! The commands beside `run`: what they print in each form, what they change, what they find.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use sealift_e2e::sealift::Sealift;
use serde_json::{Value, json};

use crate::scene::{Scene, assert_failure, borrowed, walk};
use crate::world::{World, trial};

/// What is built in.
const CATALOGUE: [(&str, &str); 8] = [
    ("Function", "pushgateway-push"),
    ("Function", "restic-download"),
    ("Function", "restic-upload"),
    ("Function", "update-status"),
    ("Function", "vault-backup-1.10.3"),
    ("Function", "vault-restore-1.10.3"),
    ("Task", "vault-backup-1.10.3"),
    ("Task", "vault-restore-1.10.3"),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "commands::what_catalog_prints_can_be_used_as_manifests", catalogue),
        trial(world, "commands::every_form_of_output_says_the_same", forms),
        trial(world, "commands::forget_and_prune_do_what_they_announced", forget_and_prune),
        trial(world, "commands::forget_needs_a_policy", no_policy),
        trial(world, "commands::check_names_what_is_damaged", damaged),
    ]
}

fn catalogue(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let sealift = Sealift::new(folder.path())?;
    let names = |arguments: &[&str]| -> Result<Vec<(String, String)>> {
        let listed = sealift.succeed(arguments)?.json()?;
        let name = |object: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&object["kind"]), text(&object["metadata"]["name"]))
        };
        let mut names: Vec<_> = listed.as_array().context("no list")?.iter().map(name).collect();
        names.sort();
        Ok(names)
    };
    let wanted = CATALOGUE.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    let listed = names(&["catalog", "--output", "json"])?;
    ensure!(listed == wanted, "{listed:?}");
    // A name is that of a Function, of a Task, or of both.
    let of_both = names(&["catalog", "vault-backup-1.10.3", "--output", "json"])?;
    ensure!(of_both == [wanted[4].clone(), wanted[6].clone()], "{of_both:?}");
    let refused = sealift.run(&["catalog", "vault-backup"])?;
    assert_failure(&refused, 2, &["vault-backup", "vault-backup-1.10.3", "restic-upload"])?;

    let file = folder.path().join("catalogue");
    fs::write(&file, sealift.succeed(&["catalog"])?.stdout)?;
    let read = Command::new(binaries::sealift()?)
        .args(["validate", "--filename", "-"])
        .stdin(Stdio::from(File::open(&file)?))
        .output()?;
    let said = String::from_utf8_lossy(&read.stdout);
    ensure!(said == "8 objects are valid\n", "{said}{}", String::from_utf8_lossy(&read.stderr));
    Ok(())
}

fn forms(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let session = scene.successful_backup()?;
    let path = scene.manifests.path("repository.yaml");
    let repository = path.to_str().context("a path of a test is not UTF-8")?;
    let of_plan = scene.arguments("plan", "backupconfiguration.yaml", &["--session", "one"]);
    let said = |arguments: &[&str], form: &str| -> Result<String> {
        Ok(scene.sealift.succeed(&[arguments, &["--output", form]].concat())?.stdout)
    };
    let of_snapshots = ["snapshots", "-f", repository];
    let of_check = ["check", "--read-data", "-f", repository];
    for arguments in [&borrowed(&of_plan)[..], &of_snapshots, &of_check] {
        let (json, yaml) = (said(arguments, "json")?, said(arguments, "yaml")?);
        let from_json: Value = serde_json::from_str(&json)?;
        let from_yaml: Value = serde_saphyr::from_str(&yaml)?;
        ensure!(from_json == from_yaml, "{arguments:?}: {json}{yaml}");
    }
    ensure!(said(&borrowed(&of_plan), "text")? == said(&borrowed(&of_plan), "yaml")?);

    let table = said(&of_snapshots, "text")?;
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    let id = &session["status"]["targets"][0]["stats"][0]["snapshots"][0]["name"];
    ensure!(lines.len() == 3 && lines[0] == ["ID", "TIME", "HOST", "SIZE", "PATH"], "{table}");
    let row = &lines[1];
    ensure!(id.as_str().is_some_and(|id| id.starts_with(row[0])), "{id}: {table}");
    ensure!(row[1].ends_with('Z') && row[2] == "host-0", "{table}");
    ensure!(row.last() == Some(&"/stash-tmp/stash-interim-volume/data"), "{table}");
    ensure!(said(&of_check, "text")? == "no errors were found\n");
    Ok(())
}

fn no_policy(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let repository = scene.manifests.path("repository.yaml").to_string_lossy().into_owned();
    let alone = scene.sealift.run(&["forget", "-f", &repository])?;
    assert_failure(&alone, 2, &["BackupConfiguration", "vault-repository", "retentionPolicy"])?;
    // One that writes elsewhere is none.
    scene.edit("backupconfiguration.yaml", "name: vault-repository", "name: another")?;
    let other = scene.manifests.path("backupconfiguration.yaml").to_string_lossy().into_owned();
    let other = scene.sealift.run(&["forget", "-f", &repository, "-f", &other])?;
    assert_failure(&other, 2, &["BackupConfiguration", "vault-repository"])
}

/// Two snapshots, and what the commands say to them.
struct Upkeep {
    scene: Scene,
    older: String,
    newer: String,
}

impl Upkeep {
    fn new(world: &World) -> Result<Self> {
        let scene = Scene::new(world, world.small()?)?;
        let mut ids = Vec::new();
        for _ in 0..2 {
            scene.successful_backup()?;
            let listed = scene.restic()?.snapshots()?;
            let id = |snapshot: &Value| snapshot["id"].as_str().unwrap_or_default().to_owned();
            let new: Vec<_> = listed.iter().map(id).filter(|id| !ids.contains(id)).collect();
            ensure!(new.len() == 1, "a backup made {} snapshots", new.len());
            ids.extend(new);
        }
        Ok(Self { older: ids[0].clone(), newer: ids[1].clone(), scene })
    }

    fn arguments(&self, verb: &str, more: &[&str]) -> Vec<String> {
        let mut arguments = vec![verb.to_owned()];
        for name in ["repository.yaml", "backupconfiguration.yaml"] {
            arguments.push("-f".to_owned());
            arguments.push(self.scene.manifests.path(name).to_string_lossy().into_owned());
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        arguments
    }

    fn text(&self, verb: &str, more: &[&str]) -> Result<String> {
        Ok(self.scene.sealift.succeed(&borrowed(&self.arguments(verb, more)))?.stdout)
    }

    fn json(&self, verb: &str, more: &[&str]) -> Result<Value> {
        let more = [more, &["--output", "json"]].concat();
        self.scene.sealift.succeed(&borrowed(&self.arguments(verb, &more)))?.json()
    }

    /// Names follow from contents: other files are another repository.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = walk(&self.scene.repository())?;
        files.sort();
        Ok(files)
    }
}

fn forget_and_prune(world: &World) -> Result<()> {
    let upkeep = Upkeep::new(world)?;
    let Upkeep { scene, older, newer } = &upkeep;
    let before = upkeep.files()?;

    scene.edit("backupconfiguration.yaml", "keepLast: 5", "keepTags: [nobody]")?;
    let refused = scene.sealift.run(&borrowed(&upkeep.arguments("forget", &[])))?;
    assert_failure(&refused, 2, &["retention policy", "keep no snapshot", "nothing was removed"])?;

    scene.edit("backupconfiguration.yaml", "keepTags: [nobody]", "keepLast: 1")?;
    let (policy, short) = ("keep-last-5", &older[..8]);
    let said = upkeep.text("forget", &["--dry-run"])?;
    let wanted =
        format!("{short} would be forgotten\npolicy {policy}: 1 kept, 1 would be forgotten\n");
    ensure!(said == wanted, "{said}");
    ensure!(upkeep.files()? == before, "a dry run or a refusal changed the repository");
    let said = upkeep.json("forget", &[])?;
    let wanted = json!({
        "policy": policy, "dry_run": false, "kept": 1, "removed": [older],
        "no_rule": false, "in_future": [],
    });
    ensure!(said == wanted, "{said}");
    let left = scene.restic()?.snapshots()?;
    ensure!(left.len() == 1 && left[0]["id"] == newer.as_str(), "{left:?}");

    let before = upkeep.files()?;
    let announced = upkeep.json("prune", &["--dry-run"])?;
    let unused = announced["bytes_unused"].as_u64().unwrap_or_default();
    ensure!(announced["dry_run"] == true && unused > 0, "{announced}");
    let said = upkeep.text("prune", &["--dry-run"])?;
    let marked = format!("\n{} packs would be marked (", announced["packs_marked"]);
    ensure!(said.contains(&marked) && said.ends_with("\nnothing was changed\n"), "{said}");
    as_restic_sees_it(scene, &announced)?;
    ensure!(upkeep.files()? == before, "a dry run changed the repository");
    let done = upkeep.json("prune", &[])?;
    ensure!(done["dry_run"] == false && done["bytes_unused"] == unused, "{announced} {done}");
    ensure!(upkeep.files()? != before, "nothing was done: {done}");
    // Packs are only marked: what is left is a repository that restic accepts.
    ensure!(done["packs_removed"] == 0, "removed at once: {done}");
    scene.restic()?.check()?;
    ensure!(scene.restic()?.dump(newer, &first_file(scene, newer)?).is_ok());
    Ok(())
}

/// Both count the same before anything is removed; what is copied together then is each one's own.
fn as_restic_sees_it(scene: &Scene, announced: &Value) -> Result<()> {
    let said = scene.restic()?.output(&["prune", "--dry-run", "--verbose"])?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for (name, key) in [
        ("used:", "blobs_used"),
        ("unused:", "blobs_unused"),
        ("totally used packs:", "packs_used"),
        ("partly used packs:", "packs_partly_used"),
        ("unused packs:", "packs_marked"),
    ] {
        let told = said.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        let announced = announced[key].to_string();
        ensure!(
            told == Some(announced.as_str()),
            "{key} is {announced}, and restic says {name} {said}"
        );
    }
    Ok(())
}

fn first_file(scene: &Scene, id: &str) -> Result<String> {
    scene.restic()?.files(id)?.into_iter().next().context("the snapshot is empty")
}

fn damaged(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    scene.successful_backup()?;
    let path = scene.manifests.path("repository.yaml");
    let repository = path.to_str().context("a path of a test is not UTF-8")?;
    let check =
        |more: &[&str]| scene.sealift.run(&[&["check", "-f", repository][..], more].concat());
    let mut packs = walk(&scene.repository().join("data"))?;
    packs.sort_by_key(|pack| fs::metadata(pack).map(|data| data.len()).unwrap_or_default());
    let pack = packs.last().context("there is no pack")?;
    let name = pack.file_name().map(|name| name.to_string_lossy().into_owned());
    let short: String = name.unwrap_or_default().chars().take(8).collect();
    let whole = fs::read(pack)?;

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(pack, &flipped)?;
    let structure = check(&[])?;
    ensure!(structure.code == Some(0), "the structure is whole: {}", structure.text());
    ensure!(structure.stdout.contains("--read-data"), "{}", structure.text());
    let found = |more: &[&str]| -> Result<()> {
        let outcome = check(more)?;
        assert_failure(&outcome, 1, &["the check found", "copy of the repository"])?;
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        let named = lines.iter().any(|line| line.starts_with("error: ") && line.contains(&short));
        ensure!(named, "pack {short} is not named: {}", outcome.text());
        // The engine's advice would make the repository forget what is damaged.
        ensure!(!outcome.text().contains("rustic"), "{}", outcome.text());
        let report = check(&[more, &["--output", "json"]].concat())?;
        let report = report.json()?;
        ensure!(report["intact"] == false && report["errors"] != json!([]), "{report}");
        Ok(())
    };
    found(&["--read-data"])?;
    fs::write(pack, &whole[..whole.len() / 2])?;
    found(&[])?;
    fs::remove_file(pack)?;
    found(&[])?;
    fs::write(pack, &whole)?;
    let healed = check(&["--read-data"])?;
    ensure!(healed.code == Some(0), "{}", healed.text());
    Ok(())
}
