//! `cargo xtask quickstart`: the story of the README, played with real parts.
//!
//! A real Vault is backed up by a chain of Functions, destroyed with its keys, and rebuilt from
//! the repository alone. This file tells the story; `quickstart/stage.rs` has the props. All of
//! it lies in one temporary folder and in processes that end with this one.

mod stage;

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use sealift_e2e::vault::{Vault, some_secrets};

use crate::functions;
use crate::talk::{self, Steps, seconds};
use crate::workspace::{self, Workspace};
use stage::Stage;

/// Enough to see that all came back, few enough to be written in a second.
const SECRETS: usize = 200;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Plays the story.
pub(crate) fn run() -> Result<()> {
    // Without a handler Ctrl-C would leave the Vault's folder behind. Children of this process
    // get the signal as well and end; then the values here are dropped in order.
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("failed to prepare for Ctrl-C")?;
    let outcome = play();
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted; the Vault is stopped and its folder is removed");
    }
    outcome
}

fn play() -> Result<()> {
    let workspace = Workspace::load()?;
    let mut steps = Steps::new(12);
    talk::line("Sealift quickstart: a Vault is backed up, destroyed, and comes back.\n");

    steps.begin("Looking for tools", None);
    let vault_binary = stage::find_vault()?;
    steps.done(&tools(&vault_binary)?);

    steps.begin(
        "Building the Functions, five WebAssembly components",
        Some("about 10 min the first time, then seconds"),
    );
    let built = functions::ensure(&workspace, functions::Extent::BuiltIn)?;
    steps.done(&format!("{built} components, compiled ahead of time"));

    steps.begin("Building sealift", Some("about 4 min the first time, then seconds"));
    workspace::build_program(&workspace, "sealift")?;
    steps.done("one binary with the Functions inside");

    steps.begin("Getting Vault", vault_binary.duration(&workspace)?);
    let vault_binary = vault_binary.ensure(&workspace)?;
    steps.done(&vault_binary.display().to_string());
    proceed()?;

    let stage = Stage::new()?;
    steps.begin(&format!("Starting a Vault with raft storage and writing {SECRETS} secrets"), None);
    let secrets = some_secrets(SECRETS, 1000);
    let vault = Vault::start(&vault_binary, &stage.folder("vault-before")?, None)?;
    let keys = vault.init()?;
    vault.enable_kv(&keys.root_token)?;
    vault.put_all(&keys.root_token, &secrets)?;
    stage.describe(&vault, &keys)?;
    steps.done(&format!("{}, 5 unseal keys, 3 needed", vault.address()));

    steps.begin("Backing it up: vault-snapshot -> restic-upload", None);
    talk::quote(&stage.sealift(&stage.backup())?);
    steps.done("one snapshot, released after every stage had finished");

    steps.begin("Looking into the repository", None);
    talk::quote(&stage.sealift(&stage.snapshots())?);
    steps.done("a plain restic repository");
    proceed()?;

    steps.begin("Destroying the Vault, its data, its token and its keys", None);
    vault.kill()?;
    stage.destroy()?;
    steps.done("only the repository and its password are left");

    steps.begin("Starting an empty Vault, with other keys", None);
    let vault = Vault::start(&vault_binary, &stage.folder("vault-after")?, None)?;
    let other_keys = vault.init()?;
    if other_keys.root_token == keys.root_token {
        bail!("the empty Vault has the keys of the old one: nothing would be proven");
    }
    stage.describe(&vault, &other_keys)?;
    steps.done(&vault.address());

    steps.begin("Restoring: restic-download -> vault-restore", None);
    talk::quote(&stage.sealift(&stage.restore())?);
    steps.done(
        "Vault took the snapshot and is sealed; the original keys came out of the repository",
    );
    proceed()?;

    steps.begin("Unsealing with the original keys", None);
    let restored = stage.restored_keys()?;
    vault.unseal(&restored.unseal)?;
    steps.done("the Vault is active");

    steps.begin("Reading every secret back", None);
    vault.compare_all(&restored.root_token, &secrets)?;
    steps.done(&format!("{SECRETS} of {SECRETS} secrets are back, byte for byte"));

    talk::line(&format!(
        "\nDone in {}. The Vault is stopped and its folder is removed.",
        seconds(steps.elapsed())
    ));
    Ok(())
}

/// Ends the story between two scenes when Ctrl-C was pressed.
fn proceed() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

fn tools(vault: &stage::VaultBinary) -> Result<String> {
    let cargo = workspace::version("cargo", "--version")
        .context("cargo is not on PATH; install Rust with rustup (https://rustup.rs)")?;
    let mut found = vec![cargo.split(" (").next().unwrap_or_default().to_owned()];
    found.push(match vault {
        stage::VaultBinary::OnPath { version, .. } => version.clone(),
        stage::VaultBinary::Cached => "Vault of the cache".to_owned(),
        stage::VaultBinary::ToBuild { go } => {
            format!("{go} (to build Vault: there is none on PATH)")
        }
    });
    Ok(found.join(", "))
}
