//! The way to a Vault with somebody at it: requests can be held, and snapshots cut or emptied, as
//! a real Vault does it only when it fails. One request a connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use sealift_cluster::client::PATIENCE;
use sealift_e2e::wait;

/// Of the API's path that gives and takes snapshots.
const SNAPSHOT: &str = "/sys/storage/raft/snapshot";

/// What happens to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Open,
    /// They wait until the mode changes.
    Held,
    /// A snapshot breaks off in its middle.
    Cut,
    /// A snapshot is answered as by a standby: well, and with nothing.
    Empty,
}

#[derive(Debug)]
struct State {
    mode: Mutex<(Mode, usize)>,
    changed: Condvar,
}

/// The gate. It ends with the test program.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: Arc<State>,
}

impl Gate {
    /// Before `port` of loopback, listening on `address`.
    pub fn before(port: u16, address: &str) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).context("failed to listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { mode: Mutex::new((Mode::Open, 0)), changed: Condvar::new() });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // Either side may go away at any time.
                thread::spawn(move || drop(serve(client, port, &state)));
            }
        });
        Ok(Self { address, state })
    }

    /// `http://<address>:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.state.mode.lock().unwrap_or_else(PoisonError::into_inner).0 = mode;
        self.state.changed.notify_all();
    }

    /// Waits until a request is held.
    pub fn wait_for_guest(&self) -> Result<()> {
        wait::until("somebody waits at the gate", PATIENCE, || {
            let (_, held) = *self.state.mode.lock().unwrap_or_else(PoisonError::into_inner);
            Ok((held > 0).then_some(()))
        })
    }
}

impl State {
    /// The mode once it is not to wait any more.
    fn pass(&self) -> Mode {
        let mut mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        mode.1 += 1;
        while mode.0 == Mode::Held {
            mode = self.changed.wait(mode).unwrap_or_else(PoisonError::into_inner);
        }
        mode.1 -= 1;
        mode.0
    }
}

fn serve(client: TcpStream, port: u16, state: &State) -> io::Result<()> {
    let mut to_client = client.try_clone()?;
    let mut from_client = BufReader::new(client);
    let (mut head, mut path) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if from_client.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if head.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        match line.trim().is_empty() {
            true => break,
            false if line.to_ascii_lowercase().starts_with("connection:") => {}
            false => head.push_str(&line),
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    let mode = state.pass();
    let is_snapshot = path.contains(SNAPSHOT);
    if is_snapshot && mode == Mode::Empty {
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return to_client.write_all(answer.as_bytes());
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    server.write_all(head.as_bytes())?;
    let mut to_server = server.try_clone()?;
    thread::spawn(move || {
        drop(io::copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(Shutdown::Write));
    });
    if is_snapshot && mode == Mode::Cut {
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        let half = answer.get(..answer.len() / 2).unwrap_or_default();
        to_client.write_all(half)?;
    } else {
        drop(io::copy(&mut server, &mut to_client));
    }
    to_client.shutdown(Shutdown::Both)
}
