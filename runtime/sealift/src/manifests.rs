//! Manifests from files: reading them, choosing what to run, handing Secrets to the session.
//!
//! The one place of this binary that reads input files. Unknown fields end the command, as
//! `kubectl apply` does by default: a misspelt field of a backup is a backup that does
//! something else.

use std::io::Read;
use std::path::{Path, PathBuf};

use sealift_api::finding::Warning;
use sealift_api::object::Object;
use sealift_api::objects::{Objects, SourceFile};
use sealift_core::plan::{ObjectRef, SecretRef};
use sealift_job::files::FileObjects;
use sealift_job::secrets::SecretData;
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

/// Namespace of objects that name none, as `kubectl` has it.
const DEFAULT_NAMESPACE: &str = "default";

/// Reads all files, or says everything that is wrong in them.
pub(crate) fn read(filenames: &[PathBuf]) -> Result<Objects, Failure> {
    let mut texts = Vec::new();
    for filename in filenames {
        for path in expand(filename)? {
            texts.push((path.display().to_string(), read_file(&path)?));
        }
    }
    let files = texts.iter().map(|(name, text)| SourceFile { name, text: text.as_str() });
    let (objects, warnings) = Objects::read(files, DEFAULT_NAMESPACE).map_err(|errors| {
        let mut failure = Failure::new(Exit::Invalid, "the manifests cannot be used");
        failure.lines = errors.iter().map(|error| sealift_job::chain_of_causes(error)).collect();
        failure
    })?;
    let unknown: Vec<String> = warnings
        .iter()
        .filter(|warning| matches!(warning, Warning::UnknownField { .. }))
        .map(ToString::to_string)
        .collect();
    if !unknown.is_empty() {
        let mut failure = Failure::new(Exit::Invalid, "");
        failure.lines = unknown;
        return Err(failure.help("correct the field's name or place, or remove it"));
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(objects)
}

/// A folder stands for its manifests, in order of their names.
fn expand(filename: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !filename.is_dir() {
        return Ok(vec![filename.to_owned()]);
    }
    let failed = |source: std::io::Error| {
        Failure::new(Exit::Invalid, format!("failed to read folder {filename:?}: {source}"))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(filename).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if is_yaml && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(Exit::Invalid, format!("folder {filename:?} has no manifests"))
            .help("manifests end in .yaml or .yml"));
    }
    Ok(files)
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|source| {
        Failure::new(Exit::Invalid, format!("failed to read {path:?}: {source}"))
    })?;
    Ok(text)
}

/// The BackupConfiguration or RestoreSession to run.
pub(crate) fn invoker(objects: &Objects, wanted: Option<&str>) -> Result<ObjectRef, Failure> {
    let all = objects.invokers();
    let listed = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut fitting: Vec<_> =
        all.iter().filter(|object| wanted.is_none_or(|wanted| names(wanted, object))).collect();
    match (fitting.pop(), fitting.is_empty()) {
        (Some(object), true) => Ok(object.clone()),
        (Some(_), false) => Err(Failure::new(
            Exit::Invalid,
            format!("the files hold several objects that can be run: {}", listed()),
        )
        .help("choose one with --invoker KIND/NAME")),
        (None, _) if all.is_empty() => Err(Failure::new(
            Exit::Invalid,
            "the files hold no BackupConfiguration and no RestoreSession",
        )
        .help("add the file with one of them with -f FILE")),
        (None, _) => Err(Failure::new(
            Exit::Invalid,
            format!(
                "--invoker {} is not in the files; they hold {}",
                wanted.unwrap_or_default(),
                listed()
            ),
        )),
    }
}

fn names(wanted: &str, object: &ObjectRef) -> bool {
    match wanted.split_once('/') {
        Some((kind, name)) => kind.eq_ignore_ascii_case(&object.kind) && name == object.name,
        None => wanted == object.name,
    }
}

/// Secrets and AppBindings for a session.
pub(crate) fn session_objects(objects: &Objects, write_secrets: Option<PathBuf>) -> FileObjects {
    let mut files = FileObjects::new(write_secrets);
    for (_, object) in objects.iter() {
        match object {
            Object::Secret(secret) => {
                let reference = SecretRef {
                    namespace: secret.namespace().to_owned(),
                    name: secret.name().to_owned(),
                };
                let mut data = SecretData::default();
                for (key, value) in secret.values() {
                    data.insert(key, value.clone());
                }
                files.add_secret(reference, data);
            }
            Object::AppBinding(binding) => {
                for add in binding.spec.secret_transforms.iter().filter_map(|t| t.add_key.as_ref())
                {
                    let value = Zeroizing::new(add.bytes().to_vec());
                    files.add_key(binding.reference(), add.key.clone(), value);
                }
            }
            _ => {}
        }
    }
    files
}
