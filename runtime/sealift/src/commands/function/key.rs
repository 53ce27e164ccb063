//! The private key of a publisher, and its password: read from files, never from arguments.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_registry::signature::{KeyError, SigningKey};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

/// The variable cosign takes a password from.
const VARIABLE: &str = "COSIGN_PASSWORD";
/// The largest file of a key or a password.
const MOST_BYTES: u64 = 64 << 10;

/// Where the password of a key stands.
#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// File with the password of the private key, `-` for standard input.
    /// Default: what stands in the variable COSIGN_PASSWORD.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password.
    pub(super) fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let Some(path) = &self.password_file else {
            return match std::env::var(VARIABLE) {
                Ok(password) => Ok(Zeroizing::new(password)),
                Err(_) => Err(Failure::new(Exit::Invalid, "the key's password is not given")
                    .help(format!("name a file with --password-file, or set {VARIABLE}"))),
            };
        };
        let text = if path == Path::new("-") { text(io::stdin()) } else { file(path) };
        let text = text.map_err(|error| {
            Failure::new(Exit::Invalid, format!("failed to read {}: {error}", path.display()))
        })?;
        // A line ends where people end it; blanks are the password's own.
        Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
    }
}

/// Reads a private key.
pub(super) fn read(path: &Path, password: &PasswordArgs) -> Result<SigningKey, Failure> {
    let shown = path.display();
    let text = file(path)
        .map_err(|error| Failure::new(Exit::Invalid, format!("failed to read {shown}: {error}")))?;
    SigningKey::read(&text, &password.read()?).map_err(|error| of_key(&shown.to_string(), &error))
}

/// A key that is not to be used.
pub(super) fn of_key(place: &str, error: &KeyError) -> Failure {
    let exit = if matches!(error, KeyError::Library(_)) { Exit::Failed } else { Exit::Invalid };
    Failure::new(exit, format!("{place}: {error}"))
}

fn file(path: &Path) -> io::Result<Zeroizing<String>> {
    text(File::open(path)?)
}

fn text(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
