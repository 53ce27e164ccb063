//! Registries that want to know who asks, and that prove who they are: both by distribution's own
//! means.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_e2e::oci::PASSWORD;
use sealift_e2e::registry::{Options, Registry};
use sealift_registry::credentials::{Anonymous, Credentials, DockerConfigs};
use sealift_registry::settings::Place;
use sealift_registry::wire::{Class, WireError};
use sealift_registry::{Client, Policy, Reference, Settings, push};

use crate::world::{Component, World, pulled, trial};

/// [`PASSWORD`] as the registry keeps it.
const HASH: &str = "$2b$04$6mna.jzVnGtW7oCtKaNicuNbdLe5bdRAuaQwAseRBzZH0avCqGEgG";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "login::a_password_opens_and_a_wrong_one_does_not", password),
        trial(world, "login::an_authority_of_its_own_must_be_named", authority),
    ]
}

fn logging_in(folder: &Path, host: &str, password: &str) -> Result<Arc<dyn Credentials>> {
    let file = folder.join(format!("config-{}.json", password.len()));
    let config = serde_json::json!({
        "auths": {host: {"username": "publisher", "password": password}}
    });
    fs::write(&file, config.to_string())?;
    Ok(Arc::new(DockerConfigs::files(vec![file])))
}

async fn password(world: Arc<World>) -> Result<()> {
    let folder = world.folder()?;
    let users = folder.path().join("users");
    fs::write(&users, format!("publisher:{HASH}\n"))?;
    let options = Options { users: Some(users), tls: None };
    let registry = Registry::distribution(folder.path(), &options)?;
    let place: Reference = format!("{}/acme/export:1", registry.host()).parse()?;
    let component = Component::new(1);
    let tried = async |credentials: Arc<dyn Credentials>| -> Result<_> {
        let client = Client::new(Settings::default(), credentials)?;
        Ok(push(&client, &place, &component.artifact, component.wasm.clone()).await)
    };
    match tried(Arc::new(Anonymous)).await? {
        Err(error @ WireError::Denied { known: false, .. }) => {
            ensure!(error.class() == Class::Blocked);
            ensure!(error.to_string().contains("no credentials are known for it"), "{error}");
        }
        other => bail!("{other:?}"),
    }
    match tried(logging_in(folder.path(), &registry.host(), "wrong")?).await? {
        Err(error @ WireError::Denied { known: true, .. }) => {
            let text = format!("{error:?} {error}");
            ensure!(!text.contains("wrong") && !text.contains("publisher"), "{text}");
        }
        other => bail!("{other:?}"),
    }
    let right = logging_in(folder.path(), &registry.host(), PASSWORD)?;
    tried(Arc::clone(&right)).await??;
    let client = Client::new(Settings::default(), right)?;
    let (_, bytes) = pulled(&client, &place, &Policy::of_everything()).await?;
    ensure!(bytes == component.wasm, "other bytes");
    // What may not be read is not what is not there.
    let denied = Client::new(Settings::default(), Arc::new(Anonymous))?;
    match denied.referrers(&place, &component.artifact.digest).await {
        Err(WireError::Denied { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

async fn authority(world: Arc<World>) -> Result<()> {
    let folder = world.folder()?;
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of the tests");
    let own = rcgen::KeyPair::generate()?;
    let authority = params.self_signed(&own)?.pem();
    let issuer = rcgen::Issuer::new(params, own);
    let server = rcgen::KeyPair::generate()?;
    let made =
        rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&server, &issuer)?;
    fs::write(&certificate, made.pem())?;
    fs::write(&key, server.serialize_pem())?;
    let options = Options { users: None, tls: Some((certificate, key)) };
    let registry = Registry::distribution(folder.path(), &options)?;
    let host = registry.host();
    let place: Reference = format!("{host}/acme/export:1").parse()?;
    let component = Component::new(2);
    let with = |ca: Option<String>| -> Result<Client> {
        let places = vec![Place { ca, plain_http: false, loopback: true, ..Place::usual(&host) }];
        Ok(Client::new(Settings { places, ..Settings::default() }, Arc::new(Anonymous))?)
    };
    match push(&with(None)?, &place, &component.artifact, component.wasm.clone()).await {
        Err(error @ WireError::Certificate { .. }) => {
            ensure!(error.class() == Class::Blocked, "{error}");
        }
        other => bail!("{other:?}"),
    }
    let trusting = with(Some(authority))?;
    push(&trusting, &place, &component.artifact, component.wasm.clone()).await?;
    let (_, bytes) = pulled(&trusting, &place, &Policy::of_everything()).await?;
    ensure!(bytes == component.wasm, "other bytes");
    // An authority that is none is an error, and not a client that trusts somebody else.
    match with(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned())) {
        Err(_) => Ok(()),
        Ok(_) => bail!("a client was made"),
    }
}
