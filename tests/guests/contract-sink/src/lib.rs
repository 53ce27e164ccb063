//! A sink that calls every function of the contract a sink can call: keys go back to their store,
//! one artifact to a server, the others into a snapshot.
//!
//! It is built against version 0.1.0, which never changes; the host's tests run it.

#![allow(unsafe_code, reason = "the macro of the exports makes unsafe functions")]

guest_contract::guest!(
    sink,
    "package tests:guest; world guest { include sealift:function/sink-function@0.1.0; include sealift:function/with-http@0.1.0; include sealift:function/with-repository-writer@0.1.0; include sealift:function/with-key-store@0.1.0; }"
);

use bindings::sealift::function::artifacts::Body;
use bindings::sealift::function::key_store;
use bindings::sealift::function::repository_writer::{File, begin};
use bindings::sealift::function::upstream::receive;
use bindings::sealift::function::wasi_streams::{drain, error_of, to_stream};
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
use bindings::wasi::io::streams::StreamError;

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let snapshot = begin()?;
        snapshot.add_tag("contract")?;
        snapshot.set_label("0.1.0")?;
        while let Some(artifact) = receive()? {
            let (name, body) = (artifact.header.name, artifact.body);
            if let Some(key) = name.strip_prefix("key/") {
                key_store::put(key, body)?;
                continue;
            }
            if name == "moved" {
                uploaded(body)?;
                continue;
            }
            let file = snapshot.create(&name, body.size())?;
            if name == "printed" {
                streamed(&file, body)?;
            } else {
                file.forward(body)?;
            }
            file.finish()?;
        }
        snapshot.stage()?;
        key_store::commit()
    }
}

/// Through a stream of WASI.
fn streamed(file: &File, body: Body) -> Result<(), Error> {
    let stream = to_stream(body);
    loop {
        match stream.blocking_read(3) {
            Ok(bytes) => file.write(&bytes)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(error_of(&error).unwrap_or_else(|| external(error.to_debug_string())));
            }
        }
    }
}

fn uploaded(content: Body) -> Result<(), Error> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Put).map_err(external)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(external)?;
    request.set_authority(Some("target")).map_err(external)?;
    request.set_path_with_query(Some("/upload")).map_err(external)?;
    let body = request.body().map_err(external)?;
    let stream = body.write().map_err(external)?;
    let pending = handle(request, None).map_err(external)?;
    drain(content, &stream)?;
    drop(stream);
    OutgoingBody::finish(body, None).map_err(external)?;
    pending.subscribe().block();
    let answer = pending.get().ok_or_else(|| external("no answer"))?;
    let status = answer.map_err(external)?.map_err(external)?.status();
    if status == 200 { Ok(()) } else { Err(external(status)) }
}

fn external(what: impl std::fmt::Debug) -> Error {
    Error::ExternalFailed(format!("{what:?}"))
}
