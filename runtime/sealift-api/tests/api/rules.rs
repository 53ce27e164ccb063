//! Rules of a RestoreSession: which snapshot is meant.

use sealift_core::plan::{Direction, SnapshotSelection};

use crate::fixture::{Case, restore};

fn with(rules: &str) -> Case {
    let mut case = restore();
    case.edit("invoker.yaml", "  rules:\n  - snapshots: [latest]\n", rules);
    case
}

fn selection(case: &Case) -> SnapshotSelection {
    match case.plan().unwrap().direction {
        Direction::Restore(selection) => selection,
        Direction::Backup(_) => panic!("a restore"),
    }
}

#[test]
fn top_level_rules_win_over_those_of_the_target() {
    let mut case = with("  rules:\n  - snapshots: [bdf7fd5c]\n");
    case.edit("invoker.yaml", "  target:\n", "  target:\n    rules: [{snapshots: [ffffffff]}]\n");
    assert_eq!(selection(&case).snapshot, "bdf7fd5c");
    assert_eq!(
        case.plan().unwrap().notes,
        ["spec.target.rules (spec.rules wins): has no effect on an AppBinding"]
    );
}

#[test]
fn rules_of_the_target_count_without_top_level_ones() {
    let mut case = with("");
    case.edit("invoker.yaml", "  target:\n", "  target:\n    rules: [{snapshots: [bdf7fd5c]}]\n");
    assert_eq!(selection(&case).snapshot, "bdf7fd5c");
}

#[test]
fn without_rules_it_is_the_latest() {
    let found = selection(&with(""));
    assert_eq!((&*found.snapshot, found.hostname), ("latest", None));
    assert_eq!(found.paths, ["/stash-tmp/stash-interim-volume/data", "/stash-interim-volume/data"]);
}

#[test]
fn only_a_forced_restore_asks_for_another_vault_s_snapshot() {
    let case = with("");
    assert!(!selection(&case).of_another);
    for (force, of_another) in [("true", true), ("false", false)] {
        let mut case = with("");
        case.edit(
            "invoker.yaml",
            "spec:\n",
            &format!("spec:\n  task: {{name: vault-restore-1.10.3, params: [{{name: force, value: '{force}'}}]}}\n"),
        );
        assert_eq!(selection(&case).of_another, of_another);
    }
}

#[test]
fn the_rule_that_names_the_host_is_taken() {
    let found = selection(&with(
        "  rules:\n  - snapshots: [aaaa]\n  - targetHosts: [host-0]\n    sourceHost: old\n    snapshots: [bbbb]\n",
    ));
    assert_eq!((&*found.snapshot, found.hostname.as_deref()), ("bbbb", Some("old")));
}

#[test]
fn wrong_rules_are_named() {
    let cases = [
        "  rules:\n  - snapshots: [aaaa]\n  - snapshots: [bbbb]\n",
        "  rules:\n  - targetHosts: [host-0]\n  - targetHosts: [x, host-0]\n",
        "  rules:\n  - targetHosts: [other]\n",
        "  rules:\n  - snapshots: [latest]\n    paths: [/a]\n",
        "  rules:\n  - snapshots: [aaaa, bbbb]\n",
        "  rules:\n  - snapshots: ['../../etc']\n",
        "  rules:\n  - paths: [a/b, /a/../b]\n",
        "  rules:\n  - include: ['*.json']\n",
    ];
    let texts = cases.map(|rules| with(rules).complaint());
    insta::assert_snapshot!(texts.join("\n---\n"));
}
