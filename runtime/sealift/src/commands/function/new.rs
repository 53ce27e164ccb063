//! `sealift function new`: a project that builds and runs as it is.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use sealift_author::{Language, New, NewError};
use sealift_core::plan::Kind;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Kinds, as they are written.
const KINDS: [Kind; 4] = [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer];

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Name of the Function: a-z, 0-9 and single dashes, a letter first.
    name: String,

    /// What it is written in.
    #[arg(long, value_parser = PossibleValuesParser::new(Language::ALL.map(Language::as_str)))]
    language: String,

    /// What it is: makes artifacts, changes them, takes them, or is told of the outcome.
    #[arg(long, value_parser = PossibleValuesParser::new(KINDS.map(Kind::as_str)))]
    kind: String,

    /// Folder of the project; made if it is not there. Default: the name.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,

    /// Rust: folder of the SDK `sealift-function`. Default: the published one.
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

/// What was written, for programs.
#[derive(Debug, Serialize)]
struct Written {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &NewArgs, output: Output) -> Result<Exit, Failure> {
    let unknown = |what: &str| Failure::new(Exit::Invalid, format!("{what} is unknown"));
    let language: Language = args.language.parse().map_err(|_| unknown("the language"))?;
    let kind = KINDS.into_iter().find(|kind| kind.as_str() == args.kind);
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let wanted = New {
        name: args.name.clone(),
        kind: kind.ok_or_else(|| unknown("the kind"))?,
        language,
        folder: folder.clone(),
        sdk: args.sdk.clone(),
    };
    let files = sealift_author::new(&wanted).map_err(|error| failed(&error))?;
    let written = Written { folder, files };
    output.result(|| text(&written), &written)?;
    Ok(Exit::Done)
}

fn failed(error: &NewError) -> Failure {
    let exit = match error {
        NewError::Name(_)
        | NewError::NotEmpty { .. }
        | NewError::NoSdk { .. }
        | NewError::NoTemplate { .. } => Exit::Invalid,
        NewError::Write { .. }
        | NewError::Contract(_)
        | NewError::Project(_)
        | NewError::Bindings(_) => Exit::Failed,
    };
    Failure::new(exit, sealift_job::chain_of_causes(error))
}

fn text(written: &Written) -> String {
    let folder = written.folder.display();
    let mut text = format!("made {folder} with {} files; next:\n", written.files.len());
    text.push_str(&format!("  cd {folder} && cat README.md\n"));
    text
}
