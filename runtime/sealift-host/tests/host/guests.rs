//! Builds the guests, gives each its descriptor, and loads it once.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use sealift_core::grants::{Grants, HttpGrant, KeyGrant, RepositoryGrant};
use sealift_core::limits::Limits;
use sealift_host::ports::Ports;
use sealift_host::{CONTRACT, Chain, ChainOutcome, Descriptor, Function, Host, Kind, Stage};
use tokio_util::sync::CancellationToken;

/// What the guests share, and the component that is no Function, which the tests of the whole use.
const OTHERS: [&str; 2] = ["guest-contract", "only-a-command"];

/// Those that have descriptors of their own (`contract`).
const OF_THE_CONTRACT: [&str; 4] =
    ["contract-source", "contract-transform", "contract-sink", "contract-observer"];

/// Every guest these tests use, with its kind.
const GUESTS: [(&str, Kind); 10] = [
    ("source-goes-wrong", Kind::Source),
    ("transform-goes-wrong", Kind::Transform),
    ("sink-goes-wrong", Kind::Sink),
    ("observer-goes-wrong", Kind::Observer),
    ("source-downloads", Kind::Source),
    ("sink-uploads", Kind::Sink),
    ("sink-stores", Kind::Sink),
    ("source-restores", Kind::Source),
    ("source-leaks-keys", Kind::Source),
    ("copies-bytes", Kind::Transform),
];

/// The built-in Functions these tests use, as they are.
const PLUGINS: [&str; 5] =
    ["vault-snapshot", "restic-upload", "restic-download", "vault-restore", "pushgateway-push"];

/// The top folder of the source.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// One host for all tests, as in a process.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::new().unwrap())
}

/// The component as cargo built it, without a descriptor.
pub(crate) fn bare(name: &str) -> Vec<u8> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root()).args(["build", "--quiet", "--profile", "function"]);
        command.args(["--target", "wasm32-wasip2"]);
        for package in GUESTS.iter().map(|(guest, _)| guest).chain(&PLUGINS).chain(&OF_THE_CONTRACT)
        {
            command.args(["-p", package]);
        }
        assert!(command.status().unwrap().success(), "the guests do not build");
        // The folder that holds this very test program: <target>/<profile>/deps/<program>.
        let program = std::env::current_exe().unwrap();
        program.ancestors().nth(3).unwrap().join("wasm32-wasip2/function")
    });
    std::fs::read(folder.join(format!("{}.wasm", name.replace('-', "_")))).unwrap()
}

/// Asks for everything, so that the grants decide.
pub(crate) fn everything() -> Grants {
    Grants {
        http: vec![http(&["GET", "HEAD", "POST", "PUT"], &["/*"])],
        repository: None,
        unseal_keys: None,
    }
}

pub(crate) fn http(methods: &[&str], paths: &[&str]) -> HttpGrant {
    HttpGrant {
        name: "target".to_owned(),
        methods: methods.iter().map(|text| (*text).to_owned()).collect(),
        paths: paths.iter().map(|text| (*text).to_owned()).collect(),
    }
}

pub(crate) fn descriptor(name: &str) -> Descriptor {
    let (_, kind) = GUESTS.into_iter().find(|(guest, _)| *guest == name).unwrap();
    let repository = match name {
        "sink-stores" => Some(RepositoryGrant::Write),
        "source-restores" => Some(RepositoryGrant::ReadAll),
        _ => None,
    };
    Descriptor {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        summary: "for tests".to_owned(),
        kind,
        contract: CONTRACT.to_owned(),
        parameters: serde_json::json!({"type": "object", "properties": {
            "mode": {"type": "string"}, "code": {"type": "string"}, "digest": {"type": "string"},
            "size": {"type": "integer", "minimum": 0}, "chunk": {"type": "integer", "minimum": 1},
            "count": {"type": "integer"}, "pause": {"type": "integer"}, "times": {"type": "integer"},
            "method": {"type": "string"}, "host": {"type": "string", "default": "target"},
            "path": {"type": "string", "default": "/"}, "content": {"type": "string"},
            "headers": {"type": "array"},
        }}),
        requests: Grants { repository, unseal_keys: keys_of(name, None), ..everything() },
        unknown_size: false,
    }
}

fn keys_of(name: &str, otherwise: Option<KeyGrant>) -> Option<KeyGrant> {
    if name == "source-leaks-keys" { Some(KeyGrant::Write) } else { otherwise }
}

/// The guest with its descriptor.
pub(crate) fn function(name: &str) -> Function {
    function_with(&descriptor(name))
}

/// The guest with a descriptor of its own.
pub(crate) fn function_with(descriptor: &Descriptor) -> Function {
    static LOADED: OnceLock<Mutex<HashMap<String, Function>>> = OnceLock::new();
    let key = serde_json::to_string(descriptor).unwrap();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().unwrap();
    loaded
        .entry(key)
        .or_insert_with(|| {
            let wasm = descriptor.append_to(&bare(&descriptor.name)).unwrap();
            host().load(&wasm).unwrap()
        })
        .clone()
}

/// A stage that may do what its descriptor asks for. Its first parameter is `mode`.
pub(crate) fn stage(guest: &str, mode: &str, parameters: &[(&str, &str)]) -> Stage {
    let mut given = vec![("mode", mode)];
    given.extend(parameters);
    stage_of(function(guest), &given)
}

/// A built-in Function as a stage.
pub(crate) fn plugin(name: &str, parameters: &[(&str, &str)]) -> Stage {
    let descriptor = root().join("plugins").join(name).join("descriptor.json");
    let descriptor = std::fs::read(descriptor).unwrap();
    stage_of(function_with(&serde_json::from_slice(&descriptor).unwrap()), parameters)
}

/// A stage that may do what its descriptor asks for.
pub(crate) fn stage_of(function: Function, parameters: &[(&str, &str)]) -> Stage {
    let grants = function.descriptor().requests.clone();
    let given: BTreeMap<String, String> =
        parameters.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let name = format!("{}-0", function.kind().as_str());
    let limits = Limits { wall_seconds: 120, cpu_seconds: 60, ..Limits::default() };
    Stage { name, function, parameters: given, grants, limits }
}

/// Runs a chain to its end, with two minutes of patience.
pub(crate) async fn run(stages: Vec<Stage>, ports: Ports) -> ChainOutcome {
    let chain = Chain {
        stages,
        ports,
        cancel: CancellationToken::new(),
        deadline: Some(Duration::from_secs(120)),
    };
    host().run_chain(chain).await
}

#[test]
fn every_guest_in_the_folder_is_used() {
    let mut found: Vec<String> = std::fs::read_dir(root().join("tests/guests"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut used: Vec<String> = GUESTS.iter().map(|(guest, _)| (*guest).to_owned()).collect();
    used.extend(OTHERS.into_iter().chain(OF_THE_CONTRACT).map(str::to_owned));
    found.sort();
    used.sort();
    assert_eq!(found, used);
}
