//! A new project: a Function of one kind in one language that builds and runs as it is.
//!
//! It writes a template's files into a folder of their own, and the contract beside them. What it
//! wrote is the author's from then on; nothing here is asked again.

mod template;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sealift_core::plan::Kind;

use crate::build;
use crate::contract::{self, ContractError};
use crate::language::Language;
use crate::project::{Project, ProjectError, check_name};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Name of the Function, kebab-case.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What it is written in.
    pub language: Language,
    /// Where it goes; made if it is not there, and empty if it is.
    pub folder: PathBuf,
    /// Rust: where the SDK lies, from here; none = the published one.
    pub sdk: Option<PathBuf>,
}

/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// Not a name.
    #[error("{0}")]
    Name(String),
    /// The folder holds something.
    #[error(
        "{} is not empty (it holds {holds}); nothing is written over: give another folder",
        folder.display()
    )]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// Something in it.
        holds: String,
    },
    /// There is no SDK where it is said to be.
    #[error("there is no SDK in {}: it has no Cargo.toml", folder.display())]
    NoSdk {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no template.
    #[error("there is no {} in {language}: {reason}", kind.as_str())]
    NoTemplate {
        /// The kind.
        kind: Kind,
        /// The language.
        language: Language,
        /// Why.
        reason: &'static str,
    },
    /// A file cannot be written.
    #[error("failed to write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The contract cannot be written.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The project that was written cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The bindings cannot be made.
    #[error(transparent)]
    Bindings(#[from] build::BindingsError),
}

/// Writes the project and returns its files, relative to its folder, without those that
/// `sealift function build` makes anew.
///
/// # Errors
/// The name, the pair of kind and language, or the folder is refused, before anything is
/// written; or a file cannot be written.
pub fn new(wanted: &New) -> Result<Vec<PathBuf>, NewError> {
    check_name(&wanted.name).map_err(NewError::Name)?;
    if let Some(reason) = wanted.language.without_template(wanted.kind) {
        return Err(NewError::NoTemplate { kind: wanted.kind, language: wanted.language, reason });
    }
    let sdk = wanted.sdk.as_deref().map(sdk).transpose()?;
    check_empty(&wanted.folder)?;
    let mut written = Vec::new();
    for file in template::files(wanted, sdk.as_deref()) {
        let path = wanted.folder.join(&file.path);
        let failed = |source| NewError::Write { file: path.clone(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&path, file.text).map_err(failed)?;
        written.push(PathBuf::from(file.path));
    }
    let project = Project::read(&wanted.folder)?;
    contract::write(&project.folder, wanted.kind, &project.descriptor.requests)?;
    build::write_bindings(&project)?;
    Ok(written)
}

/// The folder of the SDK as the project can name it: its `Cargo.toml` lies elsewhere than we stand.
fn sdk(folder: &Path) -> Result<PathBuf, NewError> {
    match folder.canonicalize() {
        Ok(whole) if whole.join("Cargo.toml").is_file() => Ok(whole),
        _ => Err(NewError::NoSdk { folder: folder.to_owned() }),
    }
}

fn check_empty(folder: &Path) -> Result<(), NewError> {
    let failed = |source| NewError::Write { file: folder.to_owned(), source };
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(entry) => Err(NewError::NotEmpty {
            folder: folder.to_owned(),
            holds: entry.map_err(failed)?.file_name().to_string_lossy().into_owned(),
        }),
    }
}
