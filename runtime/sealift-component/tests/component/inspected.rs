//! What is no component of a Function is refused by name, and only its own word is believed.

use sealift_component::{InspectError, inspect, section};
use sealift_core::plan::Kind;
use wasm_encoder::{CustomSection, Module};

use crate::make::{self, SOURCE};

#[test]
fn a_component_tells_what_it_is() {
    let wasm = make::source();
    let inspected = inspect(&wasm).unwrap();
    assert_eq!(inspected.kind, Kind::Source);
    assert_eq!(inspected.export, SOURCE);
    assert_eq!(inspected.contract, "0.1.0");
    assert_eq!(
        inspected.imports,
        ["sealift:function/errors@0.1.0", "sealift:function/downstream@0.1.0"]
    );
    assert_eq!(inspected.descriptor, make::descriptor());
    assert_eq!(inspected.size, wasm.len() as u64);
    assert_eq!(inspected.digest, sealift_component::inspect::digest(&wasm));
    assert_eq!(
        sealift_component::inspect::digest(b"abc"),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

/// With the descriptor of another source in the place of ours.
fn described(json: &[u8]) -> Vec<u8> {
    section::append(&make::bare(), json)
}

#[test]
fn what_is_no_component_of_a_function_is_named() {
    let with_exports = |exports: &[&str]| {
        section::append(
            &make::with(exports, &[]),
            &serde_json::to_vec(&make::descriptor()).unwrap(),
        )
    };
    let twice = make::descriptor().append_to(&make::source()).unwrap();
    let long = described(format!("\"{}\"", "x".repeat(section::MOST_BYTES)).as_bytes());
    let as_sink = br#"{"name":"x","version":"1.0.0","kind":"sink","contract":"0.1.0"}"#;
    let asks = br#"{"name":"x","version":"1.0.0","kind":"source","contract":"0.1.0","requests":{"shell":true}}"#;
    for (wasm, words) in [
        (Vec::new(), "these bytes are not a WebAssembly component"),
        (b"hello, world".to_vec(), "these bytes are not a WebAssembly component"),
        (b"\0asm\x0e\0\x01\0".to_vec(), "these bytes are not a WebAssembly component"),
        (Module::new().finish(), "this is a WebAssembly module and not a component"),
        (
            with_exports(&["wasi:cli/run@0.2.3", "other"]),
            "exports none of source, transform, sink and observer of sealift:function@0.1.0; its exports are: wasi:cli/run@0.2.3, other",
        ),
        (
            with_exports(&[SOURCE, "sealift:function/sink@0.1.0"]),
            "exports sealift:function/source@0.1.0 and sealift:function/sink@0.1.0; a function has exactly one kind",
        ),
        (
            with_exports(&["sealift:function/source@0.2.0"]),
            "is built against 0.2.0 of the contract and this host serves 0.1.0",
        ),
        (make::bare(), "has no descriptor: custom section sealift:function is missing"),
        (twice, "has more than one descriptor (custom section sealift:function)"),
        (long, "has 65538 bytes and may have 65536"),
        (described(b""), "the descriptor of the component is not well-formed"),
        (described(b"{\"name\":"), "the descriptor of the component is not well-formed"),
        (described(b"\xff\xfe"), "the descriptor of the component is not well-formed"),
        (described(b"[]"), "the descriptor of the component is not well-formed"),
        (described(b"{}"), "the descriptor of the component is not well-formed"),
        (described(asks), "the descriptor of the component is not well-formed"),
        (described(as_sink), "the descriptor says sink and the component exports source"),
    ] {
        let error = inspect(&wasm).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?}: {error}");
    }
}

#[test]
fn the_longest_descriptor_is_one() {
    let mut descriptor = make::descriptor();
    let others = serde_json::to_vec(&descriptor).unwrap().len();
    descriptor.summary = "x".repeat(section::MOST_BYTES - others);
    let wasm = descriptor.append_to(&make::bare()).unwrap();
    assert_eq!(inspect(&wasm).unwrap().descriptor, descriptor);
}

/// Whoever puts a component together from others does not speak for it with what lies inside.
#[test]
fn a_descriptor_inside_of_something_else_is_not_believed() {
    let mut module = Module::new();
    let json = serde_json::to_vec(&make::descriptor()).unwrap();
    module.section(&CustomSection { name: section::NAME.into(), data: json.as_slice().into() });
    let inside = make::with_module(make::holding(make::bare(), &make::source()), &module);
    assert!(matches!(inspect(&inside), Err(InspectError::NoDescriptor)));
    assert_eq!(section::find(&inside).unwrap(), None);
    let mut own = make::descriptor();
    own.name = "own".to_owned();
    let whole = own.append_to(&inside).unwrap();
    assert_eq!(inspect(&whole).unwrap().descriptor, own);
    // Nor do exports and imports of what lies inside count.
    let shell = make::holding(make::with(&["wasi:cli/run@0.2.3"], &[]), &make::source());
    assert!(matches!(inspect(&shell), Err(InspectError::NoKind { .. })));
}

#[test]
fn half_a_component_is_none() {
    let wasm = make::with_module(make::bare(), &make::functions(3, 9));
    let wasm = make::descriptor().append_to(&wasm).unwrap();
    inspect(&wasm).unwrap();
    for end in 0..wasm.len() {
        assert!(inspect(&wasm[..end]).is_err(), "cut at {end} of {}", wasm.len());
    }
}
