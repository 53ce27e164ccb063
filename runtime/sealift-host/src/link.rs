//! What a Function gets: its imports compared with its grants, then linked one by one.
//!
//! Two keys: the descriptor asks, the grant allows. What a component imports and was not granted
//! is refused before anything is linked, with the line of YAML that is missing; what was not
//! imported is not linked either. Degrees of a grant are checked in `capability` and `network`.

use sealift_core::grants::{Grants, HttpGrant, RepositoryGrant};
use sealift_core::plan::Kind;
use wasmtime::component::Linker;

use crate::capability::{
    artifacts, downstream, key_store, outcomes, parameters, progress, repository_reader,
    repository_writer, session, upstream, wasi_streams,
};
use crate::descriptor::Descriptor;
use crate::engine::Host;
use crate::error::FunctionError;
use crate::function::Function;
use crate::inspect::{CONTRACT, is_served};
use crate::state::State;
use crate::text;

/// Packages of WASI 0.2 that are always linked, and closed.
const BASE: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Interfaces of `wasi:http` that the grant `http` gives.
const HTTP: [&str; 2] = ["outgoing-handler", "types"];

/// What an import needs.
#[derive(Debug, Clone, Copy)]
enum Need {
    Nothing,
    /// One of ours that everybody gets.
    Ours(Adder),
    /// One of ours that belongs to some kinds.
    Kinds(&'static [Kind], Adder),
    Http,
    RepositoryWriter,
    RepositoryReader,
    Keys,
}

type Adder = fn(&mut Linker<State>) -> wasmtime::Result<()>;

/// What the grants and the requests of a Function have in common.
pub(crate) fn effective(function: &Function, grants: &Grants) -> Grants {
    function.descriptor().requests.intersection(grants)
}

/// Whether a Function can make requests at all.
pub(crate) fn imports_http(function: &Function) -> bool {
    function.imports().iter().any(|import| matches!(need(import), Ok(Need::Http)))
}

/// Refuses a Function that imports what it was not granted.
///
/// # Errors
/// Everything that is missing, each with the line to add.
pub(crate) fn check(
    descriptor: &Descriptor,
    imports: &[String],
    grants: &Grants,
) -> Result<(), FunctionError> {
    let requests = &descriptor.requests;
    let effective = requests.intersection(grants);
    let mut refusals: Vec<String> = Vec::new();
    for import in imports {
        let refusal = match need(import) {
            Err(refusal) => Some(refusal),
            Ok(Need::Nothing | Need::Ours(_)) => None,
            Ok(Need::Kinds(kinds, _)) if kinds.contains(&descriptor.kind) => None,
            Ok(Need::Kinds(kinds, _)) => {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
                Some(format!(
                    "a {} cannot import {import}; it is for: {}",
                    descriptor.kind.as_str(),
                    kinds.join(", ")
                ))
            }
            Ok(Need::Http) => (effective.http.is_empty())
                .then(|| missing(import, &http_line(requests), !requests.http.is_empty())),
            Ok(Need::RepositoryWriter) => {
                let asked = requests.repository == Some(RepositoryGrant::Write);
                (effective.repository != Some(RepositoryGrant::Write))
                    .then(|| missing(import, "repository: write", asked))
            }
            Ok(Need::RepositoryReader) => {
                let reads = |grant: Option<RepositoryGrant>| {
                    matches!(grant, Some(RepositoryGrant::ReadSelected | RepositoryGrant::ReadAll))
                };
                let line = match requests.repository {
                    Some(RepositoryGrant::ReadAll) => "repository: read-all",
                    _ => "repository: read-selected",
                };
                (!reads(effective.repository))
                    .then(|| missing(import, line, reads(requests.repository)))
            }
            Ok(Need::Keys) => {
                let line = match requests.unseal_keys {
                    Some(sealift_core::grants::KeyGrant::Read) => "unsealKeys: read",
                    Some(sealift_core::grants::KeyGrant::Write) => "unsealKeys: write",
                    _ => "unsealKeys: copy",
                };
                effective
                    .unseal_keys
                    .is_none()
                    .then(|| missing(import, line, requests.unseal_keys.is_some()))
            }
        };
        if let Some(refusal) = refusal.filter(|refusal| !refusals.contains(refusal)) {
            refusals.push(refusal);
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    Err(FunctionError::Denied(format!(
        "component {} cannot be started: {}",
        text::clean(&descriptor.name, 128),
        refusals.join("; ")
    )))
}

/// Compares the types of all imports with what would be linked. One that nobody has is not told
/// here: [`check`] refuses it, in the words of the grants.
///
/// # Errors
/// The first import of a known name and another type.
pub(crate) fn check_types(host: &Host, function: &Function) -> wasmtime::Result<()> {
    match linker(host, function) {
        Ok(linker) => linker.instantiate_pre(function.component()).map(drop),
        Err(_) => Ok(()),
    }
}

/// Links exactly what is imported. [`check`] has passed.
pub(crate) fn linker(host: &Host, function: &Function) -> Result<Linker<State>, FunctionError> {
    let mut linker = host.base();
    let mut http = false;
    for import in function.imports() {
        let added = match need(import).map_err(FunctionError::Denied)? {
            Need::Nothing => Ok(()),
            Need::Ours(add) | Need::Kinds(_, add) => add(&mut linker),
            Need::RepositoryWriter => repository_writer::add_to_linker(&mut linker),
            Need::RepositoryReader => repository_reader::add_to_linker(&mut linker),
            Need::Keys => key_store::add_to_linker(&mut linker),
            // Its two interfaces are linked together.
            Need::Http if http => Ok(()),
            Need::Http => {
                http = true;
                wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)
            }
        };
        added.map_err(|error| FunctionError::Internal(format!("linking {import}: {error:#}")))?;
    }
    Ok(linker)
}

fn missing(import: &str, line: &str, asked: bool) -> String {
    let import = import.split('@').next().unwrap_or(import);
    if asked {
        format!(
            "it imports {import} and was not granted it; add `{line}` to spec.permissions of the Function"
        )
    } else {
        format!(
            "it imports {import} and does not ask for it; add `{line}` to the requests of its descriptor \
             and to spec.permissions of the Function"
        )
    }
}

/// The line for the network, as the descriptor asks for it.
fn http_line(requests: &Grants) -> String {
    let entry = |grant: &HttpGrant| {
        let paths: Vec<String> = grant.paths.iter().map(|path| format!("{path:?}")).collect();
        format!(
            "{{name: {}, methods: [{}], paths: [{}]}}",
            grant.name,
            grant.methods.join(", "),
            paths.join(", ")
        )
    };
    if requests.http.is_empty() {
        return "http: [{name: target, methods: [GET], paths: [\"/…\"]}]".to_owned();
    }
    let entries: Vec<String> = requests.http.iter().map(entry).collect();
    format!("http: [{}]", entries.join(", "))
}

fn need(import: &str) -> Result<Need, String> {
    let shown = text::clean(import, 256);
    let unknown = || Err(format!("it imports {shown}, which this host does not have"));
    let Some((path, version)) = import.split_once('@') else {
        return unknown();
    };
    let Some((package, interface)) = path.split_once('/') else {
        return unknown();
    };
    if let Some(wasi) = package.strip_prefix("wasi:") {
        if !version.starts_with("0.2.") {
            return Err(format!(
                "it imports {shown}, and this host has WASI 0.2; build it for wasm32-wasip2"
            ));
        }
        return match wasi {
            wasi if BASE.contains(&wasi) => Ok(Need::Nothing),
            "http" if HTTP.contains(&interface) => Ok(Need::Http),
            _ => unknown(),
        };
    }
    if package != "sealift:function" {
        return unknown();
    }
    if !is_served(version) {
        return Err(format!(
            "it imports {shown}, and this host serves contract {CONTRACT}; build it again with an SDK for {CONTRACT}"
        ));
    }
    match interface {
        // Types only.
        "errors" => Ok(Need::Nothing),
        "artifacts" => Ok(Need::Ours(artifacts::add_to_linker)),
        "parameters" => Ok(Need::Ours(parameters::add_to_linker)),
        "progress" => Ok(Need::Ours(progress::add_to_linker)),
        "session" => Ok(Need::Ours(session::add_to_linker)),
        "wasi-streams" => Ok(Need::Ours(wasi_streams::add_to_linker)),
        "upstream" => Ok(Need::Kinds(&[Kind::Transform, Kind::Sink], upstream::add_to_linker)),
        "downstream" => {
            Ok(Need::Kinds(&[Kind::Source, Kind::Transform], downstream::add_to_linker))
        }
        "outcomes" => Ok(Need::Kinds(&[Kind::Observer], outcomes::add_to_linker)),
        "repository-writer" => Ok(Need::RepositoryWriter),
        "repository-reader" => Ok(Need::RepositoryReader),
        "key-store" => Ok(Need::Keys),
        _ => unknown(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_import_is_known_or_refused_in_words() {
        assert!(matches!(need("wasi:cli/environment@0.2.3"), Ok(Need::Nothing)));
        assert!(matches!(need("wasi:http/types@0.2.12"), Ok(Need::Http)));
        assert!(matches!(need("sealift:function/key-store@0.1.0"), Ok(Need::Keys)));
        assert!(matches!(need("sealift:function/progress@0.1.9"), Ok(Need::Ours(_))));
        for (import, words) in [
            ("wasi:cli/environment@0.3.0", "WASI 0.2"),
            ("wasi:http/incoming-handler@0.2.0", "does not have"),
            ("wasi:keyvalue/store@0.2.0", "does not have"),
            ("sealift:function/progress@0.2.0", "serves contract 0.1.0"),
            ("sealift:function/shell@0.1.0", "does not have"),
            ("env", "does not have"),
            ("other:thing/x@1.0.0", "does not have"),
        ] {
            let text = need(import).unwrap_err();
            assert!(text.contains(words), "{import}: {text}");
        }
    }

    #[test]
    fn what_is_for_other_kinds_and_what_nobody_has_starts_nothing() {
        let of = |kind| Descriptor {
            kind,
            ..serde_json::from_value(serde_json::json!({
                "name": "x", "version": "1", "kind": "source", "contract": CONTRACT,
            }))
            .unwrap()
        };
        for (kind, import, words) in [
            (Kind::Source, "sealift:function/upstream@0.1.0", "a source cannot import"),
            (Kind::Sink, "sealift:function/downstream@0.1.0", "a sink cannot import"),
            (Kind::Sink, "sealift:function/outcomes@0.1.0", "a sink cannot import"),
            (Kind::Sink, "wasi:keyvalue/store@0.2.0", "does not have"),
        ] {
            let error = check(&of(kind), &[import.to_owned()], &Grants::default()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let own = ["sealift:function/upstream@0.1.0".to_owned()];
        check(&of(Kind::Sink), &own, &Grants::default()).unwrap();
    }
}
