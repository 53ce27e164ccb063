//! A sink that uploads every artifact with PUT, by the host's pump or by copying. With mode
//! `completes-anything` it ends the request properly even when the artifact broke off.

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
    "package tests:guest; world guest { include sealift:function/sink-function@0.1.0; include sealift:function/with-http@0.1.0; }"
);

use bindings::sealift::function::upstream::receive;
use bindings::sealift::function::wasi_streams::drain;
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

fn external(what: impl std::fmt::Debug) -> Error {
    Error::ExternalFailed(format!("{what:?}"))
}

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mode = text("mode");
        while let Some(artifact) = receive()? {
            let headers = Fields::new();
            if let (true, Some(size)) = (mode == "declares-length", artifact.header.size) {
                headers.append("content-length", size.to_string().as_bytes()).map_err(external)?;
            }
            let request = OutgoingRequest::new(headers);
            request.set_method(&Method::Put).map_err(external)?;
            request.set_scheme(Some(&Scheme::Http)).map_err(external)?;
            request.set_authority(Some("target")).map_err(external)?;
            let path = format!("/upload/{}", artifact.header.name);
            request.set_path_with_query(Some(&path)).map_err(external)?;
            let body = request.body().map_err(external)?;
            let stream = body.write().map_err(external)?;
            let pending = handle(request, None).map_err(external)?;
            match mode.as_str() {
                "drains" | "declares-length" => drop(drain(artifact.body, &stream)?),
                "copies" => {
                    while let Some(bytes) = artifact.body.read(4096)? {
                        stream.blocking_write_and_flush(&bytes).map_err(external)?;
                    }
                }
                "completes-anything" => {
                    while let Ok(Some(bytes)) = artifact.body.read(4096) {
                        let _ = stream.blocking_write_and_flush(&bytes);
                    }
                }
                "writes-too-much-at-once" => {
                    stream.blocking_write_and_flush(&[0; 5000]).map_err(external)?;
                }
                mode => panic!("unknown mode {mode}"),
            }
            drop(stream);
            OutgoingBody::finish(body, None).map_err(external)?;
            pending.subscribe().block();
            let response = pending
                .get()
                .ok_or_else(|| external("no answer"))?
                .map_err(external)?
                .map_err(external)?;
            if response.status() != 200 {
                return Err(external(response.status()));
            }
        }
        Ok(())
    }
}
