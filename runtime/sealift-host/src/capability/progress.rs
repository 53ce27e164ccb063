//! Interface `progress`: logs, phases, progress and statistics; and the captured standard error.
//!
//! All text of a Function shares one budget. What is beyond it is dropped and counted, and it is
//! freed of credentials and control characters and cut before anybody else sees it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sealift_bindings::v0_1_0::progress;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::ports::{Events, LogLevel};
use crate::secrets::{Cut, Secrets};
use crate::state::State;
use crate::text;

/// Longest message passed on.
const MESSAGE_BYTES: usize = 4096;
/// Longest line of standard error that is looked at.
const LINE_BYTES: usize = 4 * MESSAGE_BYTES;
/// What a message costs on top of its length, so that a flood of empty ones is bounded too.
const MESSAGE_COST: u64 = 64;
/// Bytes of standard error that are kept for the error of the stage: enough for a panic's message.
const TAIL_BYTES: usize = 4096;
/// Statistics one stage can set.
const STATISTICS: usize = 64;
/// Longest name of a statistic.
const STATISTIC_NAME_BYTES: usize = 64;

/// The text of one stage, on its way out.
pub(crate) struct Log {
    stage: String,
    events: Arc<dyn Events>,
    left: AtomicU64,
    dropped: AtomicU64,
    tail: Mutex<Tail>,
    secrets: Arc<Secrets>,
}

/// The end of the standard error, twice as long as what is told of it: finding a credential can
/// make it shorter.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    cut: bool,
}

impl Log {
    /// A log with this many bytes to spend.
    pub(crate) fn new(
        stage: &str,
        events: Arc<dyn Events>,
        bytes: u64,
        secrets: Arc<Secrets>,
    ) -> Arc<Self> {
        Arc::new(Self {
            stage: stage.to_owned(),
            events,
            left: AtomicU64::new(bytes),
            dropped: AtomicU64::new(0),
            tail: Mutex::default(),
            secrets,
        })
    }

    /// Messages that went over the budget.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The end of the standard error, as one readable text.
    pub(crate) fn tail(&self) -> String {
        let (bytes, front): (Vec<u8>, bool) = self
            .tail
            .lock()
            .map(|tail| (tail.bytes.iter().copied().collect(), tail.cut))
            .unwrap_or_default();
        let lossy = String::from_utf8_lossy(&bytes);
        let told = self.secrets.redact_cut(&lossy, Cut { front, back: false });
        let from = told.ceil_char_boundary(told.len().saturating_sub(TAIL_BYTES));
        let told = told.get(from..).unwrap_or_default();
        let lines: Vec<String> =
            told.lines().map(|line| text::clean(line.trim_end(), TAIL_BYTES)).collect();
        lines.join("\n").trim().to_owned()
    }

    fn pay(&self, message: &str) -> bool {
        let cost = message.len() as u64 + MESSAGE_COST;
        let paid = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost))
            .is_ok();
        if !paid {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        paid
    }

    fn message(&self, level: LogLevel, message: &str) {
        if self.pay(message) {
            self.events.log(&self.stage, level, &self.secrets.clean(message, MESSAGE_BYTES));
        }
    }

    fn phase(&self, phase: &str) {
        if self.pay(phase) {
            self.events.phase(&self.stage, &self.secrets.clean(phase, MESSAGE_BYTES));
        }
    }

    fn keep(&self, bytes: &[u8]) {
        if let Ok(mut tail) = self.tail.lock() {
            let last = bytes.get(bytes.len().saturating_sub(2 * TAIL_BYTES)..).unwrap_or_default();
            tail.bytes.extend(last);
            let over = tail.bytes.len().saturating_sub(2 * TAIL_BYTES);
            tail.bytes.drain(..over);
            tail.cut |= over > 0 || last.len() < bytes.len();
        }
    }
}

/// Standard error: its end is kept, its lines are log messages for authors.
pub(crate) struct StderrCapture {
    log: Arc<Log>,
    line: Vec<u8>,
}

impl StderrCapture {
    /// Captures into this log.
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { log, line: Vec::new() }
    }

    /// Takes bytes and passes on whole lines.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.log.keep(bytes);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Longer than what is told of it, so that what is found in it can be cut after.
            let room = (LINE_BYTES + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
                self.line.clear();
                self.log.message(LogLevel::Debug, &line);
            }
        }
    }
}

#[async_trait::async_trait]
impl Pollable for StderrCapture {
    async fn ready(&mut self) {}
}

impl OutputStream for StderrCapture {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        StderrCapture::write(self, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 << 10)
    }
}

/// The standard error, for the WASI context.
pub(crate) struct Stderr(pub(crate) Arc<Log>);

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stderr {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.1 asks for this form, which no component can import.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(StderrCapture::new(Arc::clone(&self.0)))
    }
}

/// What a stage told of itself.
pub(crate) struct ProgressCtx {
    pub(crate) log: Arc<Log>,
    pub(crate) total: Option<u64>,
    pub(crate) done: u64,
    pub(crate) statistics: Vec<(String, f64)>,
}

impl ProgressCtx {
    /// Nothing told yet.
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { log, total: None, done: 0, statistics: Vec::new() }
    }
}

/// Borrows what this interface needs.
pub(crate) struct View<'a>(&'a mut ProgressCtx);

struct Marker;

impl HasData for Marker {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    progress::add_to_linker::<_, Marker>(linker, |state| View(&mut state.progress))
}

impl View<'_> {
    fn tell(&self) {
        self.0.log.events.progress(&self.0.log.stage, self.0.total, self.0.done);
    }
}

impl progress::Host for View<'_> {
    async fn log(&mut self, level: progress::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            progress::Level::Debug => LogLevel::Debug,
            progress::Level::Info => LogLevel::Info,
            progress::Level::Warn => LogLevel::Warn,
        };
        self.0.log.message(level, &message);
        Ok(())
    }

    async fn phase(&mut self, text: String) -> wasmtime::Result<()> {
        self.0.log.phase(&text);
        Ok(())
    }

    async fn total(&mut self, bytes: u64) -> wasmtime::Result<()> {
        self.0.total = Some(bytes);
        self.tell();
        Ok(())
    }

    async fn advance(&mut self, bytes: u64) -> wasmtime::Result<()> {
        self.0.done = self.0.done.saturating_add(bytes);
        self.tell();
        Ok(())
    }

    async fn statistic(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        let well_formed = !name.is_empty()
            && name.len() <= STATISTIC_NAME_BYTES
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        // What holds a credential is no name any more.
        let name = self.0.log.secrets.redact(&name);
        let known = self.0.statistics.iter().position(|(known, _)| *known == name);
        if !well_formed
            || !value.is_finite()
            || (known.is_none() && self.0.statistics.len() >= STATISTICS)
        {
            self.0.log.message(
                LogLevel::Warn,
                &format!("statistic {} = {value} is dropped: a name is kebab-case, a value finite, and there are at most {STATISTICS}", text::clean(&name, STATISTIC_NAME_BYTES)),
            );
            return Ok(());
        }
        match known.and_then(|index| self.0.statistics.get_mut(index)) {
            Some((_, old)) => *old = value,
            None => self.0.statistics.push((name, value)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[derive(Default)]
    struct Recorded(Mutex<Vec<String>>);

    impl Events for Recorded {
        fn log(&self, _stage: &str, _level: LogLevel, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
        fn phase(&self, _stage: &str, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
        fn progress(&self, _stage: &str, _total: Option<u64>, _done: u64) {}
    }

    #[test]
    fn beyond_the_budget_is_dropped_and_counted() {
        let events = Arc::new(Recorded::default());
        let log = Log::new("s", events.clone(), 3 * (MESSAGE_COST + 5), Arc::default());
        for _ in 0..10 {
            log.message(LogLevel::Info, "hello");
        }
        assert_eq!((events.0.lock().unwrap().len(), log.dropped()), (3, 7));
    }

    #[test]
    fn the_tail_is_the_end_and_bounded_and_lines_are_messages() {
        let events = Arc::new(Recorded::default());
        let log = Log::new("s", events.clone(), 1 << 20, Arc::default());
        let mut capture = StderrCapture::new(log.clone());
        capture.write(&vec![b'x'; 3 * TAIL_BYTES]);
        capture.write(&vec![b'x'; 1 << 20]);
        assert!(capture.line.len() <= LINE_BYTES + 1, "{}", capture.line.len());
        capture.write(b"\nthread panicked:\n  \x1b[31mboom\n");
        let tail = log.tail();
        assert!(
            tail.ends_with("thread panicked:\n   [31mboom") && tail.len() <= TAIL_BYTES,
            "{tail}"
        );
        assert_eq!(events.0.lock().unwrap().len(), 3);
    }
    #[test]
    fn a_credential_is_told_nowhere_however_the_text_is_cut() {
        let (events, secrets) = (Arc::new(Recorded::default()), Arc::new(Secrets::default()));
        secrets.remember("hvs.abcdefghijklmnopqrst");
        let log = Log::new("s", events.clone(), 1 << 24, secrets);
        for before in 0..12 {
            let mut capture = StderrCapture::new(log.clone());
            capture.write(&vec![b'x'; before]);
            capture.write(&b"hvs.abcdefghijklmnopqrst".repeat(LINE_BYTES / 5));
            assert!(!log.tail().contains("rst"), "{}", log.tail());
            capture.write(b"\nx-vault-token: hvs.abcdefghijklmnopqrst\n");
            log.message(LogLevel::Warn, "it said hvs.abcdefghijklmnopqrst");
            log.phase("asking with hvs.abcdefghijklmnopqrst");
            let tail = log.tail();
            assert!(tail.ends_with("x-vault-token: [redacted]"), "{tail}");
            assert!(tail.len() <= TAIL_BYTES, "{}", tail.len());
        }
        let told = events.0.lock().unwrap();
        assert_eq!(told.len(), 12 * 4);
        assert!(told.iter().all(|told| !told.contains("hvs") && !told.contains("rst")), "{told:?}");
    }

    #[test]
    fn the_tail_of_many_short_lines_begins_with_no_rest_of_a_credential() {
        let secrets = Arc::new(Secrets::default());
        let credential = format!("hvs.{}", "abcdefghij".repeat(20));
        secrets.remember(&credential);
        let log = Log::new("s", Arc::new(Recorded::default()), 0, secrets);
        // More than is kept, so that it is cut within one of them. Redacted it is short again, and
        // the very front of it is told.
        for _ in 0..3 * TAIL_BYTES / credential.len() {
            log.keep(credential.as_bytes());
        }
        let tail = log.tail();
        assert!(tail.len() < TAIL_BYTES && !tail.contains("hij"), "{tail}");
    }

    #[tokio::test]
    async fn statistics_are_few_finite_and_plainly_named() {
        use progress::Host as _;
        let (events, secrets) = (Arc::new(Recorded::default()), Arc::new(Secrets::default()));
        secrets.remember("hvs-of-the-host");
        let mut ctx = ProgressCtx::new(Log::new("s", events, 1 << 20, secrets));
        let long = "x".repeat(STATISTIC_NAME_BYTES + 1);
        for (name, value) in
            [("", 1.0), ("Upper", 1.0), ("a_b", 1.0), (&*long, 1.0), ("a", f64::NAN)]
        {
            View(&mut ctx).statistic(name.to_owned(), value).await.unwrap();
        }
        assert_eq!(ctx.statistics, []);
        View(&mut ctx).statistic("hvs-of-the-host".to_owned(), 1.0).await.unwrap();
        assert_eq!(ctx.statistics, [("[redacted]".to_owned(), 1.0)]);
        for nth in 0..2 * STATISTICS {
            View(&mut ctx).statistic(format!("n-{nth}"), 1.0).await.unwrap();
        }
        assert_eq!(ctx.statistics.len(), STATISTICS);
        // One that is known may change however many there are.
        View(&mut ctx).statistic("n-0".to_owned(), 2.0).await.unwrap();
        assert!(ctx.statistics.contains(&("n-0".to_owned(), 2.0)));
    }
}
