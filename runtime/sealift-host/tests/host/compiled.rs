//! Compiled forms: loaded only with the digest that was vouched for, and equal to the component.

use sealift_component::InspectError;
use sealift_host::{Host, LoadError};
use sha2::Digest;

use crate::guests::{bare, descriptor, host, run, stage};
use crate::ports::plain;

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiled_form_runs_like_its_component() {
    let descriptor = descriptor("source-goes-wrong");
    let wasm = descriptor.append_to(&bare("source-goes-wrong")).unwrap();
    let compiled = host().compile(&wasm).unwrap();
    let function = host().load_compiled(descriptor, &compiled, &digest(&compiled)).unwrap();
    assert_eq!(function.imports(), host().load(&wasm).unwrap().imports());
    let mut source = stage("source-goes-wrong", "good", &[]);
    source.function = function;
    assert_eq!(
        run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await.failure,
        None
    );
}

#[test]
fn what_nobody_vouched_for_is_not_loaded() {
    let descriptor = descriptor("sink-goes-wrong");
    let mut compiled = host().compile(&bare("sink-goes-wrong")).unwrap();
    let right = digest(&compiled);
    compiled[5000] ^= 1;
    let refused = host().load_compiled(descriptor.clone(), &compiled, &right);
    assert!(matches!(refused, Err(LoadError::Digest { .. })));
    let garbage = b"machine code of somebody else";
    let refused = host().load_compiled(descriptor, garbage, &digest(garbage));
    assert!(matches!(refused, Err(LoadError::Deserialize { .. })));
    // Nor with the descriptor of a component of another kind.
    let other = crate::guests::descriptor("source-goes-wrong");
    compiled[5000] ^= 1;
    let refused = host().load_compiled(other, &compiled, &digest(&compiled));
    assert!(matches!(refused, Err(LoadError::Inspect(InspectError::KindMismatch { .. }))));
}

/// The component with these bytes changed wherever they stand.
fn changed(wasm: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut wasm, mut found) = (wasm.to_vec(), 0);
    for place in 0..wasm.len() {
        if wasm[place..].starts_with(from) {
            wasm[place..place + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!((1..=2).contains(&found), "these bytes are not only those of the type");
    wasm
}

#[test]
fn types_that_differ_are_found_when_a_component_is_loaded() {
    let (bare, descriptor) = (bare("source-goes-wrong"), descriptor("source-goes-wrong"));
    // `option<u64>` stands in the header of an artifact only, `option<u32>` in the error: both get
    // a sign, which changes nothing in the code.
    let import = changed(&bare, &[0x6b, 0x77], &[0x6b, 0x78]);
    let error = changed(&bare, &[0x6b, 0x79], &[0x6b, 0x7a]);
    let load = |bare: &[u8]| {
        let loaded = host().load(&descriptor.append_to(bare).unwrap());
        let compiled = host().compile(bare).unwrap();
        [loaded, host().load_compiled(descriptor.clone(), &compiled, &digest(&compiled))]
    };
    assert!(load(&bare).iter().all(Result::is_ok));
    for refused in load(&import) {
        let Err(LoadError::ImportTypes { name, source }) = refused else { panic!("{refused:?}") };
        assert_eq!(name, "source-goes-wrong");
        assert!(format!("{source:#}").contains("sealift:function/downstream@0.1.0"), "{source:#}");
    }
    for refused in load(&error) {
        assert!(matches!(&refused, Err(LoadError::NoRun { .. })), "{refused:?}");
    }
}

#[test]
fn two_engines_of_one_program_have_the_same_hash_and_compile_alike() {
    let other = Host::new().unwrap();
    assert_eq!(host().engine_hash(), other.engine_hash());
    let wasm = bare("sink-goes-wrong");
    assert_eq!(host().compile(&wasm).unwrap(), other.compile(&wasm).unwrap());
}
