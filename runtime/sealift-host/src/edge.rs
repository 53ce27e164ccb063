//! The pipe between two stages: artifacts in order, bounded in bytes.
//!
//! Everything that is in a pipe is paid for from one budget: the bytes, a little for each run of
//! them, and 1 KiB for each artifact, so that neither large nor many artifacts make the process
//! grow. The writer ends an artifact with `finish` and the pipe with `close`; a reader that sees
//! neither was broken off and says so: silence is never an end. Who may write what when is
//! decided in `capability`.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::cause::Stop;
use crate::error::FunctionError;

/// Budget of a pipe. Four of the largest runs keep both sides busy; measured to be as fast as more.
const EDGE_BYTES: usize = 4 << 20;
/// What opening an artifact costs on top of its header, so that a flood of empty ones is bounded.
const OPEN_COST: usize = 1024;
/// What a run of bytes costs on top of its length: the queue's own memory for it.
const RUN_COST: usize = 128;
/// Largest run of bytes in a pipe.
pub(crate) const RUN_BYTES: usize = 1 << 20;

/// Named values, in order.
pub(crate) type Attributes = Vec<(String, String)>;

/// What is known of an artifact when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    pub(crate) attributes: Attributes,
}

impl Header {
    fn cost(&self) -> usize {
        OPEN_COST + self.name.len() + cost_of(&self.attributes)
    }
}

fn cost_of(attributes: &Attributes) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.len() + RUN_COST).sum()
}

/// Bytes in a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) bytes: Bytes,
    /// Whether they, or bytes of the same artifact before them, are keys: whoever receives them
    /// may hand them on, and see them only by a grant of its own.
    pub(crate) sealed: bool,
}

struct Item {
    what: What,
    // Given back to the budget when the reader takes the item out.
    _paid: OwnedSemaphorePermit,
}

enum What {
    Open(Header),
    Run(Run),
    Finish(Attributes),
    Close,
}

/// Makes a pipe.
pub(crate) fn edge(stop: &Stop) -> (EdgeWriter, EdgeReader) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let budget = Arc::new(Semaphore::new(EDGE_BYTES));
    let writer = EdgeWriter { sender, budget, stop: stop.clone() };
    let flow = Flow {
        receiver,
        stop: stop.clone(),
        open: None,
        carry: Bytes::new(),
        sealed: false,
        attributes: Vec::new(),
        closed: false,
        received: 0,
    };
    (writer, EdgeReader { flow: Arc::new(Mutex::new(flow)) })
}

/// The end a stage writes into.
#[derive(Clone)]
pub(crate) struct EdgeWriter {
    // Unbounded, because the budget is the bound.
    sender: mpsc::UnboundedSender<Item>,
    budget: Arc<Semaphore>,
    stop: Stop,
}

impl EdgeWriter {
    /// Opens an artifact; the one before is finished.
    pub(crate) async fn open(&self, header: Header) -> Result<(), FunctionError> {
        self.send(header.cost(), What::Open(header)).await
    }

    /// Writes at most [`RUN_BYTES`]; waits for room.
    pub(crate) async fn run(&self, run: Run) -> Result<(), FunctionError> {
        self.send(run.bytes.len() + RUN_COST, What::Run(run)).await
    }

    /// Ends the artifact: only now the reader can see its end.
    pub(crate) async fn finish(&self, attributes: Attributes) -> Result<(), FunctionError> {
        self.send(RUN_COST + cost_of(&attributes), What::Finish(attributes)).await
    }

    /// Says that no more artifacts follow: the stage returned ok.
    pub(crate) async fn close(&self) -> Result<(), FunctionError> {
        self.send(RUN_COST, What::Close).await
    }

    async fn send(&self, cost: usize, what: What) -> Result<(), FunctionError> {
        let cost = u32::try_from(cost.min(EDGE_BYTES)).unwrap_or(u32::MAX);
        self.stop
            .unless(async {
                let paid = Arc::clone(&self.budget)
                    .acquire_many_owned(cost)
                    .await
                    .map_err(|_| self.stop.error())?;
                self.sender.send(Item { what, _paid: paid }).map_err(|_| self.stop.error())
            })
            .await
    }
}

/// The end a stage reads from. Cloned into the body that is being read.
#[derive(Clone)]
pub(crate) struct EdgeReader {
    flow: Arc<Mutex<Flow>>,
}

struct Flow {
    // Dropped with what is queued in it, which frees the budget: a writer that waits learns then
    // that nobody reads any more.
    receiver: mpsc::UnboundedReceiver<Item>,
    stop: Stop,
    // The artifact that is open, until its end was seen.
    open: Option<String>,
    // Taken out of the pipe, not yet out of the body.
    carry: Bytes,
    // Whether the carry, or anything of the open artifact before it, is sealed.
    sealed: bool,
    // Of the artifact that ended last.
    attributes: Attributes,
    closed: bool,
    received: u64,
}

impl Flow {
    fn carry(&mut self, run: Run) {
        self.carry = run.bytes;
        self.sealed |= run.sealed;
    }

    async fn next(&mut self) -> Result<What, FunctionError> {
        let stop = self.stop.clone();
        let receiver = &mut self.receiver;
        stop.unless(async {
            receiver.recv().await.map(|item| item.what).ok_or_else(|| stop.error())
        })
        .await
    }
}

impl EdgeReader {
    /// The next artifact and its number; none = the writer closed the pipe.
    pub(crate) async fn receive(&self) -> Result<Option<(Header, u64)>, FunctionError> {
        let mut flow = self.flow.lock().await;
        if let Some(name) = flow.open.clone() {
            // Who took every byte need not have asked for the end; it has to be there, though.
            if flow.carry.is_empty() {
                match flow.next().await? {
                    What::Finish(_) => flow.open = None,
                    What::Run(run) => flow.carry(run),
                    What::Open(_) | What::Close => return Err(out_of_order()),
                }
            }
            if flow.open.is_some() {
                return Err(FunctionError::InvalidState(format!(
                    "artifact {name} is still open: read it to its end, forward or discard it first"
                )));
            }
        }
        if flow.closed {
            return Ok(None);
        }
        match flow.next().await? {
            What::Open(header) => {
                flow.open = Some(header.name.clone());
                flow.sealed = false;
                flow.attributes = header.attributes.clone();
                flow.received += 1;
                let number = flow.received;
                Ok(Some((header, number)))
            }
            What::Close => {
                flow.closed = true;
                Ok(None)
            }
            What::Run(_) | What::Finish(_) => Err(out_of_order()),
        }
    }

    /// The next bytes of this artifact, at most `max`; none = it was finished.
    pub(crate) async fn read(&self, number: u64, max: usize) -> Result<Option<Run>, FunctionError> {
        let mut flow = self.flow.lock().await;
        if flow.received != number || flow.open.is_none() {
            return Err(FunctionError::InvalidState(
                "this artifact is not open any more".to_owned(),
            ));
        }
        if flow.carry.is_empty() {
            match flow.next().await? {
                What::Run(run) => flow.carry(run),
                What::Finish(attributes) => {
                    flow.open = None;
                    flow.attributes.extend(attributes);
                    return Ok(None);
                }
                What::Open(_) | What::Close => return Err(out_of_order()),
            }
        }
        let length = flow.carry.len().min(max);
        Ok(Some(Run { bytes: flow.carry.split_to(length), sealed: flow.sealed }))
    }

    /// Attributes of this artifact as far as they are known.
    pub(crate) async fn attributes(&self, number: u64) -> Option<Attributes> {
        let flow = self.flow.lock().await;
        (flow.received == number).then(|| flow.attributes.clone())
    }

    /// After the stage returned ok: waits for the end of the pipe.
    ///
    /// # Errors
    /// Something came that the stage never took.
    pub(crate) async fn settle(&self) -> Result<(), (Option<String>, FunctionError)> {
        let mut flow = self.flow.lock().await;
        let left = |name: &str, what: &str| {
            (
                Some(name.to_owned()),
                FunctionError::DataLossRisk(format!(
                    "the function returned ok although {what} of artifact {name}; \
                     it must receive every artifact and read, forward or discard it"
                )),
            )
        };
        while !flow.closed {
            if let (Some(name), false) = (&flow.open, flow.carry.is_empty()) {
                return Err(left(name, "it did not take all bytes"));
            }
            match flow.next().await.map_err(|error| (None, error))? {
                What::Open(header) => return Err(left(&header.name, "it took nothing")),
                What::Run(_) => {
                    let name = flow.open.clone().unwrap_or_default();
                    return Err(left(&name, "it did not take all bytes"));
                }
                What::Finish(_) => flow.open = None,
                What::Close => flow.closed = true,
            }
        }
        Ok(())
    }
}

fn out_of_order() -> FunctionError {
    FunctionError::Internal("a pipe carried its parts in the wrong order".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::cause::FirstCause;

    fn run(bytes: &'static [u8]) -> Run {
        Run { bytes: Bytes::from_static(bytes), sealed: false }
    }

    fn header(name: &str) -> Header {
        Header { name: name.to_owned(), size: None, attributes: vec![("a".into(), "1".into())] }
    }

    #[tokio::test]
    async fn artifacts_arrive_in_order_with_late_attributes() {
        let (writer, reader) = edge(&Stop::default());
        writer.open(header("x")).await.unwrap();
        writer.run(run(b"hello")).await.unwrap();
        writer.finish(vec![("b".into(), "2".into())]).await.unwrap();
        writer.close().await.unwrap();
        let (seen, number) = reader.receive().await.unwrap().unwrap();
        assert_eq!(seen, header("x"));
        assert_eq!(reader.read(number, 2).await.unwrap().unwrap(), run(b"he"));
        assert!(matches!(reader.receive().await, Err(FunctionError::InvalidState(_))));
        assert_eq!(reader.read(number, 9).await.unwrap().unwrap(), run(b"llo"));
        assert_eq!(reader.read(number, 9).await.unwrap(), None);
        assert_eq!(reader.attributes(number).await.unwrap().len(), 2);
        assert_eq!(reader.receive().await.unwrap(), None);
        reader.settle().await.unwrap();
    }

    #[tokio::test]
    async fn a_writer_that_disappears_is_an_error_and_never_an_end() {
        let stop = Stop::default();
        let (writer, reader) = edge(&stop);
        writer.open(header("x")).await.unwrap();
        writer.run(run(b"half")).await.unwrap();
        drop(writer);
        let (_, number) = reader.receive().await.unwrap().unwrap();
        assert_eq!(reader.read(number, 9).await.unwrap().unwrap(), run(b"half"));
        assert!(matches!(reader.read(number, 9).await, Err(FunctionError::Cancelled(_))));
    }

    #[tokio::test]
    async fn the_cause_of_the_stop_is_what_both_ends_are_told() {
        let stop = Stop::default();
        let (writer, reader) = edge(&stop);
        let error = FunctionError::External("boom".to_owned());
        stop.because(FirstCause { stage: Some("s-0".to_owned()), artifact: None, error });
        let told = reader.receive().await.unwrap_err().to_string();
        assert_eq!(told, "cancelled: stage s-0: boom");
        assert_eq!(writer.close().await.unwrap_err().to_string(), told);
    }

    #[tokio::test]
    async fn the_budget_bounds_bytes_and_tiny_artifacts_and_a_gone_reader_frees_the_writer() {
        let (writer, reader) = edge(&Stop::default());
        let mut sent = 0_usize;
        let flood = async {
            loop {
                if writer.open(header("tiny")).await.is_err()
                    || writer.finish(vec![]).await.is_err()
                {
                    break;
                }
                sent += 1;
            }
        };
        let watch = async {
            // The flood stops by itself: the queue is full once it yields without progress.
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
            drop(reader);
        };
        tokio::join!(flood, watch);
        assert!(sent > 100 && sent <= EDGE_BYTES / OPEN_COST, "{sent}");
    }

    #[tokio::test]
    async fn what_was_not_taken_is_named() {
        let (writer, reader) = edge(&Stop::default());
        writer.open(header("x")).await.unwrap();
        writer.run(run(b"hello")).await.unwrap();
        writer.finish(vec![]).await.unwrap();
        writer.close().await.unwrap();
        let (_, number) = reader.receive().await.unwrap().unwrap();
        reader.read(number, 2).await.unwrap();
        let (artifact, error) = reader.settle().await.unwrap_err();
        assert_eq!(artifact.as_deref(), Some("x"));
        assert!(matches!(error, FunctionError::DataLossRisk(_)));
    }
    #[tokio::test]
    async fn a_seal_lasts_to_the_end_of_the_artifact_and_no_further() {
        let (writer, reader) = edge(&Stop::default());
        for name in ["x", "y"] {
            writer.open(header(name)).await.unwrap();
            if name == "x" {
                writer.run(Run { sealed: true, ..run(b"keys") }).await.unwrap();
            }
            writer.run(run(b"rest")).await.unwrap();
            writer.finish(vec![]).await.unwrap();
        }
        for sealed in [vec![true, true], vec![false]] {
            let (_, number) = reader.receive().await.unwrap().unwrap();
            for sealed in sealed {
                assert_eq!(reader.read(number, 9).await.unwrap().unwrap().sealed, sealed);
            }
            assert_eq!(reader.read(number, 9).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn tiny_runs_are_bounded_too() {
        let (writer, _reader) = edge(&Stop::default());
        writer.open(header("x")).await.unwrap();
        let mut sent = 0_usize;
        let flood = async {
            loop {
                writer.run(run(b"x")).await.unwrap();
                sent += 1;
                assert!(sent <= EDGE_BYTES / RUN_COST, "{sent}");
            }
        };
        let full = async {
            for _ in 0..1024 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = flood => {}
            () = full => {}
        }
        assert!(sent > 100, "{sent}");
    }

    #[tokio::test]
    async fn an_artifact_that_ended_never_gives_the_bytes_of_another() {
        let (writer, reader) = edge(&Stop::default());
        for name in ["x", "y"] {
            writer.open(header(name)).await.unwrap();
            writer.run(run(b"of one")).await.unwrap();
            writer.finish(vec![]).await.unwrap();
        }
        let (_, first) = reader.receive().await.unwrap().unwrap();
        reader.read(first, 9).await.unwrap();
        assert_eq!(reader.read(first, 9).await.unwrap(), None);
        assert!(matches!(reader.read(first, 9).await, Err(FunctionError::InvalidState(_))));
        reader.receive().await.unwrap().unwrap();
        assert!(matches!(reader.read(first, 9).await, Err(FunctionError::InvalidState(_))));
    }

    #[tokio::test]
    async fn parts_in_the_wrong_order_are_an_error_and_never_an_end() {
        let (writer, reader) = edge(&Stop::default());
        writer.run(run(b"of nothing")).await.unwrap();
        assert!(matches!(reader.receive().await, Err(FunctionError::Internal(_))));
    }
}
