//! A source that sends artifacts well, or goes wrong in the way parameter `mode` says.
//!
//! `size`, `chunk` and `count` shape what it sends: byte n of an artifact is `n % 251`.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the macro of the exports makes unsafe functions; going wrong is what a guest is for"
)]

guest_contract::guest!(
    source,
    "package tests:guest; world guest { include sealift:function/source-function@0.1.0; }"
);

use std::io::Write;

use bindings::sealift::function::artifacts::Header;
use bindings::sealift::function::downstream::{Outgoing, send};
use bindings::sealift::function::errors::{FieldError, OtherError, RetryError};
use bindings::sealift::function::{progress, session};

fn header(name: &str, size: Option<u64>) -> Header {
    Header {
        name: name.to_owned(),
        size,
        attributes: vec![("made-by".to_owned(), "test".to_owned())],
    }
}

fn pattern(from: u64, length: u64) -> Vec<u8> {
    (from..from + length).map(|n| u8::try_from(n % 251).unwrap_or_default()).collect()
}

fn fill(outgoing: &Outgoing, size: u64, chunk: u64) -> Result<(), Error> {
    let mut at = 0;
    while at < size {
        let length = chunk.min(size - at);
        outgoing.write(&pattern(at, length))?;
        at += length;
    }
    Ok(())
}

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let (size, chunk, count) = (number("size", 1000), number("chunk", 256), number("count", 1));
        match text("mode").as_str() {
            "good" => {
                for index in 0..count {
                    let outgoing = send(&header(&format!("artifact-{index}"), Some(size)))?;
                    fill(&outgoing, size, chunk)?;
                    outgoing.set_attribute("index", &index.to_string())?;
                    outgoing.finish()?;
                }
                progress::statistic("bytes", (size * count) as f64);
                Ok(())
            }
            "unknown-size" => {
                let outgoing = send(&header("artifact", None))?;
                fill(&outgoing, size, chunk)?;
                outgoing.finish().map(drop)
            }
            "one-write" => {
                let outgoing = send(&header("artifact", None))?;
                outgoing.write(&pattern(0, size))?;
                outgoing.finish().map(drop)
            }
            "stdout" => {
                let outgoing = send(&header("artifact", Some(size)))?;
                outgoing.as_stdout()?;
                let mut at = 0;
                while at < size {
                    let length = chunk.min(size - at);
                    std::io::stdout()
                        .write_all(&pattern(at, length))
                        .unwrap_or_else(|error| panic!("{error}"));
                    at += length;
                }
                std::io::stdout().flush().unwrap_or_else(|error| panic!("{error}"));
                outgoing.finish().map(drop)
            }
            "writes-after-as-stdout" => {
                let outgoing = send(&header("artifact", None))?;
                outgoing.as_stdout()?;
                outgoing.write(b"x")
            }
            "digest" => {
                let outgoing = send(&header("artifact", None))?;
                outgoing.expect_digest("sha256", &text("digest"))?;
                fill(&outgoing, size, chunk)?;
                outgoing.finish().map(drop)
            }
            "writes-more" => {
                let outgoing = send(&header("artifact", Some(size)))?;
                fill(&outgoing, size + 1, chunk)?;
                outgoing.finish().map(drop)
            }
            "writes-less" => {
                let outgoing = send(&header("artifact", Some(size)))?;
                fill(&outgoing, size - 1, chunk)?;
                outgoing.finish().map(drop)
            }
            "hides-writing-less" => {
                let outgoing = send(&header("artifact", Some(size)))?;
                fill(&outgoing, size - 1, chunk)?;
                let _ = outgoing.finish();
                Ok(())
            }
            "leaves-unfinished" => {
                let outgoing = send(&header("artifact", None))?;
                fill(&outgoing, size, chunk)
            }
            "leaks-artifact" => {
                let outgoing = send(&header("artifact", None))?;
                fill(&outgoing, size, chunk)?;
                std::mem::forget(outgoing);
                Ok(())
            }
            "fails-after-dropping" => {
                let outgoing = send(&header("artifact", None))?;
                fill(&outgoing, size, chunk)?;
                drop(outgoing);
                Err(Error::ExternalFailed("the disk is on fire".to_owned()))
            }
            "fails" => Err(match text("code").as_str() {
                "invalid-parameter" => Error::InvalidParameter(FieldError {
                    field: "/x".to_owned(),
                    message: "bad".to_owned(),
                }),
                "denied" => Error::Denied("no".to_owned()),
                "retryable" => Error::Retryable(RetryError {
                    message: "later".to_owned(),
                    after_seconds: Some(7),
                }),
                "external-failed" => Error::ExternalFailed("broken".to_owned()),
                "data-loss-risk" => Error::DataLossRisk("careful".to_owned()),
                "cancelled" => Error::Cancelled("stopped".to_owned()),
                "invalid-state" => Error::InvalidState("order".to_owned()),
                code => {
                    Error::Other(OtherError { code: code.to_owned(), message: "own".to_owned() })
                }
            }),
            "opens-two" => {
                let _first = send(&header("first", None))?;
                send(&header("second", None)).map(drop)
            }
            "floods-artifacts" => {
                for _ in 0..count {
                    send(&header("tiny", Some(0)))?.finish()?;
                }
                Ok(())
            }
            "floods-log" => {
                for index in 0..count {
                    progress::log(
                        progress::Level::Info,
                        &format!("line {index} {}", "x".repeat(1000)),
                    );
                    eprintln!("error {index}\u{1b}[31m");
                }
                send(&header("artifact", Some(0)))?.finish().map(drop)
            }
            "loops" => {
                let mut n = 0_u64;
                loop {
                    n = std::hint::black_box(n.wrapping_add(1));
                }
            }
            "eats-memory" => {
                let mut all = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            "panics" => panic!("boom with a secret-free message"),
            "exits" => std::process::exit(3),
            "sleeps" => {
                std::thread::sleep(std::time::Duration::from_secs(86_400));
                Ok(())
            }
            "sends-and-sleeps" => {
                let outgoing = send(&header("artifact", None))?;
                fill(&outgoing, size, chunk)?;
                std::thread::sleep(std::time::Duration::from_secs(86_400));
                outgoing.finish().map(drop)
            }
            "looks-around" => {
                let mut seen = format!("parameters {}\n", parameters::json());
                for (name, value) in session::facts() {
                    seen.push_str(&format!("fact {name}={value}\n"));
                }
                seen.push_str(&format!(
                    "missing {:?} cancelled {}\n",
                    session::fact("nothing"),
                    session::cancelled()
                ));
                seen.push_str(&format!("env {:?}\n", std::env::vars().collect::<Vec<_>>()));
                seen.push_str(&format!("args {:?}\n", std::env::args().collect::<Vec<_>>()));
                for (what, tried) in [
                    ("read-dir", std::fs::read_dir("/").map(drop)),
                    ("write-file", std::fs::write("/tmp/x", "x")),
                    ("connect", std::net::TcpStream::connect("127.0.0.1:1").map(drop)),
                    ("resolve", std::net::ToSocketAddrs::to_socket_addrs("localhost:1").map(drop)),
                ] {
                    seen.push_str(&format!(
                        "{what} {}\n",
                        if tried.is_ok() { "worked" } else { "refused" }
                    ));
                }
                let outgoing = send(&header("seen", Some(seen.len() as u64)))?;
                outgoing.write(seen.as_bytes())?;
                outgoing.finish().map(drop)
            }
            mode => panic!("unknown mode {mode}"),
        }
    }
}
