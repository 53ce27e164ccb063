//! Tests: the pods the operator makes, by their recorded pictures, and its own by the rendered
//! manifests, against the program that runs in them. Every argument, variable and folder is one
//! that the program knows, and whatever it takes from its surroundings is there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, CommandFactory, Parser};
use serde_json::Value;

use crate::args::{Cli, Command};

/// What the picture of all settings has from the user.
const OF_THE_USER: [&str; 1] = ["HTTPS_PROXY"];
/// Where the client of Kubernetes looks for the token.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A pod of ours, and where it is from.
struct Pod {
    from: String,
    spec: Value,
}

/// A container as the program sees it.
struct Understood {
    cli: Cli,
    /// Arguments that take a variable where none is given: those that got something, and all.
    given: BTreeSet<String>,
    takes: BTreeSet<String>,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every pod below a value, at any depth.
fn collect(from: &str, value: &Value, pods: &mut Vec<Pod>) {
    let inner: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return,
    };
    if value["containers"].is_array() {
        pods.push(Pod { from: from.to_owned(), spec: value.clone() });
    }
    for value in inner {
        collect(from, value, pods);
    }
}

/// Of Jobs and CronJobs.
fn made() -> Vec<Pod> {
    let mut pods = Vec::new();
    let folder = source().join("runtime/sealift-operator/tests/operator/snapshots");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = text(&path);
        let (_, picture) = text.split_once("\n---\n").unwrap();
        let picture: Value = serde_saphyr::from_str(picture).unwrap();
        collect(&path.file_name().unwrap().to_string_lossy(), &picture, &mut pods);
    }
    let of = |word: &str| pods.iter().filter(|pod| pod.from.contains(word)).count();
    assert!(of("builds") >= 3 && of("triggers") >= 1 && of("wipes") >= 1);
    pods
}

fn container(pod: &Pod) -> &Value {
    let containers = pod.spec["containers"].as_array().unwrap();
    assert_eq!((containers.len(), &pod.spec["initContainers"]), (1, &Value::Null), "{}", pod.from);
    &containers[0]
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn variable(arg: &Arg) -> Option<String> {
    Some(arg.get_env()?.to_string_lossy().into_owned())
}

/// Reads the arguments as the program does. A variable counts as the argument that takes it, since
/// those of this process are none of the pod's.
fn understand(from: &str, container: &Value) -> Understood {
    assert_eq!(container["command"], Value::Null, "{from}: the image says what runs");
    let mut arguments = strings(&container["args"]);
    let command = Cli::command();
    let known = arguments.iter().find_map(|argument| command.find_subcommand(argument));
    let known = known.unwrap_or_else(|| panic!("{from}: no command in {arguments:?}"));
    let written = |arg: &Arg| {
        let flag = format!("--{}=", arg.get_long()?);
        arguments.iter().any(|it| it.starts_with(&flag)).then(|| variable(arg))?
    };
    let mut given: BTreeSet<String> = known.get_arguments().filter_map(written).collect();
    for entry in container["env"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap();
        let reads = |arg: &&Arg| variable(arg).as_deref() == Some(name);
        match known.get_arguments().find(reads) {
            Some(arg) => {
                let value = entry["value"].as_str().unwrap_or("x");
                arguments.push(format!("--{}={value}", arg.get_long().unwrap()));
                given.insert(name.to_owned());
            }
            // `std::env::temp_dir`.
            None if name == "TMPDIR" && known.get_name() == "job" => {}
            None => assert!(OF_THE_USER.contains(&name), "{from}: nobody reads {name}"),
        }
    }
    let takes = known.get_arguments().filter_map(variable).collect();
    arguments.insert(0, "sealift".to_owned());
    let cli = Cli::try_parse_from(&arguments).unwrap_or_else(|error| panic!("{from}: {error}"));
    Understood { cli, given, takes }
}

#[test]
fn the_program_knows_every_argument_and_variable_and_misses_none() {
    let mut commands: Vec<(&str, BTreeSet<String>, BTreeSet<String>)> = Vec::new();
    for pod in made() {
        let Understood { cli, given, takes } = understand(&pod.from, container(&pod));
        let name = match cli.command {
            Command::Job(_) => "job",
            Command::Trigger(_) => "trigger",
            Command::Wipe(_) => "wipe",
            other => panic!("{}: {other:?}", pod.from),
        };
        match commands.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, all, _)) => all.extend(given),
            None => commands.push((name, given, takes)),
        }
    }
    assert_eq!(commands.len(), 3);
    for (name, given, takes) in commands {
        assert_eq!(given, takes, "sealift {name} looks for others");
    }
}

/// With a root file system that is read only, this is all it can write to.
#[test]
fn what_is_mounted_is_what_the_program_reads_or_writes() {
    for pod in made() {
        let Pod { from, spec } = &pod;
        let container = container(&pod);
        let mut wanted = BTreeSet::new();
        if let Command::Job(job) = understand(from, container).cli.command {
            wanted.insert((job.plan.parent().unwrap().display().to_string(), true));
            let env = container["env"].as_array().unwrap();
            let temporary = env.iter().find(|entry| entry["name"] == "TMPDIR").unwrap();
            wanted.insert((temporary["value"].as_str().unwrap().to_owned(), false));
            let volumes = spec["volumes"].as_array().unwrap();
            if volumes.iter().any(|volume| !volume["persistentVolumeClaim"].is_null()) {
                wanted.insert((job.interim_dir.display().to_string(), false));
            }
            // Kubelet's, for every container that names no other.
            assert_eq!(job.termination_log, Path::new("/dev/termination-log"));
        }
        assert_eq!(container["terminationMessagePath"], Value::Null, "{from}");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (mounts, volumes) = (list(&container["volumeMounts"]), list(&spec["volumes"]));
        let found: BTreeSet<(String, bool)> = mounts
            .iter()
            .map(|it| (it["mountPath"].as_str().unwrap().to_owned(), it["readOnly"] == true))
            .collect();
        assert_eq!(found, wanted, "{from}");
        let names = |all: &[Value]| all.iter().map(|it| it["name"].to_string()).collect();
        let (mounted, there): (BTreeSet<String>, BTreeSet<String>) =
            (names(&mounts), names(&volumes));
        assert_eq!(mounted, there, "{from}");
    }
}

/// What a user sets is another matter.
#[test]
fn a_container_has_no_capability_no_port_and_no_file_to_write() {
    for pod in made().iter().filter(|pod| !pod.from.contains("every_setting")) {
        let (from, container) = (&pod.from, container(pod));
        let security = &container["securityContext"];
        assert_eq!(strings(&security["capabilities"]["drop"]), ["ALL"], "{from}");
        assert_eq!(security["capabilities"]["add"], Value::Null, "{from}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{from}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{from}");
        assert_eq!(pod.spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for field in ["ports", "volumeDevices", "envFrom", "lifecycle", "stdin", "tty"] {
            assert_eq!(container[field], Value::Null, "{from}: {field}");
        }
        for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostAliases"] {
            assert_eq!(pod.spec[field], Value::Null, "{from}: {field}");
        }
    }
}

#[test]
fn the_operators_own_pod_has_what_the_operator_takes() {
    let manifests = text(&source().join("deploy/manifests/sealift.yaml"));
    let manifests: Vec<Value> = serde_saphyr::from_multiple(&manifests).unwrap();
    let deployment = manifests.iter().find(|it| it["kind"] == "Deployment").unwrap();
    let spec = &deployment["spec"]["template"]["spec"];
    let containers = spec["containers"].as_array().unwrap();
    let container = containers.iter().find(|it| it["name"] == "operator").unwrap();
    let Understood { cli, given, takes } = understand("sealift.yaml", container);
    assert_eq!(given, takes);
    let Command::Operator(operator) = cli.command else { panic!("it is another command") };
    let ports = container["ports"].as_array().unwrap();
    let port = operator.metrics_address.unwrap().port();
    assert_eq!(ports.iter().map(|it| it["containerPort"].clone()).collect::<Vec<_>>(), [port]);
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.iter().map(|it| it["mountPath"].clone()).collect::<Vec<_>>(), [TOKEN]);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
}
