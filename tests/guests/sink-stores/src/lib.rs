//! A sink that writes a snapshot, or leaves one half written in the way parameter `mode` says.

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
    "package tests:guest; world guest { include sealift:function/sink-function@0.1.0; include sealift:function/with-repository-writer@0.1.0; }"
);

use bindings::sealift::function::repository_writer::begin;
use bindings::sealift::function::upstream::receive;

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mode = text("mode");
        let snapshot = begin()?;
        match mode.as_str() {
            "takes-the-hosts-tag" => snapshot.add_tag("sealift.target=mine")?,
            "climbs-out" => drop(snapshot.create("../escape", None)?),
            "begins-twice" => drop(begin()?),
            _ => snapshot.add_tag("tested")?,
        }
        snapshot.set_label("label")?;
        while let Some(artifact) = receive()? {
            let file = snapshot.create(&artifact.header.name, artifact.header.size)?;
            match mode.as_str() {
                "copies" => {
                    while let Some(bytes) = artifact.body.read(64 << 10)? {
                        file.write(&bytes)?;
                    }
                }
                "writes-more" => {
                    file.forward(artifact.body)?;
                    file.write(b"x")?;
                }
                "tags-content" => {
                    let bytes = artifact.body.read(64 << 10)?.unwrap_or_default();
                    snapshot.add_tag(&String::from_utf8_lossy(&bytes))?;
                    file.write(&bytes)?;
                    artifact.body.discard()?;
                }
                "stages-half" => {
                    let bytes = artifact.body.read(16)?.unwrap_or_default();
                    file.write(&bytes)?;
                    artifact.body.discard()?;
                    drop(file);
                    let _ = snapshot.stage();
                    return Ok(());
                }
                "stages-anything" => {
                    let _ = file.forward(artifact.body);
                    let _ = file.finish();
                    let _ = snapshot.stage();
                    return Ok(());
                }
                _ => drop(file.forward(artifact.body)?),
            }
            file.finish()?;
        }
        if mode != "never-stages" {
            snapshot.stage()?;
        }
        Ok(())
    }
}
