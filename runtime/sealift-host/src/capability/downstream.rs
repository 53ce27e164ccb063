//! Interface `downstream`: sending artifacts to the next stage.
//!
//! One artifact is open at a time. One that is dropped unfinished is only remembered here; the
//! stage is judged when it returns (`stage`), because a Function that gives up with a typed
//! error drops its artifact first, and its own error says more.
//!
//! An artifact into which a sealed body was forwarded is sealed itself (`body`).

use std::time::{Duration, Instant};

use bytes::Bytes;
use sealift_bindings::v0_1_0::{Failure, artifacts, downstream};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::stdio::{Stdio, StdoutPump};
use super::{errors_host, handle, held};
use crate::artifact::{ArtifactRecord, ArtifactWriter};
use crate::body::Body;
use crate::edge::{EdgeWriter, Header, RUN_BYTES, Run};
use crate::error::FunctionError;
use crate::secrets::Secrets;
use crate::state::State;

/// Records of artifacts that are kept for the outcome; what is beyond is not.
const RECORDS_BYTES: usize = 4 << 20;

/// The pipe a stage writes into, and what became of its artifacts.
pub(crate) struct DownstreamCtx {
    /// Absent for a sink and an observer, for which the interface is not linked.
    pub(crate) writer: Option<EdgeWriter>,
    /// Name of the stage, for the records.
    pub(crate) stage: String,
    /// The artifact that is open.
    pub(crate) open: Option<String>,
    /// The first that was dropped or failed before it was finished.
    pub(crate) unfinished: Option<String>,
    /// What was finished, as far as it is kept.
    pub(crate) finished: Records,
    /// When the stage was started, and how long the first byte took.
    pub(crate) started: Instant,
    pub(crate) first_byte: Option<Duration>,
}

/// Records of finished artifacts. A flood of artifacts must not become a flood of records.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) kept: Vec<ArtifactRecord>,
    bytes: usize,
}

impl Records {
    fn push(&mut self, record: ArtifactRecord) {
        let attributes: usize = record.attributes.iter().map(|(n, v)| n.len() + v.len()).sum();
        self.bytes += size_of::<ArtifactRecord>() + record.name.len() + attributes;
        if self.bytes <= RECORDS_BYTES {
            self.kept.push(record);
        }
    }
}

/// Behind the contract's `outgoing`.
enum Outgoing {
    Direct(Box<ArtifactWriter>),
    Stdout(StdoutPump),
    // Finished, or broken by an error the Function was told.
    Over,
}

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    pub(crate) ctx: &'a mut DownstreamCtx,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) stdio: &'a Stdio,
    pub(crate) secrets: &'a Secrets,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    downstream::add_to_linker::<_, Marker>(linker, |state| View {
        ctx: &mut state.downstream,
        table: &mut state.table,
        stdio: &state.stdio,
        secrets: &state.secrets,
    })
}

errors_host!(View<'_>);

fn over() -> FunctionError {
    FunctionError::InvalidState("this artifact is finished or broken".to_owned())
}

fn on_stdout() -> FunctionError {
    FunctionError::InvalidState(
        "the standard output writes this artifact since as-stdout".to_owned(),
    )
}

impl View<'_> {
    /// The artifact, if it is written by calls.
    fn direct(&mut self, outgoing: &Resource<Outgoing>) -> Result<&mut ArtifactWriter, Failure> {
        match self.table.get_mut(outgoing)? {
            Outgoing::Direct(writer) => Ok(writer),
            Outgoing::Stdout(_) => Err(on_stdout().into()),
            Outgoing::Over => Err(over().into()),
        }
    }

    /// Takes the artifact out for good.
    fn take(&mut self, outgoing: &Resource<Outgoing>) -> Result<Outgoing, Failure> {
        Ok(std::mem::replace(self.table.get_mut(outgoing)?, Outgoing::Over))
    }

    fn broke(&mut self, name: Option<String>) {
        self.ctx.open = None;
        if self.ctx.unfinished.is_none() {
            self.ctx.unfinished = name;
        }
    }

    /// Writes, and breaks the artifact where that fails: half a run may be in the pipe.
    async fn write_run(&mut self, outgoing: &Resource<Outgoing>, run: Run) -> Result<(), Failure> {
        let Run { bytes: run, sealed } = run;
        if self.ctx.first_byte.is_none() && !run.is_empty() {
            self.ctx.first_byte = Some(self.ctx.started.elapsed());
        }
        let artifact = self.direct(outgoing)?;
        if sealed {
            artifact.seal();
        }
        let result = artifact.write(run).await;
        if let Err(error) = result {
            let name = self.ctx.open.clone();
            self.take(outgoing)?;
            self.broke(name);
            return Err(error.into());
        }
        Ok(())
    }
}

impl downstream::Host for View<'_> {
    async fn send(
        &mut self,
        header: artifacts::Header,
    ) -> Result<Resource<downstream::Outgoing>, Failure> {
        if let Some(name) = &self.ctx.open {
            return Err(FunctionError::InvalidState(format!(
                "artifact {name} is still open; finish it first"
            ))
            .into());
        }
        if let Some(name) = &self.ctx.unfinished {
            return Err(FunctionError::InvalidState(format!(
                "artifact {name} was left unfinished; nothing can follow it"
            ))
            .into());
        }
        let Some(writer) = self.ctx.writer.clone() else {
            return Err(
                FunctionError::InvalidState("nothing is after this stage".to_owned()).into()
            );
        };
        let attributes = self.secrets.attributes(header.attributes);
        let header = Header { name: header.name, size: header.size, attributes };
        let artifact = ArtifactWriter::open(&writer, header).await?;
        self.ctx.open = Some(artifact.name().to_owned());
        Ok(handle(&self.table.push(Outgoing::Direct(Box::new(artifact)))?))
    }
}

impl downstream::HostOutgoing for View<'_> {
    async fn write(
        &mut self,
        outgoing: Resource<downstream::Outgoing>,
        bytes: Vec<u8>,
    ) -> Result<(), Failure> {
        self.write_run(&held(&outgoing), Run { bytes: Bytes::from(bytes), sealed: false }).await
    }

    async fn forward(
        &mut self,
        outgoing: Resource<downstream::Outgoing>,
        body: Resource<artifacts::Body>,
    ) -> Result<u64, Failure> {
        let outgoing = held(&outgoing);
        let mut body = self.table.delete(held::<Body>(&body))?;
        let before = self.direct(&outgoing)?.written();
        loop {
            match body.next(RUN_BYTES).await {
                Ok(Some(bytes)) => {
                    let run = Run { bytes, sealed: body.is_sealed() };
                    self.write_run(&outgoing, run).await?;
                }
                Ok(None) => return Ok(self.direct(&outgoing)?.written() - before),
                Err(error) => {
                    // Half a body is in the artifact now; it can never be finished.
                    let name = self.ctx.open.clone();
                    self.take(&outgoing)?;
                    self.broke(name);
                    return Err(error.into());
                }
            }
        }
    }

    async fn as_stdout(&mut self, outgoing: Resource<downstream::Outgoing>) -> Result<(), Failure> {
        let outgoing = held(&outgoing);
        match self.take(&outgoing)? {
            Outgoing::Direct(writer) => {
                let pump = self.stdio.divert(*writer)?;
                *self.table.get_mut(&outgoing)? = Outgoing::Stdout(pump);
                if self.ctx.first_byte.is_none() {
                    self.ctx.first_byte = Some(self.ctx.started.elapsed());
                }
                Ok(())
            }
            stdout @ Outgoing::Stdout(_) => {
                *self.table.get_mut(&outgoing)? = stdout;
                Err(on_stdout().into())
            }
            Outgoing::Over => Err(over().into()),
        }
    }

    async fn expect_digest(
        &mut self,
        outgoing: Resource<downstream::Outgoing>,
        algorithm: String,
        hex: String,
    ) -> Result<(), Failure> {
        Ok(self.direct(&held(&outgoing))?.expect_digest(&algorithm, &hex)?)
    }

    async fn set_attribute(
        &mut self,
        outgoing: Resource<downstream::Outgoing>,
        name: String,
        value: String,
    ) -> Result<(), Failure> {
        let (name, value) = (self.secrets.redact(&name), self.secrets.redact(&value));
        match self.table.get_mut(&held(&outgoing))? {
            Outgoing::Direct(writer) => Ok(writer.set_attribute(name, value)?),
            Outgoing::Stdout(pump) => Ok(pump.set_attribute(name, value)?),
            Outgoing::Over => Err(over().into()),
        }
    }

    async fn finish(&mut self, outgoing: Resource<downstream::Outgoing>) -> Result<u64, Failure> {
        let name = self.ctx.open.clone();
        let finished = match self.take(&held(&outgoing))? {
            Outgoing::Over => return Err(over().into()),
            Outgoing::Direct(writer) => writer.finish(&self.ctx.stage).await,
            Outgoing::Stdout(pump) => match self.stdio.restore(pump).await {
                Ok(writer) => writer.finish(&self.ctx.stage).await,
                Err(error) => Err(error),
            },
        };
        match finished {
            Ok(record) => {
                let size = record.size;
                self.ctx.open = None;
                self.ctx.finished.push(record);
                Ok(size)
            }
            Err(error) => {
                self.broke(name);
                Err(error.into())
            }
        }
    }

    async fn drop(&mut self, outgoing: Resource<downstream::Outgoing>) -> wasmtime::Result<()> {
        match self.table.delete(held::<Outgoing>(&outgoing))? {
            Outgoing::Over => {}
            Outgoing::Direct(writer) => self.broke(Some(writer.name().to_owned())),
            Outgoing::Stdout(pump) => {
                let name = pump.name().to_owned();
                self.stdio.abandon(pump);
                self.broke(Some(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
