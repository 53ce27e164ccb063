//! `cargo xtask test`: everything that must hold, in one command and with one last line.
//!
//! Flow: formatting → Functions and guests → lints → the rules of the repository → generated
//! files → the servers of the tier → all test programs → the quickstart. A check counts as one
//! test; a test program counts with what it says it ran. The tiers and what they cost stand in
//! CONTRIBUTING.md.

mod count;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::functions::Extent;
use crate::talk::{self, Steps};
use crate::workspace::{self, Workspace, cargo};
use crate::{codegen, functions, manifests, quickstart, servers, tidy};
use count::Count;

/// The servers the tests use, in the order in which they are built.
const SERVERS: [&str; 14] = [
    "age",
    "pause",
    "rest-server",
    "pushgateway",
    "referrers",
    "crane",
    "oras",
    "registry",
    "versitygw",
    "restic",
    "helm",
    "coredns",
    "vault",
    "kubernetes",
];
/// What only rows of the full tier use, since building it takes longer than what it shows.
const SERVERS_OF_ALL: [&str; 2] = ["cosign", "keyless"];

/// Which tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Everything, also what takes too long for every change: more kills, documentation.
    #[arg(long)]
    full: bool,
    /// Run only tests whose name contains this, and no other check.
    filter: Option<String>,
}

/// Runs them; the last line says how many passed and how many failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::load()?;
    let filtered = arguments.filter.is_some();
    let mut steps = Steps::new(if filtered { 3 } else { 9 } + usize::from(arguments.full));
    let mut count = Count::default();
    let extent = if arguments.full { Extent::Everything } else { Extent::Examples };

    if !filtered {
        check(&mut steps, &mut count, "Formatting", None, || {
            workspace::run(cargo().args(["fmt", "--all", "--check"]))
        });
    }
    let built = check(
        &mut steps,
        &mut count,
        "Functions, guests and examples",
        Some("about 10 min with empty caches"),
        || functions::ensure(&workspace, extent).map(drop),
    );
    if !filtered {
        check(&mut steps, &mut count, "Lints", Some("about 3 min with empty caches"), || {
            let lint = |targets: &[&str]| {
                let mut command = workspace::cargo_workspace("clippy");
                workspace::run(
                    command.args(["--quiet"]).args(targets).args(["--", "-D", "warnings"]),
                )
            };
            lint(&["--all-targets"])?;
            // As the image has it; with a test beside it for the sake of the dependencies, which
            // would be checked once more.
            lint(&["--no-default-features", "--bin", "sealift", "--test", "components"])
        });
        check(&mut steps, &mut count, "Rules of the repository", None, || {
            let findings = tidy::findings(&workspace)?;
            findings.iter().for_each(|finding| talk::quote(finding));
            if findings.is_empty() {
                Ok(())
            } else {
                bail!("{} rules are broken; see above", findings.len())
            }
        });
        check(&mut steps, &mut count, "Generated files", None, || codegen::check(&workspace));
    }
    let ready = check(
        &mut steps,
        &mut count,
        "Servers",
        Some("about 17 min with empty caches, most of it Vault and Kubernetes"),
        || {
            let of_all = if arguments.full { &SERVERS_OF_ALL[..] } else { &[] };
            let mut wanted = SERVERS.iter().chain(of_all);
            wanted.try_for_each(|name| servers::ensure(&workspace, name).map(drop))
        },
    );
    if ready && !filtered {
        check(&mut steps, &mut count, "Rendered manifests", None, || manifests::check(&workspace));
    }
    if built && ready {
        steps.begin("Test programs", Some("about 22 min, and 5 more with empty caches"));
        match test_programs(&workspace, arguments) {
            Ok(programs) => {
                steps.done(&format!("{} passed, {} failed", programs.passed, programs.failed));
                count.add(&programs);
            }
            Err(error) => failed(&mut count, &steps, "Test programs", &error),
        }
    }
    if built && ready && !filtered {
        let long = Some("about 30 s");
        check(&mut steps, &mut count, "The story of the README", long, quickstart::run);
    }
    if arguments.full {
        check(&mut steps, &mut count, "Documentation", Some("about 2 min"), || {
            let mut command = cargo();
            command.args([
                "doc",
                "--quiet",
                "--locked",
                "--no-deps",
                "--workspace",
                "--document-private-items",
            ]);
            workspace::run(command.env("RUSTDOCFLAGS", "-D warnings"))
        });
    }
    finish(&count, &steps)
}

/// One check, which counts as one test. A failure is said at once; the others still run.
fn check(
    steps: &mut Steps,
    count: &mut Count,
    name: &str,
    long: Option<&str>,
    work: impl FnOnce() -> Result<()>,
) -> bool {
    steps.begin(name, long);
    match work() {
        Ok(()) => {
            steps.done("passed");
            count.passed += 1;
            true
        }
        Err(error) => {
            failed(count, steps, name, &error);
            false
        }
    }
}

fn failed(count: &mut Count, steps: &Steps, name: &str, error: &anyhow::Error) {
    talk::quote(&format!("{error:#}"));
    steps.done("FAILED");
    count.failed += 1;
    count.names.push(name.to_owned());
}

/// Builds and runs every test program of the workspace, printing what they print.
fn test_programs(workspace: &Workspace, arguments: &Arguments) -> Result<Count> {
    // The e2e tests run the binary, which `cargo test` builds only for its own package.
    workspace::build_program(workspace, "sealift")?;
    let mut command = workspace::cargo_workspace("test");
    command.arg("--no-fail-fast").args(arguments.filter.iter());
    command.env("SEALIFT_TEST_TIER", if arguments.full { "full" } else { "ci" });
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .context("failed to run cargo test")?;
    let output = child.stdout.take().context("cargo test has no standard output")?;
    let mut count = Count::default();
    read_lines(output, |line| {
        talk::line(line);
        count.read(line);
    })?;
    let status = child.wait().context("failed to wait for cargo test")?;
    if !status.success() && count.failed == 0 {
        // A program that did not compile, or died without a word, still counts.
        count.failed += 1;
        count.names.push(format!("cargo test ended with {status}"));
    }
    if count.passed + count.failed == 0 {
        bail!(
            "no test was run{}",
            arguments
                .filter
                .as_ref()
                .map(|filter| format!("; none has {filter:?} in its name"))
                .unwrap_or_default()
        );
    }
    Ok(count)
}

fn read_lines(output: impl Read, mut each: impl FnMut(&str)) -> Result<()> {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).context("failed to read what cargo test prints")? > 0
    {
        each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
    Ok(())
}

fn finish(count: &Count, steps: &Steps) -> Result<()> {
    talk::line("");
    for name in &count.names {
        talk::line(&format!("failed: {name}"));
    }
    talk::line(&format!("ran for {}", talk::seconds(steps.elapsed())));
    // Other programs read this line: it is the last one and has this form.
    talk::line(&format!("{} passed, {} failed", count.passed, count.failed));
    if count.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}
