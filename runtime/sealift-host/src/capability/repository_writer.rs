//! Interface `repository-writer`: writing the one snapshot of a session.
//!
//! The host checks paths, tags and sizes before the port sees them, and remembers what was left
//! unfinished, so that a stage cannot succeed with half a snapshot. Committing is not possible
//! from here: `stage` only hands the tree to the commit gate.

use std::sync::Arc;

use bytes::Bytes;
use sealift_bindings::v0_1_0::{Failure, artifacts, repository_writer as wit};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::{errors_host, handle, held};
use crate::body::Body;
use crate::cause::Stop;
use crate::edge::RUN_BYTES;
use crate::error::FunctionError;
use crate::ports::{FileWriter, RepositoryWriter, SnapshotWriter};
use crate::secrets::Secrets;
use crate::state::State;
use crate::text;

/// Longest path of a file, as file systems have it.
const PATH_BYTES: usize = 4096;
/// Longest tag or label, as `sealift-repository` has it.
const TAG_BYTES: usize = 255;
/// What the host's own tags begin with.
const OWN_TAGS: &str = "sealift.";

/// The port, and what became of the snapshot.
#[derive(Default)]
pub(crate) struct RepositoryWriterCtx {
    port: Option<Arc<dyn RepositoryWriter>>,
    /// A snapshot was begun.
    begun: bool,
    /// It was staged.
    staged: bool,
    /// The file that is open.
    pub(crate) open: Option<String>,
    /// The first file that was dropped or failed before it was finished.
    unfinished: Option<String>,
}

impl RepositoryWriterCtx {
    /// Nothing begun yet.
    pub(crate) fn new(port: Option<Arc<dyn RepositoryWriter>>) -> Self {
        Self { port, ..Self::default() }
    }

    /// After the Function returned ok: whether its snapshot is whole.
    ///
    /// # Errors
    /// A file was left unfinished, or the snapshot was never staged.
    pub(crate) fn settle(&self) -> Result<(), (Option<String>, FunctionError)> {
        let left = self.open.as_ref().or(self.unfinished.as_ref());
        if let Some(path) = left {
            return Err((
                Some(path.clone()),
                FunctionError::DataLossRisk(format!(
                    "the function returned ok and left file {path} of the snapshot unfinished"
                )),
            ));
        }
        if self.begun && !self.staged {
            return Err((
                None,
                FunctionError::DataLossRisk(
                    "the function returned ok and did not stage the snapshot it began".to_owned(),
                ),
            ));
        }
        Ok(())
    }
}

/// Behind the contract's `snapshot`.
struct Snapshot(Option<Box<dyn SnapshotWriter>>);

/// Behind the contract's `file`.
struct File {
    path: String,
    size: Option<u64>,
    written: u64,
    // None = finished or broken.
    writer: Option<Box<dyn FileWriter>>,
}

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    ctx: &'a mut RepositoryWriterCtx,
    table: &'a mut ResourceTable,
    stop: &'a Stop,
    secrets: &'a Secrets,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, Marker>(linker, |state| View {
        ctx: &mut state.repository_writer,
        table: &mut state.table,
        stop: &state.stop,
        secrets: &state.secrets,
    })
}

errors_host!(View<'_>);

fn invalid(text: &str) -> FunctionError {
    FunctionError::InvalidState(text.to_owned())
}

/// Refuses everything that could lead out of the plan's folder.
fn check_path(path: &str) -> Result<(), FunctionError> {
    let bad = path.is_empty()
        || path.len() > PATH_BYTES
        || path.contains(['\0', '\\'])
        || path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if bad {
        return Err(FunctionError::InvalidState(format!(
            "{:?} is not a path in a snapshot: it is relative, has at most {PATH_BYTES} bytes and no \
             empty part, no . or .., no NUL and no backslash",
            text::clean(path, 256)
        )));
    }
    Ok(())
}

fn check_tag(tag: &str) -> Result<(), FunctionError> {
    if tag.starts_with(OWN_TAGS) {
        return Err(FunctionError::Denied(format!(
            "tags that begin with {OWN_TAGS} are the host's own"
        )));
    }
    if tag.is_empty()
        || tag.len() > TAG_BYTES
        || tag.contains(',')
        || tag.chars().any(char::is_control)
    {
        return Err(FunctionError::InvalidState(format!(
            "a tag or label has 1 to {TAG_BYTES} bytes, no comma and no control characters"
        )));
    }
    Ok(())
}

impl View<'_> {
    fn snapshot(
        &mut self,
        snapshot: &Resource<wit::Snapshot>,
    ) -> Result<&mut Box<dyn SnapshotWriter>, Failure> {
        let snapshot = self.table.get_mut(&held::<Snapshot>(snapshot))?;
        Ok(snapshot.0.as_mut().ok_or_else(|| invalid("this snapshot is staged or broken"))?)
    }

    fn broke(&mut self, path: String) {
        self.ctx.open = None;
        self.ctx.unfinished.get_or_insert(path);
    }

    async fn write_run(&mut self, file: &Resource<File>, run: Bytes) -> Result<(), Failure> {
        let stop = self.stop.clone();
        let file = self.table.get_mut(file)?;
        let writer =
            file.writer.as_mut().ok_or_else(|| invalid("this file is finished or broken"))?;
        let after = file.written.saturating_add(run.len() as u64);
        let result = match file.size {
            Some(size) if after > size => Err(FunctionError::DataLossRisk(format!(
                "file {} was created with {size} bytes and gets {after}",
                file.path
            ))),
            _ => stop.unless(async { Ok(writer.write(run).await?) }).await,
        };
        match result {
            Ok(()) => {
                file.written = after;
                Ok(())
            }
            Err(error) => {
                file.writer = None;
                let path = file.path.clone();
                self.broke(path);
                Err(error.into())
            }
        }
    }
}

impl wit::Host for View<'_> {
    async fn begin(&mut self) -> Result<Resource<wit::Snapshot>, Failure> {
        if self.ctx.begun {
            return Err(invalid("a session has one snapshot, and it was begun already").into());
        }
        let Some(port) = self.ctx.port.clone() else {
            return Err(invalid("this session has no repository to write to").into());
        };
        let stop = self.stop.clone();
        let writer = stop.unless(async { Ok(port.begin().await?) }).await?;
        self.ctx.begun = true;
        Ok(handle(&self.table.push(Snapshot(Some(writer)))?))
    }
}

impl wit::HostSnapshot for View<'_> {
    async fn add_tag(
        &mut self,
        snapshot: Resource<wit::Snapshot>,
        tag: String,
    ) -> Result<(), Failure> {
        let tag = self.secrets.redact(&tag);
        check_tag(&tag)?;
        Ok(self.snapshot(&snapshot)?.add_tag(&tag).map_err(FunctionError::from)?)
    }

    async fn set_label(
        &mut self,
        snapshot: Resource<wit::Snapshot>,
        label: String,
    ) -> Result<(), Failure> {
        let label = self.secrets.redact(&label);
        check_tag(&label)?;
        Ok(self.snapshot(&snapshot)?.set_label(&label).map_err(FunctionError::from)?)
    }

    async fn create(
        &mut self,
        snapshot: Resource<wit::Snapshot>,
        path: String,
        size: Option<u64>,
    ) -> Result<Resource<wit::File>, Failure> {
        check_path(&path)?;
        if let Some(open) = &self.ctx.open {
            return Err(invalid(&format!("file {open} is still open; finish it first")).into());
        }
        if let Some(broken) = &self.ctx.unfinished {
            return Err(invalid(&format!(
                "file {broken} was left unfinished; nothing can follow it"
            ))
            .into());
        }
        let stop = self.stop.clone();
        let snapshot = self.snapshot(&snapshot)?;
        let writer = stop.unless(async { Ok(snapshot.create(&path, size).await?) }).await?;
        self.ctx.open = Some(path.clone());
        let file = File { path, size, written: 0, writer: Some(writer) };
        Ok(handle(&self.table.push(file)?))
    }

    async fn stage(&mut self, snapshot: Resource<wit::Snapshot>) -> Result<(), Failure> {
        self.ctx.settle_files()?;
        let taken = self.table.get_mut(&held::<Snapshot>(&snapshot))?.0.take();
        let writer = taken.ok_or_else(|| invalid("this snapshot is staged or broken"))?;
        let stop = self.stop.clone();
        stop.unless(async { Ok(writer.stage().await?) }).await?;
        self.ctx.staged = true;
        Ok(())
    }

    async fn drop(&mut self, snapshot: Resource<wit::Snapshot>) -> wasmtime::Result<()> {
        self.table.delete(held::<Snapshot>(&snapshot))?;
        Ok(())
    }
}

impl RepositoryWriterCtx {
    fn settle_files(&self) -> Result<(), FunctionError> {
        match self.open.as_ref().or(self.unfinished.as_ref()) {
            Some(path) => {
                Err(invalid(&format!("file {path} is not finished; the snapshot cannot be staged")))
            }
            None => Ok(()),
        }
    }
}

impl wit::HostFile for View<'_> {
    async fn write(&mut self, file: Resource<wit::File>, bytes: Vec<u8>) -> Result<(), Failure> {
        let file = held(&file);
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let run = bytes.split_to(bytes.len().min(RUN_BYTES));
            self.write_run(&file, run).await?;
        }
        Ok(())
    }

    async fn forward(
        &mut self,
        file: Resource<wit::File>,
        body: Resource<artifacts::Body>,
    ) -> Result<u64, Failure> {
        let file = held::<File>(&file);
        let mut body = self.table.delete(held::<Body>(&body))?;
        let mut bytes = 0_u64;
        loop {
            match body.next(RUN_BYTES).await {
                Ok(Some(run)) => {
                    let length = run.len() as u64;
                    self.write_run(&file, run).await?;
                    bytes = bytes.saturating_add(length);
                }
                Ok(None) => return Ok(bytes),
                Err(error) => {
                    // Half a body is in the file now; it can never be finished.
                    let held = self.table.get_mut(&file)?;
                    held.writer = None;
                    let path = held.path.clone();
                    self.broke(path);
                    return Err(error.into());
                }
            }
        }
    }

    async fn finish(&mut self, file: Resource<wit::File>) -> Result<u64, Failure> {
        let stop = self.stop.clone();
        let file = self.table.get_mut(&held::<File>(&file))?;
        let writer =
            file.writer.take().ok_or_else(|| invalid("this file is finished or broken"))?;
        let (path, written, size) = (file.path.clone(), file.written, file.size);
        let result = match size {
            Some(size) if written != size => Err(FunctionError::DataLossRisk(format!(
                "file {path} was created with {size} bytes and got {written}"
            ))),
            _ => stop.unless(async { Ok(writer.finish().await?) }).await.and_then(|stored| {
                if stored == written {
                    Ok(stored)
                } else {
                    Err(FunctionError::DataLossRisk(format!(
                        "the repository took {stored} bytes of file {path} and {written} were written"
                    )))
                }
            }),
        };
        match result {
            Ok(stored) => {
                self.ctx.open = None;
                Ok(stored)
            }
            Err(error) => {
                self.broke(path);
                Err(error.into())
            }
        }
    }

    async fn drop(&mut self, file: Resource<wit::File>) -> wasmtime::Result<()> {
        let file = self.table.delete(held::<File>(&file))?;
        if file.writer.is_some() {
            self.broke(file.path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
