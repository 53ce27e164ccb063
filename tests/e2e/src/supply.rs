//! A server that hands out as many bytes as it is asked for, the same ones every time.
//!
//! Half of them do not compress, half are text: one mebibyte of each in turn. They are made while
//! they are sent, so that neither disk nor memory limits how many there are.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// Bytes of one kind in a row.
const RUN: usize = 1 << 20;

/// The server. `GET /<number>` is answered with that many bytes. Dropping it ends its thread.
#[derive(Debug)]
pub struct Supply {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supply {
    /// Starts one on loopback.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
        let port = listener.local_addr().context("failed to read the port")?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                // A client that goes away early ends its own thread only.
                std::thread::spawn(move || drop(serve(stream)));
            }
        });
        Ok(Self { port, stop, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Supply {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(mut stream: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone().context("failed to share a connection")?);
    let mut request = String::new();
    reader.read_line(&mut request).context("failed to read a request")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).context("failed to read a request")? == 0
            || line.trim().is_empty()
        {
            break;
        }
    }
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let length: u64 = path.trim_start_matches('/').parse().context("the path is no number")?;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
        .context("failed to answer")?;
    write_bytes(&mut stream, length)
}

/// Writes the first `length` of the bytes.
pub fn write_bytes(into: &mut impl Write, length: u64) -> Result<()> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut line = 0_u64;
    let mut left = length;
    while left > 0 {
        let run = noise(&mut state);
        left -= put(into, &run, left)?;
        let run = text(&mut line);
        left -= put(into, &run, left)?;
    }
    into.flush().context("failed to send the last bytes")
}

fn put(into: &mut impl Write, run: &[u8], left: u64) -> Result<u64> {
    let length = left.min(run.len() as u64);
    let part = run.get(..usize::try_from(length).unwrap_or(run.len())).unwrap_or(run);
    into.write_all(part).context("failed to send bytes")?;
    Ok(length)
}

/// Marsaglia's xorshift: cheap, and it does not compress.
fn noise(state: &mut u64) -> Vec<u8> {
    let mut run = Vec::with_capacity(RUN);
    while run.len() < RUN {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        run.extend_from_slice(&state.to_le_bytes());
    }
    run
}

/// Lines as a log has them: no two alike, and they compress well.
fn text(line: &mut u64) -> Vec<u8> {
    let mut run = Vec::with_capacity(RUN + 128);
    while run.len() < RUN {
        *line += 1;
        let text = format!(
            "{line:012} request served from cache, nothing to do, status 200, {} ms\n",
            *line % 97
        );
        run.extend_from_slice(text.as_bytes());
    }
    run.truncate(RUN);
    run
}
