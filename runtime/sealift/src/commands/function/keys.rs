//! `sealift function keys`: a key pair to sign with, in cosign's own files.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_registry::signature::SigningKey;
use serde::Serialize;

use super::key::{self, PasswordArgs};
use super::page::Page;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// What the files are called: NAME.key is the private key, NAME.pub the public one.
    #[arg(value_name = "NAME")]
    name: String,

    /// Folder for the files; default: the one this runs in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    #[command(flatten)]
    password: PasswordArgs,
}

/// A key pair, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    private_key: PathBuf,
    public_key: PathBuf,
    fingerprint: String,
}

pub(super) fn run(args: &KeysArgs, output: Output) -> Result<Exit, Failure> {
    if args.name.is_empty() || args.name.contains(['/', '\0']) || args.name.starts_with('.') {
        return Err(Failure::new(Exit::Invalid, format!("{:?} is no name for files", args.name))
            .help("name the folder with --out"));
    }
    let password = args.password.read()?;
    if password.is_empty() {
        return Err(Failure::new(Exit::Invalid, "the password is empty")
            .help("who has the file of such a key can sign with it"));
    }
    let made = SigningKey::generate().and_then(|key| {
        let (private, public) = key.write(&password)?;
        Ok((private, public, key.public().fingerprint().to_string()))
    });
    let (private, public, fingerprint) = made.map_err(|error| key::of_key(&args.name, &error))?;
    let private_key = args.out.join(format!("{}.key", args.name));
    let public_key = args.out.join(format!("{}.pub", args.name));
    // The one that says whose signatures count goes first: without its other half it harms nobody.
    write(&public_key, &public, 0o644)?;
    write(&private_key, &private, 0o600)?;
    let made = Made { private_key, public_key, fingerprint };
    output.result(|| made.text(), &made)?;
    Ok(Exit::Done)
}

impl Made {
    fn text(&self) -> String {
        let mut page = Page::default();
        page.rows("private key", [self.private_key.display().to_string()]);
        page.rows("public key", [self.public_key.display().to_string()]);
        page.rows("fingerprint", [self.fingerprint.clone()]);
        page.into_text()
    }
}

/// A new file; one that is there is somebody's key.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::AlreadyExists => Exit::Invalid,
            _ => Exit::Failed,
        };
        Failure::new(exit, format!("failed to write {}: {error}", path.display()))
    })
}
