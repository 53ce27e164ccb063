//! Interface `artifacts`: reading a body, and giving it to the Function as its standard input.

use sealift_bindings::v0_1_0::{Failure, artifacts};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::stdio::Stdio;
use super::{errors_host, held};
use crate::body::Body;
use crate::edge::RUN_BYTES;
use crate::state::State;

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) stdio: &'a Stdio,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    artifacts::add_to_linker::<_, Marker>(linker, |state| View {
        table: &mut state.table,
        stdio: &state.stdio,
    })
}

errors_host!(View<'_>);

impl artifacts::Host for View<'_> {
    async fn as_stdin(&mut self, body: Resource<artifacts::Body>) -> Result<(), Failure> {
        let mut body = self.table.delete(held::<Body>(&body))?;
        // Told here, with words: many languages make a bare I/O error of a failed input.
        body.look().await?;
        Ok(self.stdio.feed(body)?)
    }
}

impl artifacts::HostBody for View<'_> {
    async fn size(&mut self, body: Resource<artifacts::Body>) -> wasmtime::Result<Option<u64>> {
        Ok(self.table.get(&held::<Body>(&body))?.size())
    }

    async fn read(
        &mut self,
        body: Resource<artifacts::Body>,
        max: u32,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let body = self.table.get_mut(&held::<Body>(&body))?;
        let max = usize::try_from(max).unwrap_or(RUN_BYTES);
        Ok(body.visible(max).await?.map(Vec::from))
    }

    async fn discard(&mut self, body: Resource<artifacts::Body>) -> Result<u64, Failure> {
        let body = self.table.get_mut(&held::<Body>(&body))?;
        let mut bytes = 0_u64;
        while let Some(run) = body.next(RUN_BYTES).await? {
            bytes = bytes.saturating_add(run.len() as u64);
        }
        Ok(bytes)
    }

    async fn attributes(
        &mut self,
        body: Resource<artifacts::Body>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.table.get_mut(&held::<Body>(&body))?.attributes().await)
    }

    async fn drop(&mut self, body: Resource<artifacts::Body>) -> wasmtime::Result<()> {
        self.table.delete(held::<Body>(&body))?;
        Ok(())
    }
}
