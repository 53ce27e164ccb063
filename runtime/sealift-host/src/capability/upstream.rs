//! Interface `upstream`: receiving the artifacts of the stage before.
//!
//! An artifact that holds keys arrives sealed: this stage may hand it on, and see it only by its
//! own grant, whatever the stage before was granted.

use sealift_bindings::v0_1_0::{Failure, artifacts, upstream};
use sealift_core::grants::KeyGrant;
use wasmtime::component::{HasData, Linker, ResourceTable};

use super::{errors_host, handle};
use crate::body::{ArtifactSource, Body, Slots, Unread};
use crate::edge::EdgeReader;
use crate::error::FunctionError;
use crate::state::State;

/// The pipe a stage reads from.
#[derive(Default)]
pub(crate) struct UpstreamCtx {
    /// Absent for a source and an observer, for which the interface is not linked.
    pub(crate) reader: Option<EdgeReader>,
    /// Whether it sees what is sealed.
    pub(crate) grant: Option<KeyGrant>,
    /// The artifact received last, for errors.
    pub(crate) current: Option<String>,
    /// What streams have read ahead of the Function.
    pub(crate) unread: Unread,
}

impl UpstreamCtx {
    /// After the Function returned ok: waits for the end of the pipe.
    ///
    /// # Errors
    /// Something came that the Function never took.
    pub(crate) async fn settle(&self) -> Result<(), (Option<String>, FunctionError)> {
        if let Some(reader) = &self.reader {
            reader.settle().await?;
        }
        if self.unread.is_empty() {
            return Ok(());
        }
        Err((
            self.current.clone(),
            FunctionError::DataLossRisk(
                "the function returned ok and did not read a stream of an artifact to its end"
                    .to_owned(),
            ),
        ))
    }
}

/// Borrows what this interface needs.
pub(crate) struct View<'a> {
    pub(crate) ctx: &'a mut UpstreamCtx,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) slots: &'a Slots,
}

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    upstream::add_to_linker::<_, Marker>(linker, |state| View {
        ctx: &mut state.upstream,
        table: &mut state.table,
        slots: &state.slots,
    })
}

errors_host!(View<'_>);

impl upstream::Host for View<'_> {
    async fn receive(&mut self) -> Result<Option<upstream::Artifact>, Failure> {
        let Some(reader) = self.ctx.reader.clone() else {
            return Err(
                FunctionError::InvalidState("nothing is before this stage".to_owned()).into()
            );
        };
        let slot = self.slots.take()?;
        let Some((header, number)) = reader.receive().await? else {
            self.ctx.current = None;
            return Ok(None);
        };
        self.ctx.current = Some(header.name.clone());
        let body = Body::new(ArtifactSource::new(reader, number), header.size)
            .counted(self.ctx.unread.clone())
            .seen_by(self.ctx.grant)
            .placed(slot);
        let body = handle::<artifacts::Body>(&self.table.push(body)?);
        Ok(Some(upstream::Artifact {
            header: artifacts::Header {
                name: header.name,
                size: header.size,
                attributes: header.attributes,
            },
            body,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use bytes::Bytes;
    use upstream::Host as _;
    use wasmtime::component::Resource;

    use super::*;
    use crate::capability::held;
    use crate::cause::Stop;
    use crate::edge::{Header, Run, edge};

    /// The ctx of a stage that received an artifact of five bytes, with this size in its header.
    async fn received(size: Option<u64>) -> (UpstreamCtx, Body) {
        let (writer, reader) = edge(&Stop::default());
        let header = Header { name: "a".to_owned(), size, attributes: Vec::new() };
        writer.open(header).await.unwrap();
        let run = Run { bytes: Bytes::from_static(b"hello"), sealed: false };
        writer.run(run).await.unwrap();
        writer.finish(Vec::new()).await.unwrap();
        writer.close().await.unwrap();
        let mut ctx = UpstreamCtx { reader: Some(reader), ..UpstreamCtx::default() };
        let (mut table, slots) = (ResourceTable::new(), Slots::new());
        let mut view = View { ctx: &mut ctx, table: &mut table, slots: &slots };
        let artifact = view.receive().await.unwrap().unwrap();
        let body: Resource<Body> = held(&artifact.body);
        let body = table.delete(body).unwrap();
        (ctx, body)
    }

    #[tokio::test]
    async fn what_was_read_ahead_and_never_taken_is_a_loss() {
        let (ctx, mut body) = received(None).await;
        // As a stream does it: the bytes left the pipe, and wait for the Function.
        body.look().await.unwrap();
        let (name, error) = ctx.settle().await.unwrap_err();
        assert_eq!(name.as_deref(), Some("a"));
        assert!(matches!(error, FunctionError::DataLossRisk(_)), "{error}");
        assert_eq!(body.next(9).await.unwrap().unwrap(), "hello");
        ctx.settle().await.unwrap();
    }

    #[tokio::test]
    async fn an_artifact_of_another_size_than_its_header_says_has_no_end() {
        for (size, whole) in [(None, true), (Some(5), true), (Some(4), false), (Some(6), false)] {
            let (_ctx, mut body) = received(size).await;
            let end = loop {
                match body.next(9).await {
                    Ok(Some(_)) => {}
                    end => break end.is_ok(),
                }
            };
            assert_eq!(end, whole, "{size:?}");
        }
    }
}
