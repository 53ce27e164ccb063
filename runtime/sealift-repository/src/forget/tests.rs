#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use jiff::Span;
use rustic_core::repofile::{DeleteOption, SnapshotFile};
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Cases {
    repositories: BTreeMap<String, Vec<Recorded>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Recorded {
    label: String,
    host: String,
    path: String,
    tags: Vec<String>,
    stored_time: String,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    repository: String,
    args: Vec<String>,
    exit: i32,
    #[serde(default)]
    kept: Option<Vec<String>>,
    #[serde(default)]
    removed: Option<Vec<String>>,
}

/// No snapshot of the recorded cases lies beyond: restic judges without a clock.
fn end_of_time() -> Timestamp {
    "2099-01-01T00:00:00Z".parse().unwrap()
}

fn snapshot(nth: usize, host: &str, path: &str, tags: &[String], time: &str) -> SnapshotInfo {
    // As rustic reads it: the offset stays.
    let time = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(time).unwrap();
    let offset = time.to_numeric_offset().unwrap_or(jiff::tz::Offset::UTC);
    let civil = time.date().to_datetime(time.time().unwrap());
    let mut file = SnapshotFile {
        time: offset.to_timestamp(civil).unwrap().to_zoned(offset.to_time_zone()),
        hostname: host.to_owned(),
        ..SnapshotFile::default()
    };
    file.paths.add(path.to_owned());
    tags.iter().for_each(|tag| file.tags.add(tag.clone()));
    file.id = format!("{nth:064x}").parse::<rustic_core::Id>().unwrap().into();
    SnapshotInfo::from(file)
}

/// restic's flags as rules; what restic refuses to parse is refused.
fn parse(args: &[String]) -> Result<Rules, String> {
    let mut rules = Rules::default();
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let value = args.next().ok_or("a flag without a value")?;
        let count = || match value.as_str() {
            "unlimited" => Ok(Count::All),
            number => number.parse().map(Count::Newest).map_err(|error| error.to_string()),
        };
        let span = || -> Result<Span, String> {
            let days = value.strip_suffix('d').ok_or("only days are recorded")?;
            Ok(Span::new().days(days.parse::<i64>().map_err(|error| error.to_string())?))
        };
        match flag.as_str() {
            "--keep-last" => rules.counts.push((Period::Last, count()?)),
            "--keep-hourly" => rules.counts.push((Period::Hour, count()?)),
            "--keep-daily" => rules.counts.push((Period::Day, count()?)),
            "--keep-weekly" => rules.counts.push((Period::Week, count()?)),
            "--keep-monthly" => rules.counts.push((Period::Month, count()?)),
            "--keep-yearly" => rules.counts.push((Period::Year, count()?)),
            "--keep-within" => rules.within.push((Period::Last, span()?)),
            "--keep-within-daily" => rules.within.push((Period::Day, span()?)),
            "--keep-tag" => {
                rules.tags.push(value.split(',').map(str::to_owned).collect());
            }
            "--group-by" => {}
            other => return Err(format!("unknown flag {other}")),
        }
    }
    Ok(rules)
}

/// What `--group-by` of the case does to the groups, written into host and path.
fn regroup(args: &[String], host: &str, path: &str) -> (String, String) {
    match args.iter().position(|flag| flag == "--group-by").map(|at| args[at + 1].as_str()) {
        None => (host.to_owned(), path.to_owned()),
        Some("host") => (host.to_owned(), "/all".to_owned()),
        Some("") => ("all".to_owned(), "/all".to_owned()),
        Some(other) => panic!("--group-by {other} is not recorded"),
    }
}

#[test]
fn every_recorded_policy_keeps_what_restic_keeps() {
    let text = include_str!("../../../../tests/data/cases/forget.json");
    let cases: Cases = serde_json::from_str(text).unwrap();
    assert_eq!(cases.cases.len(), 66);
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let mut recorded: Vec<&Recorded> = cases.repositories[&case.repository].iter().collect();
        let parsed = recorded
            .iter()
            .enumerate()
            .map(|(nth, one)| {
                let (host, path) = regroup(&case.args, &one.host, &one.path);
                snapshot(nth, &host, &path, &one.tags, &one.stored_time)
            })
            .collect::<Vec<_>>();
        let mut pairs: Vec<(SnapshotInfo, &Recorded)> =
            parsed.into_iter().zip(recorded.drain(..)).collect();
        pairs.sort_by_key(|(snapshot, _)| (snapshot.time.timestamp(), snapshot.id.clone()));
        let snapshots: Vec<SnapshotInfo> =
            pairs.iter().map(|(snapshot, _)| snapshot.clone()).collect();
        let labels: BTreeMap<&str, &str> = pairs
            .iter()
            .map(|(snapshot, recorded)| (snapshot.id.as_str(), recorded.label.as_str()))
            .collect();
        // Only restic's spans look at the clock; it was recorded in November 2026.
        let spans = case.args.iter().any(|flag| flag.starts_with("--keep-within"));
        let now = if spans { "2026-11-30T00:00:00Z".parse().unwrap() } else { end_of_time() };
        let planned = parse(&case.args).and_then(|rules| {
            plan(&snapshots, &rules, now, &[]).map_err(|error| error.to_string())
        });
        // restic exits 1 without a rule; Sealift keeps everything and says so. Both remove nothing.
        let refused = match &planned {
            Err(_) => true,
            Ok(report) => report.no_rule,
        };
        if refused != (case.exit != 0) {
            wrong.push(format!("{}: restic exits {}, planned {planned:?}", case.id, case.exit));
            continue;
        }
        let Ok(report) = planned else { continue };
        if refused {
            assert!(report.removed.is_empty());
            continue;
        }
        let mut removed: Vec<&str> = report.removed.iter().map(|id| labels[id.as_str()]).collect();
        removed.sort_unstable();
        let mut expected: Vec<&str> = case.removed.iter().flatten().map(String::as_str).collect();
        expected.sort_unstable();
        let kept = case.kept.iter().flatten().count() as u64;
        // For equal times only the count is defined.
        let equal_times = case.repository == "same";
        if report.kept != kept || (!equal_times && removed != expected) {
            wrong.push(format!("{}: restic removes {expected:?}, we {removed:?}", case.id));
        }
    }
    assert!(wrong.is_empty(), "{} of 66:\n{}", wrong.len(), wrong.join("\n"));
}

fn history(times: &[&str]) -> Vec<SnapshotInfo> {
    times
        .iter()
        .enumerate()
        .map(|(nth, time)| snapshot(nth, "host-0", "/stash-interim-volume/data", &[], time))
        .collect()
}

fn last(count: u32) -> Rules {
    rules(&Retention { keep_last: count, ..Retention::default() })
}

#[test]
fn a_snapshot_from_a_wrong_clock_is_kept_and_pushes_nothing_out() {
    let snapshots = history(&[
        "2026-11-18T01:00:00Z",
        "2026-11-19T01:00:00Z",
        "2026-11-20T01:00:00Z",
        "2031-01-01T01:00:00Z",
    ]);
    let now = "2026-11-20T02:00:00Z".parse().unwrap();
    let report = plan(&snapshots, &last(1), now, &[]).unwrap();
    assert_eq!(report.in_future, [snapshots[3].id.clone()]);
    assert_eq!(report.removed, [snapshots[0].id.clone(), snapshots[1].id.clone()]);
}

#[test]
fn both_interim_paths_of_the_original_are_one_group() {
    let mut snapshots = history(&["2026-11-18T01:00:00Z"]);
    snapshots.push(snapshot(
        7,
        "host-0",
        "/stash-tmp/stash-interim-volume/data",
        &[],
        "2026-11-19T01:00:00Z",
    ));
    let report = plan(&snapshots, &last(1), end_of_time(), &[]).unwrap();
    assert_eq!(report.groups.len(), 1);
    assert_eq!(report.removed, [snapshots[0].id.clone()]);
}

#[test]
fn no_rule_keeps_everything_and_says_so() {
    let snapshots = history(&["2026-11-18T01:00:00Z", "2026-11-19T01:00:00Z"]);
    let report = plan(&snapshots, &rules(&Retention::default()), end_of_time(), &[]).unwrap();
    assert!(report.no_rule);
    assert_eq!((report.kept, report.removed.len()), (2, 0));
}

#[test]
fn only_the_users_tags_count() {
    let tags = ["sealift.target=AppBinding/demo/vault".to_owned(), "gold".to_owned()];
    let snapshots = vec![
        snapshot(0, "host-0", "/d", &tags, "2026-11-18T01:00:00Z"),
        snapshot(1, "host-0", "/d", &tags[..1], "2026-11-19T01:00:00Z"),
    ];
    let keep = |tag: &str| {
        let retention = Retention { keep_tags: vec![tag.to_owned()], ..Retention::default() };
        plan(&snapshots, &rules(&retention), end_of_time(), &[])
    };
    assert_eq!(keep("gold").unwrap().removed, [snapshots[1].id.clone()]);
    let error = keep("sealift.target=AppBinding/demo/vault").unwrap_err();
    assert_eq!(
        error.to_string(),
        "retention policy: it would keep no snapshot of target AppBinding/demo/vault, host host-0, \
         path /d; nothing was removed"
    );
}

#[test]
fn what_rustic_marked_to_be_kept_stays() {
    let snapshots: Vec<SnapshotInfo> = [
        DeleteOption::Never,
        DeleteOption::After(
            "2027-01-01T00:00:00Z".parse::<Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC),
        ),
        DeleteOption::After(
            "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC),
        ),
        DeleteOption::NotSet,
        DeleteOption::NotSet,
    ]
    .into_iter()
    .enumerate()
    .map(|(nth, delete)| {
        let time = format!("2026-11-{:02}T01:00:00Z", nth + 10).parse::<Timestamp>().unwrap();
        let mut file = SnapshotFile {
            time: time.to_zoned(jiff::tz::TimeZone::UTC),
            hostname: "h".to_owned(),
            delete,
            ..SnapshotFile::default()
        };
        file.paths.add("/d".to_owned());
        file.id = format!("{nth:064x}").parse::<rustic_core::Id>().unwrap().into();
        SnapshotInfo::from(file)
    })
    .collect();
    let now = "2026-11-20T00:00:00Z".parse().unwrap();
    let report = plan(&snapshots, &last(1), now, &[]).unwrap();
    assert_eq!(report.removed, [snapshots[2].id.clone(), snapshots[3].id.clone()]);
}

#[test]
fn two_targets_of_the_same_host_and_path_push_out_only_their_own() {
    let tagged = |name: &str| ["gold".to_owned(), format!("sealift.target=AppBinding/demo/{name}")];
    let of = |nth, tags: &[String], day| {
        snapshot(nth, "host-0", "/d", tags, &format!("2026-11-{day}T01:00:00Z"))
    };
    let snapshots = vec![
        of(0, &[], 10),
        of(1, &tagged("one"), 11),
        of(2, &tagged("one"), 12),
        of(3, &[], 13),
        of(4, &tagged("two"), 14),
    ];
    let report = plan(&snapshots, &last(1), end_of_time(), &[]).unwrap();
    assert_eq!(report.removed, [snapshots[0].id.clone(), snapshots[1].id.clone()]);
    let targets: Vec<Option<&str>> =
        report.groups.iter().map(|group| group.target.as_deref()).collect();
    assert_eq!(targets, [None, Some("AppBinding/demo/one"), Some("AppBinding/demo/two")]);
}

#[test]
fn what_this_session_committed_is_kept_whatever_the_policy_says() {
    let snapshots = history(&["2026-11-18T01:00:00Z", "2026-11-19T01:00:00Z"]);
    let own = snapshots[0].id.clone();
    let report = plan(&snapshots, &last(1), end_of_time(), std::slice::from_ref(&own)).unwrap();
    assert_eq!((report.kept, report.removed.len()), (2, 0));
    assert_eq!(
        report.groups[0].kept[0],
        KeptSnapshot { id: own.clone(), reasons: vec!["made by this session"] }
    );
    // It does not make a policy that matches nothing right.
    let tags = Retention { keep_tags: vec!["gold".to_owned()], ..Retention::default() };
    plan(&snapshots, &rules(&tags), end_of_time(), &[own]).unwrap_err();
}

#[test]
fn what_lies_in_the_future_stays_though_no_rule_keeps_it_and_makes_no_policy_right() {
    let snapshots =
        history(&["2026-11-20T01:00:00Z", "2031-01-01T01:00:00Z", "2032-01-01T01:00:00Z"]);
    let now = "2026-11-20T02:00:00Z".parse().unwrap();
    // The newest is kept as the last one, today's as the last that counts.
    let report = plan(&snapshots, &last(1), now, &[]).unwrap();
    assert_eq!((report.kept, report.removed.len()), (3, 0));
    let nothing = Retention { keep_tags: vec!["gold".to_owned()], ..Retention::default() };
    let error = plan(&snapshots, &rules(&nothing), now, &[]).unwrap_err();
    assert!(error.to_string().contains("would keep no snapshot"), "{error}");
}
