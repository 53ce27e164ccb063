//! Components as a tool would write them, and as none would.

use sealift_component::Descriptor;
use wasm_encoder::{
    CodeSection, Component, ComponentExportKind, ComponentExportSection, ComponentImportSection,
    ComponentInstanceSection, ComponentSection, ComponentTypeRef, ComponentTypeSection,
    CustomSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    InstanceType, Module, ModuleSection, NestedComponentSection, RawSection, TypeSection,
};

/// What the component of a source exports.
pub(crate) const SOURCE: &str = "sealift:function/source@0.1.0";

/// No arguments, no items.
pub(crate) const NOTHING: [(&str, ComponentExportKind, u32); 0] = [];

/// A component with empty interfaces of these names.
pub(crate) fn with(exports: &[&str], imports: &[&str]) -> Vec<u8> {
    let mut component = Component::new();
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    component.section(&types);
    let mut section = ComponentImportSection::new();
    for name in imports {
        section.import(*name, ComponentTypeRef::Instance(0));
    }
    component.section(&section);
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(NOTHING);
    component.section(&instances);
    let mut section = ComponentExportSection::new();
    for name in exports {
        let index = u32::try_from(imports.len()).unwrap();
        section.export(*name, ComponentExportKind::Instance, index, None);
    }
    component.section(&section);
    component.finish()
}

/// A source without its descriptor.
pub(crate) fn bare() -> Vec<u8> {
    with(&[SOURCE], &["sealift:function/errors@0.1.0", "sealift:function/downstream@0.1.0"])
}

/// Its descriptor.
pub(crate) fn descriptor() -> Descriptor {
    serde_json::from_value(serde_json::json!({
        "name": "made", "version": "0.1.0", "kind": "source", "contract": "0.1.0",
    }))
    .unwrap()
}

/// A source.
pub(crate) fn source() -> Vec<u8> {
    descriptor().append_to(&bare()).unwrap()
}

/// A component of nothing.
pub(crate) fn empty() -> Vec<u8> {
    Component::new().finish()
}

/// `component` with one more section.
pub(crate) fn and(mut component: Vec<u8>, section: &impl ComponentSection) -> Vec<u8> {
    section.append_to_component(&mut component);
    component
}

/// `component` with a custom section.
pub(crate) fn custom(component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    and(component, &CustomSection { name: name.into(), data: data.into() })
}

/// `component` with these bytes as a component inside.
pub(crate) fn holding(component: Vec<u8>, inside: &[u8]) -> Vec<u8> {
    and(component, &RawSection { id: 4, data: inside })
}

/// `component` with a core module inside.
pub(crate) fn with_module(component: Vec<u8>, module: &Module) -> Vec<u8> {
    and(component, &ModuleSection(module))
}

/// A component in a component in a component, `levels` inside of the outermost.
pub(crate) fn nested(levels: u64) -> Vec<u8> {
    let mut whole = Component::new();
    for _ in 0..levels {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&whole));
        whole = outer;
    }
    whole.finish()
}

/// A core module of so many functions, each with a body of so many bytes.
pub(crate) fn functions(count: u64, body: u64) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    module.section(&types);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    // No locals, nothing to do, and the end.
    let nops = usize::try_from(body).unwrap() - 2;
    let mut function = Function::new([]);
    function.raw(std::iter::repeat_n(0x01, nops)).raw([0x0b]);
    for _ in 0..count {
        functions.function(0);
        code.function(&function);
    }
    module.section(&functions).section(&code);
    module
}

/// A core module with so many imports, all exported again if `exports` says so.
pub(crate) fn links(imports: u64, exports: bool) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut section = ImportSection::new();
    let mut again = ExportSection::new();
    for index in 0..u32::try_from(imports).unwrap() {
        let name = format!("f{index}");
        section.import("env", &name, EntityType::Function(0));
        again.export(&name, ExportKind::Func, index);
    }
    module.section(&types).section(&section);
    if exports {
        module.section(&again);
    }
    module
}
