//! Runs chains of Functions in wasmtime.
//!
//! A Function is a WebAssembly component of the contract in `wit/`. This crate loads it
//! ([`Host::load`]), gives it exactly what it was granted, runs all stages of a chain at once
//! with bounded pipes between them ([`Host::run_chain`]), and judges the result. Where snapshots,
//! keys and secrets are is behind [`ports`]; what a chain wrote is committed by the caller.
//!
//! Where to look: `chain` and `stage` are the flow, `edge` and `body` the bytes, `capability`
//! what a Function can be given, `network` what it can reach, `link` who gets what. What a component
//! says of itself is read by `sealift-component`.

mod artifact;
mod body;
mod capability;
mod cause;
mod chain;
mod compiled;
mod edge;
mod engine;
mod error;
mod function;
mod inspect;
mod life;
mod limiter;
mod link;
mod meter;
mod network;
mod outcome;
pub mod ports;
mod secrets;
mod stage;
mod state;
mod stream;
mod trap;

pub use self::artifact::ArtifactRecord;
pub use self::chain::Chain;
pub use self::engine::{EngineError, Host};
pub use self::error::{Blame, Class, FunctionError, LimitKind};
pub use self::function::Function;
pub use self::inspect::{LoadError, check_grants, check_parameters, inspect};
pub use self::network::outbound::{Outbound, OutboundError, knock};
pub use self::outcome::{
    ChainFailure, ChainOutcome, OutcomeKind, OutcomeStage, SessionOutcome, StageOutcome, Status,
};
pub use self::stage::Stage;
pub use sealift_component::contract::CURRENT as CONTRACT;
pub use sealift_component::section::NAME as SECTION;
pub use sealift_component::{Descriptor, Inspected};
pub use sealift_core::plan::Kind;

use sealift_component::text;
