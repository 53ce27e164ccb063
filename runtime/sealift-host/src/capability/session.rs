//! Interface `session`: facts of the session, and whether it is being cancelled.
//!
//! The keys stand in `wit/README.md`; the caller of the host fills them. No secrets.

use std::collections::BTreeMap;

use sealift_bindings::v0_1_0::session;
use wasmtime::component::{HasData, Linker};

use crate::cause::Stop;
use crate::state::State;

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    facts: &'a BTreeMap<String, String>,
    stop: &'a Stop,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    session::add_to_linker::<_, Marker>(linker, |state| View {
        facts: &state.facts,
        stop: &state.stop,
    })
}

impl session::Host for View<'_> {
    async fn fact(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.facts.get(&name).cloned())
    }

    async fn facts(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.facts.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.stop.is_set())
    }
}
