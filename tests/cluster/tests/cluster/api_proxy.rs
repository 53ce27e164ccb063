//! A proxy before the API server that shows what a real one cannot be made to show: a conflict,
//! an answer that is lost, and a client that dies between its request and the answer.
//!
//! It speaks plain HTTP and leads to `kubectl proxy`, which does the rest. Each connection
//! carries one request, so that what is a request and what an answer is never guessed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use sealift_cluster::ControlPlane;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::process::{Process, free_port, http_client};
use sealift_e2e::wait;
use serde_json::json;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with a conflict and never reaches the API server.
    Conflict,
    /// It is carried out, and the connection ends before the answer.
    LoseAnswer,
    /// It is carried out, and this process is killed before it sees the answer.
    Kill(u32),
    /// It waits for [`ApiProxy::release`], and is carried out and answered then.
    Hold,
}

struct Rule {
    method: &'static str,
    path: String,
    fault: Fault,
}

/// A request, as far as rows look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub path: String,
    /// The forms of an answer that were asked for; empty if none was.
    pub accept: String,
}

#[derive(Default)]
struct Faults {
    rules: Vec<Rule>,
    asked: Vec<Asked>,
    under_way: usize,
    released: bool,
}

type Rules = Arc<Mutex<Faults>>;

/// The proxy. Dropping it ends its thread.
pub struct ApiProxy {
    port: u16,
    kubeconfig: PathBuf,
    rules: Rules,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _upstream: Process,
}

impl ApiProxy {
    /// Starts one; `name` tells its files from those of others.
    pub fn start(plane: &ControlPlane, name: &str) -> Result<Self> {
        let folder = &plane.files().folder;
        let behind = free_port()?;
        let mut command = plane.kubectl().command();
        command.args(["proxy", &format!("--port={behind}"), "--reject-paths="]);
        let mut upstream = Process::start(&format!("{name}-proxy"), folder, &mut command)?;
        let version = format!("http://127.0.0.1:{behind}/version");
        upstream.wait_until_ready(|| {
            http_client().get(&version).call().is_ok_and(|answer| answer.status() == 200)
        })?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
        let port = listener.local_addr()?.port();
        let kubeconfig = folder.join(format!("{name}-proxy.kubeconfig"));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "tests", "user": {}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        });
        std::fs::write(&kubeconfig, config.to_string())
            .with_context(|| format!("failed to write {}", kubeconfig.display()))?;
        let rules = Rules::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, of_thread) = (Arc::clone(&stop), Arc::clone(&rules));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let rules = Arc::clone(&of_thread);
                // Either side may go away at any time: that is what the rows are about.
                std::thread::spawn(move || drop(serve(stream, behind, &rules)));
            }
        });
        Ok(Self { port, kubeconfig, rules, stop, thread: Some(thread), _upstream: upstream })
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// The next request of this method whose path (with its query) contains `path` meets `fault`.
    /// Rules are met in their order, each once.
    pub fn expect(&self, method: &'static str, path: impl Into<String>, fault: Fault) {
        self.rules().rules.push(Rule { method, path: path.into(), fault });
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.rules().asked.clone()
    }

    /// Waits until every rule has been met.
    pub fn wait_until_met(&self) -> Result<()> {
        wait::until("all faults have happened", PATIENCE, || {
            let faults = self.rules();
            Ok((faults.rules.is_empty() && faults.under_way == 0).then_some(()))
        })
        .with_context(|| {
            let left: Vec<String> = self
                .rules()
                .rules
                .iter()
                .map(|rule| format!("{} …{}… {:?}", rule.method, rule.path, rule.fault))
                .collect();
            format!("not met: {}", left.join(", "))
        })
    }

    /// Waits until the request of the last rule is held.
    pub fn wait_until_held(&self) -> Result<()> {
        wait::until("a request is held", PATIENCE, || {
            let faults = self.rules();
            Ok((faults.rules.is_empty() && faults.under_way > 0).then_some(()))
        })
    }

    /// Lets everything go on that is held, now and later.
    pub fn release(&self) {
        self.rules().released = true;
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// One request: its first line, and everything as it is to be sent on.
struct Request {
    method: String,
    path: String,
    accept: String,
    bytes: Vec<u8>,
}

fn read(client: &TcpStream) -> Result<Request> {
    let mut reader = BufReader::new(client);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        bail!("no request: {first:?}")
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut bytes = first.into_bytes();
    let mut length = 0;
    let mut accept = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            bail!("the head of a request breaks off");
        }
        if line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "accept" => accept.push(value.trim().to_owned()),
            "transfer-encoding" => bail!("{method} {path} has a body without a length"),
            "connection" => continue,
            _ => {}
        }
        bytes.extend_from_slice(line.as_bytes());
    }
    bytes.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    bytes.extend_from_slice(&body);
    Ok(Request { method, path, accept: accept.join(", "), bytes })
}

fn serve(mut client: TcpStream, behind: u16, rules: &Rules) -> Result<()> {
    let request = read(&client)?;
    let faults = || rules.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = {
        let mut faults = faults();
        let Request { method, path, accept, .. } = &request;
        let [method, path, accept] = [method, path, accept].map(Clone::clone);
        faults.asked.push(Asked { method, path, accept });
        let met = faults.rules.first().is_some_and(|rule| {
            request.method == rule.method && request.path.contains(rule.path.as_str())
        });
        met.then(|| {
            faults.under_way += 1;
            faults.rules.remove(0).fault
        })
    };
    let Some(fault) = fault else {
        let mut server = send(behind, &request)?;
        std::io::copy(&mut server, &mut client)?;
        return Ok(());
    };
    if fault == Fault::Hold {
        wait::until("a held request is released", PATIENCE, || {
            Ok(faults().released.then_some(()))
        })?;
    }
    let done = happen(fault, &mut client, behind, &request);
    faults().under_way -= 1;
    done
}

fn happen(fault: Fault, client: &mut TcpStream, behind: u16, request: &Request) -> Result<()> {
    if fault == Fault::Conflict {
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "the object has been modified; please apply your changes to the latest version"})
        .to_string();
        write!(
            client,
            "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        return Ok(());
    }
    if fault == Fault::Hold {
        std::io::copy(&mut send(behind, request)?, client)?;
        return Ok(());
    }
    // It is carried out once the API server answers.
    send(behind, request)?.read_to_end(&mut Vec::new())?;
    if let Fault::Kill(id) = fault {
        Command::new("kill").args(["-KILL", &id.to_string()]).status()?;
    }
    Ok(())
}

fn send(behind: u16, request: &Request) -> Result<TcpStream> {
    let mut server = TcpStream::connect(("127.0.0.1", behind))?;
    server.write_all(&request.bytes)?;
    Ok(server)
}
