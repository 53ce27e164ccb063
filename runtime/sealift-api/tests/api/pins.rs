//! The objects a plan was made from, as they were.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealift_core::pins::Pins;

use crate::fixture::{Case, backup};

const FUNCTION: &str = "apiVersion: stash.appscode.com/v1beta1\nkind: Function\n\
    metadata: {name: vault-backup-1.10.3, uid: function-uid, generation: 7}\n\
    spec: {image: 'builtin:vault-snapshot', args: ['--key-prefix=${keyPrefix:=}']}\n";

/// The guide's objects as an API server would give them.
fn stored() -> Case {
    let mut case = backup();
    let metadata = |uid: &str, generation: u32| {
        format!("metadata:\n  uid: {uid}\n  generation: {generation}\n")
    };
    case.edit("app-binding.yaml", "metadata:\n", &metadata("binding-uid", 2));
    case.edit("repository.yaml", "metadata:\n", &metadata("repository-uid", 1));
    case.set("function.yaml", FUNCTION);
    case
}

#[test]
fn a_plan_pins_what_it_was_made_from() {
    let pins = stored().plan().unwrap().pins;
    let seen: Vec<String> = pins
        .objects
        .iter()
        .map(|pin| format!("{} {} {}", pin.object, pin.uid, pin.generation.unwrap_or_default()))
        .collect();
    // Functions of the catalogue have no uid.
    assert_eq!(
        seen,
        [
            "AppBinding demo/vault binding-uid 2",
            "Repository demo/gcp-demo-repo repository-uid 1",
            "Function vault-backup-1.10.3 function-uid 7",
        ]
    );
    assert_eq!(pins.ca_digest, None);
}

#[test]
fn objects_from_files_are_not_pinned() {
    assert_eq!(backup().plan().unwrap().pins, Pins::default());
}

#[test]
fn the_digest_of_the_certificates_is_that_of_the_decoded_bundle() {
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let mut case = backup();
    let bundle = format!("  clientConfig:\n    caBundle: {}\n", STANDARD.encode(pem));
    case.edit("app-binding.yaml", "  clientConfig:\n", &bundle);
    // printf '-----BEGIN…' | sha256sum
    assert_eq!(
        case.plan().unwrap().pins.ca_digest.as_deref(),
        Some("sha256:704bd2ba79e5c2f51ebdbd12e083c0b88f85c28e432a73c3cc9d53cae2e09b6d")
    );
}

#[test]
fn pins_made_again_of_the_same_objects_agree_and_of_others_do_not() {
    let case = stored();
    let plan = case.plan().unwrap();
    let objects = case.objects().unwrap();
    let live = |generation: Option<i64>| {
        let mut binding = objects.app_binding("demo", "vault").unwrap().clone();
        binding.metadata.generation = generation;
        let function = objects.function("vault-backup-1.10.3").unwrap().0;
        let repository = objects.repository("demo", "gcp-demo-repo");
        sealift_api::planner::pins(Some(&binding), repository, [function, function])
    };
    assert_eq!(plan.check_pins(&live(Some(2))), Ok(()));
    assert_eq!(
        plan.check_pins(&live(Some(3))).unwrap_err().to_string(),
        "AppBinding demo/vault: metadata.generation is 3, but the plan was made for 2; make the plan again"
    );
}
