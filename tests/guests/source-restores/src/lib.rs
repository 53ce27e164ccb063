//! A source that sends the files of the selected snapshot, or reaches for all snapshots.

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
    "package tests:guest; world guest { include sealift:function/source-function@0.1.0; include sealift:function/with-repository-reader@0.1.0; }"
);

use bindings::sealift::function::artifacts::Header;
use bindings::sealift::function::downstream::send;
use bindings::sealift::function::repository_reader;

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
