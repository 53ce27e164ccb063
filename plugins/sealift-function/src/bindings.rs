//! What `wit-bindgen` generates from the contract, and nothing else.
//!
//! All imports are generated once, whatever the kind of the Function: the linker keeps only
//! those that are called, so a component asks for nothing its code does not use. Exports are
//! generated once per kind, each with its own macro, which [`export!`](crate::export) calls.

#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated"
)]

wit_bindgen::generate!({
    inline: "
        package sealift:sdk;
        world imports {
            include sealift:function/base@0.1.0;
            include sealift:function/with-http@0.1.0;
            include sealift:function/with-repository-writer@0.1.0;
            include sealift:function/with-repository-reader@0.1.0;
            include sealift:function/with-key-store@0.1.0;
            import sealift:function/upstream@0.1.0;
            import sealift:function/downstream@0.1.0;
            import sealift:function/outcomes@0.1.0;
        }
    ",
    path: "../../wit/0.1.0",
    world: "sealift:sdk/imports",
    generate_all,
});

/// The export of a source.
pub mod source {
    wit_bindgen::generate!({
        inline: "package sealift:sdk; world source-export { export sealift:function/source@0.1.0; }",
        path: "../../wit/0.1.0",
        world: "sealift:sdk/source-export",
        with: { "sealift:function/errors@0.1.0": crate::bindings::sealift::function::errors },
        pub_export_macro: true,
        export_macro_name: "export_source",
    });
}

/// The export of a transform.
pub mod transform {
    wit_bindgen::generate!({
        inline: "package sealift:sdk; world transform-export { export sealift:function/transform@0.1.0; }",
        path: "../../wit/0.1.0",
        world: "sealift:sdk/transform-export",
        with: { "sealift:function/errors@0.1.0": crate::bindings::sealift::function::errors },
        pub_export_macro: true,
        export_macro_name: "export_transform",
    });
}

/// The export of a sink.
pub mod sink {
    wit_bindgen::generate!({
        inline: "package sealift:sdk; world sink-export { export sealift:function/sink@0.1.0; }",
        path: "../../wit/0.1.0",
        world: "sealift:sdk/sink-export",
        with: { "sealift:function/errors@0.1.0": crate::bindings::sealift::function::errors },
        pub_export_macro: true,
        export_macro_name: "export_sink",
    });
}

/// The export of an observer.
pub mod observer {
    wit_bindgen::generate!({
        inline: "package sealift:sdk; world observer-export { export sealift:function/observer@0.1.0; }",
        path: "../../wit/0.1.0",
        world: "sealift:sdk/observer-export",
        with: { "sealift:function/errors@0.1.0": crate::bindings::sealift::function::errors },
        pub_export_macro: true,
        export_macro_name: "export_observer",
    });
}
