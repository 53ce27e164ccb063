//! Interface `wasi-streams`: bodies from and into the streams of `wasi:io` and `wasi:http`.
//!
//! With it an HTTP answer becomes an artifact, and an artifact an HTTP request, without a byte
//! going through the Function.

use sealift_bindings::v0_1_0::{Failure, artifacts, errors, wasi_streams};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, IoError};

use super::{errors_host, handle, held};
use crate::body::{Body, Slots};
use crate::cause::Stop;
use crate::error::FunctionError;
use crate::state::State;
use crate::stream::{BodyStream, StreamSource, drain, known_failure};

/// Told at once, and again if dropping the body of the answer then ends the Function: its stream
/// is still there, and there is no way to give it back.
const HAS_POLLABLE: &str = "the stream still has a pollable; drop it before from-stream";

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) slots: &'a Slots,
    pub(crate) stop: &'a Stop,
    pub(crate) hint: &'a mut Option<&'static str>,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi_streams::add_to_linker::<_, Marker>(linker, |state| View {
        table: &mut state.table,
        slots: &state.slots,
        stop: &state.stop,
        hint: &mut state.hint,
    })
}

errors_host!(View<'_>);

impl wasi_streams::Host for View<'_> {
    async fn from_stream(
        &mut self,
        stream: Resource<DynInputStream>,
        size: Option<u64>,
    ) -> Result<Resource<artifacts::Body>, Failure> {
        let slot = self.slots.take()?;
        let stream = self.table.delete(stream).map_err(|error| match error {
            ResourceTableError::HasChildren => {
                *self.hint = Some(HAS_POLLABLE);
                FunctionError::InvalidState(HAS_POLLABLE.to_owned()).into()
            }
            error => Failure::from(error),
        })?;
        let body = Body::new(StreamSource::new(stream), size).placed(slot);
        Ok(handle(&self.table.push(body)?))
    }

    async fn to_stream(
        &mut self,
        body: Resource<artifacts::Body>,
    ) -> wasmtime::Result<Resource<DynInputStream>> {
        let body = self.table.delete(held::<Body>(&body))?;
        // One that may not be seen gives a stream that fails, since there is no error to return.
        Ok(self.table.push(Box::new(BodyStream::new(body)) as DynInputStream)?)
    }

    async fn drain(
        &mut self,
        body: Resource<artifacts::Body>,
        into: Resource<DynOutputStream>,
    ) -> Result<u64, Failure> {
        let mut body = self.table.delete(held::<Body>(&body))?;
        let into = self.table.get_mut(&into)?;
        let stop = self.stop.clone();
        Ok(stop.unless(drain(&mut body, &mut **into)).await?)
    }

    async fn error_of(
        &mut self,
        error: Resource<IoError>,
    ) -> wasmtime::Result<Option<errors::Error>> {
        Ok(known_failure(self.table.get(&error)?).map(errors::Error::from))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wasi_streams::Host as _;
    use wasmtime_wasi::p2::pipe::ClosedInputStream;

    use super::*;

    #[tokio::test]
    async fn streams_become_bodies_only_while_there_is_room_for_bodies() {
        let (mut table, slots, stop) = (ResourceTable::new(), Slots::new(), Stop::default());
        for full in [false, true] {
            let _taken: Vec<_> =
                if full { std::iter::from_fn(|| slots.take().ok()).collect() } else { Vec::new() };
            let stream = table.push(Box::new(ClosedInputStream) as DynInputStream).unwrap();
            let mut view = View { table: &mut table, slots: &slots, stop: &stop, hint: &mut None };
            let refused = view.from_stream(stream, None).await.err();
            let told = matches!(refused, Some(Failure::Told(errors::Error::InvalidState(_))));
            assert_eq!(told, full, "{refused:?}");
        }
    }
}
