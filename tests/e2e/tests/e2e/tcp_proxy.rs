//! A proxy that knows bytes only: it stands before a server and tells how much of an answer has
//! gone through, so that a test can do something at that point and no byte later.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use crate::vault_double::Watch;

/// The proxy. Dropping it ends its thread.
pub struct TcpProxy {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TcpProxy {
    /// Starts one before `upstream` (`host:port`). `watch` is called with the bytes a connection
    /// has brought from there; while it runs, this connection brings no more.
    pub fn start(upstream: &str, watch: Watch) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, upstream) = (Arc::clone(&stop), upstream.to_owned());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (upstream, watch) = (upstream.clone(), Arc::clone(&watch));
                // Either side may go away at any time: that is what the tests are about.
                std::thread::spawn(move || drop(serve(&stream, &upstream, &watch)));
            }
        });
        Ok(Self { port, stop, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(client: &TcpStream, upstream: &str, watch: &Watch) -> Result<()> {
    let server = TcpStream::connect(upstream)?;
    std::thread::scope(|scope| {
        let there = scope.spawn(|| pump(client, &server, &|_| ()));
        let back = pump(&server, client, &**watch);
        // Without the server's side there is nothing left to ask for.
        drop(client.shutdown(Shutdown::Both));
        drop(server.shutdown(Shutdown::Both));
        drop(there.join());
        back
    })
}

/// Copies until the end or an error, and hands the end on.
fn pump(mut from: &TcpStream, mut to: &TcpStream, watch: &dyn Fn(usize)) -> Result<()> {
    let mut buffer = vec![0; 16 << 10];
    let mut sent = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(to.shutdown(Shutdown::Write)?);
        }
        to.write_all(&buffer[..count])?;
        sent += count;
        watch(sent);
    }
}
