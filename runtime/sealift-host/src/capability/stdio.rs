//! Standard input and output of a Function, for languages that should not copy through calls.
//!
//! `as-stdin` lets it read a body, `as-stdout` lets its output write an artifact. Outside of
//! that the input is at its end and the output goes where standard error goes. The end of the
//! input is only passed on when the body was complete: a broken-off body is a failed read.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::progress::{Log, StderrCapture};
use crate::artifact::ArtifactWriter;
use crate::body::Body;
use crate::edge::{Attributes, RUN_BYTES};
use crate::error::FunctionError;
use crate::stream::BodyStream;

/// Runs between the Function and the pipe's writer. Two keep both busy.
const RUNS: usize = 2;

/// Both streams of one stage.
#[derive(Clone)]
pub(crate) struct Stdio {
    input: Arc<tokio::sync::Mutex<Option<BodyStream>>>,
    // Where the output goes while an artifact is diverted; a plain lock, never held across a wait.
    target: Arc<Mutex<Option<mpsc::Sender<Bytes>>>>,
    log: Arc<Log>,
}

/// An artifact that the standard output is writing.
pub(crate) struct StdoutPump {
    name: String,
    late: Attributes,
    task: AbortOnDropJoinHandle<Result<ArtifactWriter, FunctionError>>,
}

impl StdoutPump {
    /// Name of the artifact.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Remembers an attribute until the artifact is back; it is checked then.
    pub(crate) fn set_attribute(
        &mut self,
        name: String,
        value: String,
    ) -> Result<(), FunctionError> {
        /// As many as an artifact can have, so that nothing grows here.
        const MOST: usize = 256;
        if self.late.len() >= MOST {
            return Err(FunctionError::InvalidState(format!(
                "an artifact has at most {MOST} attributes"
            )));
        }
        self.late.push((name, value));
        Ok(())
    }
}

impl Stdio {
    /// Both streams at rest.
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { input: Arc::default(), target: Arc::default(), log }
    }

    /// Lets the standard input read this body.
    pub(crate) fn feed(&self, body: Body) -> Result<(), FunctionError> {
        let busy = || {
            FunctionError::InvalidState(
                "the standard input still reads another body; read it to its end first".to_owned(),
            )
        };
        let mut input = self.input.try_lock().map_err(|_| busy())?;
        if input.as_ref().is_some_and(|stream| !stream.is_over()) {
            return Err(busy());
        }
        *input = Some(BodyStream::new(body));
        Ok(())
    }

    /// Lets the standard output write this artifact.
    pub(crate) fn divert(&self, mut writer: ArtifactWriter) -> Result<StdoutPump, FunctionError> {
        let mut target = self.target.lock().map_err(|_| poisoned())?;
        if target.is_some() {
            return Err(FunctionError::InvalidState(
                "the standard output already writes an artifact".to_owned(),
            ));
        }
        let (sender, mut receiver) = mpsc::channel::<Bytes>(RUNS);
        let name = writer.name().to_owned();
        let task = spawn(async move {
            while let Some(run) = receiver.recv().await {
                writer.write(run).await?;
            }
            Ok(writer)
        });
        *target = Some(sender);
        Ok(StdoutPump { name, late: Vec::new(), task })
    }

    /// Ends the diversion: everything written so far is in the pipe afterwards.
    pub(crate) async fn restore(&self, pump: StdoutPump) -> Result<ArtifactWriter, FunctionError> {
        self.target.lock().map_err(|_| poisoned())?.take();
        let mut writer = pump.task.await?;
        for (name, value) in pump.late {
            writer.set_attribute(name, value)?;
        }
        Ok(writer)
    }

    /// Ends the diversion and leaves the artifact unfinished.
    pub(crate) fn abandon(&self, pump: StdoutPump) {
        if let Ok(mut target) = self.target.lock() {
            target.take();
        }
        drop(pump);
    }

    /// The standard input, for the WASI context.
    pub(crate) fn input(&self) -> impl StdinStream + 'static {
        Input(Arc::clone(&self.input))
    }

    /// The standard output, for the WASI context.
    pub(crate) fn output(&self) -> impl StdoutStream + 'static {
        Output { target: Arc::clone(&self.target), log: Arc::clone(&self.log) }
    }
}

fn poisoned() -> FunctionError {
    FunctionError::Internal("the lock on the standard output is poisoned".to_owned())
}

#[derive(Clone)]
struct Input(Arc<tokio::sync::Mutex<Option<BodyStream>>>);

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        // Only WASI 0.1 asks for this form, which no component can import.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        if let Some(stream) = self.0.lock().await.as_mut() {
            stream.ready().await;
        }
    }
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        match self.0.try_lock() {
            Ok(mut input) => match input.as_mut() {
                Some(stream) => stream.read(size),
                None => Err(StreamError::Closed),
            },
            // Another pollable of the same stream is being waited for.
            Err(_) => Ok(Bytes::new()),
        }
    }
}

#[derive(Clone)]
struct Output {
    target: Arc<Mutex<Option<mpsc::Sender<Bytes>>>>,
    log: Arc<Log>,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.1 asks for this form, which no component can import.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(OutputWriter {
            target: Arc::clone(&self.target),
            log: StderrCapture::new(Arc::clone(&self.log)),
        })
    }
}

struct OutputWriter {
    target: Arc<Mutex<Option<mpsc::Sender<Bytes>>>>,
    log: StderrCapture,
}

impl OutputWriter {
    fn sender(&self) -> Option<mpsc::Sender<Bytes>> {
        self.target.lock().ok().and_then(|target| target.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for OutputWriter {
    async fn ready(&mut self) {
        if let Some(sender) = self.sender() {
            // Resolves when there is room, or nobody reads any more: never early, since a
            // stream that wakes ten times for nothing ends the Function.
            let _ = sender.reserve().await;
        }
    }
}

impl OutputStream for OutputWriter {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        match self.sender() {
            None => {
                self.log.write(&bytes);
                Ok(())
            }
            Some(sender) => sender.try_send(bytes).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StreamError::trap("write exceeded budget"),
                mpsc::error::TrySendError::Closed(_) => StreamError::Closed,
            }),
        }
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        match self.sender() {
            None => Ok(RUN_BYTES),
            Some(sender) if sender.is_closed() => Err(StreamError::Closed),
            Some(sender) if sender.capacity() == 0 => Ok(0),
            Some(_) => Ok(RUN_BYTES),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::body::Torn;
    use crate::capability::progress::Log;
    use crate::cause::Stop;
    use crate::edge::{EdgeReader, Header, edge};
    use crate::ports::{Events, LogLevel};

    struct Silent;

    impl Events for Silent {
        fn log(&self, _: &str, _: LogLevel, _: &str) {}
        fn phase(&self, _: &str, _: &str) {}
        fn progress(&self, _: &str, _: Option<u64>, _: u64) {}
    }

    fn stdio() -> Stdio {
        Stdio::new(Log::new("s", Arc::new(Silent), 1 << 10, Arc::default()))
    }

    async fn artifact(name: &str) -> (ArtifactWriter, EdgeReader) {
        let (writer, reader) = edge(&Stop::default());
        let header = Header { name: name.to_owned(), size: None, attributes: Vec::new() };
        (ArtifactWriter::open(&writer, header).await.unwrap(), reader)
    }

    #[tokio::test]
    async fn the_standard_input_reads_one_body_and_the_output_writes_one_artifact_at_a_time() {
        let stdio = stdio();
        stdio.feed(Body::new(Torn::new(b"bytes"), None)).unwrap();
        let error = stdio.feed(Body::new(Torn::new(b"others"), None)).unwrap_err();
        assert!(error.to_string().contains("still reads another body"), "{error}");
        let ((first, _first), (second, _second)) = (artifact("a").await, artifact("b").await);
        let pump = stdio.divert(first).unwrap();
        let error = stdio.divert(second).err().unwrap();
        assert!(error.to_string().contains("already writes an artifact"), "{error}");
        assert_eq!(stdio.restore(pump).await.unwrap().name(), "a");
    }

    #[tokio::test]
    async fn what_an_artifact_is_given_late_is_bounded() {
        let (stdio, (writer, _reader)) = (stdio(), artifact("a").await);
        let mut pump = stdio.divert(writer).unwrap();
        let mut set = |nth: u32| pump.set_attribute(nth.to_string(), "value".to_owned());
        (0..256).for_each(|nth| set(nth).unwrap());
        let error = set(256).unwrap_err();
        assert!(error.to_string().contains("at most 256 attributes"), "{error}");
    }

    #[tokio::test]
    async fn the_standard_output_takes_no_more_than_the_pipe_has_room_for() {
        let (stdio, (writer, _reader)) = (stdio(), artifact("a").await);
        let _pump = stdio.divert(writer).unwrap();
        let mut output = stdio.output().p2_stream();
        let run = Bytes::from(vec![0; RUN_BYTES]);
        let mut taken = 0;
        // Far more than the pipe holds; nobody reads from it.
        for _ in 0..64 {
            if output.check_write().unwrap() > 0 {
                output.write(run.clone()).unwrap();
                taken += 1;
            }
            tokio::task::yield_now().await;
        }
        assert!((1..=8).contains(&taken), "{taken}");
    }
}
