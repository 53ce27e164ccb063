//! A source that sends the files of the selected snapshot, or reaches for all snapshots, or leaves
//! an upload under way.

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
    "package tests:guest; world guest { include sealift:function/source-function@0.1.0; include sealift:function/with-repository-reader@0.1.0; include sealift:function/with-http@0.1.0; }"
);

use bindings::sealift::function::artifacts::Header;
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::progress::phase;
use bindings::sealift::function::repository_reader::{self, Snapshot};
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{Fields, Method, OutgoingRequest, Scheme};

/// Begins an upload and waits for ever. In the host's table, which ends from its front, stand the
/// upload's body, a file of the snapshot and the answer, in this order.
fn leave_an_upload(snapshot: &Snapshot) -> Result<(), Error> {
    let external = |what: &str| Error::ExternalFailed(what.to_owned());
    let (front, behind) = (Fields::new(), Fields::new());
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Put).map_err(|()| external("the method"))?;
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| external("the scheme"))?;
    request.set_authority(Some("target")).map_err(|()| external("the name"))?;
    request.set_path_with_query(Some("/upload")).map_err(|()| external("the path"))?;
    // The place that was freed last is taken first.
    drop(behind);
    drop(front);
    let body = request.body().map_err(|()| external("the body"))?;
    let file = snapshot.open("a")?;
    let pending = handle(request, None).map_err(|_| external("the request"))?;
    {
        let stream = body.write().map_err(|()| external("the stream"))?;
        stream.blocking_write_and_flush(b"half").map_err(|_| external("writing"))?;
    }
    phase("under way");
    pending.subscribe().block();
    drop((body, file));
    Ok(())
}

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let snapshot = match parameters::text("mode")?.as_deref() {
            Some("lists-all") => {
                let found = repository_reader::list(&[], None, 10)?;
                repository_reader::open(found.first().map_or("none", String::as_str))?
            }
            _ => repository_reader::selected()?,
        };
        let mut kept = Vec::new();
        let mode = text("mode");
        if mode == "leaves-an-upload" {
            return leave_an_upload(&snapshot);
        }
        if mode == "hoards" || mode == "reads-and-keeps" {
            for entry in snapshot.entries("", None, 1)? {
                for _ in 0..100 {
                    let body = snapshot.open(&entry.path)?;
                    if mode == "reads-and-keeps" {
                        body.discard()?;
                    }
                    kept.push(body);
                }
            }
        }
        for entry in snapshot.entries("", None, u32::MAX)? {
            let attributes = vec![("snapshot".to_owned(), snapshot.id())];
            let outgoing =
                send(&Header { name: entry.path.clone(), size: Some(entry.size), attributes })?;
            outgoing.forward(snapshot.open(&entry.path)?)?;
            outgoing.finish()?;
        }
        Ok(())
    }
}
