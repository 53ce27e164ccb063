//! The real servers of the tests: found, started on loopback, stopped by their handle.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::PASSWORD;

/// A binary that `cargo xtask servers` built; a test that needs it fails without it.
pub(crate) fn binary(name: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let told = std::env::var_os("SEALIFT_SERVERS_DIR")
        .map(|folder| PathBuf::from(folder).join(name).join(name));
    let cached = cache.map(|cache| cache.join("sealift/servers").join(name).join("bin").join(name));
    told.into_iter()
        .chain(cached)
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not built; run `cargo xtask servers`"))
}

/// A server that ends with its handle.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server that says on its standard error, after `said`, where it listens.
pub(crate) fn start_on_any_port(mut command: Command, said: &str) -> Server {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut server = Server { child, port: 0 };
    let address = lines
        .find_map(|line| line.unwrap().split(said).nth(1).map(|address| address.trim().to_owned()));
    let address = address.unwrap_or_else(|| panic!("the server ended without saying {said:?}"));
    server.port = address.rsplit(':').next().unwrap().parse().unwrap();
    // What it says later must be taken, or it ends.
    std::thread::spawn(move || lines.for_each(drop));
    server
}

/// Starts a server on a port that was free a moment ago, and waits until it listens.
pub(crate) fn start_on_a_free_port(command: impl Fn(u16) -> Command) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = command(port).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut server = Server { child, port };
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(server.child.try_wait().unwrap().is_none(), "the server ended at once");
        assert!(Instant::now() < deadline, "the server does not listen");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    server
}

/// restic on a repository, with its own idea of everything.
pub(crate) fn restic(repository: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(binary("restic"))
        .args(["--no-cache", "-r", repository])
        .args(arguments)
        .env("RESTIC_PASSWORD", PASSWORD)
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

/// The same, and it must succeed.
pub(crate) fn restic_ok(repository: &str, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let output = restic(repository, arguments, settings);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "restic {arguments:?}: {said}");
    said
}

/// A certificate for 127.0.0.1 that signs itself: its PEM, and files of it and its key.
pub(crate) fn certificate(folder: &Path) -> (String, PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (made.cert.pem(), certificate, key)
}
