//! Every manifest of the guides is read; what is not known in it is named.

use std::path::Path;

use sealift_api::objects::{Objects, SourceFile};

use crate::fixture::{chain, data, text};

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_manifest_of_the_guides_is_read() {
    let root = data().join("manifests");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    let mut read = 0;
    let mut lines = Vec::new();
    for path in paths.iter().filter(|path| !path.to_string_lossy().contains("-fragment")) {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy();
        let text = std::fs::read_to_string(path).unwrap();
        let file = SourceFile { name: &name, text: &text };
        match Objects::read([file], "default") {
            Ok((objects, warnings)) => {
                read += objects.iter().count();
                lines.extend(warnings.iter().map(ToString::to_string));
            }
            Err(errors) => panic!("{name}: {}", chain(&errors[0])),
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(read, 35);
}

/// Nothing a user wrote is lost when a manifest is read and written again.
#[test]
fn what_was_read_can_be_written_again() {
    for (path, kind, name) in [
        (
            "manifests/stash-docs/concept-backupconfiguration-01-backupconfiguration.yaml",
            "BackupConfiguration",
            "demo-backup",
        ),
        (
            "manifests/stash-docs/concept-restoresession-01-restoresession.yaml",
            "RestoreSession",
            "statefulset-restore",
        ),
    ] {
        let text = text(path);
        let (objects, _) =
            Objects::read([SourceFile { name: "first.yaml", text: &text }], "default").unwrap();
        let written = match kind {
            "BackupConfiguration" => {
                sealift_api::yaml::write(objects.backup_configuration("demo", name).unwrap())
            }
            _ => sealift_api::yaml::write(objects.restore_session("demo", name).unwrap()),
        }
        .unwrap();
        let (again, warnings) =
            Objects::read([SourceFile { name: "again.yaml", text: &written }], "default").unwrap();
        assert_eq!(warnings, []);
        match kind {
            "BackupConfiguration" => assert_eq!(
                objects.backup_configuration("demo", name),
                again.backup_configuration("demo", name)
            ),
            _ => assert_eq!(
                objects.restore_session("demo", name),
                again.restore_session("demo", name)
            ),
        }
    }
}
