//! What a component may be made of, checked before anything compiles it.
//!
//! Flow: [`check`] counts in one pass over the bytes (`count`), which follows nothing deeper than
//! its bounds allow, and only then lets wasmparser's validator read types and code. The order
//! matters. A reader of nested types calls itself, and types inside of each other, three bytes a
//! level, end the process that reads them (`types`). Sixty components of 26 bytes, each starting
//! the one before twice, are laid out by wasmtime as 2^60 (`count`). So a component is weighed by
//! what starting it leads to, and one that is imported or taken out of an instance, which nobody
//! can weigh beforehand, is refused.
//!
//! Compiling itself has no limit but the memory and the time of the process that does it; what a
//! Function uses up while it runs is the host's to bound.

mod count;
mod types;

use wasmparser::{BinaryReaderError, Parser, Validator, WasmFeatures};

/// The most a component may have. The largest that a tool makes today, CPython with its libraries,
/// has 18 MiB, 14 modules, 13 400 functions and 1 900 definitions (measured, componentize-py 0.25.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes.
    pub bytes: u64,
    /// Core modules, at all levels together. Shared libraries are a module each.
    pub modules: u64,
    /// Components inside of each other, and declarations of their types likewise. Tools make 3.
    pub depth: u64,
    /// Imports of components, at all levels together. The largest measured, of
    /// componentize-qjs, has 59.
    pub imports: u64,
    /// Exports of components, at all levels together.
    pub exports: u64,
    /// Imports and exports of core modules together: every symbol of a shared library is one.
    pub links: u64,
    /// Types, core and component, declarations inside of types included.
    pub types: u64,
    /// Functions with code.
    pub functions: u64,
    /// Bytes of one function: compiling one takes more than linear time. All of CPython's and
    /// SpiderMonkey's have less.
    pub function_bytes: u64,
    /// Bytes of one custom section, such as names or debug information.
    pub section_bytes: u64,
    /// Definitions once every component inside is laid out as often as it is started, which is
    /// what a compiler does first.
    pub definitions: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            modules: 64,
            depth: 16,
            imports: 1_000,
            exports: 1_000,
            links: 200_000,
            types: 100_000,
            functions: 500_000,
            function_bytes: 1 << 20,
            section_bytes: 16 << 20,
            definitions: 200_000,
        }
    }
}

/// What a component is made of; the words of each are those of [`Bounds`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes.
    pub bytes: u64,
    /// Core modules.
    pub modules: u64,
    /// Components inside of it.
    pub components: u64,
    /// Imports of components.
    pub imports: u64,
    /// Exports of components.
    pub exports: u64,
    /// Imports and exports of core modules.
    pub links: u64,
    /// Types.
    pub types: u64,
    /// Functions with code.
    pub functions: u64,
    /// Definitions once everything is laid out.
    pub definitions: u64,
}

/// Why a component is not compiled.
#[derive(Debug, thiserror::Error)]
pub enum BoundsError {
    /// Something else, or a core module.
    #[error("these bytes are not a WebAssembly component")]
    NotComponent,
    /// Damaged.
    #[error("the component is damaged")]
    Read(#[source] BinaryReaderError),
    /// Too much of something.
    #[error("the component has more than {}, which is the most a Function may have", what.amount(*most))]
    Exceeded {
        /// Of what.
        what: Bound,
        /// How many it may have.
        most: u64,
    },
    /// Nobody can tell beforehand what becomes of it.
    #[error(
        "the component imports a component or takes one out of an instance; components it starts must lie inside of it"
    )]
    HandedOn,
    /// Not valid, or with features that are not served.
    #[error("the component is not valid")]
    Invalid(#[source] BinaryReaderError),
    /// The validator panicked.
    #[error(
        "the validator broke off, as it does where more than a hundred instances hold each other"
    )]
    BrokeOff,
}

/// What a component can have too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// [`Bounds::bytes`].
    Bytes,
    /// [`Bounds::modules`].
    Modules,
    /// [`Bounds::depth`].
    Depth,
    /// [`Bounds::imports`].
    Imports,
    /// [`Bounds::exports`].
    Exports,
    /// [`Bounds::links`].
    Links,
    /// [`Bounds::types`].
    Types,
    /// [`Bounds::functions`].
    Functions,
    /// [`Bounds::function_bytes`].
    FunctionBytes,
    /// [`Bounds::section_bytes`].
    SectionBytes,
    /// [`Bounds::definitions`].
    Definitions,
}

impl Bound {
    /// So much of it, in words.
    fn amount(self, most: u64) -> String {
        let of_bytes = matches!(self, Self::Bytes | Self::FunctionBytes | Self::SectionBytes);
        let number = match most >> 20 {
            mebibytes if of_bytes && mebibytes << 20 == most && most > 0 => {
                format!("{mebibytes} MiB")
            }
            _ if of_bytes => format!("{most} bytes"),
            _ => most.to_string(),
        };
        let what = match self {
            Self::Bytes => return number,
            Self::Modules => "core modules",
            Self::Depth => "levels of components or of their types inside each other",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Links => "imports and exports of its core modules",
            Self::Types => "types",
            Self::Functions => "functions",
            Self::FunctionBytes => "in one function",
            Self::SectionBytes => "in one custom section",
            Self::Definitions => "definitions once all components inside of it are started",
        };
        format!("{number} {what}")
    }
}

/// Proposals of WebAssembly that components may use: those the host's engine has.
#[must_use]
pub fn features() -> WasmFeatures {
    WasmFeatures::WASM3
        .union(WasmFeatures::COMPONENT_MODEL)
        .difference(WasmFeatures::EXCEPTIONS)
        .difference(WasmFeatures::GC_TYPES)
        .difference(WasmFeatures::THREADS)
}

/// Whether a component keeps within its bounds and is valid.
///
/// # Errors
/// The first bound it breaks, or what is not valid in it.
pub fn check(wasm: &[u8], bounds: &Bounds) -> Result<Counts, BoundsError> {
    let bytes = wasm.len() as u64;
    if bytes > bounds.bytes {
        return Err(BoundsError::Exceeded { what: Bound::Bytes, most: bounds.bytes });
    }
    if !Parser::is_component(wasm) {
        return Err(BoundsError::NotComponent);
    }
    let counts = count::count(wasm, bounds)?;
    validate(wasm)?;
    Ok(Counts { bytes, ..counts })
}

/// wasmparser 0.254 asserts how deep types of instances hold each other where it should refuse it,
/// and whoever counts that must know what every index names, as the validator does. So its panic
/// is caught, before the compiler meets the same one.
fn validate(wasm: &[u8]) -> Result<(), BoundsError> {
    let validated =
        std::panic::catch_unwind(|| Validator::new_with_features(features()).validate_all(wasm));
    match validated {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(BoundsError::Invalid(error)),
        Err(_) => Err(BoundsError::BrokeOff),
    }
}
