//! Control groups of one run: the kubelet's lie below those of the program that started the run.
//!
//! Version 1 only. There each hierarchy may be nested freely, so a namespace and fresh mounts are
//! all it takes, and limits of whoever started the run go on to hold. With version 2 a group that
//! has processes may not have groups with controllers; there the run keeps the machine's view,
//! and the kubelet's groups lie at its top.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use sealift_e2e::wait;

use crate::namespaces::{is_root_of_machine, run};

/// The group the kubelet makes in each hierarchy.
const KUBELET: &str = "kubepods";

/// Killed processes are gone within moments; what is stuck longer than this stays.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether the run gets a namespace for its groups.
pub(crate) fn are_separate() -> bool {
    !Path::new("/sys/fs/cgroup/cgroup.controllers").is_file()
}

/// Mounts every hierarchy again, so that its top is the group of this run.
pub(crate) fn enter() -> Result<()> {
    if !are_separate() || !is_root_of_machine() {
        return Ok(());
    }
    for (place, kind, options) in mounted() {
        run(Command::new("umount").arg(&place))?;
        let mut command = Command::new("mount");
        command.args(["-t", &kind]);
        if !options.is_empty() {
            command.args(["-o", &options]);
        }
        run(command.arg("cgroup").arg(&place))?;
    }
    // What an earlier run left when it was killed.
    leave();
    Ok(())
}

/// Removes the kubelet's groups. Best effort: what stays is empty and is used again.
pub(crate) fn leave() {
    if !is_root_of_machine() {
        return;
    }
    let groups: Vec<PathBuf> = mounted()
        .into_iter()
        .map(|(place, _, _)| place)
        .chain([PathBuf::from("/sys/fs/cgroup")])
        .map(|place| place.join(KUBELET))
        .collect();
    // A group can go once the last process that was killed in it is gone.
    drop(wait::until("control groups go", LIMIT, || {
        groups.iter().for_each(|group| remove(group));
        Ok((!groups.iter().any(|group| group.is_dir())).then_some(()))
    }));
}

/// Groups go from the inside out; the files in them are the kernel's and go along.
fn remove(group: &Path) {
    let Ok(entries) = fs::read_dir(group) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    drop(fs::remove_dir(group));
}

/// Place, type and controllers of every hierarchy below `/sys/fs/cgroup`.
fn mounted() -> Vec<(PathBuf, String, String)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, place, kind, options, ..] = words.as_slice() else { return None };
            if !place.starts_with("/sys/fs/cgroup/") || !kind.starts_with("cgroup") {
                return None;
            }
            // What belongs to the mount and not to the hierarchy.
            const OF_THE_MOUNT: [&str; 8] =
                ["rw", "ro", "relatime", "nosuid", "nodev", "noexec", "nsdelegate", "xattr"];
            let options: Vec<&str> =
                options.split(',').filter(|option| !OF_THE_MOUNT.contains(option)).collect();
            let mut options = options.join(",");
            // A hierarchy with a name only has no controllers.
            if options.starts_with("name=") {
                options = format!("none,{options}");
            }
            Some((PathBuf::from(place), (*kind).to_owned(), options))
        })
        .collect()
}
