use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::signature::Signer;

fn world() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("deep").join("cache")).unwrap();
    (folder, cache)
}

#[test]
fn what_is_kept_comes_back_and_survives_a_second_opening() {
    let (_folder, cache) = world();
    let digest = cache.put_component(b"\0asm").unwrap();
    cache.put_form(&digest, "engine1", b"code").unwrap();
    let again = Cache::open(&cache.root).unwrap();
    assert_eq!(again.component(&digest).unwrap(), b"\0asm");
    assert_eq!(again.form(&digest, "engine1").unwrap(), b"code");
    assert_eq!(again.form(&digest, "engine2"), None);
    assert_eq!(again.component(&Digest::of(b"other")), None);
}

#[test]
fn what_was_changed_is_as_if_it_were_not_there() {
    let (_folder, cache) = world();
    let digest = cache.put_component(b"\0asm").unwrap();
    let other = cache.put_component(b"\0asm other").unwrap();
    cache.put_form(&digest, "e", b"code").unwrap();
    cache.put_form(&other, "e", b"evil").unwrap();
    let (form, others) =
        (cache.form_path(&digest, "e").unwrap(), cache.form_path(&other, "e").unwrap());

    fs::write(cache.component_path(&digest), b"\0asn").unwrap();
    assert_eq!(cache.component(&digest), None);
    // A flipped bit, and another component's form under this name.
    fs::write(&form, b"codf").unwrap();
    assert_eq!(cache.form(&digest, "e"), None);
    fs::rename(&others, &form).unwrap();
    assert_eq!(cache.form(&digest, "e"), None);
    // A link to somewhere else.
    let elsewhere = cache.root.join("elsewhere");
    fs::write(&elsewhere, b"\0asm").unwrap();
    fs::remove_file(cache.component_path(&digest)).unwrap();
    symlink(&elsewhere, cache.component_path(&digest)).unwrap();
    assert_eq!(cache.component(&digest), None);
    assert_eq!(cache.form(&digest, "../e"), None);
}

#[test]
fn a_folder_that_others_can_enter_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    Cache::open(&root).unwrap();
    for path in [root.clone(), root.join("forms")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Cache::open(&root), Err(CacheError::Open { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let linked = folder.path().join("linked");
    symlink(&root, &linked).unwrap();
    assert!(matches!(Cache::open(&linked), Err(CacheError::Open { .. })));
}

#[test]
fn a_pull_is_remembered_for_its_reference_and_its_policy_only() {
    let (_folder, cache) = world();
    let reference: Reference = "ghcr.io/acme/export:1".parse().unwrap();
    let (digest, policy) = (Digest::of(b"manifest"), Digest::of(b"policy"));
    let pulled = Pulled {
        reference: reference.pinned(digest),
        manifest: digest,
        component: Digest::of(b"\0asm"),
        size: 4,
        signer: Signer::Key { name: "acme".to_owned(), fingerprint: digest },
        namespaces: vec!["*".to_owned()],
        descriptor: Some("{}".to_owned()),
        notes: vec!["old".to_owned()],
    };
    cache.put_pulled(&reference, &policy, &pulled).unwrap();
    assert_eq!(cache.pulled(&reference, &policy), Some(pulled));
    assert_eq!(cache.pulled(&reference, &Digest::of(b"another policy")), None);
    assert_eq!(cache.pulled(&reference.tagged("2").unwrap(), &policy), None);
}
