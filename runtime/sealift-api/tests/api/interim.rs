//! The interim volume: its size, and who needs one.

use sealift_core::plan::InterimVolume;

use crate::fixture::{Case, backup, components, restore};

fn with_template(case: &mut Case, spec: &str) {
    case.edit(
        "invoker.yaml",
        "spec:\n",
        &format!("spec:\n  interimVolumeTemplate:\n    metadata: {{name: v1}}\n    spec: {spec}\n"),
    );
}

/// The guide's backup with a source whose descriptor says that it does not know its sizes.
fn unknown_size(case: &Case) -> Result<Option<InterimVolume>, String> {
    let mut components = components();
    components.get_mut("builtin:vault-snapshot").unwrap().unknown_size = true;
    let plan = case.plan_with(&components).map_err(|error| {
        let help: Vec<&str> = error.problems.iter().map(|problem| problem.help()).collect();
        format!("{error}; {}", help.join("; "))
    })?;
    Ok(plan.interim_volume)
}

#[test]
fn the_template_gives_the_volume_and_its_size() {
    assert_eq!(backup().plan().unwrap().interim_volume, None);
    let rows = [
        ("{accessModes: [ReadWriteOnce]}", None),
        ("{resources: {requests: {storage: 1.5Gi}}}", Some(3 << 29)),
        ("{resources: {requests: {storage: \"1024\"}}}", Some(1024)),
    ];
    for (spec, size_bytes) in rows {
        let mut case = backup();
        with_template(&mut case, spec);
        assert_eq!(
            case.plan().unwrap().interim_volume,
            Some(InterimVolume { size_bytes }),
            "{spec}"
        );
    }
}

#[test]
fn a_size_that_is_none_is_named() {
    for size in ["lots", "0", "-1Gi", "10GB"] {
        let mut case = backup();
        with_template(&mut case, &format!("{{resources: {{requests: {{storage: {size:?}}}}}}}"));
        assert_eq!(
            case.complaint(),
            format!(
                "Invalid: BackupConfiguration demo/demo-backup: \
                 spec.interimVolumeTemplate.spec.resources.requests.storage: {size:?} is not an \
                 amount of storage\n  help: write an amount such as 10Gi"
            )
        );
    }
}

#[test]
fn a_source_that_does_not_know_its_sizes_needs_the_volume() {
    assert_eq!(
        unknown_size(&backup()).unwrap_err(),
        "BackupConfiguration demo/demo-backup: spec.interimVolumeTemplate: is needed, because \
         Function vault-backup-1.10.3 sends artifacts whose size it does not know beforehand; \
         give the template of a volume that holds the largest artifact"
    );
    let mut case = backup();
    with_template(&mut case, "{accessModes: [ReadWriteOnce]}");
    assert_eq!(unknown_size(&case), Ok(Some(InterimVolume::default())));
    // A restore stores nothing.
    assert_eq!(unknown_size(&restore()), Ok(None));
}

#[test]
fn what_a_transform_makes_of_it_is_the_transforms_to_say() {
    let mut components = components();
    let mut transform = components["file:author.wasm"].clone();
    components.get_mut("builtin:vault-snapshot").unwrap().unknown_size = true;
    transform.kind = sealift_core::plan::Kind::Transform;
    components.insert("file:transform.wasm".to_owned(), transform);
    let mut case = backup();
    case.set(
        "task.yaml",
        "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata: {name: vault-backup-1.10.3}\n\
         spec: {steps: [{name: vault-backup-1.10.3}, {name: mine}]}\n---\n\
         apiVersion: stash.appscode.com/v1beta1\nkind: Function\nmetadata: {name: mine}\n\
         spec: {image: 'file:transform.wasm'}\n",
    );
    assert!(case.plan_with(&components).is_ok());
    components.get_mut("file:transform.wasm").unwrap().unknown_size = true;
    let error = case.plan_with(&components).unwrap_err().to_string();
    assert!(error.contains("Function mine sends artifacts"), "{error}");
}
