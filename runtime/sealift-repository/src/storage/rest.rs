//! A repository on restic's REST server.
//!
//! rustic_backend speaks the protocol; looking for the config file is our own, because there a
//! server that is down or refuses looks like one without a repository, and init would follow.
//! User and password stand only in the URL the client holds and in no text. The client is
//! rustic_backend's, which takes proxies from the environment (`HTTP_PROXY`, `HTTPS_PROXY`,
//! `NO_PROXY`) and has no switch for that; nothing else comes from there.

use std::error::Error as _;
use std::io::Write;

use bytes::Bytes;
use rustic_backend::RestBackend;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};
use url::Url;

use crate::error::one_line;
use crate::{Error, Options, Secrets};

/// A repository on a REST server.
pub(super) struct Server {
    /// The URL as the plan has it.
    place: String,
    files: RestBackend,
}

impl Server {
    /// At this URL, which holds neither user nor password.
    pub(super) fn new(url: &str, secrets: &Secrets, options: &Options) -> Result<Self, Error> {
        // The text is not repeated: what is wrong with it may be a password in it.
        let invalid = |reason: String| Error::Invalid {
            subject: "URL of the REST server".to_owned(),
            reason,
        };
        let mut parsed = Url::parse(url.strip_prefix("rest:").unwrap_or(url))
            .map_err(|error| invalid(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(invalid("it must begin with http:// or https:// and a host".to_owned()));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(invalid(
                "it holds a user or a password; put them into the storage Secret as \
                 REST_SERVER_USERNAME and REST_SERVER_PASSWORD"
                    .to_owned(),
            ));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(invalid("it must end with a path".to_owned()));
        }
        let place = parsed.to_string();
        if let Some(login) = &secrets.rest {
            parsed
                .set_username(&login.user)
                .and_then(|()| parsed.set_password(Some(&login.password)))
                .map_err(|()| invalid("it cannot take a user and a password".to_owned()))?;
        }
        let seconds = options.request_timeout.as_secs().max(1);
        // Waits between them are 1, 2, 4 … seconds: a short limit in time allows fewer.
        let retries = (seconds + 1).ilog2().min(5);
        let mut settings = vec![
            ("timeout".to_owned(), format!("{seconds}s")),
            ("retry".to_owned(), retries.to_string()),
        ];
        let certificate =
            secrets.ca_pem.as_ref().map(|pem| keep(pem)).transpose().map_err(|source| {
                Error::File {
                    operation: "keeping the CA certificate for the REST client".to_owned(),
                    source: std::sync::Arc::new(source),
                }
            })?;
        if let Some(file) = &certificate {
            settings.push(("cacert".to_owned(), file.path().display().to_string()));
        }
        let files = RestBackend::new(parsed.as_str(), settings)
            .map_err(|error| invalid(secrets.redact(&one_line(&error))))?;
        Ok(Self { place, files })
    }
}

/// The client wants a file; it is read once and gone afterwards.
fn keep(pem: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(pem.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// Whether the server said that there is no such file, as against not saying anything useful.
fn not_found(error: &RusticError) -> bool {
    let status = error
        .source()
        .and_then(|source| source.downcast_ref::<reqwest::Error>())
        .and_then(reqwest::Error::status);
    status == Some(reqwest::StatusCode::NOT_FOUND)
}

impl ReadBackend for Server {
    fn location(&self) -> String {
        format!("rest:{}", self.place)
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if tpe != FileType::Config {
            return self.files.list_with_size(tpe);
        }
        match self.files.read_full(tpe, &Id::default()) {
            Ok(bytes) => Ok(vec![(Id::default(), u32::try_from(bytes.len()).unwrap_or(u32::MAX))]),
            Err(error) if not_found(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.files.read_full(tpe, id)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.files.read_partial(tpe, id, cacheable, offset, length)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        format!("{tpe:?} {id:?}")
    }
}

impl WriteBackend for Server {
    fn create(&self) -> RusticResult<()> {
        self.files.create()
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        self.files.write_bytes(tpe, id, cacheable, content)
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.files.remove(tpe, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_none_or_holds_what_is_shown_is_refused_without_being_repeated() {
        for url in [
            "ftp://host/",
            "https://",
            "https://hidden-word@host/",
            "https://:hidden-word@host/",
            "https://host/?token=hidden-word",
            "https://host/#hidden-word",
        ] {
            let refused = Server::new(url, &Secrets::new("p"), &Options::default()).err();
            let told = refused.map(|error| format!("{error} {error:?}")).unwrap_or_default();
            assert!(!told.is_empty() && !told.contains("hidden-word"), "{url}: {told}");
        }
    }
}
