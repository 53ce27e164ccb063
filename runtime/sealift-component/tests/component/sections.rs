//! The descriptor's section: what goes in comes out, and taking it out changes nothing else.

use sealift_component::binary::BinaryError;
use sealift_component::section::{self, append, find, without};
use wasm_encoder::Module;

use crate::make;

/// A component with a few sections of anything.
fn some_component(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut component = make::bare();
    for _ in 0..random.usize(0..4) {
        let name = ["name", "sealift:functions", "sealift", "", "producers"][random.usize(0..5)];
        let data: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(300).collect();
        let data = &data[..random.usize(0..300)];
        component = match random.u8(0..4) {
            0 => make::holding(component, &make::source()),
            1 => make::with_module(component, &make::functions(1, 2)),
            _ => make::custom(component, name, data),
        };
    }
    component
}

#[test]
fn what_was_appended_is_found_and_taken_out_again() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..500 {
        let component = some_component(&mut random);
        let length = [0, 1, 127, 128, 2_000, section::MOST_BYTES][random.usize(0..6)];
        let json: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        assert_eq!(find(&component).unwrap(), None);
        let whole = append(&component, &json);
        assert_eq!(find(&whole).unwrap(), Some(json.as_slice()));
        assert_eq!(without(&whole).unwrap(), component);
        assert_eq!(without(&component).unwrap(), component);
        assert_eq!(without(&append(&whole, b"{}")).unwrap(), component);
    }
}

#[test]
fn only_a_component_is_taken_apart() {
    for bytes in [&b""[..], b"hello, world", &Module::new().finish()] {
        assert!(matches!(without(bytes), Err(BinaryError::NotComponent)));
    }
    let whole = make::source();
    assert!(matches!(without(&whole[..whole.len() - 1]), Err(BinaryError::Split(_))));
}
