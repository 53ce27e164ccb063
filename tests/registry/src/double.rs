//! An HTTP server whose answers a test writes, down to the lengths it claims.
//!
//! One connection carries one request, so that an answer can break off wherever it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// The most that is written of an answer without an end.
const ENDLESS: u64 = 5 << 30;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// What it shows.
    pub authorization: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What is sent as the body of an answer.
#[derive(Debug, Clone)]
pub enum Body {
    /// These bytes, with their length.
    Whole(Vec<u8>),
    /// These bytes in chunks, with an end and no length.
    Chunked(Vec<u8>),
    /// These bytes, with a length that is not theirs; then the connection ends.
    Claimed(Vec<u8>, u64),
    /// Chunks without an end.
    Endless,
    /// The head and these bytes, and then silence until the client goes away.
    Silent(Vec<u8>, u64),
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers, without those of its length.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Body,
}

impl Reply {
    /// 200 with a body.
    #[must_use]
    pub fn ok(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", media_type.to_owned())],
            body: Body::Whole(body.into()),
        }
    }

    /// A status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer with another body.
    #[must_use]
    pub fn sending(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

/// What answers: the request, and how many came before it.
type Answers = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

/// The server. Dropping it ends it.
pub struct Double {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    sent: AtomicU64,
    stop: AtomicBool,
    answers: Box<Answers>,
}

impl Double {
    /// Starts one on loopback.
    pub fn start(answers: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
        let port = listener.local_addr().context("failed to read the port")?.port();
        let shared = Arc::new(Shared {
            seen: Mutex::new(Vec::new()),
            sent: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            answers: Box::new(answers),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let own = Arc::clone(&own);
                // A client that goes away early ends its own thread only.
                std::thread::spawn(move || drop(serve(&own, stream)));
            }
        });
        Ok(Self { port, shared, thread: Some(thread) })
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of bodies that were handed to connections so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(shared: &Shared, stream: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone().context("failed to share a connection")?);
    let seen = read(&mut reader)?;
    let number = {
        let mut all = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen.clone());
        all.len() - 1
    };
    let reply = (shared.answers)(&seen, number);
    let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&match &reply.body {
        Body::Whole(bytes) => format!("Content-Length: {}\r\n", bytes.len()),
        Body::Claimed(_, length) | Body::Silent(_, length) => {
            format!("Content-Length: {length}\r\n")
        }
        Body::Chunked(_) | Body::Endless => "Transfer-Encoding: chunked\r\n".to_owned(),
    });
    head.push_str("\r\n");
    let mut stream = stream;
    stream.write_all(head.as_bytes()).context("failed to answer")?;
    if seen.method == "HEAD" {
        return Ok(());
    }
    let mut put = |bytes: &[u8], counted: usize| -> Result<()> {
        stream.write_all(bytes).context("failed to send a body")?;
        shared.sent.fetch_add(counted as u64, Ordering::SeqCst);
        Ok(())
    };
    match &reply.body {
        Body::Whole(bytes) | Body::Claimed(bytes, _) => put(bytes, bytes.len()),
        Body::Chunked(bytes) => {
            let head = format!("{:x}\r\n", bytes.len());
            put(&[head.as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat(), bytes.len())
        }
        Body::Endless => {
            let piece = vec![b' '; 64 << 10];
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
            for _ in 0..ENDLESS / piece.len() as u64 {
                put(&chunk, piece.len())?;
            }
            Ok(())
        }
        Body::Silent(bytes, _) => {
            put(bytes, bytes.len())?;
            // Ends when the client has gone away, and not before.
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).map(drop).context("the connection broke")
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Result<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).context("failed to read a request")?;
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        let count = reader.read_line(&mut line).context("failed to read a request")?;
        if count == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("authorization") {
            authorization = Some(value.trim().to_owned());
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().context("a length that is no number")?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).context("a request broke off")?;
    Ok(Seen { method, path, authorization, body })
}
