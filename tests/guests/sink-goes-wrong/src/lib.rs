//! A sink that takes artifacts well, or goes wrong in the way parameter `mode` says.
//!
//! It tells what it took by statistics: artifacts, bytes, wrong bytes, attributes.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the macro of the exports makes unsafe functions; going wrong is what a guest is for"
)]

guest_contract::guest!(
    sink,
    "package tests:guest; world guest { include sealift:function/sink-function@0.1.0; }"
);

use std::io::Read;

use bindings::sealift::function::artifacts::as_stdin;
use bindings::sealift::function::upstream::{Artifact, receive};
use bindings::sealift::function::{progress, session};

#[derive(Default)]
struct Taken {
    artifacts: u64,
    bytes: u64,
    wrong: u64,
    attributes: u64,
}

impl Taken {
    fn run(&mut self, at: u64, bytes: &[u8]) {
        for (n, byte) in (at..).zip(bytes) {
            self.bytes += 1;
            if u64::from(*byte) != n % 251 {
                self.wrong += 1;
            }
        }
    }

    fn tell(&self) {
        progress::statistic("artifacts", self.artifacts as f64);
        progress::statistic("bytes", self.bytes as f64);
        progress::statistic("wrong", self.wrong as f64);
        progress::statistic("attributes", self.attributes as f64);
    }
}

fn read(taken: &mut Taken, artifact: &Artifact, chunk: u32) -> Result<(), Error> {
    let mut at = 0;
    while let Some(bytes) = artifact.body.read(chunk)? {
        taken.run(at, &bytes);
        at += bytes.len() as u64;
    }
    taken.artifacts += 1;
    taken.attributes += artifact.body.attributes().len() as u64;
    Ok(())
}

fn sleep() {
    std::thread::sleep(std::time::Duration::from_secs(86_400));
}

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mode = text("mode");
        let chunk = u32::try_from(number("chunk", 64 << 10)).unwrap_or(u32::MAX);
        let mut taken = Taken::default();
        match mode.as_str() {
            "never-reads" => sleep(),
            "returns-early" => return Ok(()),
            "fails-at-once" => return Err(Error::ExternalFailed("no space".to_owned())),
            "panics-at-once" => panic!("sink boom"),
            "receives-twice" => {
                let _first = receive()?;
                return receive().map(drop);
            }
            _ => {}
        }
        loop {
            let received = receive();
            if let (Err(Error::Cancelled(why)), "tells-cancellation") = (&received, mode.as_str()) {
                progress::log(
                    progress::Level::Warn,
                    &format!("told: {why}, {}", session::cancelled()),
                );
            }
            if mode == "ignores-cancellation" && received.is_err() {
                sleep();
            }
            let Some(artifact) = received? else { break };
            match mode.as_str() {
                "reads" | "tells-cancellation" | "ignores-cancellation" => {
                    let result = read(&mut taken, &artifact, chunk);
                    if let (Err(Error::Cancelled(why)), true) =
                        (&result, mode == "tells-cancellation")
                    {
                        progress::log(
                            progress::Level::Warn,
                            &format!("told: {why}, {}", session::cancelled()),
                        );
                    }
                    if mode == "ignores-cancellation" && result.is_err() {
                        sleep();
                    }
                    result?;
                }
                "warns-when-cancelled" => {
                    if let Err(Error::Cancelled(_)) = read(&mut taken, &artifact, chunk) {
                        return Err(Error::DataLossRisk("half of it may be there".to_owned()));
                    }
                }
                "discards" => {
                    taken.bytes += artifact.body.discard()?;
                    taken.artifacts += 1;
                }
                "reads-stdin" => {
                    as_stdin(artifact.body)?;
                    let mut all = Vec::new();
                    match std::io::stdin().lock().read_to_end(&mut all) {
                        Ok(_) => taken.run(0, &all),
                        Err(error) => return Err(Error::ExternalFailed(format!("stdin: {error}"))),
                    }
                    taken.artifacts += 1;
                }
                "reads-half-of-stdin" => {
                    as_stdin(artifact.body)?;
                    let mut some = [0_u8; 16];
                    let _ = std::io::stdin().lock().read(&mut some);
                    return Ok(());
                }
                "reads-first-run-only" => {
                    let _ = artifact.body.read(chunk)?;
                    return Ok(());
                }
                "reads-all-but-the-end" => {
                    let size = artifact.header.size.unwrap_or_default();
                    while taken.bytes < size {
                        let bytes = artifact.body.read(chunk)?.unwrap_or_default();
                        taken.run(taken.bytes, &bytes);
                    }
                    taken.artifacts += 1;
                }
                "drops-bodies" => drop(artifact),
                "swallows-errors" => {
                    let _ = read(&mut taken, &artifact, chunk);
                    return Ok(());
                }
                "fails-after-first-run" => {
                    let _ = artifact.body.read(chunk)?;
                    return Err(Error::ExternalFailed("no space".to_owned()));
                }
                "sleeps-after-first-run" => {
                    let _ = artifact.body.read(chunk)?;
                    sleep();
                }
                "hands-back-slowly" => {
                    while let Some(bytes) = artifact.body.read(chunk)? {
                        taken.bytes += bytes.len() as u64;
                        std::thread::sleep(std::time::Duration::from_millis(number("pause", 1)));
                    }
                    taken.artifacts += 1;
                }
                mode => panic!("unknown mode {mode}"),
            }
        }
        taken.tell();
        Ok(())
    }
}
