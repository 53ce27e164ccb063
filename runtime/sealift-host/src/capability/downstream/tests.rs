//! What a Function can make of an artifact, and what it left unfinished.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::sync::Arc;

use downstream::{Host as _, HostOutgoing as _};
use sealift_bindings::v0_1_0::errors::Error;

use super::*;
use crate::body::Torn;
use crate::capability::progress::Log;
use crate::cause::Stop;
use crate::edge::{EdgeReader, edge};
use crate::ports::{Events, LogLevel};

struct Silent;

impl Events for Silent {
    fn log(&self, _: &str, _: LogLevel, _: &str) {}
    fn phase(&self, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: Option<u64>, _: u64) {}
}

/// A Function with a stage after it.
struct Sending {
    ctx: DownstreamCtx,
    table: ResourceTable,
    stdio: Stdio,
    secrets: Arc<Secrets>,
    // The pipe has room for all of it.
    _reader: EdgeReader,
}

impl Sending {
    fn new() -> Self {
        let (writer, reader) = edge(&Stop::default());
        let secrets = Arc::<Secrets>::default();
        let ctx = DownstreamCtx {
            writer: Some(writer),
            stage: "s".to_owned(),
            open: None,
            unfinished: None,
            finished: Records::default(),
            started: Instant::now(),
            first_byte: None,
        };
        let log = Log::new("s", Arc::new(Silent), 1 << 10, Arc::clone(&secrets));
        let (table, stdio) = (ResourceTable::new(), Stdio::new(log));
        Self { ctx, table, stdio, secrets, _reader: reader }
    }

    fn view(&mut self) -> View<'_> {
        let Self { ctx, table, stdio, secrets, .. } = self;
        View { ctx, table, stdio, secrets }
    }

    /// A new artifact, by its number.
    async fn send(&mut self, name: &str, size: Option<u64>) -> Result<u32, Failure> {
        let header = artifacts::Header { name: name.to_owned(), size, attributes: Vec::new() };
        Ok(self.view().send(header).await?.rep())
    }

    async fn write(&mut self, artifact: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.view().write(Resource::new_own(artifact), bytes.to_vec()).await
    }

    async fn finish(&mut self, artifact: u32) -> Result<u64, Failure> {
        self.view().finish(Resource::new_own(artifact)).await
    }

    /// Whatever the Function does after artifact `a` broke, it and its stage stay so.
    async fn stays_broken(mut self, artifact: u32) {
        for refused in [self.write(artifact, b"x").await.err(), self.finish(artifact).await.err()] {
            let told = invalid_state(refused);
            assert!(told.contains("finished or broken"), "{told}");
        }
        let told = invalid_state(self.send("next", None).await.err());
        assert!(told.contains("a was left unfinished"), "{told}");
        assert_eq!(self.ctx.unfinished.as_deref(), Some("a"));
        assert!(self.ctx.finished.kept.is_empty());
    }
}

fn invalid_state(failure: Option<Failure>) -> String {
    let Some(Failure::Told(Error::InvalidState(told))) = failure else {
        unreachable!("it was not refused: {failure:?}")
    };
    told
}

#[tokio::test]
async fn nothing_follows_an_artifact_that_was_dropped_unfinished() {
    let mut sending = Sending::new();
    let first = sending.send("first", None).await.unwrap();
    sending.finish(first).await.unwrap();
    let artifact = sending.send("a", None).await.unwrap();
    sending.write(artifact, b"half").await.unwrap();
    downstream::HostOutgoing::drop(&mut sending.view(), Resource::new_own(artifact)).await.unwrap();
    let told = invalid_state(sending.send("next", None).await.err());
    assert!(told.contains("a was left unfinished"), "{told}");
}

#[tokio::test]
async fn an_artifact_of_which_a_write_failed_stays_broken_though_the_next_write_would_do() {
    let mut sending = Sending::new();
    let artifact = sending.send("a", Some(1)).await.unwrap();
    let failure = sending.write(artifact, b"xy").await.unwrap_err();
    assert!(matches!(failure, Failure::Told(Error::DataLossRisk(_))));
    sending.stays_broken(artifact).await;
}

#[tokio::test]
async fn an_artifact_that_holds_half_a_body_stays_broken() {
    let mut sending = Sending::new();
    let artifact = sending.send("a", None).await.unwrap();
    let body = sending.table.push(Body::new(Torn::new(b"half"), None)).unwrap();
    let forwarded = sending.view().forward(Resource::new_own(artifact), handle(&body)).await;
    assert!(matches!(forwarded, Err(Failure::Told(Error::ExternalFailed(_)))));
    sending.stays_broken(artifact).await;
}

#[test]
fn a_flood_of_artifacts_is_no_flood_of_records() {
    let mut records = Records::default();
    let attribute = ("a".to_owned(), "x".repeat(64 << 10));
    for nth in 0..100 {
        records.push(ArtifactRecord {
            stage: "s".to_owned(),
            name: nth.to_string(),
            size: 0,
            attributes: vec![attribute.clone()],
            checksum: None,
            fingerprint: None,
        });
    }
    let kept = records.kept.len();
    assert!(kept >= 32 && kept * (64 << 10) <= RECORDS_BYTES, "{kept}");
}
