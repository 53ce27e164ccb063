//! The contract inside a project: the world a Function is built for, and the WIT files behind it.
//!
//! The world follows from the descriptor, so that what a Function asks for and what it can import
//! are the same thing: Python and JavaScript import every interface of their world, used or not.
//! The files are those of `wit/`, put into this program; nothing here looks at the Function's code.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sealift_core::grants::{Grants, RepositoryGrant};
use sealift_core::plan::Kind;

/// Version of the contract.
pub const VERSION: &str = sealift_component::contract::CURRENT;
/// Folder of the files in a project.
pub const FOLDER: &str = "wit";
/// Name of the world.
pub const WORLD: &str = "function";

/// Where in `wit/deps` a file lies, and its text.
const FILES: [(&str, &str); 14] = [
    ("sealift-function/artifacts.wit", include_str!("../../../wit/0.1.0/artifacts.wit")),
    ("sealift-function/errors.wit", include_str!("../../../wit/0.1.0/errors.wit")),
    ("sealift-function/function.wit", include_str!("../../../wit/0.1.0/function.wit")),
    ("sealift-function/keys.wit", include_str!("../../../wit/0.1.0/keys.wit")),
    ("sealift-function/repository.wit", include_str!("../../../wit/0.1.0/repository.wit")),
    ("sealift-function/session.wit", include_str!("../../../wit/0.1.0/session.wit")),
    ("sealift-function/streams.wit", include_str!("../../../wit/0.1.0/streams.wit")),
    ("cli.wit", include_str!("../../../wit/0.1.0/deps/cli.wit")),
    ("clocks.wit", include_str!("../../../wit/0.1.0/deps/clocks.wit")),
    ("filesystem.wit", include_str!("../../../wit/0.1.0/deps/filesystem.wit")),
    ("http.wit", include_str!("../../../wit/0.1.0/deps/http.wit")),
    ("io.wit", include_str!("../../../wit/0.1.0/deps/io.wit")),
    ("random.wit", include_str!("../../../wit/0.1.0/deps/random.wit")),
    ("sockets.wit", include_str!("../../../wit/0.1.0/deps/sockets.wit")),
];

/// A file of the contract that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {}", file.display())]
pub struct ContractError {
    /// The file.
    pub file: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// The world of a Function of this kind with these requests, as WIT.
#[must_use]
pub fn world(kind: Kind, requests: &Grants) -> String {
    let mut worlds = vec![format!("{}-function", kind.as_str())];
    if !requests.http.is_empty() {
        worlds.push("with-http".to_owned());
    }
    match requests.repository {
        Some(RepositoryGrant::Write) => worlds.push("with-repository-writer".to_owned()),
        Some(RepositoryGrant::ReadSelected | RepositoryGrant::ReadAll) => {
            worlds.push("with-repository-reader".to_owned());
        }
        None => {}
    }
    if requests.unseal_keys.is_some() {
        worlds.push("with-key-store".to_owned());
    }
    let includes: String = worlds
        .iter()
        .map(|world| format!("  include sealift:function/{world}@{VERSION};\n"))
        .collect();
    format!(
        "// What this Function can import. It follows from `kind` and `requests` in\n\
         // descriptor.json, and `sealift function build` writes it anew.\n\
         package local:{WORLD};\n\nworld {WORLD} {{\n{includes}}}\n"
    )
}

/// Writes the world and the files behind it into a project. Returns whether the world is another
/// one than before, so that the author can be told; false where there was none.
///
/// # Errors
/// A file cannot be written.
pub fn write(project: &Path, kind: Kind, requests: &Grants) -> Result<bool, ContractError> {
    let folder = project.join(FOLDER);
    for (name, text) in FILES {
        write_if_changed(&folder.join("deps").join(name), text.as_bytes())?;
    }
    let file = folder.join("world.wit");
    let before = fs::read(&file).ok();
    let world = world(kind, requests);
    write_if_changed(&file, world.as_bytes())?;
    Ok(before.is_some_and(|before| before != world.as_bytes()))
}

/// Leaves a file alone that is right already: tools look at its time.
pub(crate) fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<(), ContractError> {
    if fs::read(file).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let failed = |source| ContractError { file: file.to_owned(), source };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(file, bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn included(kind: Kind, requests: serde_json::Value) -> Vec<String> {
        let requests: Grants = serde_json::from_value(requests).unwrap();
        world(kind, &requests)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("include sealift:function/"))
            .map(|line| line.trim_end_matches("@0.1.0;").to_owned())
            .collect()
    }

    #[test]
    fn a_world_has_what_the_descriptor_asks_for_and_no_more() {
        assert_eq!(included(Kind::Observer, json!({})), ["observer-function"]);
        assert_eq!(
            included(
                Kind::Sink,
                json!({"repository": "write", "unsealKeys": "copy",
                    "http": [{"name": "target", "methods": ["GET"], "paths": ["/*"]}]})
            ),
            ["sink-function", "with-http", "with-repository-writer", "with-key-store"]
        );
        assert_eq!(
            included(Kind::Source, json!({"repository": "read-all"})),
            ["source-function", "with-repository-reader"]
        );
    }

    #[test]
    fn every_world_is_one_that_can_be_resolved() {
        for kind in [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer] {
            let folder = tempfile::tempdir().unwrap();
            let everything = serde_json::from_value(json!({"repository": "write",
                "unsealKeys": "copy", "http": [{"name": "target"}]}))
            .unwrap();
            assert!(!write(folder.path(), kind, &Grants::default()).unwrap());
            assert!(write(folder.path(), kind, &everything).unwrap());
            assert!(!write(folder.path(), kind, &everything).unwrap());
            let mut resolve = wit_parser::Resolve::default();
            let (package, _) = resolve.push_dir(folder.path().join(FOLDER)).unwrap();
            let world = resolve.select_world(&[package], Some(WORLD)).unwrap();
            let exports: Vec<String> = resolve.worlds[world]
                .exports
                .keys()
                .map(|key| resolve.name_world_key(key))
                .collect();
            assert_eq!(exports, [format!("sealift:function/{}@{VERSION}", kind.as_str())]);
        }
    }
}
