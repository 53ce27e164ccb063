//! Chooses the snapshot that is restored.
//!
//! `latest` is the newest of this target, by its tag; where no snapshot has that tag (the original
//! made them) the newest by host and path. One that is tagged as another target's is taken only by
//! a forced restore, where the repository holds those of one target only. What is ambiguous is an
//! error that lists the candidates; nothing is guessed.

use std::collections::BTreeMap;

use sealift_core::plan::SnapshotSelection;

use crate::{Error, Repository, SnapshotInfo};

pub(crate) const TARGET_TAG: &str = "sealift.target=";

impl Repository {
    /// The snapshot this selects.
    ///
    /// # Errors
    /// None fits, several do, or the storage failed.
    pub fn select(&self, selection: &SnapshotSelection) -> Result<SnapshotInfo, Error> {
        choose(self.snapshots()?, selection)
    }

    /// The snapshot with this identifier or unambiguous beginning of one.
    pub(crate) fn by_id(&self, id: &str) -> Result<SnapshotInfo, Error> {
        find(self.snapshots()?, id)
    }
}

/// `snapshots` must be sorted, oldest first.
fn choose(
    snapshots: Vec<SnapshotInfo>,
    selection: &SnapshotSelection,
) -> Result<SnapshotInfo, Error> {
    if selection.snapshot != "latest" {
        return find(snapshots, &selection.snapshot);
    }
    let of_host: Vec<SnapshotInfo> = snapshots
        .into_iter()
        .filter(|snapshot| {
            selection.hostname.as_ref().is_none_or(|host| *host == snapshot.hostname)
        })
        .collect();
    if let Some(tagged) =
        of_host.iter().rfind(|snapshot| snapshot.tags.contains(&selection.target_tag))
    {
        return Ok(tagged.clone());
    }
    let other = |snapshot: &SnapshotInfo| {
        snapshot.tags.iter().find(|tag| tag.starts_with(TARGET_TAG)).cloned()
    };
    let untagged = newest_of_each(&of_host, |snapshot| {
        let has_path = snapshot.paths.iter().any(|path| selection.paths.contains(path));
        (other(snapshot).is_none() && has_path).then(|| snapshot.hostname.clone())
    });
    let others = newest_of_each(&of_host, other);
    match (untagged.as_slice(), others.as_slice()) {
        ([one], _) => Ok(one.clone()),
        ([], [one]) if selection.of_another => Ok(one.clone()),
        ([], _) => Err(refused(nothing(selection, &others))),
        (several, _) => {
            Err(refused(format!("it is ambiguous, name one of: {}", candidates(several.iter()))))
        }
    }
}

fn refused(reason: String) -> Error {
    Error::Invalid { subject: "snapshot latest".to_owned(), reason }
}

/// Of sorted snapshots the last of each group; none = of no group.
fn newest_of_each(
    snapshots: &[SnapshotInfo],
    group: impl Fn(&SnapshotInfo) -> Option<String>,
) -> Vec<SnapshotInfo> {
    let groups: BTreeMap<String, &SnapshotInfo> =
        snapshots.iter().filter_map(|snapshot| Some((group(snapshot)?, snapshot))).collect();
    groups.into_values().cloned().collect()
}

/// Why there is no latest of this target.
fn nothing(selection: &SnapshotSelection, others: &[SnapshotInfo]) -> String {
    let host = selection.hostname.as_ref().map(|host| format!(" of host {host}"));
    let mut text = format!(
        "no snapshot has the tag {}{} or, untagged, the path {}",
        selection.target_tag,
        host.unwrap_or_default(),
        selection.paths.join(" or ")
    );
    if !others.is_empty() {
        text.push_str("; to restore what is of another target, name one of: ");
        text.push_str(&candidates(others.iter()));
    }
    text
}

fn find(snapshots: Vec<SnapshotInfo>, id: &str) -> Result<SnapshotInfo, Error> {
    let refuse =
        |reason: String| Err(Error::Invalid { subject: format!("snapshot {id:?}"), reason });
    let wanted = id.to_ascii_lowercase();
    if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return refuse(
            "it must be latest or the beginning of an identifier, hexadecimal".to_owned(),
        );
    }
    let mut fitting: Vec<SnapshotInfo> =
        snapshots.into_iter().filter(|snapshot| snapshot.id.starts_with(&wanted)).collect();
    match fitting.len() {
        0 => refuse("the repository has no such snapshot".to_owned()),
        1 => Ok(fitting.remove(0)),
        _ => refuse(format!("it is ambiguous, name one of: {}", candidates(fitting.iter()))),
    }
}

/// At most ten, newest last.
fn candidates<'a>(snapshots: impl ExactSizeIterator<Item = &'a SnapshotInfo>) -> String {
    let more = snapshots.len().saturating_sub(10);
    let mut text = snapshots
        .skip(more)
        .map(|snapshot| {
            let short: String = snapshot.id.chars().take(8).collect();
            format!(
                "{short} ({}, host {}, {})",
                snapshot.time.timestamp(),
                snapshot.hostname,
                snapshot.paths.join(" ")
            )
        })
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rustic_core::repofile::SnapshotFile;

    use super::*;

    fn snapshot(id: &str, time: &str, host: &str, path: &str, tag: Option<&str>) -> SnapshotInfo {
        let mut file = SnapshotFile {
            time: time.parse::<jiff::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC),
            hostname: host.to_owned(),
            ..SnapshotFile::default()
        };
        file.paths.add(path.to_owned());
        tag.into_iter().for_each(|tag| file.tags.add(tag.to_owned()));
        let id = format!("{id:0<64}");
        file.id = id.parse::<rustic_core::Id>().unwrap().into();
        SnapshotInfo::from(file)
    }

    fn latest(hostname: Option<&str>) -> SnapshotSelection {
        SnapshotSelection {
            snapshot: "latest".to_owned(),
            hostname: hostname.map(str::to_owned),
            target_tag: "sealift.target=AppBinding/demo/vault".to_owned(),
            of_another: false,
            paths: vec![
                "/stash-interim-volume/data".to_owned(),
                "/stash-tmp/stash-interim-volume/data".to_owned(),
            ],
        }
    }

    const PATH: &str = "/stash-interim-volume/data";

    #[test]
    fn latest_is_the_newest_of_this_target_though_another_is_newer() {
        let chosen = choose(
            vec![
                snapshot(
                    "aa",
                    "2026-11-01T00:00:00Z",
                    "host-0",
                    PATH,
                    Some("sealift.target=AppBinding/demo/vault"),
                ),
                snapshot(
                    "bb",
                    "2026-11-02T00:00:00Z",
                    "host-0",
                    PATH,
                    Some("sealift.target=AppBinding/demo/vault"),
                ),
                snapshot(
                    "cc",
                    "2026-11-03T00:00:00Z",
                    "host-0",
                    PATH,
                    Some("sealift.target=AppBinding/demo/other"),
                ),
                snapshot("dd", "2026-11-04T00:00:00Z", "host-0", PATH, None),
            ],
            &latest(None),
        )
        .unwrap();
        assert!(chosen.id.starts_with("bb"));
    }

    #[test]
    fn untagged_snapshots_of_the_original_are_found_by_host_and_either_path() {
        let snapshots = vec![
            snapshot("aa", "2026-11-01T00:00:00Z", "host-0", PATH, None),
            snapshot(
                "bb",
                "2026-11-02T00:00:00Z",
                "host-0",
                "/stash-tmp/stash-interim-volume/data",
                None,
            ),
            snapshot("cc", "2026-11-03T00:00:00Z", "host-0", "/elsewhere", None),
            snapshot(
                "dd",
                "2026-11-03T00:00:00Z",
                "host-0",
                PATH,
                Some("sealift.target=AppBinding/demo/other"),
            ),
        ];
        assert!(choose(snapshots, &latest(Some("host-0"))).unwrap().id.starts_with("bb"));
    }

    #[test]
    fn an_ambiguous_latest_lists_its_candidates() {
        let snapshots = vec![
            snapshot("aa", "2026-11-01T00:00:00Z", "host-0", PATH, None),
            snapshot("bb", "2026-11-02T00:00:00Z", "vault-b", PATH, None),
        ];
        let error = choose(snapshots, &latest(None)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "snapshot latest: it is ambiguous, name one of: \
             aa000000 (2026-11-01T00:00:00Z, host host-0, /stash-interim-volume/data), \
             bb000000 (2026-11-02T00:00:00Z, host vault-b, /stash-interim-volume/data)"
        );
    }

    #[test]
    fn only_a_forced_restore_takes_what_is_of_the_one_other_target() {
        let tagged = |id: &str, time: &str, of: &str| {
            snapshot(id, time, "host-0", PATH, Some(&format!("sealift.target=AppBinding/{of}")))
        };
        let one = || {
            vec![
                tagged("aa", "2026-11-01T00:00:00Z", "lost/vault"),
                tagged("bb", "2026-11-02T00:00:00Z", "lost/vault"),
            ]
        };
        let forced = SnapshotSelection { of_another: true, ..latest(None) };
        assert!(choose(one(), &forced).unwrap().id.starts_with("bb"));
        let error = choose(one(), &latest(None)).unwrap_err().to_string();
        assert!(error.contains("of another target, name one of: bb000000 ("), "{error}");
        // Of two others neither is guessed, and what is of this target or the original comes first.
        let mut two = one();
        two.push(tagged("cc", "2026-11-03T00:00:00Z", "other/vault"));
        let error = choose(two.clone(), &forced).unwrap_err().to_string();
        assert!(error.contains("bb000000") && error.contains("cc000000"), "{error}");
        two.insert(0, snapshot("00", "2026-10-01T00:00:00Z", "host-0", PATH, None));
        assert!(choose(two.clone(), &forced).unwrap().id.starts_with("00"));
        two.insert(0, tagged("dd", "2026-09-01T00:00:00Z", "demo/vault"));
        assert!(choose(two, &forced).unwrap().id.starts_with("dd"));
    }

    #[test]
    fn an_identifier_may_be_short_but_not_ambiguous() {
        let snapshots = || {
            vec![
                snapshot("ab1", "2026-11-01T00:00:00Z", "h", PATH, None),
                snapshot("ab2", "2026-11-02T00:00:00Z", "h", PATH, None),
            ]
        };
        assert!(find(snapshots(), "AB2").unwrap().id.starts_with("ab2"));
        assert!(find(snapshots(), "ab").unwrap_err().to_string().contains("ambiguous"));
        assert!(find(snapshots(), "ff").unwrap_err().to_string().contains("no such"));
        assert!(find(snapshots(), "lates").unwrap_err().to_string().contains("hexadecimal"));
        assert!(find(snapshots(), "").is_err());
        // Nothing names nothing, not even where there is only one.
        assert!(find(snapshots().split_off(1), "").is_err());
    }

    #[test]
    fn a_host_that_is_named_is_the_host_that_is_taken() {
        let tag = Some("sealift.target=AppBinding/demo/vault");
        let snapshots = vec![
            snapshot("aa", "2026-11-01T00:00:00Z", "vault-a", PATH, tag),
            snapshot("bb", "2026-11-02T00:00:00Z", "vault-b", PATH, tag),
        ];
        assert!(choose(snapshots, &latest(Some("vault-a"))).unwrap().id.starts_with("aa"));
    }
}
