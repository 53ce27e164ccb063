//! The Functions that are part of this binary; `build.rs` makes the table.

use sealift_job::components::BuiltIn;

/// Every built-in component.
pub(crate) static BUILT_IN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));
