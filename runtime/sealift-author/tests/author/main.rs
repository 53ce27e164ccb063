//! Projects as an author gets them, on a machine that has nothing: what is written, what is
//! refused, and what is said to be missing. Building them needs toolchains, and is a test of the
//! whole (`tests/e2e`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use sealift_author::build::missing;
use sealift_author::{BuildError, Language, Machine, New, NewError, Project, build, new};
use sealift_core::plan::Kind;

const KINDS: [Kind; 4] = [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer];

fn wanted(folder: &Path, language: Language, kind: Kind) -> New {
    New { name: "export-orders".to_owned(), kind, language, folder: folder.to_owned(), sdk: None }
}

#[test]
fn every_template_is_a_project_with_its_world_and_bindings() {
    for language in Language::ALL {
        for kind in KINDS.into_iter().filter(|kind| language.without_template(*kind).is_none()) {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("project");
            let written = new(&wanted(&folder, language, kind)).unwrap();
            assert!(written.contains(&PathBuf::from("descriptor.json")), "{written:?}");
            let project = Project::find(&folder).unwrap();
            assert_eq!((project.language(), project.descriptor.kind), (language, kind));
            assert_eq!(project.descriptor.name, "export-orders");
            let world = fs::read_to_string(folder.join("wit/world.wit")).unwrap();
            assert!(world.contains(&format!("{}-function@0.1.0", kind.as_str())), "{world}");
            assert_eq!(world.contains("with-http"), !project.descriptor.requests.http.is_empty());
            let header = folder.join("bindings/bindings.h");
            let exports = folder.join("bindings/wit_exports/wit_exports.go");
            assert_eq!(header.is_file(), language == Language::C);
            assert_eq!(exports.is_file(), language == Language::Go);
        }
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("project");
    let error = new(&wanted(&folder, Language::QuickJs, Kind::Source)).unwrap_err();
    assert!(error.to_string().contains("javascript or python"), "{error}");
    let mut unnamed = wanted(&folder, Language::Go, Kind::Source);
    unnamed.name = "Export Orders".to_owned();
    let error = new(&unnamed).unwrap_err();
    assert!(error.to_string().contains("\"Export Orders\" is not a name"), "{error}");
    assert!(!folder.is_dir());
}

#[test]
fn the_sdk_is_named_by_where_it_lies() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sealift-function");
    let place = tempfile::tempdir().unwrap();
    let mut with_sdk = wanted(&place.path().join("project"), Language::Rust, Kind::Source);
    with_sdk.sdk = Some(sdk.clone());
    new(&with_sdk).unwrap();
    let manifest = fs::read_to_string(with_sdk.folder.join("Cargo.toml")).unwrap();
    let whole = sdk.canonicalize().unwrap().display().to_string();
    assert!(manifest.contains(&format!("sealift-function = {{ path = {whole:?} }}")), "{manifest}");

    with_sdk.folder = place.path().join("other");
    with_sdk.sdk = Some("nowhere".into());
    let error = new(&with_sdk).unwrap_err();
    assert!(matches!(error, NewError::NoSdk { .. }), "{error}");
    assert!(!with_sdk.folder.is_dir());
}

#[test]
fn nothing_is_written_over() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.txt"), "years of work").unwrap();
    let error = new(&wanted(place.path(), Language::Python, Kind::Sink)).unwrap_err();
    assert!(matches!(&error, NewError::NotEmpty { holds, .. } if holds == "thesis.txt"), "{error}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_machine_without_toolchains_is_told_how_to_get_each() {
    for (language, words) in [
        (Language::Rust, "rustup"),
        (Language::JavaScript, "npm ci"),
        (Language::QuickJs, "npm ci"),
        (Language::Python, "pip install -r requirements.txt"),
        (Language::Go, "go.dev"),
        (Language::C, "clang"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("project");
        new(&wanted(&folder, language, Kind::Transform)).unwrap();
        let project = Project::read(&folder).unwrap();
        let nothing = Machine::default();
        let parts = missing(&project, &nothing);
        assert!(parts.iter().any(|part| part.install.contains(words)), "{language}: {parts:?}");
        let error = build(&project, &nothing, &|_| {}).unwrap_err();
        assert!(matches!(error, BuildError::Missing { .. }), "{language}: {error}");
        assert!(!folder.join("target").is_dir(), "{language}: something was built");
    }
}

/// The files that an example has from its language's template, and has not changed.
const SHARED: &[(&str, &str, &[&str])] = &[
    ("age-encrypt", "go/common", &["main.go", "sealift/artifacts.go", "sealift/errors.go"]),
    ("age-encrypt", "go/common", &["sealift/session.go"]),
    ("checksums", "c/common", &["src/sealift.c", "src/sealift.h"]),
    ("etcd-export", "python/http", &["src/requests_to.py"]),
    ("etcd-import", "python/http", &["src/requests_to.py"]),
    ("registry-export", "javascript/http", &["src/http.js"]),
];

#[test]
fn examples_have_what_their_templates_have() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (example, template, files) in SHARED {
        for file in *files {
            let ours = root.join("examples/functions").join(example).join(file);
            let theirs = root.join("templates").join(template).join(file);
            let filled = fs::read_to_string(&theirs).unwrap().replace("{{name}}", example);
            assert_eq!(
                fs::read_to_string(&ours).unwrap(),
                filled,
                "{} and {} differ",
                ours.display(),
                theirs.display()
            );
        }
    }
}
