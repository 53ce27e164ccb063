//! A registry that lies, one lie a row. What it says otherwise is honest, and the first row shows
//! that the honest rest is taken.
//!
//! Each row asserts the error by its kind, and where a lie aims at more than an answer, also what
//! was asked, how much was taken, and that no password was seen where it does not belong.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_interop::double::{Body, Double, Reply, Seen};
use sealift_registry::artifact::ArtifactError;
use sealift_registry::credentials::{Anonymous, Credentials, DockerConfigs};
use sealift_registry::manifest::{Descriptor, INDEX, MANIFEST, Manifest};
use sealift_registry::pull::PullError;
use sealift_registry::signature::{BUNDLE, SigningKey, bundle, referrer, statement};
use sealift_registry::wire::{Class, WireError};
use sealift_registry::{Client, Digest, Policy, Pulled, Reference, Settings, push};

use crate::world::{Component, pulled, run, trusting};

/// What an honest registry would have.
struct Honest {
    component: Component,
    key: SigningKey,
    bundle: Vec<u8>,
    carrier: Vec<u8>,
}

type Outcome = Result<(Pulled, Vec<u8>), PullError>;
/// The answer in place of the honest one.
type Lie = Box<dyn Fn(&Honest, &Seen, usize) -> Option<Reply> + Send + Sync>;

struct Row {
    name: &'static str,
    lie: Lie,
    /// Whether a signature is asked for.
    signed: bool,
    judge: fn(&Outcome, &Double) -> bool,
}

const NAME: &str = "/v2/acme/export/";

impl Honest {
    fn new() -> Result<Self> {
        let component = Component::new(3);
        let key = SigningKey::generate()?;
        let bundle = bundle(&statement(&component.artifact.digest), &key)?;
        let subject = Descriptor::of(MANIFEST, &component.artifact.manifest);
        let carrier = referrer(&bundle, &subject, Timestamp::UNIX_EPOCH)?;
        Ok(Self { component, key, bundle, carrier })
    }

    fn index(&self) -> Vec<u8> {
        let entry = Descriptor {
            artifact_type: Some(BUNDLE.to_owned()),
            ..Descriptor::of(MANIFEST, &self.carrier)
        };
        serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
            .to_string()
            .into_bytes()
    }

    fn reply(&self, seen: &Seen) -> Reply {
        let artifact = &self.component.artifact;
        let (path, _) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let Some(rest) = path.strip_prefix(NAME) else { return Reply::status(404) };
        let told = |bytes: &[u8]| {
            Reply::ok(MANIFEST, bytes).with("Docker-Content-Digest", Digest::of(bytes).to_string())
        };
        let is = |kind: &str, bytes: &[u8]| rest == format!("{kind}/{}", Digest::of(bytes));
        let stream = "application/octet-stream";
        match () {
            () if rest == "manifests/1" || is("manifests", &artifact.manifest) => {
                told(&artifact.manifest)
            }
            () if is("manifests", &self.carrier) => told(&self.carrier),
            () if is("referrers", &artifact.manifest) => Reply::ok(INDEX, self.index()),
            () if is("blobs", &artifact.config) => Reply::ok(stream, artifact.config.clone()),
            () if is("blobs", &self.component.wasm) => {
                Reply::ok(stream, self.component.wasm.to_vec())
            }
            () if is("blobs", &self.bundle) => Reply::ok(stream, self.bundle.clone()),
            () => Reply::status(404),
        }
    }

    fn asks_for(&self, seen: &Seen, kind: &str, bytes: &[u8]) -> bool {
        seen.path.split('?').next() == Some(&format!("{NAME}{kind}/{}", Digest::of(bytes)))
    }

    fn manifest(&self) -> Manifest {
        serde_json::from_slice(&self.component.artifact.manifest).expect("ours")
    }
}

/// Serves this manifest under the tag instead, honestly.
fn instead(manifest: Vec<u8>, media_type: &'static str) -> Lie {
    let digest = Digest::of(&manifest).to_string();
    Box::new(move |_, seen, _| {
        let asked = seen.path == format!("{NAME}manifests/1")
            || seen.path == format!("{NAME}manifests/{digest}");
        asked.then(|| {
            Reply::ok(media_type, manifest.clone()).with("Docker-Content-Digest", &*digest)
        })
    })
}

/// Answers the request for the component with this.
fn layer(reply: impl Fn(&[u8]) -> Reply + Send + Sync + 'static) -> Lie {
    Box::new(move |honest, seen, _| {
        let wasm = &honest.component.wasm;
        honest.asks_for(seen, "blobs", wasm).then(|| reply(wasm))
    })
}

/// Answers the question for referrers with this.
fn referrers(reply: impl Fn(&Honest, &Seen) -> Reply + Send + Sync + 'static) -> Lie {
    Box::new(move |honest, seen, _| {
        honest
            .asks_for(seen, "referrers", &honest.component.artifact.manifest)
            .then(|| reply(honest, seen))
    })
}

fn octets(bytes: &[u8]) -> Reply {
    Reply::ok("application/octet-stream", bytes)
}

fn wire(outcome: &Outcome) -> Option<&WireError> {
    match outcome {
        Err(PullError::Wire { source, .. }) => Some(source),
        _ => None,
    }
}

fn artifact(outcome: &Outcome) -> Option<&ArtifactError> {
    match outcome {
        Err(PullError::Artifact { source, .. }) => Some(source),
        _ => None,
    }
}

fn is_digest(outcome: &Outcome, _: &Double) -> bool {
    matches!(wire(outcome), Some(WireError::Digest { .. }))
}

fn is_form(outcome: &Outcome, _: &Double) -> bool {
    matches!(wire(outcome), Some(WireError::Form { .. }))
}

/// More than a bound and its buffers is never taken.
fn is_cut(outcome: &Outcome, double: &Double) -> bool {
    matches!(wire(outcome), Some(WireError::TooLarge { .. })) && double.sent() < 64 << 20
}

fn is_unsigned(outcome: &Outcome, _: &Double) -> bool {
    matches!(outcome, Err(PullError::Unsigned { .. }))
}

fn rows() -> Vec<Row> {
    let row = |name, lie: Lie, judge| Row { name, lie, signed: false, judge };
    let signed = |name, lie: Lie, judge| Row { name, lie, signed: true, judge };
    let honest: fn(&Outcome, &Double) -> bool = |outcome, _| outcome.is_ok();
    let mut rows = vec![
        signed("nothing", Box::new(|_, _, _| None), honest),
        row(
            "a_manifest_of_another_digest",
            Box::new(|honest, seen, _| {
                let manifest = &honest.component.artifact.manifest;
                honest
                    .asks_for(seen, "manifests", manifest)
                    .then(|| Reply::ok(MANIFEST, honest.carrier.clone()))
            }),
            is_digest,
        ),
        row(
            "a_manifest_without_an_end",
            Box::new(|honest, seen, _| {
                honest
                    .asks_for(seen, "manifests", &honest.component.artifact.manifest)
                    .then(|| Reply::ok(MANIFEST, "").sending(Body::Endless))
            }),
            is_cut,
        ),
        row(
            "a_manifest_that_says_it_has_5_gb",
            Box::new(|honest, seen, _| {
                honest
                    .asks_for(seen, "manifests", &honest.component.artifact.manifest)
                    .then(|| Reply::ok(MANIFEST, "").sending(Body::Claimed(vec![], 5 << 30)))
            }),
            is_cut,
        ),
        row(
            "a_tag_whose_digest_is_not_that_of_its_bytes",
            Box::new(|honest, seen, _| {
                let manifest = &honest.component.artifact.manifest;
                (seen.path == format!("{NAME}manifests/1")).then(|| match seen.method.as_str() {
                    "HEAD" => Reply::status(405),
                    _ => Reply::ok(MANIFEST, honest.carrier.clone())
                        .with("Docker-Content-Digest", Digest::of(manifest).to_string()),
                })
            }),
            is_digest,
        ),
        row(
            "a_tag_that_moves_after_it_was_resolved",
            Box::new(|honest, seen, number| {
                let moved = seen.path == format!("{NAME}manifests/1") && number > 0;
                moved.then(|| Reply::ok(MANIFEST, honest.carrier.clone()))
            }),
            honest,
        ),
        row(
            "a_config_of_another_digest",
            Box::new(|honest, seen, _| {
                let config = &honest.component.artifact.config;
                let mut other = config.clone();
                other[15] ^= 1;
                honest.asks_for(seen, "blobs", config).then(|| octets(&other))
            }),
            is_digest,
        ),
        row("a_layer_of_other_bytes", layer(|wasm| octets(&vec![0; wasm.len()])), is_digest),
        row("a_layer_with_a_longer_length", layer(|wasm| octets(&[wasm, b"x"].concat())), is_form),
        row(
            "a_longer_layer",
            layer(|wasm| octets(b"").sending(Body::Chunked([wasm, b"x"].concat()))),
            is_form,
        ),
        row(
            "a_shorter_layer",
            layer(|wasm| octets(b"").sending(Body::Chunked(wasm[..wasm.len() - 1].to_vec()))),
            is_form,
        ),
        row(
            "a_layer_that_breaks_off",
            layer(|wasm| {
                octets(b"").sending(Body::Claimed(wasm[..1000].to_vec(), wasm.len() as u64))
            }),
            |outcome, _| matches!(wire(outcome), Some(WireError::Unreachable { .. })),
        ),
        row(
            "a_layer_without_an_end",
            layer(|_| octets(b"").sending(Body::Endless)),
            |outcome, double| is_form(outcome, double) && double.sent() < 64 << 20,
        ),
        row(
            "a_layer_that_falls_silent",
            layer(|wasm| {
                octets(b"").sending(Body::Silent(wasm[..1000].to_vec(), wasm.len() as u64))
            }),
            |outcome, _| {
                matches!(wire(outcome), Some(error @ WireError::Stalled { .. })
                    if error.class() == Class::Transient)
            },
        ),
        row(
            "a_redirect_to_something_that_is_no_http",
            layer(|_| Reply::status(302).with("Location", "ftp://127.0.0.1/x")),
            |outcome, _| matches!(wire(outcome), Some(WireError::Redirect { .. })),
        ),
        row(
            "a_redirect_to_metadata",
            layer(|_| Reply::status(307).with("Location", "http://169.254.169.254/latest")),
            |outcome, _| matches!(wire(outcome), Some(WireError::Prohibited { .. })),
        ),
        row(
            "a_redirect_to_metadata_in_disguise",
            layer(|_| Reply::status(307).with("Location", "https://[::ffff:a9fe:a9fe]/latest")),
            |outcome, _| matches!(wire(outcome), Some(WireError::Prohibited { .. })),
        ),
        row(
            "a_redirect_to_another_address_of_this_machine",
            layer(|_| Reply::status(307).with("Location", "http://127.0.0.2/x")),
            |outcome, _| matches!(wire(outcome), Some(WireError::Prohibited { .. })),
        ),
        row(
            "redirects_in_a_circle",
            Box::new(|honest, seen, _| {
                honest
                    .asks_for(seen, "blobs", &honest.component.wasm)
                    .then(|| Reply::status(302).with("Location", seen.path.clone()))
            }),
            |outcome, double| {
                let asked =
                    double.seen().iter().filter(|seen| seen.path.contains("/blobs/")).count();
                // The config, the layer, and five redirects of it.
                matches!(wire(outcome), Some(WireError::Redirect { .. })) && asked == 7
            },
        ),
        row(
            "too_many_requests_once",
            Box::new(|_, _, number| {
                (number == 0).then(|| Reply::status(429).with("Retry-After", "1"))
            }),
            honest,
        ),
        row(
            "too_many_requests_always",
            Box::new(|_, _, _| Some(Reply::status(429).with("Retry-After", "0"))),
            |outcome, double| {
                // As often as is tried, and then it is the caller's turn.
                matches!(wire(outcome), Some(WireError::TooMany { .. })) && double.seen().len() == 4
            },
        ),
        row(
            "an_error_without_an_end",
            Box::new(|_, _, _| Some(Reply::status(500).sending(Body::Endless))),
            |outcome, double| {
                matches!(wire(outcome), Some(WireError::Refused { status: 500, .. }))
                    && double.sent() < 64 << 20
            },
        ),
    ];
    rows.extend(about_form());
    rows.extend(about_signatures(signed));
    rows
}

/// Artifacts that are none of ours: what they claim is honest.
fn about_form() -> Vec<Row> {
    let row = |name, lie: Lie, judge| Row { name, lie, signed: false, judge };
    let honest = Honest::new().expect("keys are made");
    let text = |manifest: &Manifest| serde_json::to_vec(manifest).expect("JSON");
    let mut two = honest.manifest();
    two.layers.push(two.layers[0].clone());
    let mut image = honest.manifest();
    image.config.media_type = "application/vnd.oci.image.config.v1+json".to_owned();
    let mut huge = honest.manifest();
    huge.layers[0].size = 1 << 40;
    let index = honest.index();
    vec![
        row("two_layers", instead(text(&two), MANIFEST), |outcome, _| {
            artifact(outcome) == Some(&ArtifactError::Layers(2))
        }),
        row("an_image", instead(text(&image), MANIFEST), |outcome, double| {
            artifact(outcome) == Some(&ArtifactError::Image)
                && double.seen().iter().all(|seen| seen.path.contains("/manifests/"))
        }),
        row("an_index", instead(index.clone(), INDEX), |outcome, _| {
            artifact(outcome) == Some(&ArtifactError::Index)
        }),
        row("an_index_called_a_manifest", instead(index, MANIFEST), |outcome, _| {
            matches!(artifact(outcome), Some(ArtifactError::Form { .. }))
        }),
        row("a_component_of_a_terabyte", instead(text(&huge), MANIFEST), |outcome, double| {
            matches!(artifact(outcome), Some(ArtifactError::TooLarge { .. }))
                && double.seen().iter().all(|seen| seen.path.contains("/manifests/"))
        }),
        row("a_page_for_people", instead(b"<html></html>".to_vec(), "text/html"), |outcome, _| {
            matches!(artifact(outcome), Some(ArtifactError::Form { .. }))
        }),
    ]
}

fn about_signatures(
    row: impl Fn(&'static str, Lie, fn(&Outcome, &Double) -> bool) -> Row,
) -> Vec<Row> {
    vec![
        row(
            "more_referrers_than_anything_has",
            referrers(|honest, _| {
                let entry = Descriptor::of(MANIFEST, &honest.carrier);
                let entries = vec![entry; 10_001];
                let list = serde_json::json!({"schemaVersion": 2, "manifests": entries});
                Reply::ok(INDEX, list.to_string())
            }),
            is_form,
        ),
        row(
            "a_list_of_referrers_without_an_end",
            referrers(|_, _| Reply::ok(INDEX, "").sending(Body::Endless)),
            is_cut,
        ),
        row(
            "a_next_page_that_is_the_same_page",
            referrers(|honest, seen| {
                let link = format!("<{}>; rel=\"next\"", seen.path);
                Reply::ok(INDEX, honest.index()).with("Link", link)
            }),
            is_form,
        ),
        row(
            "pages_without_an_end",
            referrers(|_, seen| {
                let number = seen.path.len();
                let (path, _) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
                let link = format!("<{path}?{}>; rel=\"next\"", "n".repeat(number));
                Reply::ok(INDEX, r#"{"manifests":[]}"#).with("Link", link)
            }),
            |outcome, double| is_form(outcome, double) && double.seen().len() < 100,
        ),
        row(
            "a_next_page_elsewhere",
            referrers(|honest, _| {
                let link = "<http://127.0.0.2/v2/x>; rel=\"next\"";
                Reply::ok(INDEX, honest.index()).with("Link", link)
            }),
            is_form,
        ),
        row(
            "a_signature_of_another_subject",
            Box::new(|honest, seen, _| {
                let subject = Descriptor::of(MANIFEST, b"another");
                let carrier =
                    referrer(&honest.bundle, &subject, Timestamp::UNIX_EPOCH).expect("JSON");
                let entry = Descriptor::of(MANIFEST, &carrier);
                let list = serde_json::json!({"schemaVersion": 2, "manifests": [entry]});
                let manifest = &honest.component.artifact.manifest;
                if honest.asks_for(seen, "referrers", manifest) {
                    return Some(Reply::ok(INDEX, list.to_string()));
                }
                honest
                    .asks_for(seen, "manifests", &carrier)
                    .then(|| Reply::ok(MANIFEST, carrier.clone()))
            }),
            is_unsigned,
        ),
        row(
            "a_bundle_of_2_gb",
            Box::new(|honest, seen, _| {
                let mut carrier: Manifest = serde_json::from_slice(&honest.carrier).expect("ours");
                carrier.layers[0].size = 2 << 30;
                let carrier = serde_json::to_vec(&carrier).expect("JSON");
                let entry = Descriptor::of(MANIFEST, &carrier);
                let list = serde_json::json!({"schemaVersion": 2, "manifests": [entry]});
                let manifest = &honest.component.artifact.manifest;
                if honest.asks_for(seen, "referrers", manifest) {
                    return Some(Reply::ok(INDEX, list.to_string()));
                }
                honest
                    .asks_for(seen, "manifests", &carrier)
                    .then(|| Reply::ok(MANIFEST, carrier.clone()))
            }),
            |outcome, double| {
                is_unsigned(outcome, double)
                    && !double.seen().iter().any(|seen| seen.path.contains("/blobs/"))
            },
        ),
        row(
            "a_bundle_of_other_bytes",
            Box::new(|honest, seen, _| {
                honest
                    .asks_for(seen, "blobs", &honest.bundle)
                    .then(|| octets(&vec![b'x'; honest.bundle.len()]))
            }),
            is_digest,
        ),
        row(
            "a_bundle_without_an_end",
            Box::new(|honest, seen, _| {
                honest
                    .asks_for(seen, "blobs", &honest.bundle)
                    .then(|| octets(b"").sending(Body::Endless))
            }),
            |outcome, double| is_form(outcome, double) && double.sent() < 64 << 20,
        ),
        row(
            "no_word_about_signatures_but_a_denial",
            referrers(|_, _| Reply::status(403)),
            |outcome, _| matches!(wire(outcome), Some(WireError::Denied { .. })),
        ),
        row(
            "no_word_about_signatures_but_a_fault",
            referrers(|_, _| Reply::status(500)),
            |outcome, _| matches!(wire(outcome), Some(WireError::Refused { status: 500, .. })),
        ),
        row(
            "neither_a_list_nor_a_tag_of_signatures",
            referrers(|_, _| Reply::status(404)),
            is_unsigned,
        ),
        row(
            "a_denial_of_the_tag_of_signatures",
            Box::new(|honest, seen, _| {
                if seen.path.contains("/manifests/sha256-") {
                    return Some(Reply::status(401));
                }
                honest
                    .asks_for(seen, "referrers", &honest.component.artifact.manifest)
                    .then(|| Reply::status(404))
            }),
            |outcome, _| matches!(wire(outcome), Some(WireError::Denied { .. })),
        ),
    ]
}

pub fn tests() -> Vec<Trial> {
    let mut trials: Vec<Trial> = rows()
        .into_iter()
        .map(|row| Trial::test(format!("hostile::{}", row.name), move || run(play(row))))
        .collect();
    trials.push(Trial::test("hostile::a_token_service_at_metadata_gets_no_password", || {
        run(realm("https://169.254.169.254/token"))
    }));
    trials.push(Trial::test("hostile::a_token_service_of_a_stranger_gets_no_password", || {
        run(stranger())
    }));
    trials.push(Trial::test("hostile::a_token_service_that_is_lost_is_not_nothing_signed", || {
        run(lost_service())
    }));
    trials.push(Trial::test("hostile::a_redirect_to_a_stranger_shows_no_password", || {
        run(redirected())
    }));
    trials.push(Trial::test("hostile::an_upload_to_a_stranger_shows_no_password", || {
        run(uploaded())
    }));
    trials
}

async fn play(row: Row) -> Result<()> {
    let honest = Arc::new(Honest::new()?);
    let (own, lie) = (Arc::clone(&honest), row.lie);
    let double = Double::start(move |seen, number| {
        lie(&own, seen, number).unwrap_or_else(|| own.reply(seen))
    })?;
    let settings = Settings { patience: Duration::from_secs(5), ..Settings::default() };
    let client = Client::new(settings, Arc::new(Anonymous))?;
    let reference: Reference = format!("{}/acme/export:1", double.host()).parse()?;
    let policy = match row.signed {
        true => trusting("acme", honest.key.public()),
        false => Policy::of_everything(),
    };
    let outcome = pulled(&client, &reference, &policy).await;
    if let Ok((_, bytes)) = &outcome {
        ensure!(*bytes == honest.component.wasm, "other bytes were taken for good");
    }
    let seen: Vec<String> =
        double.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    ensure!(
        (row.judge)(&outcome, &double),
        "{:?}\nsent {} bytes for {seen:#?}",
        outcome.map(|(found, _)| found),
        double.sent()
    );
    Ok(())
}

const PASSWORD: &str = "not for strangers";

/// A client that logs in to this host.
fn client(host: &str) -> Result<(Client, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("config.json");
    let config = serde_json::json!({"auths": {host: {"username": "u", "password": PASSWORD}}});
    fs::write(&file, config.to_string())?;
    let credentials: Arc<dyn Credentials> = Arc::new(DockerConfigs::files(vec![file]));
    let settings = Settings { patience: Duration::from_secs(5), ..Settings::default() };
    Ok((Client::new(settings, credentials)?, folder))
}

fn wanting_a_token(realm: String) -> Result<Double> {
    Double::start(move |_, _| {
        let wanted = format!("Bearer realm=\"{realm}\",service=\"tests\"");
        Reply::status(401).with("WWW-Authenticate", wanted)
    })
}

async fn realm(realm: &str) -> Result<()> {
    let double = wanting_a_token(realm.to_owned())?;
    let (client, _folder) = client(&double.host())?;
    let reference: Reference = format!("{}/acme/export:1", double.host()).parse()?;
    let outcome = client.resolve(&reference).await;
    ensure!(matches!(outcome, Err(WireError::Prohibited { .. })), "{outcome:?}");
    Ok(())
}

/// Over plain HTTP a registry may name no other host: nobody proves that it is the registry.
async fn stranger() -> Result<()> {
    let stranger = Double::start(|_, _| Reply::ok("application/json", r#"{"token":"t"}"#))?;
    let double = wanting_a_token(format!("http://localhost:{}/token", stranger.port()))?;
    let (client, _folder) = client(&double.host())?;
    let reference: Reference = format!("{}/acme/export:1", double.host()).parse()?;
    let outcome = client.resolve(&reference).await;
    ensure!(matches!(outcome, Err(WireError::Form { .. })), "{outcome:?}");
    ensure!(stranger.seen().is_empty(), "{:?}", stranger.seen());
    Ok(())
}

async fn lost_service() -> Result<()> {
    let service = Double::start(|_, _| Reply::status(404))?;
    let double = wanting_a_token(format!("http://{}/token", service.host()))?;
    let (client, _folder) = client(&double.host())?;
    let reference: Reference = format!("{}/acme/export:1", double.host()).parse()?;
    let outcome = client.referrers(&reference, &Digest::of(b"x")).await;
    ensure!(matches!(outcome, Err(WireError::Refused { status: 404, .. })), "{outcome:?}");
    // The service is the registry's own by its host, so it did see the password, once.
    let seen = service.seen();
    ensure!(seen.len() == 1 && seen[0].authorization.is_some(), "{seen:?}");
    ensure!(seen[0].path.contains("scope=repository%3Aacme%2Fexport%3Apull"), "{seen:?}");
    Ok(())
}

/// A registry that wants a password and sends what is asked for elsewhere.
fn wanting_a_password(then: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Result<Double> {
    Double::start(move |seen, _| match &seen.authorization {
        None => Reply::status(401).with("WWW-Authenticate", "Basic realm=\"tests\""),
        Some(_) => then(seen),
    })
}

async fn redirected() -> Result<()> {
    let honest = Honest::new()?;
    let wasm = honest.component.wasm.clone();
    let stranger = Double::start(move |_, _| octets(&wasm))?;
    let to = format!("http://{}/elsewhere", stranger.host());
    let double = wanting_a_password(move |_| Reply::status(307).with("Location", to.clone()))?;
    let (client, _folder) = client(&double.host())?;
    let reference: Reference = format!("{}/acme/export:1", double.host()).parse()?;
    let component = &honest.component.artifact.component;
    let bytes =
        client.small_blob(&reference, &component.digest, component.size, component.size).await?;
    ensure!(bytes == honest.component.wasm, "other bytes");
    let seen = stranger.seen();
    ensure!(seen.len() == 1 && seen[0].authorization.is_none(), "{seen:?}");
    ensure!(double.seen().iter().any(|seen| seen.authorization.is_some()), "nobody logged in");
    Ok(())
}

async fn uploaded() -> Result<()> {
    let honest = Honest::new()?;
    let stranger = Double::start(|_, _| Reply::status(201))?;
    let to = format!("http://{}/upload?state=x", stranger.host());
    let double = wanting_a_password(move |seen| match seen.method.as_str() {
        "HEAD" => Reply::status(404),
        "POST" => Reply::status(202).with("Location", to.clone()),
        _ => Reply::status(201),
    })?;
    let (client, _folder) = client(&double.host())?;
    let reference: Reference = format!("{}/acme/export:1", double.host()).parse()?;
    let component = &honest.component;
    push(&client, &reference, &component.artifact, component.wasm.clone()).await?;
    let seen = stranger.seen();
    ensure!(seen.len() == 2, "{} requests", seen.len());
    ensure!(seen.iter().all(|seen| seen.authorization.is_none()), "a stranger saw a password");
    ensure!(seen[1].body == component.wasm, "other bytes were sent");
    let wanted = format!("state=x&digest=sha256%3A{}", component.artifact.component.digest.hex());
    ensure!(seen[1].path.ends_with(&wanted), "{}", seen[1].path);
    Ok(())
}
