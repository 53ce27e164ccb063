//! The engine and its one configuration.
//!
//! Components are compiled for a fixed target without the CPU features of the machine that
//! compiles them, so that a form compiled at build time loads wherever the binary runs. A ticker
//! advances the engine's epoch, which makes running Functions give way; what a Function may use
//! up is counted elsewhere (`meter`, `limiter`).

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use sealift_component::Descriptor;
use sealift_component::bounds::{self, Bounds, BoundsError};
use sealift_component::inspect::{Exported, exported, inspect};
use sha2::{Digest, Sha256};
use wasmtime::component::types::{self, ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, Type};
use wasmtime::{Config, Engine, EngineWeak};

use crate::compiled;
use crate::function::Function;
use crate::inspect::LoadError;
use crate::link;
use crate::state::State;

/// How often a running Function gives way: long enough to cost nothing, short enough that a
/// limit on CPU time and a kill are exact to the eye.
const TICK: Duration = Duration::from_millis(10);

/// What Functions are compiled for. Only the processor and the system are compared when a
/// compiled form is loaded, so a form made by a glibc build loads in a musl one.
const TARGET: &str = if cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "musl"))
{
    "x86_64-unknown-linux-musl"
} else if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
    "x86_64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux", target_env = "musl")) {
    "aarch64-unknown-linux-musl"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux")) {
    "aarch64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "aarch64", target_os = "macos")) {
    "aarch64-apple-darwin"
} else {
    "unsupported"
};

/// What the hash of an engine takes for its target: one name for both C libraries, since a form made
/// with one loads with the other.
const HASHED_TARGET: &str = if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
    "x86_64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux")) {
    "aarch64-unknown-linux-gnu"
} else {
    TARGET
};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Not built for this platform.
    #[error("functions cannot be run on this platform")]
    Target(#[source] wasmtime::Error),
    /// The engine refused its configuration.
    #[error("failed to configure the engine")]
    Configure(#[source] wasmtime::Error),
    /// The base interfaces could not be linked.
    #[error("failed to link the base interfaces")]
    Link(#[source] wasmtime::Error),
    /// The ticker could not be started.
    #[error("failed to start the thread that advances the epoch")]
    Ticker(#[source] std::io::Error),
    /// Too large, too deep or not valid.
    #[error("the component is not compiled")]
    Bounds(#[source] BoundsError),
    /// Compiling failed.
    #[error("failed to compile the component")]
    Compile(#[source] wasmtime::Error),
}

/// Runs Functions. Cheap to clone; one for a process.
#[derive(Clone)]
pub struct Host {
    engine: Engine,
    // WASI 0.2, the same for every Function: closed by what a store holds, not by what is linked.
    base: Arc<Linker<State>>,
    hash: Arc<str>,
}

impl Host {
    /// Makes the engine and starts its ticker, which ends with the last clone.
    ///
    /// # Errors
    /// The platform is not supported, or the system gives no thread.
    pub fn new() -> Result<Self, EngineError> {
        let engine = Engine::new(&config(TARGET)?).map_err(EngineError::Configure)?;
        let hash = if HASHED_TARGET == TARGET {
            hash_of(&engine)
        } else {
            hash_of(&Engine::new(&config(HASHED_TARGET)?).map_err(EngineError::Configure)?)
        };
        let mut base = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut base).map_err(EngineError::Link)?;
        let ticking = engine.weak();
        std::thread::Builder::new()
            .name("sealift-epoch".to_owned())
            .spawn(move || tick(&ticking))
            .map_err(EngineError::Ticker)?;
        Ok(Self { engine, base: Arc::new(base), hash: hash.into() })
    }

    /// Compiles ahead of time. The result loads on every machine with this processor and system.
    ///
    /// # Errors
    /// The component is not valid, or has more of something than a Function may have.
    pub fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, EngineError> {
        bounds::check(wasm, &Bounds::default()).map_err(EngineError::Bounds)?;
        self.engine.precompile_component(wasm).map_err(EngineError::Compile)
    }

    /// Key for compiled forms: two engines with the same hash load each other's. Hexadecimal.
    #[must_use]
    pub fn engine_hash(&self) -> String {
        self.hash.to_string()
    }

    /// Inspects and compiles a component.
    ///
    /// # Errors
    /// It is not a Function this host can run.
    pub fn load(&self, wasm: &[u8]) -> Result<Function, LoadError> {
        let inspected = inspect(wasm)?;
        let name = || inspected.descriptor.name.clone();
        bounds::check(wasm, &Bounds::default())
            .map_err(|source| LoadError::Bounds { name: name(), source })?;
        let component = Component::new(&self.engine, wasm)
            .map_err(|source| LoadError::Compile { name: name(), source })?;
        check_run(&self.engine, &component.component_type(), &inspected.export)?;
        self.loaded(component, inspected.descriptor, inspected.export, inspected.imports)
    }

    /// Loads a compiled form. It is machine code: `digest` (`sha256:<hex>` of `compiled`) must
    /// come from the same trusted place that made it.
    ///
    /// # Errors
    /// The digest or the engine differs, or the descriptor belongs to another component.
    pub fn load_compiled(
        &self,
        descriptor: Descriptor,
        compiled: &[u8],
        digest: &str,
    ) -> Result<Function, LoadError> {
        let component = compiled::deserialize(&self.engine, &descriptor.name, compiled, digest)?;
        let ty = component.component_type();
        let imports = ty.imports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> =
            ty.exports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let Exported { kind, export, .. } = exported(&exports)?;
        descriptor.check_kind(kind)?;
        check_run(&self.engine, &ty, &export)?;
        self.loaded(component, descriptor, export, imports)
    }

    fn loaded(
        &self,
        component: Component,
        descriptor: Descriptor,
        export: String,
        imports: Vec<String>,
    ) -> Result<Function, LoadError> {
        let name = descriptor.name.clone();
        let function = Function::new(component, descriptor, export, imports);
        link::check_types(self, &function)
            .map_err(|source| LoadError::ImportTypes { name, source })?;
        Ok(function)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn base(&self) -> Linker<State> {
        (*self.base).clone()
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Refuses a component whose export has the right name only: its function would be looked for in
/// vain when the chain is already running.
fn check_run(engine: &Engine, ty: &types::Component, export: &str) -> Result<(), LoadError> {
    let run = match ty.get_export(engine, export).map(|found| found.ty) {
        Some(ComponentItem::ComponentInstance(interface)) => {
            interface.get_export(engine, "run").map(|found| found.ty)
        }
        _ => None,
    };
    match run {
        Some(ComponentItem::ComponentFunc(run)) if is_run(&run) => Ok(()),
        _ => Err(LoadError::NoRun { export: export.to_owned() }),
    }
}

/// The contract's error as [`shape`] writes it.
const ERROR: &str = "invalid-parameter(field:string message:string )denied(string)\
    retryable(message:string after-seconds:?u32 )external-failed(string)data-loss-risk(string)\
    cancelled(string)invalid-state(string)other(code:string message:string )";

/// `run: func() -> result<_, error>`, with the contract's error.
fn is_run(function: &ComponentFunc) -> bool {
    let mut results = function.results();
    function.params().len() == 0
        && results.len() == 1
        && matches!(results.next(), Some(Type::Result(result))
            if result.ok().is_none() && result.err().is_some_and(|error| shape(&error) == ERROR))
}

/// A type in words, as far as the contract's error is made of such.
fn shape(ty: &Type) -> String {
    match ty {
        Type::String => "string".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::Option(option) => format!("?{}", shape(&option.ty())),
        Type::Record(record) => {
            record.fields().map(|field| format!("{}:{} ", field.name, shape(&field.ty))).collect()
        }
        Type::Variant(variant) => variant
            .cases()
            .map(|case| {
                format!("{}({})", case.name, case.ty.as_ref().map(shape).unwrap_or_default())
            })
            .collect(),
        other => format!("{other:?}"),
    }
}

/// Advances the epoch as long as there is an engine.
#[expect(
    clippy::disallowed_methods,
    reason = "the passing of time is what this thread is for; it waits for nothing else"
)]
fn tick(ticking: &EngineWeak) {
    while let Some(engine) = ticking.upgrade() {
        engine.increment_epoch();
        drop(engine);
        std::thread::sleep(TICK);
    }
}

fn hash_of(engine: &Engine) -> String {
    let mut hasher = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex::encode(hasher.0.finalize())
}

fn config(target: &str) -> Result<Config, EngineError> {
    let mut config = Config::new();
    // Naming a target, even the own one, keeps the builder's CPU features out of the code.
    config.target(target).map_err(EngineError::Target)?;
    config.epoch_interruption(true);
    // The contract has no async functions; without them a call costs less than half.
    config.concurrency_support(false);
    Ok(config)
}

/// A hasher whose result does not depend on the version of the standard library.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        // Nobody asks: the digest is taken instead.
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wasm_encoder::{
        CodeSection, Component as Made, Function as Body, FunctionSection, Instruction,
        MemorySection, MemoryType, Module, ModuleSection, RefType, TableSection, TableType,
        TagKind, TagSection, TagType, TypeSection, ValType,
    };

    use super::*;

    fn fingerprint(config: &Config) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        let engine = Engine::new(config).unwrap();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    /// Every processor on which these tests run has features beyond its family's first member.
    #[test]
    fn compiled_code_asks_for_no_feature_of_the_processor_that_compiled_it() {
        let mut plain = Config::new();
        plain.epoch_interruption(true).concurrency_support(false);
        let own = fingerprint(&plain);
        plain.target(TARGET).unwrap();
        assert_eq!(fingerprint(&config(TARGET).unwrap()), fingerprint(&plain));
        assert_ne!(fingerprint(&config(TARGET).unwrap()), own);
    }

    fn memory(memory64: bool, shared: bool, page_size_log2: Option<u32>) -> Module {
        let maximum = shared.then_some(1);
        let mut section = MemorySection::new();
        section.memory(MemoryType { minimum: 1, maximum, memory64, shared, page_size_log2 });
        let mut module = Module::new();
        module.section(&section);
        module
    }

    fn table(element_type: RefType) -> Module {
        let mut section = TableSection::new();
        let (minimum, maximum) = (1, None);
        let table = TableType { element_type, table64: false, minimum, maximum, shared: false };
        section.table(table);
        let mut module = Module::new();
        module.section(&section);
        module
    }

    fn tag() -> Module {
        let (mut types, mut tags) = (TypeSection::new(), TagSection::new());
        types.ty().function([], []);
        tags.tag(TagType { kind: TagKind::Exception, func_type_idx: 0 });
        let mut module = Module::new();
        module.section(&types).section(&tags);
        module
    }

    fn body(parameters: &[ValType], instructions: &[Instruction<'_>]) -> Module {
        let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
        types.ty().function(parameters.iter().copied(), parameters.iter().copied());
        functions.function(0);
        let mut body = Body::new([]);
        for index in 0..u32::try_from(parameters.len()).unwrap() {
            body.instruction(&Instruction::LocalGet(index));
        }
        for instruction in instructions {
            body.instruction(instruction);
        }
        body.instruction(&Instruction::End);
        let mut code = CodeSection::new();
        code.function(&body);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        module
    }

    /// The bounds name the proposals of WebAssembly in one place and the engine in another. What
    /// the bounds would refuse and the engine run, or the other way round, is found here.
    #[test]
    fn the_engine_compiles_what_the_bounds_let_pass_and_nothing_else() {
        let engine = Engine::new(&config(TARGET).unwrap()).unwrap();
        let three = [ValType::V128, ValType::V128, ValType::V128];
        for (name, module, passes) in [
            ("a memory", memory(false, false, None), true),
            ("64 bits", memory(true, false, None), true),
            ("threads", memory(false, true, None), false),
            ("custom pages", memory(false, false, Some(0)), false),
            ("a table", table(RefType::FUNCREF), true),
            ("references of a host", table(RefType::EXTERNREF), false),
            ("exceptions", tag(), false),
            ("tail calls", body(&[], &[Instruction::ReturnCall(0)]), true),
            ("simd", body(&three[..1], &[Instruction::V128Not]), true),
            (
                "relaxed simd",
                body(
                    &three,
                    &[
                        Instruction::F32x4RelaxedMadd,
                        Instruction::LocalGet(0),
                        Instruction::LocalGet(0),
                    ],
                ),
                true,
            ),
            ("wide arithmetic", body(&[ValType::I64; 2], &[Instruction::I64MulWideS]), false),
        ] {
            let mut component = Made::new();
            component.section(&ModuleSection(&module));
            let wasm = component.finish();
            let checked = bounds::check(&wasm, &Bounds::default());
            let compiled = engine.precompile_component(&wasm);
            assert_eq!(checked.is_ok(), passes, "{name}: {checked:?}");
            assert_eq!(compiled.is_ok(), passes, "{name}: {:?}", compiled.err());
        }
    }
}
