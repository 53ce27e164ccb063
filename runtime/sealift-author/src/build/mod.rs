//! From a project to a component: the language's own toolchain, and what is the same for all.
//!
//! *Flow*: is everything there? → write the contract and the bindings → the toolchain → `finish`:
//! strip it, put the descriptor at its end, compare it with what it asks for → `target/<name>.wasm`. Nothing is downloaded but what a compiler fetches itself (cargo its
//! crates, Go its modules). A toolchain is called as its own documentation says, and what it
//! prints is shown when it fails.

mod bindings;
mod c;
mod componentize;
mod finish;
mod go;
mod javascript;
mod python;
mod quickjs;
mod rust;
mod tool;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sealift_component::Inspected;

use crate::contract::{self, ContractError};
use crate::language::Language;
use crate::machine::{Machine, Missing};
use crate::project::Project;

pub use bindings::{BindingsError, write as write_bindings};
pub use componentize::ComponentizeError;
pub use finish::FinishError;

/// Folder of what was built, in the project.
const TARGET: &str = "target";

/// Told of each step, in words for people.
pub type Talk<'a> = &'a dyn Fn(&str);

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Parts of the toolchain are not there.
    #[error("the toolchain for {language} is not complete: {}", missing.iter().map(|part| part.what.as_str()).collect::<Vec<_>>().join("; "))]
    Missing {
        /// The language.
        language: Language,
        /// What is missing, and how each is installed.
        missing: Vec<Missing>,
    },
    /// The contract cannot be written.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The bindings cannot be made.
    #[error(transparent)]
    Bindings(#[from] BindingsError),
    /// A program of the toolchain cannot be started.
    #[error("failed to start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program of the toolchain failed.
    #[error("{program} {ended}:\n{said}")]
    Tool {
        /// The program.
        program: String,
        /// How it ended.
        ended: String,
        /// The end of what it printed.
        said: String,
    },
    /// The toolchain made nothing that could be a component.
    #[error("{program} made no component: {reason}")]
    Nothing {
        /// The program.
        program: String,
        /// What was looked for.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("failed to {operation} {}", file.display())]
    File {
        /// `read` or `write`.
        operation: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The module cannot be made a component.
    #[error(transparent)]
    Componentize(#[from] ComponentizeError),
    /// What was built is not a Function with this descriptor.
    #[error(transparent)]
    Finish(#[from] FinishError),
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// Where it lies.
    pub file: PathBuf,
    /// What it is.
    pub inspected: Inspected,
    /// How long it took.
    pub took: Duration,
}

/// What is the same for every toolchain.
pub(crate) struct Job<'a> {
    /// What is built.
    pub(crate) project: &'a Project,
    /// Where programs lie.
    pub(crate) machine: &'a Machine,
    /// Who is told.
    pub(crate) talk: Talk<'a>,
    /// A folder for what is between source and component.
    pub(crate) work: PathBuf,
}

/// What makes a component of the sources of one language.
pub(crate) trait Toolchain {
    /// What is not there; empty = it can build.
    fn missing(&self, project: &Project, machine: &Machine) -> Vec<Missing>;

    /// Builds a component without descriptor.
    ///
    /// # Errors
    /// The sources or the toolchain failed.
    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError>;
}

fn toolchain(language: Language) -> &'static dyn Toolchain {
    match language {
        Language::Rust => &rust::Rust,
        Language::JavaScript => &javascript::JavaScript,
        Language::QuickJs => &quickjs::QuickJs,
        Language::Python => &python::Python,
        Language::Go => &go::Go,
        Language::C => &c::C,
    }
}

/// What is missing on this machine to build the project; empty = nothing.
#[must_use]
pub fn missing(project: &Project, machine: &Machine) -> Vec<Missing> {
    toolchain(project.language()).missing(project, machine)
}

/// Builds the component of a project.
///
/// # Errors
/// A part of the toolchain is missing, a tool failed, or what it made is not a Function that
/// imports what its descriptor asks for.
pub fn build(project: &Project, machine: &Machine, talk: Talk<'_>) -> Result<Built, BuildError> {
    let began = Instant::now();
    let language = project.language();
    let toolchain = toolchain(language);
    let missing = toolchain.missing(project, machine);
    if !missing.is_empty() {
        return Err(BuildError::Missing { language, missing });
    }
    let descriptor = &project.descriptor;
    if contract::write(&project.folder, descriptor.kind, &descriptor.requests)? {
        talk("wit/world.wit changed with descriptor.json");
    }
    write_bindings(project)?;
    let target = project.folder.join(TARGET);
    let work = target.join("work");
    fs::create_dir_all(&work).map_err(|source| BuildError::File {
        operation: "write",
        file: work.clone(),
        source,
    })?;
    let component = toolchain.component(&Job { project, machine, talk, work })?;
    let (component, inspected) = finish::finish(&component, &project.section)?;
    let file = target.join(format!("{}.wasm", descriptor.name));
    fs::write(&file, &component).map_err(|source| BuildError::File {
        operation: "write",
        file: file.clone(),
        source,
    })?;
    Ok(Built { file, inspected, took: began.elapsed() })
}

/// Reads what a tool wrote.
pub(crate) fn read(file: PathBuf) -> Result<Vec<u8>, BuildError> {
    fs::read(&file).map_err(|source| BuildError::File { operation: "read", file, source })
}
