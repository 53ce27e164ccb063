//! Kernel namespaces around a whole run: network, mounts, process ids, control groups.
//!
//! A cluster leaves much behind: interfaces, packet filters, mounts, shims that outlive the
//! daemon which started them. In namespaces of its own all of it ends with the first process,
//! however that ends, and no port or address of the machine is touched.
//!
//! *Flow*: the program starts, calls [`enter`], is replaced by `unshare`, which starts it again
//! as the first process of the new namespaces; that one brings up the network, starts the program
//! a third time and waits for it. Only the third sees [`Place::Own`] and goes on.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::control_groups;

/// Where the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In namespaces of its own, where [`NODE_ADDRESS`] is this machine.
    Own,
    /// Where it was started, because the machine allows no namespaces; with the machine's words.
    Shared(String),
}

/// The address of the machine in its own network. In its own namespace it collides with nothing.
pub const NODE_ADDRESS: &str = "10.243.0.1";

/// What carries the address: a bridge to nowhere, since not every kernel has dummy devices.
const BRIDGE: &str = "sealift0";

/// Tells the program which of the three it is.
const STAGE: &str = "SEALIFT_NAMESPACES";

/// Puts this program into namespaces of its own. To be called first in `main`, before threads.
/// Returns in the innermost program only, or where the machine does not allow it.
pub fn enter() -> Result<Place> {
    match std::env::var(STAGE).as_deref() {
        Ok("first") => first_process(),
        Ok("inside") => Ok(Place::Own),
        _ => outermost(),
    }
}

fn outermost() -> Result<Place> {
    if let Err(reason) = allowed() {
        return Ok(Place::Shared(reason));
    }
    let program = std::env::current_exe().context("failed to find the running program")?;
    // `exec` returns only when it fails.
    let error = unshare().arg(program).args(std::env::args_os().skip(1)).env(STAGE, "first").exec();
    Err(error).context("failed to run unshare")
}

/// Tries it with the first thing to do inside.
fn allowed() -> Result<(), String> {
    let tried = unshare().args(["ip", "link", "set", "lo", "up"]).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare of util-linux cannot be run: {error}")),
    }
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    // The first process dies with `unshare`, and everything else with the first process.
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if control_groups::are_separate() {
        command.arg("--cgroup");
    }
    command.arg("--");
    command
}

/// Whether this process may do what root may.
#[must_use]
pub fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
    })
}

/// The first process: it only waits, since signals and orphans behave differently for it.
fn first_process() -> Result<Place> {
    network()?;
    mounts()?;
    control_groups::enter()?;
    let program = std::env::current_exe().context("failed to find the running program")?;
    let status = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(STAGE, "inside")
        .status()
        .context("failed to start the program inside of its namespaces")?;
    // Whatever is left must leave the control groups before they can go.
    drop(Command::new("kill").args(["-KILL", "--", "-1"]).stderr(Stdio::null()).status());
    control_groups::leave();
    // As a shell says it: a signal is 128 and its number.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    std::process::exit(code.unwrap_or(1));
}

fn network() -> Result<()> {
    let address = format!("{NODE_ADDRESS}/32");
    let commands: [&[&str]; 5] = [
        &["link", "set", "lo", "up"],
        &["link", "add", BRIDGE, "type", "bridge"],
        &["address", "add", &address, "dev", BRIDGE],
        &["link", "set", BRIDGE, "up"],
        // Programs look for the address of the machine at its default route. It leads nowhere.
        &["route", "add", "default", "dev", BRIDGE],
    ];
    for arguments in commands {
        run(Command::new("ip").args(arguments))?;
    }
    // Pods reach Services and each other through this machine.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("failed to turn on forwarding")
}

/// Folders in which containerd, kubelet and the network plugins keep their state whatever they
/// are told; here they are empty and end with the run.
fn mounts() -> Result<()> {
    for folder in ["/run", "/var/log"] {
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "sealift", folder]))?;
    }
    if !is_root_of_machine() {
        return Ok(());
    }
    for folder in ["/var/lib/cni", "/var/lib/kubelet"] {
        fs::create_dir_all(folder).with_context(|| format!("failed to create {folder}"))?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "sealift", folder]))?;
    }
    Ok(())
}

/// Whether root here is root of the machine, not only of a user namespace.
#[must_use]
pub fn is_root_of_machine() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let numbers: Vec<&str> = map.split_whitespace().collect();
    is_root() && numbers == ["0", "0", "4294967295"]
}

/// Runs a program of the system; failure is an error with its words.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}");
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("failed to run {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
