//! Stripping: what goes, what stays, and that nothing else changes.

use sealift_component::binary::BinaryError;
use sealift_component::bounds::{Bounds, check};
use sealift_component::strip::{Names, strip};
use sealift_component::{Descriptor, inspect};
use wasm_encoder::{CustomSection, Module, NameSection, RawSection};
use wasmparser::{Parser, Payload};

use crate::make;

/// Names of all custom sections with their levels, in order.
fn customs(wasm: &[u8]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::CustomSection(section) => found.push((depth, section.name().to_owned())),
            _ => {}
        }
    }
    found
}

fn module() -> Module {
    let mut module = make::functions(2, 7);
    for name in [".debug_info", "target_features", ".debug_str", "producers"] {
        module.section(&CustomSection { name: name.into(), data: [7; 200].as_slice().into() });
    }
    let mut names = NameSection::new();
    names.module("main");
    module.section(&names);
    module
}

/// A component as a compiler leaves it, with something to drop at every level.
fn fresh() -> Vec<u8> {
    let inner = make::with_module(make::custom(make::bare(), "producers", b"\0"), &module());
    let mut wasm = make::with_module(make::holding(make::bare(), &inner), &module());
    for name in ["producers", "component-type:made", "external_debug_info", "debug_info"] {
        wasm = make::custom(wasm, name, b"\0");
    }
    make::descriptor().append_to(&wasm).unwrap()
}

#[test]
fn debug_information_and_producers_go_at_every_level_and_the_rest_stays() {
    let wasm = fresh();
    assert_eq!(customs(&wasm).len(), 16);
    let kept = strip(&wasm, Names::Keep).unwrap();
    let name = |depth, name: &str| (depth, name.to_owned());
    assert_eq!(
        customs(&kept),
        [
            name(2, "target_features"),
            name(2, "name"),
            name(1, "target_features"),
            name(1, "name"),
            name(0, "component-type:made"),
            name(0, "debug_info"),
            name(0, "sealift:function"),
        ]
    );
    let dropped = strip(&wasm, Names::Drop).unwrap();
    let without_names: Vec<_> =
        customs(&kept).into_iter().filter(|(_, name)| name != "name").collect();
    assert_eq!(customs(&dropped), without_names);
    assert!(dropped.len() < kept.len() && kept.len() + 1200 < wasm.len());
}

#[test]
fn what_is_stripped_is_as_valid_as_before_and_says_the_same() {
    let wasm = fresh();
    let before = check(&wasm, &Bounds::default()).unwrap();
    for names in [Names::Keep, Names::Drop] {
        let stripped = strip(&wasm, names).unwrap();
        let mut after = check(&stripped, &Bounds::default()).unwrap();
        after.bytes = before.bytes;
        assert_eq!(after, before);
        let (old, new) = (inspect(&wasm).unwrap(), inspect(&stripped).unwrap());
        let says = |inspected: sealift_component::Inspected| -> (Descriptor, Vec<String>, String) {
            (inspected.descriptor, inspected.imports, inspected.export)
        };
        assert_eq!(says(new), says(old));
        assert_eq!(strip(&stripped, names).unwrap(), stripped, "twice is once");
    }
}

/// Tools leave room in lengths and fill them in later; such a length is a digest's, too.
#[test]
fn where_nothing_goes_not_a_byte_changes() {
    let plain = make::with_module(make::source(), &make::functions(2, 7));
    assert_eq!(strip(&plain, Names::Keep).unwrap(), plain);
    let mut padded = make::source();
    let module = make::functions(1, 2).finish();
    padded.extend_from_slice(&[1, 0x80 | u8::try_from(module.len()).unwrap(), 0x80, 0]);
    padded.extend_from_slice(&module);
    check(&padded, &Bounds::default()).unwrap();
    assert_eq!(strip(&padded, Names::Keep).unwrap(), padded);
}

#[test]
fn what_cannot_be_stripped_is_an_error() {
    for bytes in [&b""[..], b"hello", &Module::new().finish()] {
        assert!(matches!(strip(bytes, Names::Keep), Err(BinaryError::NotComponent)));
    }
    let wasm = fresh();
    for end in 8..wasm.len() {
        // A cut between two sections is a component still: the validator knows better.
        if let Err(error) = strip(&wasm[..end], Names::Keep) {
            assert!(matches!(error, BinaryError::Split(_)), "{end}: {error}");
        }
    }
    let deep = make::nested(1_000);
    assert!(matches!(strip(&deep, Names::Keep), Err(BinaryError::Depth { most: 16 })));
    let broken = make::and(make::source(), &RawSection { id: 1, data: b"\0asm" });
    assert!(matches!(strip(&broken, Names::Keep), Err(BinaryError::Split(_))));
}
