//! Who may know whom: the crate table of `ARCHITECTURE.md`, checked against `cargo metadata`.

use crate::workspace::{Package, Workspace};

/// One crate: which crates of ours it may use, and which of others it may never see.
struct Room {
    name: &'static str,
    ours: &'static [&'static str],
    never: &'static [&'static str],
}

const KUBE: &[&str] = &["kube", "kube-core", "kube-client", "kube-runtime"];

/// The table. Development dependencies obey it as well, but for those on test tools.
const ROOMS: &[Room] = &[
    Room {
        name: "sealift-core",
        ours: &[],
        never: &[
            "kube",
            "wasmtime",
            "tokio",
            "rustic_core",
            "tempfile",
            "anyhow",
            "clap",
            "k8s-openapi",
        ],
    },
    Room {
        name: "sealift-api",
        ours: &["sealift-core"],
        never: &["kube", "kube-client", "wasmtime", "tokio", "anyhow"],
    },
    Room {
        name: "sealift-bindings",
        ours: &[],
        never: &["kube", "tokio", "anyhow", "rustic_core"],
    },
    Room {
        name: "sealift-component",
        ours: &["sealift-core"],
        never: &[
            "kube",
            "kube-client",
            "kube-core",
            "kube-runtime",
            "wasmtime",
            "tokio",
            "rustic_core",
            "k8s-openapi",
            "anyhow",
            "clap",
            "tempfile",
        ],
    },
    Room {
        name: "sealift-host",
        ours: &["sealift-core", "sealift-bindings", "sealift-component"],
        never: &["kube", "kube-client", "k8s-openapi", "rustic_core", "rustic_backend", "anyhow"],
    },
    Room {
        name: "sealift-repository",
        ours: &["sealift-core"],
        never: &["kube", "kube-client", "k8s-openapi", "wasmtime", "anyhow"],
    },
    // It moves bytes and compiles nothing.
    Room {
        name: "sealift-registry",
        ours: &["sealift-core"],
        never: &[
            "kube",
            "kube-client",
            "k8s-openapi",
            "wasmtime",
            "rustic_core",
            "rustic_backend",
            "anyhow",
        ],
    },
    Room {
        name: "sealift-kube",
        ours: &["sealift-core"],
        never: &["wasmtime", "rustic_core", "anyhow"],
    },
    Room {
        name: "sealift-operator",
        ours: &["sealift-core", "sealift-api", "sealift-kube"],
        never: &["kube-client", "wasmtime", "rustic_core", "rustic_backend", "anyhow"],
    },
    Room {
        name: "sealift-job",
        ours: &[
            "sealift-core",
            "sealift-api",
            "sealift-component",
            "sealift-host",
            "sealift-kube",
            "sealift-registry",
            "sealift-repository",
        ],
        never: &["wasmtime", "rustic_core", "rustic_backend", "anyhow"],
    },
    Room {
        name: "sealift-author",
        ours: &["sealift-component", "sealift-core"],
        never: &["kube", "kube-client", "k8s-openapi", "rustic_core", "wasmtime", "anyhow"],
    },
    Room {
        name: "sealift",
        ours: &[
            "sealift-core",
            "sealift-api",
            "sealift-author",
            "sealift-component",
            "sealift-host",
            "sealift-kube",
            "sealift-operator",
            "sealift-registry",
            "sealift-repository",
            "sealift-job",
        ],
        never: &["wasmtime", "rustic_core", "rustic_backend"],
    },
    Room { name: "sealift-function", ours: &[], never: &["wasmtime", "tokio", "kube", "anyhow"] },
    Room {
        name: "vault-archive",
        ours: &["sealift-function"],
        never: &["wasmtime", "tokio", "kube", "anyhow"],
    },
    Room {
        name: "vault-client",
        ours: &["sealift-function"],
        never: &["wasmtime", "tokio", "kube", "anyhow"],
    },
    Room { name: "guest-contract", ours: &[], never: &["wasmtime", "tokio", "kube", "anyhow"] },
    Room { name: "sealift-e2e", ours: &[], never: &["wasmtime", "rustic_core", "kube"] },
    Room {
        name: "sealift-interop",
        ours: &["sealift-core", "sealift-e2e", "sealift-registry"],
        never: KUBE,
    },
    // It asks the cluster as its users do, with kubectl, so that it shares no mistake of ours. Its
    // tests run the operator within themselves for the one thing no process can be told: the time.
    Room {
        name: "sealift-cluster",
        ours: &["sealift-e2e", "sealift-api", "sealift-kube", "sealift-operator"],
        never: KUBE,
    },
    // It measures from outside, so it may see all it compares.
    Room {
        name: "sealift-bench",
        ours: &[
            "sealift-core",
            "sealift-host",
            "sealift-repository",
            "sealift-job",
            "sealift-cluster",
            "sealift-e2e",
            "vault-archive",
        ],
        never: KUBE,
    },
    Room {
        name: "xtask",
        ours: &["sealift-api", "sealift-author", "sealift-e2e", "sealift-host"],
        never: KUBE,
    },
];

/// A component sees the SDK, what components share, and nothing of `runtime/`.
const COMPONENT: Room = Room {
    name: "",
    ours: &["sealift-function", "vault-archive", "vault-client", "guest-contract"],
    never: &["wasmtime", "tokio", "kube", "anyhow"],
};

/// Test tools every crate may use in its tests.
const TEST_TOOLS: &[&str] =
    &["anyhow", "tempfile", "tokio", "insta", "rustic_core", "rustic_backend", "wasmtime"];

/// Every edge the table does not allow, and every crate it does not know.
pub(super) fn findings(workspace: &Workspace) -> Vec<String> {
    let names: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &workspace.packages {
        match room_of(workspace, package) {
            Some(room) => findings.extend(package_findings(package, room, &names)),
            None => findings.push(format!(
                "{}: the crate is in no row of the table in runtime/xtask/src/tidy/crates.rs",
                package.name
            )),
        }
    }
    findings
}

fn room_of(workspace: &Workspace, package: &Package) -> Option<&'static Room> {
    let component = workspace
        .components("plugins")
        .into_iter()
        .chain(workspace.components("tests/guests"))
        .chain(workspace.components("examples/functions"))
        .any(|component| component.name == package.name);
    if component { Some(&COMPONENT) } else { ROOMS.iter().find(|room| room.name == package.name) }
}

fn package_findings(package: &Package, room: &Room, ours: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let in_tests = dependency.kind.as_deref() == Some("dev");
        if ours.contains(&name) && !room.ours.contains(&name) {
            findings.push(format!(
                "{}: may not use {name}; it may use: {}",
                package.name,
                room.ours.join(", ")
            ));
        }
        if room.never.contains(&name) && !(in_tests && TEST_TOOLS.contains(&name)) {
            findings.push(format!("{}: may never see {name}", package.name));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: "/none/Cargo.toml".into(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).to_owned(),
                    kind: kind.map(str::to_owned),
                })
                .collect(),
            targets: Vec::new(),
        }
    }

    #[test]
    fn a_dependency_outside_of_the_table_is_found() {
        let workspace = Workspace {
            root: "/none".into(),
            target: "/none/target".into(),
            packages: vec![
                package(
                    "sealift-core",
                    &[("sealift-host", None), ("tokio", None), ("serde", None)],
                ),
                package("sealift-host", &[("sealift-core", None), ("tokio", None)]),
                package("sealift-new", &[]),
            ],
        };
        assert_eq!(
            findings(&workspace),
            [
                "sealift-core: may not use sealift-host; it may use: ",
                "sealift-core: may never see tokio",
                "sealift-new: the crate is in no row of the table in runtime/xtask/src/tidy/crates.rs",
            ]
        );
    }

    #[test]
    fn test_tools_are_free_for_tests() {
        let workspace = Workspace {
            root: "/none".into(),
            target: "/none/target".into(),
            packages: vec![package(
                "sealift-core",
                &[("tempfile", Some("dev")), ("clap", Some("dev"))],
            )],
        };
        assert_eq!(findings(&workspace), ["sealift-core: may never see clap"]);
    }
}
