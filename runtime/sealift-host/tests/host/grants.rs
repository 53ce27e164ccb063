//! Grants: what was not granted is not there, and the refusal names the line that is missing.

use sealift_component::InspectError;
use sealift_core::grants::{Grants, RepositoryGrant};
use sealift_host::{
    Descriptor, FunctionError, LoadError, Stage, Status, check_grants, check_parameters, inspect,
};

use crate::guests::{bare, descriptor, function_with, host, http, run, stage};
use crate::ports::{Repository, network, plain};
use crate::server::{ok, start};

async fn refusal(source: Stage, sink: Stage) -> String {
    let outcome = run(vec![source, sink], plain()).await;
    assert!(outcome.stages.iter().all(|stage| stage.status != Status::Succeeded));
    assert!(
        outcome.stages.iter().any(|stage| stage.status == Status::Skipped),
        "nothing was started"
    );
    match outcome.failure.unwrap().error {
        FunctionError::Denied(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ungranted_import_is_refused_with_the_line_to_add() {
    let source = || stage("source-goes-wrong", "good", &[]);
    let sink = || stage("sink-goes-wrong", "reads", &[]);
    let none = |stage: Stage| Stage { grants: Grants::default(), ..stage };
    for (source, sink, words) in [
        (
            none(stage("source-downloads", "forwards", &[])),
            sink(),
            "`http: [{name: target, methods: [GET, HEAD, POST, PUT], paths: [\"/*\"]}]` to spec.permissions",
        ),
        (source(), none(stage("sink-uploads", "drains", &[])), "imports wasi:http/"),
        (source(), none(stage("sink-stores", "forwards", &[])), "`repository: write`"),
        (none(stage("source-restores", "selected", &[])), sink(), "`repository: read-all`"),
        (none(stage("source-leaks-keys", "reads", &[])), sink(), "`unsealKeys: write`"),
    ] {
        let text = refusal(source, sink).await;
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_are_needed() {
    // The grant alone does not open what the component never asked for.
    let mut silent = descriptor("sink-stores");
    silent.requests = Grants::default();
    let mut sink = stage("sink-stores", "forwards", &[]);
    sink.function = function_with(&silent);
    sink.grants.repository = Some(RepositoryGrant::Write);
    let text = refusal(stage("source-goes-wrong", "good", &[]), sink).await;
    assert!(text.contains("does not ask for it") && text.contains("`repository: write`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_is_no_writing() {
    let mut sink = stage("sink-stores", "forwards", &[]);
    sink.grants.repository = Some(RepositoryGrant::ReadAll);
    let repository = Repository::default();
    let mut ports = plain();
    ports.repository_writer = Some(std::sync::Arc::new(repository.clone()));
    let outcome = run(vec![stage("source-goes-wrong", "good", &[]), sink], ports).await;
    assert!(outcome.failure.unwrap().to_string().contains("repository: write"));
    assert!(repository.written.lock().unwrap().files.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_is_closed() {
    let (mut ports, repository) = (plain(), Repository::default());
    ports.repository_writer = Some(std::sync::Arc::new(repository.clone()));
    let source = stage("source-goes-wrong", "looks-around", &[("count", "3")]);
    let outcome = run(vec![source, stage("sink-stores", "forwards", &[])], ports).await;
    assert_eq!(outcome.failure, None);
    let seen = String::from_utf8(repository.written.lock().unwrap().files[0].1.clone()).unwrap();
    assert_eq!(
        seen,
        "parameters {\"count\":3,\"host\":\"target\",\"mode\":\"looks-around\",\"path\":\"/\"}\n\
         fact driver=Restic\nmissing None cancelled false\nenv []\nargs []\n\
         read-dir refused\nwrite-file refused\nconnect refused\nresolve refused\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_starts_nothing() {
    let source = stage("source-goes-wrong", "good", &[("sise", "3")]);
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
    let failure = outcome.failure.unwrap();
    assert!(failure.to_string().contains("invalid parameter /sise: is unknown"), "{failure}");
    assert_eq!(outcome.stages[1].status, Status::Skipped);
}

#[test]
fn a_component_tells_what_it_is_without_being_compiled() {
    let descriptor = descriptor("sink-stores");
    let inspected = inspect(&descriptor.append_to(&bare("sink-stores")).unwrap()).unwrap();
    assert_eq!(inspected.descriptor, descriptor);
    assert_eq!(inspected.export, "sealift:function/sink@0.1.0");
    assert!(inspected.imports.contains(&"sealift:function/repository-writer@0.1.0".to_owned()));
    assert!(inspected.imports.iter().all(|import| !import.starts_with("wasi:http")));
    assert!(inspected.digest.starts_with("sha256:") && inspected.size > 10_000);
    check_grants(&inspected, &descriptor.requests).unwrap();
    let refused = check_grants(&inspected, &Grants::default()).unwrap_err();
    assert!(refused.to_string().contains("`repository: write`"), "{refused}");
    let given = [("size".to_owned(), "many".to_owned())].into();
    assert_eq!(check_parameters(&inspected, &given).unwrap_err().code(), "invalid-parameter");
}

#[test]
fn a_component_without_or_with_a_wrong_descriptor_is_not_loaded() {
    let wasm = bare("sink-stores");
    assert!(matches!(host().load(&wasm), Err(LoadError::Inspect(InspectError::NoDescriptor))));
    let wrong = descriptor("source-goes-wrong").append_to(&wasm).unwrap();
    assert!(matches!(
        host().load(&wrong),
        Err(LoadError::Inspect(InspectError::KindMismatch { .. }))
    ));
    let half = &wrong[..wrong.len() / 2];
    assert!(matches!(host().load(half), Err(LoadError::Inspect(InspectError::Parse(_)))));
}

#[test]
fn the_names_on_the_network_are_what_both_keys_have_in_common() {
    let ours = Grants { http: vec![http(&["GET", "PUT"], &["/v1/*"])], ..Grants::default() };
    let theirs = Grants { http: vec![http(&["GET"], &["/v1/sys/*"])], ..Grants::default() };
    assert_eq!(ours.intersection(&theirs), theirs);
}

/// Both keys count for every request, not only for the start.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_both_keys() {
    let server = start(|_| ok("x")).await;
    for (asked, granted) in [(&["GET"][..], &["GET", "POST"][..]), (&["GET", "POST"], &["GET"])] {
        let mut asking = descriptor("source-downloads");
        asking.requests.http = vec![http(asked, &["/*"])];
        for (method, fails) in [("GET", false), ("POST", true)] {
            let mut source = stage("source-downloads", "forwards", &[("method", method)]);
            source.function = function_with(&asking);
            source.grants.http = vec![http(granted, &["/*"])];
            let sink = stage("sink-goes-wrong", "reads", &[]);
            let outcome = run(vec![source, sink], network(&server.url)).await;
            let told = outcome.failure.map(|failure| failure.to_string());
            assert_eq!(told.is_some(), fails, "{asked:?} {granted:?} {method}: {told:?}");
            assert!(told.is_none_or(|told| told.contains("POST / on target is not granted")));
        }
    }
    assert!(server.seen().iter().all(|request| request.method == "GET"));
}

#[test]
fn a_descriptor_is_one_and_bounded_and_that_of_the_component_itself() {
    let (own, inner) = (descriptor("sink-stores"), descriptor("source-restores"));
    let bare = || bare("sink-stores");
    let once = own.append_to(&bare()).unwrap();
    let twice = own.append_to(&once).unwrap();
    assert!(matches!(inspect(&twice), Err(LoadError::Inspect(InspectError::SeveralDescriptors))));
    let long = Descriptor { summary: "x".repeat(64 << 10), ..own.clone() };
    let long = long.append_to(&bare()).unwrap();
    assert!(matches!(inspect(&long), Err(LoadError::Inspect(InspectError::LongDescriptor { .. }))));
    // Section 4 holds a component; its length is LEB128.
    let inside = inner.append_to(&crate::guests::bare("source-restores")).unwrap();
    let mut nested = once.clone();
    nested.push(4);
    let mut length = inside.len();
    while length > 0x7f {
        nested.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    nested.push(u8::try_from(length).unwrap());
    nested.extend_from_slice(&inside);
    let found = inspect(&nested).unwrap();
    assert_eq!((found.descriptor, found.imports), (own, inspect(&once).unwrap().imports));
}

/// Three bytes a level: whoever reads them as types calls itself until the process ends.
#[test]
fn a_component_that_would_harm_the_compiler_is_refused_by_name() {
    // A type section: one type, then types of components in each other, each of one declaration.
    let mut types = vec![1];
    for _ in 0..100_000 {
        types.extend_from_slice(&[0x41, 1, 1]);
    }
    types.push(0x7d);
    let descriptor = descriptor("sink-stores");
    let mut hostile = descriptor.append_to(&bare("sink-stores")).unwrap();
    wasm_encoder::ComponentSection::append_to_component(
        &wasm_encoder::RawSection { id: 7, data: &types },
        &mut hostile,
    );
    let Err(LoadError::Bounds { name, source }) = host().load(&hostile) else {
        panic!("it was compiled")
    };
    assert_eq!(name, "sink-stores");
    assert!(source.to_string().contains("more than 16 levels"), "{source}");
    assert!(matches!(host().compile(&hostile), Err(sealift_host::EngineError::Bounds(_))));
}
