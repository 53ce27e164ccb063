//! Components that call every function of a released version of the contract: what breaks one of
//! them breaks every Function out there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex};

use sealift_host::ports::Ports;
use sealift_host::{
    Descriptor, FunctionError, Kind, OutcomeKind, OutcomeStage, SessionOutcome, Stage, Status,
    inspect,
};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::guests::{bare, function_with, host, root, run, stage_of};
use crate::ports::{Keys, Repository, Snapshot, origin, recorded};
use crate::server::{ok, start};

/// The released versions. What is built against one stays, since its folder never changes
/// (`wit/released.lock`).
const VERSIONS: [&str; 1] = ["0.1.0"];

/// One of each kind; together they call every function.
const NAMES: [&str; 4] =
    ["contract-source", "contract-transform", "contract-sink", "contract-observer"];

fn descriptor(name: &str) -> Descriptor {
    let file = root().join("tests/guests").join(name).join("descriptor.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    descriptor(name).append_to(&bare(name)).unwrap()
}

/// A component that may do what it asks for.
fn granted(name: &str, parameters: &[(&str, &str)]) -> Stage {
    stage_of(function_with(&descriptor(name)), parameters)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_a_released_version_does_what_it_did() {
    for version in VERSIONS {
        let server = start(|seen| match seen.path.as_str() {
            "/moved" => ok("moved by the host"),
            "/read" => ok("read by the Function"),
            _ => ok("taken"),
        })
        .await;
        let digest = hex::encode(Sha256::digest("moved by the host"));
        let key = || BTreeMap::from([("root-token".to_owned(), b"\"hvs.secret\"".to_vec())]);
        let keys = Arc::new(Keys { values: Mutex::new(key()), ..Keys::default() });
        let stored = Snapshot {
            files: BTreeMap::from([("kept/a".to_owned(), b"of the snapshot".to_vec())]),
            breaks: None,
            hides_bytes: 0,
        };
        let repository = Repository::default();
        let (plain, recorder) = recorded();
        let ports = Ports {
            repository_writer: Some(Arc::new(repository.clone())),
            repository_reader: Some(Arc::new(stored)),
            keys: Some(Arc::clone(&keys) as _),
            origins: vec![origin(&server.url)],
            ..plain
        };
        let parameters = [
            ("text", "hello"),
            ("integer", "-5"),
            ("boolean", "true"),
            ("items", "a,b"),
            ("digest", &digest),
        ];
        let stages = vec![
            granted("contract-source", &parameters),
            granted("contract-transform", &[]),
            granted("contract-sink", &[]),
        ];
        let outcome = run(stages, ports).await;
        assert_eq!(outcome.failure, None, "{version}");

        let told = format!(
            "text Some(\"hello\")\ninteger Some(-5)\nboolean Some(true)\nitems Some([\"a\", \"b\"])\njson {}\ndriver Some(\"Restic\")\nfacts [(\"driver\", \"Restic\")]\ncancelled false",
            serde_json::json!({"boolean": true, "digest": digest, "integer": -5, "items": ["a", "b"], "text": "hello"})
        );
        let snapshot =
            "selected 0123abcd []\nall [\"0123abcd\"], the first 0123abcd\nfile 15 kept/a";
        let written = repository.written.lock().unwrap();
        let files: Vec<(&str, String)> = written
            .files
            .iter()
            .map(|(name, bytes)| (name.as_str(), String::from_utf8(bytes.clone()).unwrap()))
            .collect();
        assert_eq!(
            files,
            [
                ("told", told),
                ("printed", "printed\n".to_owned()),
                ("read", "20 bytes were read".to_owned()),
                ("snapshot", snapshot.to_owned()),
                ("kept/a", "of the snapshot".to_owned()),
            ],
            "{version}"
        );
        assert!(written.staged && written.tags == ["contract"], "{version}: {written:?}");
        assert_eq!(written.label.as_deref(), Some("0.1.0"), "{version}");
        let put = server.seen().into_iter().find(|seen| seen.method == "PUT").unwrap();
        assert_eq!(put.body.as_deref(), Some(&b"moved by the host"[..]), "{version}");
        assert!(keys.staged.lock().unwrap().is_empty(), "{version}: the keys are not committed");
        assert_eq!(*keys.values.lock().unwrap(), key(), "{version}");
        let mut late: Vec<&str> = outcome
            .artifacts
            .iter()
            .filter(|artifact| artifact.attributes.iter().any(|(name, _)| name == "late"))
            .map(|artifact| artifact.name.as_str())
            .collect();
        late.sort_unstable();
        assert_eq!(late, ["snapshot", "told", "told"], "{version}");
        assert_eq!(
            recorder.lines(),
            ["source-0 phase calling everything", "source-0 Info all was called"],
            "{version}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_of_a_released_version_knows_every_error() {
    let text = || "why".to_owned();
    let errors = [
        FunctionError::InvalidParameter { field: "/x".to_owned(), message: text() },
        FunctionError::Denied(text()),
        FunctionError::Retryable { message: text(), after_seconds: Some(7) },
        FunctionError::External(text()),
        FunctionError::DataLossRisk(text()),
        FunctionError::Cancelled(text()),
        FunctionError::InvalidState(text()),
        FunctionError::Other { code: "own".to_owned(), message: text() },
    ];
    let stage = |(index, error): (usize, &FunctionError)| OutcomeStage {
        name: format!("stage-{index}"),
        kind: OutcomeKind::Stage,
        status: Status::Failed,
        error: Some(error.clone()),
        statistics: Vec::new(),
    };
    let outcome = SessionOutcome {
        overall: Status::Succeeded,
        cause: None,
        stages: errors.iter().enumerate().map(stage).collect(),
        statistics: vec![("duration-seconds".to_owned(), 1.5)],
        committed: Some("0123abcd".to_owned()),
    };
    for version in VERSIONS {
        let (ports, recorder) = recorded();
        let observer = granted("contract-observer", &[]);
        let ended = host().run_observer(observer, &outcome, &ports, CancellationToken::new()).await;
        assert_eq!((ended.status, ended.error), (Status::Succeeded, None), "{version}");
        assert_eq!(
            recorder.lines(),
            [
                "observer-0 Info succeeded no error",
                "observer-0 Debug stage stage-0 failed invalid /x: why []",
                "observer-0 Debug stage stage-1 failed denied: why []",
                "observer-0 Debug stage stage-2 failed again after Some(7): why []",
                "observer-0 Debug stage stage-3 failed failed outside: why []",
                "observer-0 Debug stage stage-4 failed risk: why []",
                "observer-0 Debug stage stage-5 failed cancelled: why []",
                "observer-0 Debug stage stage-6 failed state: why []",
                "observer-0 Debug stage stage-7 failed other own: why []",
                "observer-0 Info [(\"duration-seconds\", 1.5)] Some(\"0123abcd\")",
            ],
            "{version}"
        );
    }
}

/// Without this nothing would show that a function which is taken out of the contract, or gets
/// another type, makes one of the tests above fail.
#[test]
fn every_function_of_a_released_version_is_called_by_one_of_its_components() {
    for version in VERSIONS {
        let components: Vec<Vec<u8>> = NAMES.iter().map(|name| bytes(name)).collect();
        let imports: BTreeSet<String> =
            components.iter().flat_map(|component| inspect(component).unwrap().imports).collect();
        let mut functions = 0;
        for entry in fs::read_dir(root().join("wit").join(version)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "wit") {
                continue;
            }
            for (interface, function) in functions_of(&fs::read_to_string(path).unwrap()) {
                if ["source", "transform", "sink", "observer"].contains(&interface.as_str()) {
                    continue;
                }
                let import = format!("sealift:function/{interface}@{version}");
                assert!(imports.contains(&import), "{import} is imported by none");
                let has = |component: &Vec<u8>| {
                    component.windows(function.len()).any(|part| part == function.as_bytes())
                };
                assert!(components.iter().any(has), "{interface}: {function} is called by none");
                functions += 1;
            }
        }
        assert!(functions > 40, "{functions} functions were found in {version}");
    }
}

/// The functions of a WIT file, with their interface, as components name them.
fn functions_of(text: &str) -> Vec<(String, String)> {
    let mut functions = Vec::new();
    let (mut interface, mut resource) = (String::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = opened(line, "interface ") {
            interface = name;
        } else if let Some(name) = opened(line, "resource ") {
            resource = Some(name);
        } else if line == "}" {
            resource = None;
        } else if let Some((name, _)) = line.split_once(": func(") {
            let name = name.trim_start_matches('%');
            functions.push((
                interface.clone(),
                resource
                    .as_ref()
                    .map_or(name.to_owned(), |resource| format!("[method]{resource}.{name}")),
            ));
        }
    }
    functions
}

fn opened(line: &str, word: &str) -> Option<String> {
    line.strip_prefix(word)?.strip_suffix(" {").map(str::to_owned)
}

#[test]
fn of_every_released_version_there_is_a_component_of_each_kind() {
    for version in VERSIONS {
        let kinds: BTreeSet<&str> = NAMES
            .iter()
            .map(|name| {
                let inspected = inspect(&bytes(name)).unwrap();
                assert_eq!(inspected.descriptor.contract, version, "{name}");
                inspected.kind.as_str()
            })
            .collect();
        let all = [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer];
        assert_eq!(kinds, BTreeSet::from(all.map(Kind::as_str)));
    }
}
