//! A source that hands keys on, or tries to see or replace them in the way parameter `mode` says.

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
    "package tests:guest; world guest { include sealift:function/source-function@0.1.0; include sealift:function/with-key-store@0.1.0; }"
);

use bindings::sealift::function::artifacts::{Header, as_stdin};
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::key_store;

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mode = text("mode");
        let names = key_store::names()?;
        for name in &names {
            let body = key_store::open(name)?;
            match mode.as_str() {
                "hands-on" => {
                    let outgoing = send(&Header {
                        name: name.clone(),
                        size: body.size(),
                        attributes: vec![],
                    })?;
                    outgoing.forward(body)?;
                    outgoing.finish()?;
                }
                // A key between bytes of its own.
                "mixes" => {
                    let outgoing =
                        send(&Header { name: name.clone(), size: None, attributes: vec![] })?;
                    outgoing.write(b"before ")?;
                    outgoing.forward(body)?;
                    outgoing.write(b" after")?;
                    outgoing.finish()?;
                }
                // What the digest is, the error might tell.
                "guesses" => {
                    let outgoing =
                        send(&Header { name: name.clone(), size: None, attributes: vec![] })?;
                    outgoing.expect_digest("sha256", &"0".repeat(64))?;
                    outgoing.forward(body)?;
                    outgoing.finish()?;
                }
                "reads" => {
                    let value = body.read(1 << 20)?.unwrap_or_default();
                    let outgoing =
                        send(&Header { name: name.clone(), size: None, attributes: vec![] })?;
                    outgoing.write(&value)?;
                    outgoing.finish()?;
                }
                "reads-by-stdin" => as_stdin(body)?,
                "swaps" => key_store::put(name, key_store::open(names.last().unwrap_or(name))?)?,
                mode => panic!("unknown mode {mode}"),
            }
        }
        if mode == "swaps" {
            key_store::commit()?;
        }
        Ok(())
    }
}
