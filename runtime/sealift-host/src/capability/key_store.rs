//! Interface `key-store`: unseal keys and root token of the target, by handle.
//!
//! `copy` hands values on without showing them, `read` shows them, `write` replaces them; a value
//! stays sealed in the artifacts it is forwarded into. A
//! value is wiped from the host's memory when it is dropped; what a Function was allowed to read
//! is in the Function's memory and gone with its store.

use std::sync::Arc;

use sealift_bindings::v0_1_0::{Failure, artifacts, key_store as wit};
use sealift_core::grants::KeyGrant;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use zeroize::Zeroizing;

use super::{errors_host, handle, held};
use crate::body::{Body, KeySource, Slots};
use crate::cause::Stop;
use crate::edge::RUN_BYTES;
use crate::error::FunctionError;
use crate::ports::KeyStore;
use crate::state::State;

/// Longest value; a recovery key with its JSON is below 1 KiB.
const VALUE_BYTES: usize = 64 << 10;
/// The line that allows replacing.
const WRITE: &str = "unsealKeys: write";

/// The port and the degree of the grant.
#[derive(Default)]
pub(crate) struct KeyStoreCtx {
    pub(crate) port: Option<Arc<dyn KeyStore>>,
    pub(crate) grant: Option<KeyGrant>,
}

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    ctx: &'a KeyStoreCtx,
    table: &'a mut ResourceTable,
    slots: &'a Slots,
    stop: &'a Stop,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, Marker>(linker, |state| View {
        ctx: &state.key_store,
        table: &mut state.table,
        slots: &state.slots,
        stop: &state.stop,
    })
}

errors_host!(View<'_>);

impl View<'_> {
    fn port(&self) -> Result<Arc<dyn KeyStore>, FunctionError> {
        self.ctx.port.clone().ok_or_else(|| {
            FunctionError::InvalidState("this target has no store of unseal keys".to_owned())
        })
    }

    fn check_write(&self) -> Result<(), FunctionError> {
        match self.ctx.grant {
            Some(KeyGrant::Write) => Ok(()),
            _ => Err(FunctionError::Denied(format!(
                "to replace keys, the function needs `{WRITE}` in its descriptor and in spec.permissions"
            ))),
        }
    }
}

impl wit::Host for View<'_> {
    async fn names(&mut self) -> Result<Vec<String>, Failure> {
        let port = self.port()?;
        Ok(self.stop.unless(async { Ok(port.names().await?) }).await?)
    }

    async fn open(&mut self, name: String) -> Result<Resource<artifacts::Body>, Failure> {
        let slot = self.slots.take()?;
        let port = self.port()?;
        let stop = self.stop.clone();
        let value = stop.unless(async { Ok(port.read(&name).await?) }).await?;
        let size = Some(value.len() as u64);
        let body = Body::new(KeySource::new(value), size).placed(slot).seen_by(self.ctx.grant);
        Ok(handle(&self.table.push(body)?))
    }

    async fn put(&mut self, name: String, value: Resource<artifacts::Body>) -> Result<(), Failure> {
        let mut body = self.table.delete(held::<Body>(&value))?;
        self.check_write()?;
        let port = self.port()?;
        // Reserved at once: growing would leave copies of a key behind in freed memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_BYTES));
        while let Some(run) = body.next(RUN_BYTES).await? {
            if bytes.len() + run.len() > VALUE_BYTES {
                return Err(FunctionError::InvalidState(format!(
                    "a key has at most {VALUE_BYTES} bytes"
                ))
                .into());
            }
            bytes.extend_from_slice(&run);
        }
        Ok(self.stop.unless(async { Ok(port.put(&name, bytes).await?) }).await?)
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.check_write()?;
        let port = self.port()?;
        // Not given up half-way: the port promises all or nothing, and what was replaced is kept.
        Ok(port.commit().await.map_err(FunctionError::from)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Mutex;

    use async_trait::async_trait;
    use sealift_bindings::v0_1_0::errors::Error;

    use super::*;
    use crate::ports::{PortError, PortResult};

    /// A store that remembers how long the values are that it was given.
    #[derive(Default)]
    struct Lengths(Mutex<Vec<usize>>);

    #[async_trait]
    impl KeyStore for Lengths {
        async fn names(&self) -> PortResult<Vec<String>> {
            Ok(Vec::new())
        }
        async fn read(&self, _: &str) -> PortResult<Zeroizing<Vec<u8>>> {
            Err(PortError::InvalidState("nobody reads it".to_owned()))
        }
        async fn put(&self, _: &str, value: Zeroizing<Vec<u8>>) -> PortResult<()> {
            self.0.lock().unwrap().push(value.len());
            Ok(())
        }
        async fn commit(&self) -> PortResult<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_key_is_no_place_for_data() {
        use wit::Host as _;
        let store = Arc::new(Lengths::default());
        let ctx = KeyStoreCtx { port: Some(store.clone()), grant: Some(KeyGrant::Write) };
        let (mut table, slots, stop) = (ResourceTable::new(), Slots::new(), Stop::default());
        for (length, fits) in [(VALUE_BYTES, true), (VALUE_BYTES + 1, false)] {
            let value = KeySource::new(Zeroizing::new(vec![b'k'; length]));
            let value = table.push(Body::new(value, None)).unwrap();
            let mut view = View { ctx: &ctx, table: &mut table, slots: &slots, stop: &stop };
            let put = view.put("root-token".to_owned(), handle(&value)).await;
            assert_eq!(put.is_ok(), fits, "{length}");
        }
        assert_eq!(*store.0.lock().unwrap(), [VALUE_BYTES]);
    }

    #[tokio::test]
    async fn a_commit_needs_the_grant_too() {
        use wit::Host as _;
        for (grant, denied) in [
            (None, true),
            (Some(KeyGrant::Copy), true),
            (Some(KeyGrant::Read), true),
            (Some(KeyGrant::Write), false),
        ] {
            // Behind the grant there is no store, which is another error.
            let ctx = KeyStoreCtx { port: None, grant };
            let (mut table, slots, stop) = (ResourceTable::new(), Slots::new(), Stop::default());
            let mut view = View { ctx: &ctx, table: &mut table, slots: &slots, stop: &stop };
            let failure = view.commit().await.unwrap_err();
            assert_eq!(matches!(failure, Failure::Told(Error::Denied(_))), denied, "{grant:?}");
        }
    }
}
