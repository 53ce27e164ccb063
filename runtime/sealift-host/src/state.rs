//! What belongs to one run of one Function: the data of its store.
//!
//! A struct of the capabilities' own data, the table of handles, and the limits; no lookups by
//! name. It is made fresh for each run and dropped after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::body::Slots;
use crate::capability::downstream::DownstreamCtx;
use crate::capability::key_store::KeyStoreCtx;
use crate::capability::parameters::Parameters;
use crate::capability::progress::ProgressCtx;
use crate::capability::repository_reader::RepositoryReaderCtx;
use crate::capability::repository_writer::RepositoryWriterCtx;
use crate::capability::stdio::Stdio;
use crate::capability::upstream::UpstreamCtx;
use crate::cause::Stop;
use crate::life::LifeGuard;
use crate::limiter::Limiter;
use crate::network::HttpHooks;
use crate::outcome::SessionOutcome;
use crate::secrets::Secrets;

/// Most handles a Function holds at once; an honest one holds a handful.
pub(crate) const HANDLES: usize = 10_000;

/// The data of a store.
pub(crate) struct State {
    // First, so that it is dropped first: nothing below may look ended when it is only dropped.
    pub(crate) _life: LifeGuard,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) http_hooks: HttpHooks,
    pub(crate) limiter: Limiter,
    pub(crate) stop: Stop,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) stdio: Stdio,
    pub(crate) slots: Slots,
    pub(crate) upstream: UpstreamCtx,
    pub(crate) downstream: DownstreamCtx,
    pub(crate) repository_writer: RepositoryWriterCtx,
    pub(crate) repository_reader: RepositoryReaderCtx,
    pub(crate) key_store: KeyStoreCtx,
    pub(crate) parameters: Parameters,
    pub(crate) facts: Arc<BTreeMap<String, String>>,
    pub(crate) progress: ProgressCtx,
    pub(crate) outcome: Option<Arc<SessionOutcome>>,
    /// What a trap that follows would not say.
    pub(crate) hint: Option<&'static str>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http_hooks, table: &mut self.table, ctx: &mut self.http }
    }
}
