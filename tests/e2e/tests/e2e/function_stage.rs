//! A stage for Functions of authors: manifests and a repository, an application or a source of the
//! tests, and what restic finds stored. There is no Vault.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sealift_e2e::binaries;
use sealift_e2e::restic::Restic;
use sealift_e2e::sealift::{Outcome, Sealift};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guests::described;
use crate::scene::PASSWORD;
use crate::world::World;

/// A source of the tests: this many artifacts of this many bytes.
const SOURCE: &str = "source-goes-wrong";
pub const COUNT: usize = 3;
pub const SIZE: usize = 300_000;

/// Manifests and a repository for chains of Functions.
pub struct Stage {
    folder: TempDir,
    sealift: Sealift,
    files: Vec<PathBuf>,
}

impl Stage {
    /// With an application at `url`.
    pub fn new(world: &World, url: &str) -> Result<Self> {
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
    pub fn of_transform(world: &World, transform: &str, params: &Value) -> Result<Self> {
        let mut stage = Self::new(world, "http://127.0.0.1:9")?;
        stage.chain(&[some_artifacts(), json!({"name": transform, "params": params})])?;
        Ok(stage)
    }

    /// Runs `sealift` in another folder: what a manifest names is found from there.
    pub fn stand_in(&mut self, folder: &Path) -> Result<()> {
        self.sealift = Sealift::new(folder)?.with_secrets([PASSWORD]);
        Ok(())
    }

    /// A chain of these steps into the repository, and its invoker.
    pub fn chain(&mut self, steps: &[Value]) -> Result<()> {
        let component = self.folder.path().join("source.wasm");
        fs::write(&component, described(SOURCE)?)?;
        let arguments =
            ["--mode=good".to_owned(), format!("--count={COUNT}"), format!("--size={SIZE}")];
        let image = format!("file:{}", component.display());
        let source = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "Function",
            "metadata": {"name": "some-artifacts"}, "spec": {"image": image, "args": arguments},
        });
        self.write("source.json", &source.to_string())?;
        let steps = [steps, &[json!({"name": "restic-upload"})]].concat();
        let task = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "Task",
            "metadata": {"name": "etcd-backup"}, "spec": {"steps": steps},
        });
        self.write("task.json", &task.to_string())?;
        // The invoker of an example names its Task, which is ours here.
        let invoker = example("etcd-backup.yaml")?;
        let (_, invoker) = invoker.split_once("---\n").context("one object in the example")?;
        self.write("invoker.yaml", invoker)
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Adds a file of `examples/functions`, filled in.
    pub fn example(&mut self, name: &str, values: &[(&str, &str)]) -> Result<()> {
        let mut text = example(name)?;
        for (variable, value) in values {
            text = text.replace(&format!("${{{variable}}}"), value);
        }
        self.write(name, &text)
    }

    /// Adds a manifest.
    pub fn write(&mut self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        self.files.push(path);
        Ok(())
    }

    pub fn run(&self) -> Result<Outcome> {
        let mut arguments = vec!["run".to_owned()];
        for file in &self.files {
            arguments.extend(["-f".to_owned(), path_text(file)?.to_owned()]);
        }
        self.sealift.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs to success and puts the files of the snapshot into a folder.
    pub fn stored(&self) -> Result<PathBuf> {
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

    /// Stores these files as the latest snapshot, as if a session had.
    pub fn store_instead(&self, files: &Path) -> Result<()> {
        let restic = Restic::new(path_text(&self.repository())?, PASSWORD)?;
        let at = folder_of(&restic)?;
        restic.backup_at(files, &at, "host-0")
    }

    /// Runs the restore of an example into an application at another URL.
    pub fn restore(&mut self, name: &str, url: &str) -> Result<Outcome> {
        self.files.retain(|file| !file.ends_with(format!("{name}-backup.yaml")));
        let common = self.folder.path().join("common.yaml");
        let text = fs::read_to_string(&common)?;
        let (_, rest) = text.split_once("    url: ").context("common.yaml has no url")?;
        let (old, _) = rest.split_once('\n').context("common.yaml ends with its url")?;
        fs::write(&common, text.replace(old, url))?;
        self.example(&format!("{name}-restore.yaml"), &[])?;
        self.run()
    }
}

/// The source of the tests, as a step.
pub fn some_artifacts() -> Value {
    json!({"name": "some-artifacts"})
}

/// The folder in which a session's files lie in the repository.
fn folder_of(restic: &Restic) -> Result<String> {
    let snapshots = restic.snapshots()?;
    let paths = snapshots[0]["paths"].as_array().context("a snapshot without paths")?;
    Ok(paths[0].as_str().context("a path that is no text")?.to_owned())
}

fn example(name: &str) -> Result<String> {
    let path = binaries::source_root().join("examples").join("functions").join(name);
    fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of a test is not UTF-8")
}

/// The artifacts of the source, by name.
pub fn artifacts(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
