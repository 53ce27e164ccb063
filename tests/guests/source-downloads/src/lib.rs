//! A source that makes the request its parameters name and sends the answer on, one way or another.

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
    "package tests:guest; world guest { include sealift:function/source-function@0.1.0; include sealift:function/with-http@0.1.0; }"
);

use bindings::sealift::function::artifacts::Header;
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::progress::{Level, log, phase, statistic};
use bindings::sealift::function::wasi_streams::{error_of, from_stream};
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use bindings::wasi::io::streams::StreamError;

fn external(what: impl std::fmt::Debug) -> Error {
    Error::ExternalFailed(format!("{what:?}"))
}

fn request() -> Result<IncomingResponse, Error> {
    let headers = Fields::new();
    for line in parameters::items("headers")?.unwrap_or_default() {
        let (name, value) = line.split_once('=').unwrap_or((&line, ""));
        headers.append(name, value.as_bytes()).map_err(external)?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match text("method").as_str() {
        "" | "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        other => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(external)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(external)?;
    request.set_authority(Some(&text("host"))).map_err(external)?;
    request.set_path_with_query(Some(&text("path"))).map_err(external)?;
    let content = text("content");
    let body = request.body().map_err(external)?;
    let pending = if content.is_empty() {
        drop(body);
        handle(request_again(&request)?, None).map_err(external)?
    } else {
        let pending = handle(request, None).map_err(external)?;
        {
            let stream = body.write().map_err(external)?;
            stream.blocking_write_and_flush(content.as_bytes()).map_err(external)?;
        }
        OutgoingBody::finish(body, None).map_err(external)?;
        pending
    };
    pending.subscribe().block();
    pending.get().ok_or_else(|| external("no answer"))?.map_err(external)?.map_err(external)
}

/// The same request without a body: a request whose body was asked for has one.
fn request_again(request: &OutgoingRequest) -> Result<OutgoingRequest, Error> {
    let again =
        OutgoingRequest::new(Fields::from_list(&request.headers().entries()).map_err(external)?);
    again.set_method(&request.method()).map_err(external)?;
    again.set_scheme(request.scheme().as_ref()).map_err(external)?;
    again.set_authority(request.authority().as_deref()).map_err(external)?;
    again.set_path_with_query(request.path_with_query().as_deref()).map_err(external)?;
    Ok(again)
}

fn length(response: &IncomingResponse) -> Option<u64> {
    let values = response.headers().get("content-length");
    values.first().and_then(|value| String::from_utf8_lossy(value).parse().ok())
}

/// Reads an answer to its end, as text.
fn said(response: &IncomingResponse) -> Result<String, Error> {
    let body = response.consume().map_err(external)?;
    let stream = body.stream().map_err(external)?;
    let mut said = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) => said.extend(bytes),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&said).into_owned()),
            Err(error) => return Err(external(error)),
        }
    }
}

/// Repeats what a server said wherever a Function can say something.
fn repeat(said: &str) -> Result<(), Error> {
    log(Level::Warn, said);
    phase(said);
    statistic(said, 1.0);
    eprintln!("{said}");
    let attributes = vec![("early".to_owned(), said.to_owned())];
    let outgoing = send(&Header { name: "answer".to_owned(), size: None, attributes })?;
    outgoing.set_attribute("late", said)?;
    outgoing.finish().map(drop)
}

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let mode = text("mode");
        if mode == "hoards-handles" {
            let kept: Vec<Fields> = (0..number("count", 1)).map(|_| Fields::new()).collect();
            return send(&Header {
                name: format!("{} handles", kept.len()),
                size: None,
                attributes: Vec::new(),
            })?
            .finish()
            .map(drop);
        }
        let mut answers = Vec::new();
        for _ in 0..number("times", 1) {
            match request() {
                Err(_) if mode == "hides-the-reason" => {
                    return Err(Error::ExternalFailed("something went wrong".to_owned()));
                }
                Err(_) if mode == "goes-on" => {}
                answer => answers.push(answer?),
            }
        }
        let Some(response) = answers.pop() else { return Ok(()) };
        drop(answers);
        let size = length(&response);
        let header = |size| Header {
            name: "answer".to_owned(),
            size,
            attributes: vec![("status".to_owned(), response.status().to_string())],
        };
        match mode.as_str() {
            "forwards" | "hides-the-reason" | "goes-on" => {
                let outgoing = send(&header(size))?;
                let body = response.consume().map_err(external)?;
                let stream = body.stream().map_err(external)?;
                outgoing.forward(from_stream(stream, size)?)?;
                outgoing.finish().map(drop)
            }
            // The head and the body's handle go before the first byte is read.
            "drops-the-head" => {
                let outgoing = send(&header(size))?;
                let body = response.consume().map_err(external)?;
                let stream = body.stream().map_err(external)?;
                let bytes = from_stream(stream, size)?;
                drop(body);
                drop(response);
                outgoing.forward(bytes)?;
                outgoing.finish().map(drop)
            }
            "copies" => {
                let outgoing = send(&header(size))?;
                let body = response.consume().map_err(external)?;
                let stream = body.stream().map_err(external)?;
                loop {
                    match stream.blocking_read(64 << 10) {
                        Ok(bytes) => outgoing.write(&bytes)?,
                        Err(StreamError::Closed) => break,
                        Err(StreamError::LastOperationFailed(error)) => {
                            return Err(error_of(&error)
                                .unwrap_or_else(|| external(error.to_debug_string())));
                        }
                    }
                }
                outgoing.finish().map(drop)
            }
            "repeats-the-answer" | "panics-with-the-answer" => {
                let said = said(&response)?;
                repeat(&said)?;
                assert!(mode != "panics-with-the-answer", "{said}");
                Err(Error::ExternalFailed(said))
            }
            "fails-with-the-answer" => Err(Error::ExternalFailed(said(&response)?)),
            "names-by-the-answer" | "leaves-what-it-named" => {
                let name = said(&response)?;
                let _outgoing = send(&Header { name, size: None, attributes: Vec::new() })?;
                match mode.as_str() {
                    "leaves-what-it-named" => Ok(()),
                    _ => Err(Error::ExternalFailed("it gave up".to_owned())),
                }
            }
            // A wrong length, as a server or a careless author would give it.
            "expects-one-more" => {
                let outgoing = send(&header(None))?;
                let body = response.consume().map_err(external)?;
                let stream = body.stream().map_err(external)?;
                outgoing.forward(from_stream(stream, size.map(|size| size + 1))?)?;
                outgoing.finish().map(drop)
            }
            "keeps-a-pollable" | "leaks-a-pollable" => {
                let body = response.consume().map_err(external)?;
                let stream = body.stream().map_err(external)?;
                let pollable = stream.subscribe();
                let made = from_stream(stream, size).map(drop);
                if mode == "leaks-a-pollable" {
                    std::mem::forget((pollable, body));
                }
                made
            }
            mode => panic!("unknown mode {mode}"),
        }
    }
}
