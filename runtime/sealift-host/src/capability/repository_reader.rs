//! Interface `repository-reader`: reading snapshots.
//!
//! `read-selected` gives the one snapshot the plan chose, `read-all` every one; that degree is
//! checked here. Which snapshot is meant, and where its files lie, the port knows.

use std::sync::Arc;

use sealift_bindings::v0_1_0::{Failure, artifacts, repository_reader as wit};
use sealift_core::grants::RepositoryGrant;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::{errors_host, handle, held};
use crate::body::{Body, PortSource, Slots};
use crate::cause::Stop;
use crate::error::FunctionError;
use crate::ports::{RepositoryReader, SnapshotReader};
use crate::state::State;

/// Most entries or identifiers of one answer.
const PAGE: u32 = 1000;

/// The port and the degree of the grant.
#[derive(Default)]
pub(crate) struct RepositoryReaderCtx {
    pub(crate) port: Option<Arc<dyn RepositoryReader>>,
    pub(crate) grant: Option<RepositoryGrant>,
}

/// Behind the contract's `snapshot`.
type Snapshot = Box<dyn SnapshotReader>;

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    ctx: &'a RepositoryReaderCtx,
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
        ctx: &state.repository_reader,
        table: &mut state.table,
        slots: &state.slots,
        stop: &state.stop,
    })
}

errors_host!(View<'_>);

impl View<'_> {
    fn port(&self) -> Result<Arc<dyn RepositoryReader>, FunctionError> {
        self.ctx.port.clone().ok_or_else(|| {
            FunctionError::InvalidState("this session has no repository to read from".to_owned())
        })
    }

    fn check_all(&self) -> Result<(), FunctionError> {
        match self.ctx.grant {
            Some(RepositoryGrant::ReadAll) => Ok(()),
            _ => Err(FunctionError::Denied(
                "to read any snapshot, the function needs `repository: read-all` in its descriptor \
                 and in spec.permissions"
                    .to_owned(),
            )),
        }
    }

    fn snapshot(&self, snapshot: &Resource<wit::Snapshot>) -> Result<&Snapshot, Failure> {
        Ok(self.table.get(&held::<Snapshot>(snapshot))?)
    }
}

impl wit::Host for View<'_> {
    async fn selected(&mut self) -> Result<Resource<wit::Snapshot>, Failure> {
        let port = self.port()?;
        let stop = self.stop.clone();
        let snapshot: Snapshot = stop.unless(async { Ok(port.selected().await?) }).await?;
        Ok(handle(&self.table.push(snapshot)?))
    }

    async fn list(
        &mut self,
        filter: Vec<(String, String)>,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<String>, Failure> {
        self.check_all()?;
        let port = self.port()?;
        let found = async { Ok(port.list(&filter, after.as_deref(), limit.clamp(1, PAGE)).await?) };
        Ok(self.stop.unless(found).await?)
    }

    async fn open(&mut self, id: String) -> Result<Resource<wit::Snapshot>, Failure> {
        self.check_all()?;
        let port = self.port()?;
        let stop = self.stop.clone();
        let snapshot: Snapshot = stop.unless(async { Ok(port.open(&id).await?) }).await?;
        Ok(handle(&self.table.push(snapshot)?))
    }
}

impl wit::HostSnapshot for View<'_> {
    async fn id(&mut self, snapshot: Resource<wit::Snapshot>) -> wasmtime::Result<String> {
        Ok(self.table.get(&held::<Snapshot>(&snapshot))?.id())
    }

    async fn attributes(
        &mut self,
        snapshot: Resource<wit::Snapshot>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.table.get(&held::<Snapshot>(&snapshot))?.attributes())
    }

    async fn entries(
        &mut self,
        snapshot: Resource<wit::Snapshot>,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<wit::Entry>, Failure> {
        let snapshot = self.snapshot(&snapshot)?;
        let found =
            async { Ok(snapshot.entries(&prefix, after.as_deref(), limit.clamp(1, PAGE)).await?) };
        let entries = self.stop.unless(found).await?;
        Ok(entries
            .into_iter()
            .map(|entry| wit::Entry { path: entry.path, kind: entry.kind, size: entry.size })
            .collect())
    }

    async fn open(
        &mut self,
        snapshot: Resource<wit::Snapshot>,
        path: String,
    ) -> Result<Resource<artifacts::Body>, Failure> {
        let slot = self.slots.take()?;
        let snapshot = self.snapshot(&snapshot)?;
        let opened = async { Ok(snapshot.open(&path).await?) };
        let (size, reader) = self.stop.unless(opened).await?;
        let body = Body::new(PortSource::new(reader), Some(size)).placed(slot);
        Ok(handle(&self.table.push(body)?))
    }

    async fn drop(&mut self, snapshot: Resource<wit::Snapshot>) -> wasmtime::Result<()> {
        self.table.delete(held::<Snapshot>(&snapshot))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use async_trait::async_trait;
    use sealift_bindings::v0_1_0::errors::Error;

    use super::*;
    use crate::ports::{ByteReader, PortError, PortResult, SnapshotEntry};

    /// A repository that has as many snapshots, and each as many files, as it is asked for.
    struct Endless;

    #[async_trait]
    impl RepositoryReader for Endless {
        async fn selected(&self) -> PortResult<Snapshot> {
            Ok(Box::new(Self))
        }
        async fn list(
            &self,
            _: &[(String, String)],
            _: Option<&str>,
            limit: u32,
        ) -> PortResult<Vec<String>> {
            Ok((0..limit.min(9999)).map(|nth| nth.to_string()).collect())
        }
        async fn open(&self, _: &str) -> PortResult<Snapshot> {
            Ok(Box::new(Self))
        }
    }

    #[async_trait]
    impl SnapshotReader for Endless {
        fn id(&self) -> String {
            "0".to_owned()
        }
        fn attributes(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        async fn entries(
            &self,
            _: &str,
            _: Option<&str>,
            limit: u32,
        ) -> PortResult<Vec<SnapshotEntry>> {
            let entry = |nth: u32| SnapshotEntry {
                path: nth.to_string(),
                kind: "file".to_owned(),
                size: 0,
            };
            Ok((0..limit.min(9999)).map(entry).collect())
        }
        async fn open(&self, _: &str) -> PortResult<(u64, Box<dyn ByteReader>)> {
            Err(PortError::InvalidState("nobody opens it".to_owned()))
        }
    }

    #[tokio::test]
    async fn an_answer_has_a_page_of_snapshots_or_files_and_at_least_one() {
        use wit::{Host as _, HostSnapshot as _};
        let ctx = RepositoryReaderCtx {
            port: Some(Arc::new(Endless)),
            grant: Some(RepositoryGrant::ReadAll),
        };
        let (mut table, slots, stop) = (ResourceTable::new(), Slots::new(), Stop::default());
        let mut view = View { ctx: &ctx, table: &mut table, slots: &slots, stop: &stop };
        let snapshot = view.selected().await.unwrap().rep();
        for (limit, expected) in [(0, 1), (7, 7), (1000, 1000), (1001, 1000), (u32::MAX, 1000)] {
            let listed = view.list(Vec::new(), None, limit).await.unwrap();
            let snapshot = Resource::new_own(snapshot);
            let entries = view.entries(snapshot, String::new(), None, limit).await.unwrap();
            assert_eq!((listed.len(), entries.len()), (expected, expected), "{limit}");
        }
    }

    #[tokio::test]
    async fn every_way_to_other_snapshots_needs_the_stronger_grant() {
        use wit::Host as _;
        for (grant, denied) in [
            (None, true),
            (Some(RepositoryGrant::Write), true),
            (Some(RepositoryGrant::ReadSelected), true),
            (Some(RepositoryGrant::ReadAll), false),
        ] {
            // Behind the grant there is no repository, which is another error.
            let ctx = RepositoryReaderCtx { port: None, grant };
            let (mut table, slots, stop) = (ResourceTable::new(), Slots::new(), Stop::default());
            let mut view = View { ctx: &ctx, table: &mut table, slots: &slots, stop: &stop };
            let listed = view.list(Vec::new(), None, 1).await.unwrap_err();
            let opened = view.open("x".to_owned()).await.unwrap_err();
            for failure in [listed, opened] {
                let told = matches!(failure, Failure::Told(Error::Denied(_)));
                assert_eq!(told, denied, "{grant:?}");
            }
        }
    }
}
