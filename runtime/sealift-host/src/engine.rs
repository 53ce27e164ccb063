//! The engine and its one configuration.
//!
//! Components are compiled for a fixed target without the CPU features of the machine that
//! compiles them, so that a form compiled at build time loads wherever the binary runs. A ticker
//! advances the engine's epoch, which makes running Functions give way; what a Function may use
//! up is counted elsewhere (`meter`, `limiter`).

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::types::{self, ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, Type};
use wasmtime::{Config, Engine, EngineWeak};

use crate::compiled;
use crate::descriptor::Descriptor;
use crate::function::Function;
use crate::inspect::{LoadError, check_kind, inspect, kind_of};
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
    /// The component is not valid.
    pub fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, EngineError> {
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
        let component = Component::new(&self.engine, wasm).map_err(|source| {
            LoadError::Compile { name: inspected.descriptor.name.clone(), source }
        })?;
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
        let exports = ty.exports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let (kind, export, _) = kind_of(exports)?;
        check_kind(&descriptor, kind)?;
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
}
