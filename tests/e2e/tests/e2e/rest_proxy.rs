//! Stands between `sealift` and a real REST server: counts what is written, and refuses or
//! holds what a test wants refused or held. A real server can show none of that on demand.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// A kind of file of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum File {
    Config,
    Key,
    Pack,
    Index,
    Snapshot,
}

/// Before or after the server has stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    Arrives,
    Stored,
}

/// The `number`-th write of a kind of file, counted from 1 since the last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileWrite {
    pub file: File,
    pub number: usize,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Forward,
    /// Answer with this status and store nothing.
    Refuse(u16),
    /// Close the connection and store nothing.
    Break,
}

/// Decides, and may wait as long as it likes.
pub type Policy = Arc<dyn Fn(FileWrite, When) -> Verdict + Send + Sync>;

/// The proxy. Dropping it ends its thread.
pub struct RestProxy {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    written: Arc<Mutex<Written>>,
}

#[derive(Default)]
struct Written {
    numbers: HashMap<File, usize>,
    pack_bytes: u64,
}

impl RestProxy {
    /// Starts one before `server` (`host:port`).
    pub fn start(server: &str, policy: Policy) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(Mutex::new(Written::default()));
        let (stopped, counted, server) =
            (Arc::clone(&stop), Arc::clone(&written), server.to_owned());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (server, policy, counted) =
                    (server.clone(), Arc::clone(&policy), Arc::clone(&counted));
                // A client that goes away is what some tests are about.
                std::thread::spawn(move || drop(serve(stream, &server, &policy, &counted)));
            }
        });
        Ok(Self { port, stop, thread: Some(thread), written })
    }

    /// URL of the repository `name` behind it.
    pub fn repository(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}/", self.port)
    }

    /// How many packs, and how many bytes of packs, were stored since the last reset.
    pub fn packs(&self) -> (usize, u64) {
        let written = self.written.lock().unwrap();
        (written.numbers.get(&File::Pack).copied().unwrap_or(0), written.pack_bytes)
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        *self.written.lock().unwrap() = Written::default();
    }
}

impl Drop for RestProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// One request per connection: simple, and no state is left when a client dies.
fn serve(client: TcpStream, server: &str, policy: &Policy, written: &Mutex<Written>) -> Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let mut head = String::new();
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
        // The server is asked for one answer per connection, and the client never for more first.
        if lower.starts_with("expect:") {
            write!(client, "HTTP/1.1 100 Continue\r\n\r\n")?;
        } else if !lower.starts_with("connection:")
            && !lower.starts_with("transfer-encoding:")
            && !lower.starts_with("content-length:")
        {
            head.push_str(&line);
        }
    }
    let body = if chunked { read_chunks(&mut reader)? } else { read_exactly(&mut reader, length)? };
    let write = classify(&head, written);
    if let Some(write) = write {
        match policy(write, When::Arrives) {
            Verdict::Forward => (),
            Verdict::Break => return Ok(()),
            Verdict::Refuse(status) => {
                write!(
                    client,
                    "HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )?;
                return Ok(());
            }
        }
    }
    let mut upstream = TcpStream::connect(server)?;
    write!(upstream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    upstream.write_all(&body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if let Some(write) = write {
        if write.file == File::Pack {
            written.lock().unwrap().pack_bytes += body.len() as u64;
        }
        if policy(write, When::Stored) != Verdict::Forward {
            return Ok(());
        }
    }
    client.write_all(&answer)?;
    Ok(())
}

fn read_exactly(reader: &mut impl Read, length: usize) -> Result<Vec<u8>> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16)?;
        body.extend(read_exactly(reader, size)?);
        let mut end = String::new();
        reader.read_line(&mut end)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// What a request writes, and its number; none for all other requests.
fn classify(head: &str, written: &Mutex<Written>) -> Option<FileWrite> {
    let mut words = head.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    if method != "POST" || path.contains("create=true") {
        return None;
    }
    let file = [
        ("/config", File::Config),
        ("/keys/", File::Key),
        ("/data/", File::Pack),
        ("/index/", File::Index),
        ("/snapshots/", File::Snapshot),
    ]
    .into_iter()
    .find(|(part, _)| path.contains(part))?
    .1;
    let mut written = written.lock().unwrap();
    let number = written.numbers.entry(file).or_insert(0);
    *number += 1;
    Some(FileWrite { file, number: *number })
}
