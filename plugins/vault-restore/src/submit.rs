//! Streams the snapshot into Vault while verifying it; a damaged one is broken off.

use std::io::{self, BufReader, Read, Write};
use std::time::Duration;

use sealift_function::{Body, Error, Result, http, progress};
use vault_archive::{HoldBack, Meta, TarSink, Trailer, verify};
use vault_client::{Refusal, refusal, url};

use crate::acceptance::Acceptance;
use crate::preflight::{path, policy};

/// Vault answers when it has written the snapshot to its disk and read it again.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// Most bytes of a refusal.
const REFUSAL: usize = 16 * 1024;

/// The verifier's buffer; the hold-back counts on it being this small.
const BUFFER: usize = HoldBack::<(), ()>::HELD / 2;

/// Sends the snapshot; `Ok` = it is undamaged and Vault accepted it. Vault applies it afterwards.
/// Returns the index of the last log entry in it. `acceptance` knows how far it went when it fails.
pub(crate) fn send(
    force: bool,
    size: Option<u64>,
    body: Body,
    acceptance: &mut Acceptance,
) -> Result<u64> {
    let upload = http::post(&url(&format!("/v1/{}", path(force))))
        .header("content-type", "application/gzip")
        .timeout(TIMEOUT)
        .open(size)?;
    let mut held = HoldBack::new(Counted(body), upload);
    let mut noted = Noted::default();
    let reader = BufReader::with_capacity(BUFFER, &mut held);
    let answer = match verify(reader, Trailer::EmptyMembers, &mut noted) {
        Ok(_) => {
            acceptance.sending_end();
            match held.release() {
                Ok(upload) => upload.finish(),
                Err((error, upload)) => upload.answer_or(error.into()),
            }?
        }
        // Vault stops reading when it has the tar's end: a long filler is refused, and the
        // answer is there already. It may also have refused the whole.
        Err(error) if held.write_failed() => {
            let (body, upload) = held.withhold();
            let answer = upload.answer_or(error.into())?;
            acceptance.answered(answer.is_success());
            body.0.discard()?;
            answer
        }
        Err(defect) => {
            let (_, upload) = held.withhold();
            let defect = Error::from(defect);
            let accepted = upload.answer_or(defect.clone()).is_ok_and(|answer| answer.is_success());
            acceptance.answered(accepted);
            // Vault acts on a snapshot only when it has its end, which it did not get.
            return Err(if accepted { defect } else { defect.context("Vault was not changed") });
        }
    };
    acceptance.answered(answer.is_success());
    if !answer.is_success() {
        let status = answer.status();
        return Err(refused(refusal(status, &answer.into_excerpt(REFUSAL)), force));
    }
    noted.index.ok_or_else(|| {
        Error::InvalidState(
            "Vault took a snapshot of which it did not get the beginning".to_owned(),
        )
    })
}

/// Notes which snapshot it is; the tar itself is only verified.
#[derive(Default)]
struct Noted {
    index: Option<u64>,
}

impl Write for Noted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TarSink for Noted {
    fn announce(&mut self, meta: &Meta, _: u64, _: u64) -> io::Result<()> {
        self.index = Some(meta.index);
        Ok(())
    }
}

fn refused(refusal: Refusal, force: bool) -> Error {
    let other_keys = refusal.message.contains("could not verify hash file");
    match (other_keys, force) {
        (true, false) => Error::invalid_parameter(
            "force",
            format!(
                "the snapshot was taken with other unseal keys than this Vault has; set force to \
                 true to replace all its data and its keys with those of the snapshot. Vault said: {}",
                refusal.message
            ),
        ),
        _ => refusal.into_policy_error(path(force), &policy(force)),
    }
}

/// Tells how far the upload is.
struct Counted(Body);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        progress::advance(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_keys_are_told_with_the_way_out() {
        let body = r#"{"errors":["could not verify hash file, possibly the snapshot is using a different set of unseal keys; use the snapshot-force API to bypass this check"]}"#;
        let Error::InvalidParameter { field, message } = refused(refusal(400, body), false) else {
            unreachable!("not about a parameter")
        };
        assert_eq!(field, "/force");
        assert!(message.starts_with("the snapshot was taken with other unseal keys"), "{message}");
    }

    #[test]
    fn a_token_that_may_only_read_is_told_the_policy() {
        let error = refused(refusal(403, r#"{"errors":["permission denied"]}"#), false);
        assert!(
            error.to_string().ends_with(
                r#"needs a policy with path "sys/storage/raft/snapshot" { capabilities = ["update"] }"#
            ),
            "{error}"
        );
    }
}
