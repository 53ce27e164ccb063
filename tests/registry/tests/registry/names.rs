//! Names that lead where nobody is sent: a resolver that lies, and one that changes its mind.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail, ensure};
use async_trait::async_trait;
use libtest_mimic::Trial;
use sealift_interop::double::{Double, Reply};
use sealift_registry::credentials::Anonymous;
use sealift_registry::settings::Place;
use sealift_registry::wire::{Class, Lookup, WireError};
use sealift_registry::{Client, Reference, Settings};

use crate::world::run;

pub fn tests() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, address) in [
        ("metadata", "169.254.169.254"),
        ("metadata_over_ipv6", "fd00:ec2::254"),
        ("link_local", "fe80::1"),
        ("this_machine", "127.0.0.1"),
        ("nowhere", "0.0.0.0"),
    ] {
        trials
            .push(Trial::test(format!("names::one_that_leads_to_{name}_is_not_followed"), || {
                run(leads_to(address))
            }));
    }
    trials.push(Trial::test("names::one_that_may_lead_here_does", || run(leads_here())));
    trials.push(Trial::test("names::one_that_changes_its_mind_is_checked_each_time", || {
        run(changes_its_mind())
    }));
    trials
}

/// Answers with one address after the other, and then with the last.
struct Lying {
    addresses: Vec<&'static str>,
    asked: AtomicUsize,
}

#[async_trait]
impl Lookup for Lying {
    async fn lookup(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst).min(self.addresses.len() - 1);
        let address = self.addresses[number].parse().map_err(io::Error::other)?;
        Ok(vec![SocketAddr::new(address, 0)])
    }
}

fn client(host: &str, loopback: bool, addresses: &[&'static str]) -> Result<(Client, Arc<Lying>)> {
    let place = Place { loopback, plain_http: true, ..Place::usual(host) };
    let settings = Settings { places: vec![place], ..Settings::default() };
    let lookup = Arc::new(Lying { addresses: addresses.to_vec(), asked: AtomicUsize::new(0) });
    let own = Arc::clone(&lookup);
    Ok((Client::with_lookup(settings, Arc::new(Anonymous), own)?, lookup))
}

async fn leads_to(address: &'static str) -> Result<()> {
    let double = Double::start(|_, _| Reply::status(404))?;
    let host = format!("registry.test:{}", double.port());
    let (client, _) = client(&host, false, &[address])?;
    let reference: Reference = format!("{host}/acme/export:1").parse()?;
    match client.resolve(&reference).await {
        Err(error @ WireError::Prohibited { .. }) => {
            ensure!(error.class() == Class::Invalid);
            let text = error.to_string();
            ensure!(
                text.contains("registry.test") && text.contains("never connected to"),
                "{text}"
            );
        }
        other => bail!("{other:?}"),
    }
    ensure!(double.seen().is_empty(), "it was asked");
    Ok(())
}

async fn leads_here() -> Result<()> {
    let double = Double::start(|_, _| Reply::status(404))?;
    let host = format!("registry.test:{}", double.port());
    let (client, _) = client(&host, true, &["127.0.0.1"])?;
    let reference: Reference = format!("{host}/acme/export:1").parse()?;
    match client.resolve(&reference).await {
        Err(error) if error.is_not_found() => {}
        other => bail!("{other:?}"),
    }
    ensure!(double.seen().len() == 1, "{:?}", double.seen());
    Ok(())
}

/// Good for the first connection, metadata for the second: the second is not made.
async fn changes_its_mind() -> Result<()> {
    let double = Double::start(|_, _| Reply::status(404))?;
    let host = format!("registry.test:{}", double.port());
    let (client, lookup) = client(&host, true, &["127.0.0.1", "169.254.169.254"])?;
    let reference: Reference = format!("{host}/acme/export:1").parse()?;
    // The double ends each connection, so each request makes a new one.
    ensure!(client.resolve(&reference).await.is_err_and(|error| error.is_not_found()));
    match client.resolve(&reference).await {
        Err(WireError::Prohibited { .. }) => {}
        other => bail!("{other:?}"),
    }
    ensure!(lookup.asked.load(Ordering::SeqCst) == 2 && double.seen().len() == 1);
    Ok(())
}
