//! No value of a Secret leaves the objects: not in plans, not in messages, not in `Debug`.

use crate::fixture::{backup, restore};

const SENTINEL: &str = "sentinel";

#[test]
fn no_plan_holds_a_value() {
    let mut case = backup();
    case.edit(
        "app-binding.yaml",
        "spec:\n",
        "spec:\n  secretTransforms:\n  - addKey: {key: extra, stringValue: sentinel-of-a-transform}\n",
    );
    for case in [case, restore()] {
        let plan = case.plan().unwrap();
        for text in [serde_json::to_string(&plan).unwrap(), format!("{plan:?}")] {
            assert!(!text.contains(SENTINEL), "{text}");
        }
    }
}

#[test]
fn debug_shows_no_value() {
    let mut case = backup();
    case.edit(
        "app-binding.yaml",
        "spec:\n",
        "spec:\n  secretTransforms:\n  - addKey: {key: extra, value: c2VudGluZWw=, stringValue: sentinel-of-a-transform}\n",
    );
    let objects = case.objects().unwrap();
    let text = format!("{objects:?}");
    assert!(text.contains("RESTIC_PASSWORD"), "the keys are shown");
    assert!(!text.contains(SENTINEL), "{text}");
    // The values are there all the same.
    let secret = objects.secret("demo", "vault-backup-token").unwrap();
    assert_eq!(secret.value("token").unwrap().as_slice(), b"sentinel-vault-token");
}

#[test]
fn no_message_about_a_broken_secret_repeats_it() {
    let mut complaints = Vec::new();
    for (from, to) in [
        ("  RESTIC_PASSWORD: sentinel-restic-password", "  RESTIC_PASSWORD: [sentinel]"),
        (
            "stringData:\n  RESTIC_PASSWORD: sentinel-restic-password",
            "data:\n  RESTIC_PASSWORD: sentinel!",
        ),
        ("stringData:\n  RESTIC_PASSWORD: sentinel-restic-password", "stringData: sentinel"),
        (
            "  RESTIC_PASSWORD: sentinel-restic-password",
            "  RESTIC_PASSWORD: \"sentinel\n  x: 'sentinel",
        ),
        ("  RESTIC_PASSWORD: sentinel-restic-password", "  RESTIC_PASSWORD: *sentinel"),
        ("  RESTIC_PASSWORD: sentinel-restic-password", "  RESTIC_PASSWORD: sentinel: sentinel"),
        ("  RESTIC_PASSWORD: sentinel-restic-password", "  RESTIC_PASSWORD: \"\\qsentinel\""),
        ("  RESTIC_PASSWORD: sentinel-restic-password", "  RESTIC_PASSWORD: 12345678901"),
        ("  RESTIC_PASSWORD: sentinel-restic-password", "  RESTIC_PASSWORD: !!int sentinel"),
    ] {
        let mut case = backup();
        case.edit("secrets.yaml", from, to);
        complaints.push(case.complaint());
    }
    let mut case = backup();
    case.edit(
        "app-binding.yaml",
        "spec:\n",
        "spec:\n  secretTransforms:\n  - addKey: {key: extra, value: 'sentinel!'}\n",
    );
    complaints.push(case.complaint());
    for complaint in &complaints {
        assert_ne!(complaint, "no complaint");
        assert!(!complaint.contains(SENTINEL) && !complaint.contains("12345"), "{complaint}");
    }
    insta::assert_snapshot!(complaints.join("\n---\n"));
}

#[test]
fn no_message_repeats_a_url_with_a_password() {
    for (file, from, to) in [
        (
            "app-binding.yaml",
            "    service:\n      name: vault\n      port: 8200\n      scheme: http\n",
            "    url: https://user:sentinel@vault:8200\n",
        ),
        (
            "repository.yaml",
            "    local:\n      mountPath: /safe/data\n      subPath: demo-vault\n      hostPath:\n        path: /data/stash-test/repo\n",
            "    rest: {url: 'http://user:sentinel@host/path'}\n",
        ),
        (
            "repository.yaml",
            "    local:\n      mountPath: /safe/data\n      subPath: demo-vault\n      hostPath:\n        path: /data/stash-test/repo\n",
            "    s3: {endpoint: 'https://user:sentinel@host', bucket: b}\n",
        ),
    ] {
        let mut case = backup();
        case.edit(file, from, to);
        let complaint = case.complaint();
        assert!(complaint.contains("holds a user or a password"), "{complaint}");
        assert!(!complaint.contains(SENTINEL), "{complaint}");
    }
}

#[test]
fn the_token_is_looked_for_after_the_transforms() {
    let mut case = backup();
    case.edit("secrets.yaml", "  token: ", "  VAULT_TOKEN: ");
    let missing = case.complaint();
    assert!(missing.contains("has no key token"), "{missing}");
    case.edit(
        "app-binding.yaml",
        "spec:\n",
        "spec:\n  secretTransforms:\n  - renameKey: {from: VAULT_TOKEN, to: token}\n",
    );
    assert_eq!(case.complaint(), "no complaint");
}
