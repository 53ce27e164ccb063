//! A source that calls every function of the contract a source can call, and sends on what it was
//! told, for a test to compare.
//!
//! It is built against version 0.1.0, which never changes; the host's tests run it.

#![allow(unsafe_code, reason = "the macro of the exports makes unsafe functions")]

guest_contract::guest!(
    source,
    "package tests:guest; world guest { include sealift:function/source-function@0.1.0; include sealift:function/with-http@0.1.0; include sealift:function/with-repository-reader@0.1.0; include sealift:function/with-key-store@0.1.0; }"
);

use std::io::Write;

use bindings::sealift::function::artifacts::{Body, Header};
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::progress::{self, Level};
use bindings::sealift::function::repository_reader;
use bindings::sealift::function::wasi_streams::{error_of, from_stream};
use bindings::sealift::function::{key_store, session};
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{Fields, IncomingResponse, Method, OutgoingRequest, Scheme};
use bindings::wasi::io::streams::StreamError;

impl Guest for Function {
    fn run() -> Result<(), Error> {
        progress::phase("calling everything");
        progress::total(100);
        told()?;
        printed()?;
        fetched()?;
        restored()?;
        for name in key_store::names()? {
            forwarded(&format!("key/{name}"), key_store::open(&name)?)?;
        }
        progress::advance(100);
        progress::statistic("answers", 2.0);
        progress::log(Level::Info, "all was called");
        Ok(())
    }
}

fn header(name: &str, size: Option<u64>) -> Header {
    let attributes = vec![("made-by".to_owned(), "contract-source".to_owned())];
    Header { name: name.to_owned(), size, attributes }
}

fn forwarded(name: &str, body: Body) -> Result<(), Error> {
    let outgoing = send(&header(name, body.size()))?;
    outgoing.forward(body)?;
    outgoing.finish().map(drop)
}

fn written(name: &str, content: &str) -> Result<(), Error> {
    let outgoing = send(&header(name, Some(content.len() as u64)))?;
    outgoing.write(content.as_bytes())?;
    outgoing.set_attribute("late", "yes")?;
    outgoing.finish().map(drop)
}

/// Parameters and facts.
fn told() -> Result<(), Error> {
    let lines = [
        format!("text {:?}", parameters::text("text")?),
        format!("integer {:?}", parameters::integer("integer")?),
        format!("boolean {:?}", parameters::boolean("boolean")?),
        format!("items {:?}", parameters::items("items")?),
        format!("json {}", parameters::json()),
        format!("driver {:?}", session::fact("driver")),
        format!("facts {:?}", session::facts()),
        format!("cancelled {}", session::cancelled()),
    ];
    written("told", &lines.join("\n"))
}

/// By standard output.
fn printed() -> Result<(), Error> {
    let content = b"printed\n";
    let outgoing = send(&header("printed", Some(content.len() as u64)))?;
    outgoing.as_stdout()?;
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(content)
        .and_then(|()| stdout.flush())
        .map_err(|error| Error::ExternalFailed(error.to_string()))?;
    outgoing.finish().map(drop)
}

/// Two answers: one that the host moves, one that is read here.
fn fetched() -> Result<(), Error> {
    let response = answer("/moved")?;
    let body = response.consume().map_err(external)?;
    let stream = body.stream().map_err(external)?;
    let outgoing = send(&header("moved", None))?;
    outgoing.expect_digest("sha256", &parameters::text("digest")?.unwrap_or_default())?;
    outgoing.forward(from_stream(stream, None)?)?;
    outgoing.finish()?;

    let response = answer("/read")?;
    let body = response.consume().map_err(external)?;
    let stream = body.stream().map_err(external)?;
    let outgoing = send(&header("read", None))?;
    loop {
        match stream.blocking_read(7) {
            Ok(bytes) => outgoing.write(&bytes)?,
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(error_of(&error).unwrap_or_else(|| external(error.to_debug_string())));
            }
        }
    }
    outgoing.finish().map(drop)
}

fn answer(path: &str) -> Result<IncomingResponse, Error> {
    let headers = Fields::new();
    headers.append("accept", b"text/plain").map_err(external)?;
    let request = OutgoingRequest::new(headers);
    request.set_method(&Method::Get).map_err(external)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(external)?;
    request.set_authority(Some("target")).map_err(external)?;
    request.set_path_with_query(Some(path)).map_err(external)?;
    let pending = handle(request, None).map_err(external)?;
    pending.subscribe().block();
    pending.get().ok_or_else(|| external("no answer"))?.map_err(external)?.map_err(external)
}

/// The files of a snapshot, and what is known of it.
fn restored() -> Result<(), Error> {
    let selected = repository_reader::selected()?;
    let ids = repository_reader::list(&[], None, 10)?;
    let first = repository_reader::open(ids.first().map_or("none", String::as_str))?;
    let mut lines = vec![
        format!("selected {} {:?}", selected.id(), selected.attributes()),
        format!("all {ids:?}, the first {}", first.id()),
    ];
    let entries = selected.entries("", None, 100)?;
    lines.extend(entries.iter().map(|it| format!("{} {} {}", it.kind, it.size, it.path)));
    written("snapshot", &lines.join("\n"))?;
    for entry in entries {
        forwarded(&entry.path, selected.open(&entry.path)?)?;
    }
    Ok(())
}

fn external(what: impl std::fmt::Debug) -> Error {
    Error::ExternalFailed(format!("{what:?}"))
}
