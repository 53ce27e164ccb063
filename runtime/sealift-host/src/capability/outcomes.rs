//! Interface `outcomes`: what an observer sees of the session. It can read, and change nothing.

use std::sync::Arc;

use sealift_bindings::v0_1_0::{errors, outcomes};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::{errors_host, handle, held};
use crate::error::FunctionError;
use crate::outcome::{OutcomeStage, SessionOutcome, Status};
use crate::state::State;

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    outcome: Option<&'a Arc<SessionOutcome>>,
    table: &'a mut ResourceTable,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    outcomes::add_to_linker::<_, Marker>(linker, |state| View {
        outcome: state.outcome.as_ref(),
        table: &mut state.table,
    })
}

errors_host!(View<'_>);

/// Behind the contract's `stage`.
struct Seen {
    outcome: Arc<SessionOutcome>,
    index: usize,
}

fn status(status: Status) -> outcomes::Status {
    match status {
        Status::Succeeded => outcomes::Status::Succeeded,
        Status::Failed => outcomes::Status::Failed,
        Status::Cancelled => outcomes::Status::Cancelled,
        Status::Skipped => outcomes::Status::Skipped,
    }
}

impl View<'_> {
    fn outcome(&self) -> wasmtime::Result<&Arc<SessionOutcome>> {
        self.outcome.ok_or_else(|| wasmtime::Error::msg("only an observer has an outcome to see"))
    }

    fn stage(&self, stage: &Resource<outcomes::Stage>) -> wasmtime::Result<&OutcomeStage> {
        let seen = self.table.get(&held::<Seen>(stage))?;
        seen.outcome
            .stages
            .get(seen.index)
            .ok_or_else(|| wasmtime::Error::msg("this stage is not part of the outcome"))
    }
}

fn told(error: Option<&FunctionError>) -> Option<errors::Error> {
    error.cloned().map(errors::Error::from)
}

impl outcomes::Host for View<'_> {
    async fn overall(&mut self) -> wasmtime::Result<outcomes::Status> {
        Ok(status(self.outcome()?.overall))
    }

    async fn cause(&mut self) -> wasmtime::Result<Option<errors::Error>> {
        Ok(told(self.outcome()?.cause.as_ref()))
    }

    async fn stages(&mut self) -> wasmtime::Result<Vec<Resource<outcomes::Stage>>> {
        let outcome = Arc::clone(self.outcome()?);
        (0..outcome.stages.len())
            .map(|index| {
                let seen = Seen { outcome: Arc::clone(&outcome), index };
                Ok(handle(&self.table.push(seen)?))
            })
            .collect()
    }

    async fn statistics(&mut self) -> wasmtime::Result<Vec<(String, f64)>> {
        Ok(self.outcome()?.statistics.clone())
    }

    async fn committed(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.outcome()?.committed.clone())
    }
}

impl outcomes::HostStage for View<'_> {
    async fn name(&mut self, stage: Resource<outcomes::Stage>) -> wasmtime::Result<String> {
        Ok(self.stage(&stage)?.name.clone())
    }

    async fn kind(&mut self, stage: Resource<outcomes::Stage>) -> wasmtime::Result<String> {
        Ok(self.stage(&stage)?.kind.as_str().to_owned())
    }

    async fn status(
        &mut self,
        stage: Resource<outcomes::Stage>,
    ) -> wasmtime::Result<outcomes::Status> {
        Ok(status(self.stage(&stage)?.status))
    }

    async fn error(
        &mut self,
        stage: Resource<outcomes::Stage>,
    ) -> wasmtime::Result<Option<errors::Error>> {
        Ok(told(self.stage(&stage)?.error.as_ref()))
    }

    async fn statistics(
        &mut self,
        stage: Resource<outcomes::Stage>,
    ) -> wasmtime::Result<Vec<(String, f64)>> {
        Ok(self.stage(&stage)?.statistics.clone())
    }

    async fn drop(&mut self, stage: Resource<outcomes::Stage>) -> wasmtime::Result<()> {
        self.table.delete(held::<Seen>(&stage))?;
        Ok(())
    }
}
