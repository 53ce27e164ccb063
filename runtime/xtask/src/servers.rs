//! `cargo xtask servers`: builds the pinned real servers of the tests, once per user.
//!
//! Each folder of `tests/servers` is a Go module of its own, so that their dependencies cannot
//! clash. Binaries go to `<cache>/sealift/servers/<name>/<key>/`, the key being a hash of the
//! module files and the flags, and `<name>/bin` points at the ones in use. Starting them is
//! `sealift-e2e`'s.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use sha2::{Digest, Sha256};

use crate::talk::{self, Steps};
use crate::workspace::{self, Workspace};

/// Part of the key: what changes here changes the binaries.
const LINKER_FLAGS: &str = "-s -w";

/// How one server is built where it differs from the others, and how long that takes with two
/// cores and cold caches, from `CONTRIBUTING.md`'s table.
struct Recipe {
    name: &'static str,
    duration: &'static str,
    /// Without libc, so that the binary runs in an image that holds nothing else.
    alone: bool,
    /// Strings the linker sets: what the build of the project itself sets, and clients read.
    strings: &'static [(&'static str, &'static str)],
    /// Build tags, of those the project has for whoever builds less than everything.
    tags: &'static str,
}

const RECIPES: [Recipe; 16] = [
    Recipe::plain("age", "about 10 s"),
    Recipe::plain("pushgateway", "about 20 s"),
    Recipe::plain("rest-server", "about 10 s"),
    // As restic's own releases are built: without a way to Google's storage by gRPC.
    Recipe { tags: "disable_grpc_modules", ..Recipe::plain("restic", "about 2 min") },
    // Without the secrets engines and storages that belong to other vendors: raft, kv, tokens and
    // audit are in it, and it builds in half the time.
    Recipe { tags: "minimal", ..Recipe::plain("vault", "about 5 min and 3 GB of disk") },
    Recipe::plain("versitygw", "about 1 min"),
    Recipe::plain("registry", "about 2 min"),
    Recipe::plain("referrers", "a few seconds"),
    Recipe::plain("crane", "about 20 s"),
    Recipe::plain("oras", "about 20 s"),
    Recipe::plain("cosign", "about 2 min"),
    Recipe::plain("keyless", "about 1 min"),
    Recipe { alone: true, ..Recipe::plain("coredns", "about 2 min") },
    Recipe { alone: true, ..Recipe::plain("helm", "about 2 min") },
    Recipe { alone: true, ..Recipe::plain("pause", "a few seconds") },
    Recipe {
        alone: true,
        // Without them the API server says it is v0.0.0, and clients refuse features of today.
        strings: &[
            ("k8s.io/component-base/version.gitVersion", "v1.36.3"),
            ("k8s.io/component-base/version.gitMajor", "1"),
            ("k8s.io/component-base/version.gitMinor", "36"),
        ],
        ..Recipe::plain("kubernetes", "about 8 min and 6 GB of disk")
    },
];

impl Recipe {
    const fn plain(name: &'static str, duration: &'static str) -> Self {
        Self { name, duration, alone: false, strings: &[], tags: "" }
    }

    fn of(name: &str) -> Self {
        RECIPES
            .into_iter()
            .find(|recipe| recipe.name == name)
            .unwrap_or(Self::plain("", "some minutes"))
    }

    fn linker_flags(&self) -> String {
        let mut flags = LINKER_FLAGS.to_owned();
        for (variable, value) in self.strings {
            flags.push_str(&format!(" -X {variable}={value}"));
        }
        flags
    }
}

/// Builds the servers of these names; none = all.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let workspace = Workspace::load()?;
    let all = names_of(&workspace)?;
    let wanted: Vec<&str> = if names.is_empty() {
        all.iter().map(String::as_str).collect()
    } else {
        names.iter().map(String::as_str).collect()
    };
    let mut steps = Steps::new(wanted.len());
    for name in wanted {
        if !all.iter().any(|known| known == name) {
            bail!("unknown server {name:?}; there are: {}", all.join(", "));
        }
        let built = built(&workspace, name)?;
        steps.begin(&format!("Server {name}"), (!built).then(|| duration(name)));
        let folder = ensure(&workspace, name)?;
        steps.done(&format!("{}{}", if built { "already built: " } else { "" }, folder.display()));
    }
    Ok(())
}

/// The folders of `tests/servers`.
pub(crate) fn names_of(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("tests").join("servers");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
        if entry.path().join("go.mod").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// How long building `name` takes.
pub(crate) fn duration(name: &str) -> &'static str {
    Recipe::of(name).duration
}

/// Whether the pinned `name` is in the cache.
pub(crate) fn built(workspace: &Workspace, name: &str) -> Result<bool> {
    Ok(folder(workspace, name)?.is_dir())
}

/// Builds `name` unless it is there, and points `bin` at it.
pub(crate) fn ensure(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let folder = folder(workspace, name)?;
    if !folder.is_dir() {
        build(&module(workspace, name), name, &folder)?;
    }
    point_bin_at(&folder)?;
    Ok(folder)
}

fn module(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("tests").join("servers").join(name)
}

fn folder(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let module = module(workspace, name);
    let mut hash = Sha256::new();
    for path in sources(&module)? {
        let bytes = fs::read(&path)
            .with_context(|| format!("server {name}: failed to read {}", path.display()))?;
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let recipe = Recipe::of(name);
    hash.update(recipe.linker_flags());
    hash.update(recipe.tags);
    if recipe.alone {
        hash.update("CGO_ENABLED=0");
    }
    let key: String = hex::encode(hash.finalize()).chars().take(16).collect();
    Ok(binaries::server_cache()?.join(name).join(key))
}

/// What a module is built from: its two files, and its own programs where it has some.
fn sources(module: &Path) -> Result<Vec<PathBuf>> {
    let mut own = Vec::new();
    for entry in
        fs::read_dir(module).with_context(|| format!("failed to list {}", module.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", module.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "go") {
            own.push(path);
        }
    }
    own.sort();
    Ok([module.join("go.mod"), module.join("go.sum")].into_iter().chain(own).collect())
}

fn build(module: &Path, name: &str, folder: &Path) -> Result<()> {
    let Some(go) = workspace::version("go", "version") else {
        bail!(
            "server {name} is built with Go, which is not on PATH; install Go 1.26 or newer (https://go.dev/dl/)"
        );
    };
    let parent = folder.parent().context("the cache folder has no parent")?;
    fs::create_dir_all(parent).with_context(|| format!("failed to create {}", parent.display()))?;
    // Built beside its place and moved there whole: a broken-off build is never taken for one.
    let interim = tempfile::tempdir_in(parent)
        .with_context(|| format!("failed to create a folder in {}", parent.display()))?;
    let mut target = interim.path().as_os_str().to_owned();
    target.push("/");
    let recipe = Recipe::of(name);
    let mut command = Command::new("go");
    command
        .current_dir(module)
        // The module files are the pins: a build may not change them, nor look at a workspace around them.
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .args(["build", "-tags", recipe.tags, "-ldflags", &recipe.linker_flags(), "-o"])
        .arg(target)
        // All programs the module names as its tools.
        .arg("tool");
    if recipe.alone {
        command.env("CGO_ENABLED", "0");
    }
    workspace::run(&mut command).with_context(|| {
        format!(
            "server {name}: its module in {} could not be had or built with {go}",
            module.display()
        )
    })?;
    fs::rename(interim.keep(), folder)
        .with_context(|| format!("failed to move the binaries of {name} to {}", folder.display()))
}

fn point_bin_at(folder: &Path) -> Result<()> {
    let (Some(parent), Some(key)) = (folder.parent(), folder.file_name()) else {
        bail!("{} is no place in the cache", folder.display())
    };
    let link = parent.join("bin");
    if fs::read_link(&link).is_ok_and(|target| target == Path::new(key)) {
        return Ok(());
    }
    let interim = parent.join(format!(".bin-{}", std::process::id()));
    symlink(key, &interim).with_context(|| format!("failed to create {}", interim.display()))?;
    fs::rename(&interim, &link).with_context(|| format!("failed to set {}", link.display()))?;
    talk::line(&format!("        {} -> {}", link.display(), key.to_string_lossy()));
    Ok(())
}
