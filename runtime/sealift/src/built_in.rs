//! The Functions that are part of this binary; `build.rs` makes the table.

use sealift_job::components::BuiltIn;
use sealift_job::packed::Packed;

/// Every built-in component.
pub(crate) static BUILT_IN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::PathBuf;

    use sealift_core::plan::ComponentRef;
    use sealift_host::Host;
    use sealift_job::components::{Components, LocalComponents};

    use super::*;

    #[test]
    fn a_form_that_was_compiled_for_another_engine_is_not_even_looked_at() {
        let own = BUILT_IN.iter().find(|built_in| built_in.name == "restic-upload").unwrap();
        let compiled = Packed { frame: b"no machine code", size: 15 };
        let other = BuiltIn { engine: "another", compiled, ..*own };
        let components = LocalComponents::new(Vec::leak(vec![other]), PathBuf::new());
        let reference = "builtin:restic-upload".to_owned();
        let component = ComponentRef { reference, digest: own.digest.to_owned() };
        let function = components.load(&Host::new().unwrap(), &component).unwrap();
        assert_eq!(function.descriptor().name, "restic-upload");
    }
}
