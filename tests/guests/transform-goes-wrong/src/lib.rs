//! A transform that copies or forwards artifacts, or goes wrong in the way parameter `mode` says.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the macro of the exports makes unsafe functions; going wrong is what a guest is for"
)]

guest_contract::guest!(
    transform,
    "package tests:guest; world guest { include sealift:function/transform-function@0.1.0; }"
);

use bindings::sealift::function::artifacts::as_stdin;
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::upstream::receive;

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mode = text("mode");
        while let Some(artifact) = receive()? {
            let outgoing = send(&artifact.header)?;
            match mode.as_str() {
                "copies" => {
                    while let Some(bytes) = artifact.body.read(256 << 10)? {
                        outgoing.write(&bytes)?;
                    }
                }
                "forwards" => drop(outgoing.forward(artifact.body)?),
                "copies-by-stdio" => {
                    as_stdin(artifact.body)?;
                    outgoing.as_stdout()?;
                    let mut stdout = std::io::stdout().lock();
                    // Without the flush the last line stays in the language's own buffer.
                    let copied = std::io::copy(&mut std::io::stdin().lock(), &mut stdout)
                        .and_then(|_| std::io::Write::flush(&mut stdout));
                    if let Err(error) = copied {
                        return Err(Error::ExternalFailed(format!("stdio: {error}")));
                    }
                }
                // What a careless author writes: errors are dropped, and the artifact is finished.
                "swallows-errors" => drop(outgoing.forward(artifact.body)),
                mode => panic!("unknown mode {mode}"),
            }
            let finished = outgoing.finish();
            if mode != "swallows-errors" {
                finished?;
            }
        }
        Ok(())
    }
}
