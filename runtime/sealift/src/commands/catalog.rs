//! `sealift catalog`: the Tasks and Functions that are built in.

use sealift_api::catalog::Catalog;

use crate::args::CatalogArgs;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};

pub(crate) fn run(args: &CatalogArgs, output: Output) -> Result<Exit, Failure> {
    let catalog = Catalog::built_in();
    let wanted = |name: &str| args.name.as_deref().is_none_or(|wanted| wanted == name);
    let to_value = |value: Result<serde_json::Value, serde_json::Error>| {
        value.map_err(|error| Failure::of(Exit::Failed, &error))
    };
    let mut objects = Vec::new();
    for task in catalog.tasks().filter(|task| wanted(task.name())) {
        objects.push(to_value(serde_json::to_value(task))?);
    }
    for function in catalog.functions().filter(|function| wanted(function.name())) {
        objects.push(to_value(serde_json::to_value(function))?);
    }
    if objects.is_empty() {
        let names: Vec<_> = catalog
            .tasks()
            .map(|task| task.name())
            .chain(catalog.functions().map(|function| function.name()))
            .collect();
        return Err(Failure::new(
            Exit::Invalid,
            format!("{:?} is not in the catalogue", args.name.as_deref().unwrap_or_default()),
        )
        .help(format!("it has {}", names.join(", "))));
    }
    let documents: Vec<String> = objects.iter().map(output::yaml).collect::<Result<_, _>>()?;
    output.result(|| documents.join("---\n"), &objects)?;
    Ok(Exit::Done)
}
