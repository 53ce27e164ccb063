//! A transform that calls every function of the contract a transform can call, each artifact in the
//! way its name says.
//!
//! It is built against version 0.1.0, which never changes; the host's tests run it.

#![allow(unsafe_code, reason = "the macro of the exports makes unsafe functions")]

guest_contract::guest!(
    transform,
    "package tests:guest; world guest { include sealift:function/transform-function@0.1.0; }"
);

use std::io::Write;

use bindings::sealift::function::artifacts::{Header, as_stdin};
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::progress;
use bindings::sealift::function::upstream::{Artifact, receive};

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mut artifacts = 0.0;
        while let Some(artifact) = receive()? {
            pass(artifact)?;
            artifacts += 1.0;
        }
        progress::statistic("artifacts", artifacts);
        Ok(())
    }
}

fn pass(artifact: Artifact) -> Result<(), Error> {
    let Artifact { header, body } = artifact;
    let name = header.name;
    // What was read is told by its size, which is another one.
    let size = if name == "read" { None } else { body.size() };
    let outgoing = send(&Header { name: name.clone(), size, attributes: header.attributes })?;
    match name.as_str() {
        "told" => {
            while let Some(bytes) = body.read(7)? {
                outgoing.write(&bytes)?;
            }
            // Those that were set late come with the end.
            for (name, value) in body.attributes().iter().filter(|(name, _)| name == "late") {
                outgoing.set_attribute(name, value)?;
            }
        }
        "printed" => {
            as_stdin(body)?;
            outgoing.as_stdout()?;
            let mut stdout = std::io::stdout().lock();
            std::io::copy(&mut std::io::stdin().lock(), &mut stdout)
                .and_then(|_| stdout.flush())
                .map_err(|error| Error::ExternalFailed(error.to_string()))?;
        }
        "read" => {
            let bytes = body.discard()?;
            outgoing.write(format!("{bytes} bytes were read").as_bytes())?;
        }
        _ => drop(outgoing.forward(body)?),
    }
    outgoing.finish().map(drop)
}
