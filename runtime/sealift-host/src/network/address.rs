//! Addresses: the ones a name has, and which of them a Function may be connected to.
//!
//! A name is resolved once for a stage, and again only after its server could not be reached. Every
//! address is checked, and the connection goes to the checked address; a name that changes its mind
//! between check and connection changes nothing. The table of what is refused is the core's.
//! Which names may be asked for is not decided here.

use std::net::SocketAddr;
use std::time::Duration;

use wasmtime_wasi_http::Error;

use super::client::Failed;

pub(crate) use sealift_core::address::permitted;

/// All addresses of a host, as a URL writes it.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<Vec<SocketAddr>, Failed> {
    // An IPv6 address stands in brackets in a URL.
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match tokio::time::timeout(patience, tokio::net::lookup_host((name, port))).await {
        Err(_) => Err((Error::DnsTimeout, format!("{host} did not resolve in time"))),
        Ok(Err(error)) => {
            let code = Error::DnsError { rcode: None, info_code: None };
            Err((code, format!("{host} does not resolve: {error}")))
        }
        Ok(Ok(found)) => Ok(found.collect()),
    }
}
