//! The snapshot itself: fetched, verified, re-wrapped, sent.

use std::io::{self, BufReader, BufWriter, Read};
use std::time::Duration;

use sealift_function::{Downstream, Error, Header, Outgoing, Result, http, progress};
use vault_archive::{LazyRewrap, Summary, Trailer, verify};
use vault_client::{refusal, url};

/// Name of the artifact and of the file in the repository, as the original has it.
const NAME: &str = "backup.snap";

const PATH: &str = "/v1/sys/storage/raft/snapshot";
const POLICY: &str = r#"path "sys/storage/raft/snapshot" { capabilities = ["read"] }"#;

/// A large Vault takes its time before the first byte, and between bytes while it reads its disk.
const TIMEOUT: Duration = Duration::from_secs(300);

/// One call to the host per so many bytes.
const BUFFER: usize = 128 * 1024;

/// Most bytes of a refusal.
const REFUSAL: usize = 16 * 1024;

/// Fetches the snapshot and sends it. The artifact is finished only when it is proven complete.
pub(crate) fn send(downstream: &mut Downstream, version: Option<&str>) -> Result<()> {
    let answer = http::get(&url(PATH)).timeout(TIMEOUT).idle_timeout(TIMEOUT).send()?;
    if answer.status() != 200 {
        return Err(refused(answer.status(), &answer.into_excerpt(REFUSAL)));
    }
    let served = BufReader::with_capacity(BUFFER, Counted(answer.into_body()));
    let mut sink = LazyRewrap::new(|size| open(downstream, size));
    let summary = verify(served, Trailer::Nothing, &mut sink)?;
    let out = sink.finish()?;
    let mut artifact = out.into_inner().map_err(|error| Error::from(error.into_error()))?;
    for (name, value) in attributes(&summary, version) {
        artifact.set_attribute(name, &value)?;
    }
    artifact.finish()?;
    Ok(())
}

fn refused(status: u16, said: &str) -> Error {
    refusal(status, said).into_policy_error("sys/storage/raft/snapshot", POLICY)
}

fn open(downstream: &mut Downstream, size: u64) -> io::Result<BufWriter<Outgoing>> {
    progress::total(size);
    let artifact = downstream.send(Header::new(NAME).with_size(size))?;
    Ok(BufWriter::with_capacity(BUFFER, artifact))
}

/// What is worth knowing of a snapshot without opening it.
fn attributes(summary: &Summary, version: Option<&str>) -> Vec<(&'static str, String)> {
    let mut attributes = vec![
        ("vault-index", summary.meta.index.to_string()),
        ("vault-term", summary.meta.term.to_string()),
        ("state-size", summary.state_size.to_string()),
        ("state-sha256", summary.state_sha256.clone()),
        ("meta-size", summary.meta_size.to_string()),
        ("sums-size", summary.sums_size.to_string()),
        ("sealed-sums-size", summary.sealed_size.to_string()),
    ];
    if let Some(version) = version {
        attributes.push(("vault-version", version.to_owned()));
    }
    attributes
}

/// Tells how far the download is.
struct Counted<R>(R);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        progress::advance(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use vault_archive::Meta;

    use super::*;

    #[test]
    fn a_vault_that_refuses_the_snapshot_is_told_with_the_policy_that_is_missing() {
        let told = refused(403, r#"{"errors":["permission denied"]}"#);
        assert!(matches!(&told, Error::Denied(text) if text.contains(POLICY)), "{told:?}");
        assert!(matches!(refused(503, ""), Error::Retryable { .. }));
        // A proxy that serves nothing, and says so with a success.
        assert!(matches!(refused(204, ""), Error::ExternalFailed(_)));
    }

    #[test]
    fn the_attributes_tell_which_state_it_is() {
        let summary = Summary {
            meta: Meta { version: 1, index: 2538, term: 3, size: 10_255_844 },
            meta_size: 191,
            state_size: 10_255_844,
            state_sha256: "4bc8".to_owned(),
            sums_size: 152,
            sealed_size: 187,
        };
        let attributes: Vec<String> = attributes(&summary, Some("1.21.1"))
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            attributes,
            [
                "vault-index=2538",
                "vault-term=3",
                "state-size=10255844",
                "state-sha256=4bc8",
                "meta-size=191",
                "sums-size=152",
                "sealed-sums-size=187",
                "vault-version=1.21.1",
            ]
        );
    }
}
