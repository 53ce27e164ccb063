//! Components for the tests of the verbs, as small as they can be.

use sealift_component::{Descriptor, section};
use serde_json::{Value, json};
use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection,
    ComponentInstanceSection, ComponentTypeRef, ComponentTypeSection, InstanceType,
};

/// A component that exports `kind` and imports empty interfaces of these names.
pub(super) fn component(kind: &str, imports: &[&str], descriptor: &Value) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    let mut importing = ComponentImportSection::new();
    for name in imports {
        importing.import(*name, ComponentTypeRef::Instance(0));
    }
    let mut instances = ComponentInstanceSection::new();
    let nothing: [(&str, ComponentExportKind, u32); 0] = [];
    instances.export_items(nothing);
    let mut exports = ComponentExportSection::new();
    let index = u32::try_from(imports.len()).unwrap_or_default();
    let name = format!("sealift:function/{kind}@0.1.0");
    exports.export(&name, ComponentExportKind::Instance, index, None);
    let mut component = Component::new();
    component.section(&types).section(&importing).section(&instances).section(&exports);
    section::append(&component.finish(), descriptor.to_string().as_bytes())
}

/// What [`export`] imports.
const IMPORTS: [&str; 6] = [
    "sealift:function/downstream@0.1.0",
    "sealift:function/errors@0.1.0",
    "sealift:function/key-store@0.1.0",
    "wasi:cli/stderr@0.2.3",
    "wasi:http/outgoing-handler@0.2.3",
    "wasi:http/types@0.2.3",
];

/// The descriptor of [`export`].
pub(super) fn export_descriptor() -> Value {
    json!({
        "name": "export-registry", "version": "0.1.0", "kind": "source", "contract": "0.1.0",
        "summary": "Stores the images of an OCI registry.", "unknownSize": true,
        "parameters": {"type": "object", "properties": {
            "concurrency": {"type": "integer", "minimum": 1, "maximum": 8, "default": 2},
            "allTags": {"type": "boolean", "default": true},
        }},
        "requests": {
            "http": [{"name": "target", "methods": ["GET", "HEAD"], "paths": ["/v2/*"]}],
            "unsealKeys": "copy",
        },
    })
}

/// A source that asks for much.
pub(super) fn export() -> Vec<u8> {
    component("source", &IMPORTS, &export_descriptor())
}

/// The same, with another descriptor.
pub(super) fn export_with(descriptor: &Descriptor) -> Vec<u8> {
    component("source", &IMPORTS, &serde_json::to_value(descriptor).unwrap_or_default())
}

/// A source that asks for nothing.
pub(super) fn plain() -> Vec<u8> {
    let descriptor =
        json!({"name": "plain", "version": "1.0.0", "kind": "source", "contract": "0.1.0"});
    component("source", &[], &descriptor)
}
