//! Components that are made to harm whoever reads or compiles them.
//!
//! Each row names the guard: without it wasmparser or wasmtime runs out of stack, memory or time.

use sealift_component::bounds::{Bound, Bounds, BoundsError, Counts, check};
use sealift_component::inspect;
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentExportKind, ComponentExportSection,
    ComponentImportSection, ComponentInstanceSection, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, ComponentTypeSection, ComponentValType, InstanceType, Module,
    NestedComponentSection, PrimitiveValType, RawSection, TypeBounds,
};

use crate::make::{self, NOTHING};

fn imports(count: u64) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|index| format!("i{index}")).collect();
    make::with(&[], &names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn exports(count: u64) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|index| format!("e{index}")).collect();
    make::with(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

fn modules(count: u64) -> Vec<u8> {
    let mut component = make::empty();
    for _ in 0..count {
        component = make::with_module(component, &Module::new());
    }
    component
}

/// So many types, none inside of another.
fn types(count: u64) -> Vec<u8> {
    let mut section = ComponentTypeSection::new();
    for _ in 0..count {
        section.defined_type().list(PrimitiveValType::U8);
    }
    make::and(make::empty(), &section)
}

/// Types whose declarations are types, so many inside of each other, in the fewest bytes.
fn declarations(levels: u64) -> Vec<u8> {
    // One type; then each level is a component type (41) of one declaration (01), a type (01).
    let mut content = vec![1];
    for _ in 0..levels {
        content.extend_from_slice(&[0x41, 1, 1]);
    }
    // The innermost is a u8.
    content.push(0x7d);
    make::and(make::empty(), &RawSection { id: 7, data: &content })
}

/// `list<list<…<u8>>>`, each naming the one before.
fn lists(levels: u32) -> Vec<u8> {
    let mut section = ComponentTypeSection::new();
    section.defined_type().list(PrimitiveValType::U8);
    for index in 0..levels {
        section.defined_type().list(ComponentValType::Type(index));
    }
    make::and(make::empty(), &section)
}

/// An instance in an instance in an instance.
fn instances(levels: u32) -> Vec<u8> {
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(NOTHING);
    for index in 0..levels {
        instances.export_items([("a", ComponentExportKind::Instance, index)]);
    }
    make::and(make::empty(), &instances)
}

/// Types of instances, each of which exports something of the type of the one before.
fn instance_types(levels: u32, export: ComponentTypeRef) -> Vec<u8> {
    let mut section = ComponentTypeSection::new();
    section.instance(&InstanceType::new());
    for index in 0..levels {
        let mut ty = InstanceType::new();
        ty.alias(Alias::Outer { kind: ComponentOuterAliasKind::Type, count: 1, index });
        ty.export("a", export);
        section.instance(&ty);
    }
    let mut import = ComponentImportSection::new();
    import.import("a", ComponentTypeRef::Instance(levels));
    make::and(make::and(make::empty(), &section), &import)
}

/// Components side by side, each of which starts the one before twice.
fn doubling(count: u32) -> Component {
    let mut whole = Component::new();
    whole.section(&NestedComponentSection(&Component::new()));
    for index in 0..count {
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::Outer { kind: ComponentOuterAliasKind::Component, count: 1, index });
        let mut next = Component::new();
        next.section(&aliases).section(&starting(0, 2));
        whole.section(&NestedComponentSection(&next));
    }
    whole.section(&starting(count, 1));
    whole
}

/// Instances of the component of this index.
fn starting(index: u32, times: usize) -> ComponentInstanceSection {
    let mut instances = ComponentInstanceSection::new();
    for _ in 0..times {
        instances.instantiate(index, NOTHING);
    }
    instances
}

/// A component of exactly so many bytes.
fn bytes(count: u64) -> Vec<u8> {
    let mut component = make::empty();
    let length = usize::try_from(count).unwrap();
    for size_of_length in 1..5 {
        // Header, id and length of the section, length of its name, which is one byte.
        let data = vec![0; length.saturating_sub(8 + 1 + size_of_length + 2)];
        component = make::custom(make::empty(), "x", &data);
        if component.len() == length {
            break;
        }
    }
    assert_eq!(component.len(), length);
    component
}

type Row = (Bound, fn(&mut Bounds) -> &mut u64, fn(u64) -> Vec<u8>);

/// Every bound, with components that have exactly so much of it.
const ROWS: [Row; 14] = [
    (Bound::Bytes, |bounds| &mut bounds.bytes, bytes),
    (Bound::Modules, |bounds| &mut bounds.modules, modules),
    (Bound::Depth, |bounds| &mut bounds.depth, make::nested),
    (Bound::Depth, |bounds| &mut bounds.depth, declarations),
    (Bound::Imports, |bounds| &mut bounds.imports, imports),
    (Bound::Exports, |bounds| &mut bounds.exports, exports),
    (
        Bound::Links,
        |bounds| &mut bounds.links,
        |count| make::with_module(make::empty(), &make::links(count, false)),
    ),
    (Bound::Types, |bounds| &mut bounds.types, types),
    (Bound::Types, |bounds| &mut bounds.types, declared_types),
    (
        Bound::Types,
        |bounds| &mut bounds.types,
        |count| {
            let mut types = wasm_encoder::TypeSection::new();
            for _ in 0..count {
                types.ty().function([], []);
            }
            let mut module = Module::new();
            module.section(&types);
            make::with_module(make::empty(), &module)
        },
    ),
    (
        Bound::Functions,
        |bounds| &mut bounds.functions,
        |count| make::with_module(make::empty(), &make::functions(count, 2)),
    ),
    (
        Bound::FunctionBytes,
        |bounds| &mut bounds.function_bytes,
        |count| make::with_module(make::empty(), &make::functions(3, count)),
    ),
    (
        Bound::SectionBytes,
        |bounds| &mut bounds.section_bytes,
        |count| {
            let data = vec![0; usize::try_from(count).unwrap()];
            make::custom(make::empty(), "x", &data)
        },
    ),
    (Bound::Definitions, |bounds| &mut bounds.definitions, types),
];

/// One type with all the others as declarations.
fn declared_types(count: u64) -> Vec<u8> {
    let mut ty = ComponentType::new();
    for _ in 1..count {
        ty.ty().defined_type().list(PrimitiveValType::U8);
    }
    let mut section = ComponentTypeSection::new();
    section.component(&ty);
    make::and(make::empty(), &section)
}

#[test]
fn every_bound_lets_its_number_pass_and_not_one_more() {
    for (row, (bound, field, of)) in ROWS.into_iter().enumerate() {
        let mut bounds = Bounds::default();
        *field(&mut bounds) = 20;
        if let Err(error) = check(&of(20), &bounds) {
            panic!("row {row}, {bound:?}: {error}: {:?}", std::error::Error::source(&error));
        }
        match check(&of(21), &bounds) {
            Err(BoundsError::Exceeded { what, most: 20 }) => assert_eq!(what, bound, "row {row}"),
            other => panic!("row {row}, {bound:?}: {other:?}"),
        }
    }
}

#[test]
fn what_tools_make_is_counted_as_what_it_is() {
    let wasm = make::with_module(make::source(), &make::links(3, true));
    let wasm = make::holding(make::with_module(wasm, &make::functions(5, 9)), &imports(2));
    let counts = check(&wasm, &Bounds::default()).unwrap();
    let wanted = Counts {
        bytes: wasm.len() as u64,
        modules: 2,
        components: 1,
        // Two of its own, two of the one inside.
        imports: 4,
        exports: 1,
        links: 6,
        // Its own, that of the one inside, one a module.
        types: 4,
        functions: 5,
        // A type, two imports, an instance, an export; what lies inside is never started.
        definitions: 5,
    };
    assert_eq!(counts, wanted);
}

/// Name, component, and the words of the refusal, with the bounds that count.
#[test]
fn bombs_are_refused_by_name_before_anything_compiles_them() {
    let mut giant = make::source();
    giant.resize(65 << 20, 0);
    for (name, wasm, words) in [
        ("65 MiB", giant, "more than 64 MiB, which is the most a Function may have"),
        (
            "1 000 components in each other",
            make::nested(1_000),
            "more than 16 levels of components",
        ),
        (
            "300 000 types in each other",
            declarations(300_000),
            "more than 16 levels of components or of their types",
        ),
        (
            "200 instances in each other",
            holding_each_other(200),
            "more than 20 instances that hold other instances",
        ),
        (
            "200 types of instances in each other",
            types_holding_each_other(200),
            "more than 20 instances that hold other instances",
        ),
        ("100 000 imports", imports(100_000), "more than 1000 imports"),
        ("100 000 exports", exports(100_000), "more than 1000 exports"),
        ("100 000 types", types(100_001), "more than 100000 types"),
        ("100 000 declarations", declared_types(100_001), "more than 100000 types"),
        (
            "600 000 functions",
            make::with_module(make::source(), &make::functions(600_000, 2)),
            "more than 500000 functions",
        ),
        (
            "a function of 2 MiB",
            make::with_module(make::source(), &make::functions(1, 2 << 20)),
            "more than 1 MiB in one function",
        ),
        (
            "a note of 17 MiB",
            make::custom(make::source(), "x", &vec![0; 17 << 20]),
            "more than 16 MiB in one custom section",
        ),
        ("200 modules", modules(200), "more than 64 core modules"),
        (
            "2 to the 60 instances",
            doubling(60).finish(),
            "more than 200000 definitions once all components inside of it are started",
        ),
    ] {
        match check(&wasm, &Bounds::default()) {
            Err(error @ BoundsError::Exceeded { .. }) => {
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// `list<list<…>>` takes no depth of bytes, each names the one before: the validator counts it.
#[test]
fn ten_thousand_lists_in_each_other_are_not_valid() {
    match check(&lists(10_000), &Bounds::default()) {
        Err(BoundsError::Invalid(source)) => {
            assert!(source.to_string().contains("type nesting is too deep"), "{source}");
        }
        other => panic!("{other:?}"),
    }
    check(&lists(90), &Bounds::default()).unwrap();
}

/// Such a component must be answered, whatever wasmparser does about it.
#[test]
fn hundreds_of_instances_in_each_other_are_refused() {
    let of_type = ComponentTypeRef::Type(TypeBounds::Eq(0));
    for (name, of) in [
        ("instances", &instances as &dyn Fn(u32) -> Vec<u8>),
        ("types", &|levels| instance_types(levels, ComponentTypeRef::Instance(0))),
        ("types as types", &|levels| instance_types(levels, of_type)),
    ] {
        check(&of(20), &Bounds::default()).unwrap();
        for levels in [200, 30_000] {
            let error = check(&of(levels), &Bounds::default()).unwrap_err();
            assert!(
                matches!(error, BoundsError::BrokeOff | BoundsError::Invalid(_)),
                "{levels} {name}: {error:?}"
            );
        }
    }
}

/// Nothing but the count of definitions stands between it and the compiler: it is valid, and a
/// few hundred bytes.
#[test]
fn a_bomb_of_instances_is_small_and_valid() {
    let bomb = doubling(60).finish();
    assert!(bomb.len() < 2_000, "{}", bomb.len());
    let unbounded = Bounds { definitions: u64::MAX, ..Bounds::default() };
    let counts = check(&bomb, &unbounded).unwrap();
    assert!(counts.definitions > 1 << 60, "{counts:?}");
    let small = check(&doubling(10).finish(), &Bounds::default()).unwrap();
    assert!(small.definitions > 1 << 10, "{small:?}");
}

/// What a component from elsewhere becomes when it is started is not known beforehand.
#[test]
fn a_component_that_is_handed_on_is_not_started() {
    let mut types = ComponentTypeSection::new();
    types.component(&ComponentType::new());
    let mut imports = ComponentImportSection::new();
    imports.import("part", ComponentTypeRef::Component(0));
    let imported = make::and(make::and(make::empty(), &types), &imports);

    // One inside exports a component, and its instance is asked for it.
    let kind = ComponentExportKind::Component;
    let mut exports = ComponentExportSection::new();
    exports.export("part", kind, 0, None);
    let inner = make::and(make::holding(make::empty(), &make::empty()), &exports);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::InstanceExport { instance: 0, kind, name: "part" });
    let started = make::and(make::holding(make::empty(), &inner), &starting(0, 1));
    let taken = make::and(started, &aliases);
    for wasm in [imported, taken] {
        let error = check(&wasm, &Bounds::default()).unwrap_err();
        assert!(matches!(error, BoundsError::HandedOn), "{error:?}");
    }
}

/// An export gives a component one more index; what it weighs goes along.
#[test]
fn a_bomb_is_found_behind_an_export() {
    let mut whole = Component::new();
    whole.section(&NestedComponentSection(&doubling(20)));
    let mut exports = ComponentExportSection::new();
    exports.export("part", ComponentExportKind::Component, 0, None);
    whole.section(&exports).section(&starting(1, 8));
    let wasm = whole.finish();
    let most = |definitions| Bounds { definitions, ..Bounds::default() };
    let error = check(&wasm, &most(1 << 24));
    assert!(
        matches!(error, Err(BoundsError::Exceeded { what: Bound::Definitions, .. })),
        "{error:?}"
    );
    check(&wasm, &most(1 << 25)).unwrap();
}

#[test]
fn what_announces_more_than_it_holds_is_refused() {
    // Four billion of something, in five bytes.
    let many = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (id, words) in [
        (2, "definitions"),
        (3, "definitions"),
        (5, "damaged"),
        (6, "definitions"),
        (7, "definitions"),
        (8, "definitions"),
        (10, "imports"),
        (11, "exports"),
    ] {
        let wasm = make::and(make::empty(), &RawSection { id, data: &many });
        let error = check(&wasm, &Bounds::default()).unwrap_err().to_string();
        assert!(error.contains(words), "section {id}: {error}");
    }
    // A list of four billion declarations in a type.
    let content = [&[1, 0x42][..], &many].concat();
    let wasm = make::and(make::empty(), &RawSection { id: 7, data: &content });
    let error = check(&wasm, &Bounds::default()).unwrap_err();
    assert!(matches!(error, BoundsError::Read(_)), "{error:?}");
}

#[test]
fn what_is_no_component_or_not_valid_is_refused() {
    for bytes in [&b""[..], b"hello", &make::functions(1, 2).finish()] {
        let error = check(bytes, &Bounds::default()).unwrap_err();
        assert!(matches!(error, BoundsError::NotComponent), "{error:?}");
    }
    // A body that returns nothing where a number is due, inside of everything.
    let mut module = Module::new();
    let mut types = wasm_encoder::TypeSection::new();
    types.ty().function([], [wasm_encoder::ValType::I32]);
    let mut functions = wasm_encoder::FunctionSection::new();
    functions.function(0);
    let mut code = wasm_encoder::CodeSection::new();
    let mut body = wasm_encoder::Function::new([]);
    body.raw([0x0b]);
    code.function(&body);
    module.section(&types).section(&functions).section(&code);
    let inner = make::with_module(make::empty(), &module);
    let error = check(&make::holding(make::source(), &inner), &Bounds::default()).unwrap_err();
    assert!(matches!(error, BoundsError::Invalid(_)), "{error:?}");
}

/// Nobody is harmed by bytes: whatever is wrong with them, there is an answer.
#[test]
fn broken_bytes_never_break_the_reader() {
    let whole = make::holding(make::source(), &doubling(4).finish());
    let whole = make::with_module(whole, &make::links(3, true));
    let bounds = Bounds::default();
    check(&whole, &bounds).unwrap();
    for end in 0..whole.len() {
        let _ = (check(&whole[..end], &bounds), inspect(&whole[..end]));
    }
    let mut random = fastrand::Rng::with_seed(3);
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut broken = whole.clone();
        for _ in 0..random.usize(1..4) {
            let place = random.usize(8..broken.len());
            broken[place] = random.u8(..);
        }
        refused += usize::from(check(&broken, &bounds).is_err());
        let _ = inspect(&broken);
    }
    assert!(refused > 2_000, "the bytes were hardly broken: {refused}");
}
