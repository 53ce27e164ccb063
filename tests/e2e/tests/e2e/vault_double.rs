//! A double of a Vault that answers the snapshot request wrongly, which a real one does too
//! seldom to test with. Health and leader are answered as a healthy single node would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// How the snapshot request is answered.
#[derive(Clone)]
pub enum Answer {
    /// Status 200 with these bytes, chunked.
    Body { bytes: Vec<u8>, end: End },
    /// This status, these headers, no body.
    Status { status: u16, headers: Vec<(String, String)> },
}

/// How an answer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As HTTP wants it: everything looks complete.
    Proper,
    /// The connection breaks.
    Broken,
}

/// What `sys/health` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Active,
    Sealed,
}

/// The double. Dropping it ends its thread.
pub struct VaultDouble {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Called when a snapshot is asked for, before and while it is answered, with the bytes sent.
pub type Watch = Arc<dyn Fn(usize) + Send + Sync>;

impl VaultDouble {
    /// Starts one that answers this.
    pub fn start(health: Health, answer: Answer) -> Result<Self> {
        Self::watched(health, answer, Arc::new(|_| ()))
    }

    /// The same, and tells how far it is.
    pub fn watched(health: Health, answer: Answer, watch: Watch) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (answer, watch) = (answer.clone(), Arc::clone(&watch));
                // A client that goes away is what some tests are about.
                std::thread::spawn(move || drop(serve(stream, port, health, &answer, &watch)));
            }
        });
        Ok(Self { port, stop, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for VaultDouble {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(
    stream: TcpStream,
    port: u16,
    health: Health,
    answer: &Answer,
    watch: &Watch,
) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let sealed = health == Health::Sealed;
        if path.starts_with("/v1/sys/health") {
            let body = format!(
                "{{\"initialized\":true,\"sealed\":{sealed},\"standby\":false,\"version\":\"1.21.1\"}}"
            );
            json(&mut stream, if sealed { 503 } else { 200 }, &body)?;
        } else if path.starts_with("/v1/sys/seal-status") {
            let body = format!(
                "{{\"type\":\"shamir\",\"initialized\":true,\"sealed\":{sealed},\"t\":3,\"n\":5,\"progress\":0}}"
            );
            json(&mut stream, 200, &body)?;
        } else if path.starts_with("/v1/sys/leader") {
            let body = format!(
                "{{\"ha_enabled\":true,\"is_self\":true,\"leader_address\":\"http://127.0.0.1:{port}\",\
                 \"leader_cluster_address\":\"https://127.0.0.1:{port}\"}}"
            );
            json(&mut stream, 200, &body)?;
        } else if path.starts_with("/v1/sys/storage/raft/snapshot") {
            return snapshot(&mut stream, answer, watch);
        } else {
            json(&mut stream, 404, "{\"errors\":[]}")?;
        }
    }
}

fn json(stream: &mut TcpStream, status: u16, body: &str) -> Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

fn snapshot(stream: &mut TcpStream, answer: &Answer, watch: &Watch) -> Result<()> {
    watch(0);
    match answer {
        Answer::Status { status, headers } => {
            write!(stream, "HTTP/1.1 {status} Answer\r\n")?;
            for (name, value) in headers {
                write!(stream, "{name}: {value}\r\n")?;
            }
            write!(stream, "Content-Length: 0\r\nConnection: close\r\n\r\n")?;
        }
        Answer::Body { bytes, end } => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            )?;
            let mut sent = 0;
            for chunk in bytes.chunks(64 << 10) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                write!(stream, "\r\n")?;
                sent += chunk.len();
                watch(sent);
            }
            if *end == End::Proper {
                write!(stream, "0\r\n\r\n")?;
            }
        }
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Both)?;
    Ok(())
}
