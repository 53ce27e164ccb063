//! `sealift check`: whether a repository is intact.

use serde::Serialize;

use crate::args::CheckArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::repository::{self, Use};

/// What the check found.
#[derive(Serialize)]
struct Checked {
    intact: bool,
    data_read: bool,
    errors: Vec<String>,
    notes: Vec<String>,
}

pub(crate) async fn run(args: &CheckArgs, output: Output) -> Result<Exit, Failure> {
    let read_data = args.read_data;
    let report = repository::with(&args.repository, Use::Shared, move |repository| {
        repository.check(read_data)
    })
    .await?;
    let (errors, notes): (Vec<_>, Vec<_>) =
        report.findings.into_iter().partition(|finding| finding.error);
    let texts = |findings: Vec<sealift_repository::Finding>| {
        findings.into_iter().map(|finding| finding.text).collect::<Vec<_>>()
    };
    let checked = Checked {
        intact: errors.is_empty(),
        data_read: read_data,
        errors: texts(errors),
        notes: texts(notes),
    };
    output.result(|| render(&checked), &checked)?;
    if checked.intact {
        return Ok(Exit::Done);
    }
    let found = format!("the check found {} errors", checked.errors.len());
    Err(Failure::new(Exit::Failed, found).help(
        "make a copy of the repository before anything else, then see Troubleshooting in restic's manual",
    ))
}

fn render(checked: &Checked) -> String {
    let mut text = String::new();
    for note in &checked.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    for error in &checked.errors {
        text.push_str(&format!("error: {error}\n"));
    }
    if checked.intact {
        text.push_str("no errors were found\n");
        if !checked.data_read {
            text.push_str("the structure was checked; --read-data reads the data as well\n");
        }
    }
    text
}
