//! A repository in an S3 bucket.
//!
//! On `object_store`, whose lists end in an error when a page of them fails (rustic's own S3
//! leaves out what failed, and prune then removes data in use). The keys are those of the storage
//! Secret; neither the environment, its proxies included, nor the machine's metadata service is
//! asked. Names are restic's: `<prefix>/data/ab/abcd…`; objects elsewhere are none of ours.

mod everything;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig,
};
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::Location;
use tokio::runtime::Runtime;

use super::{OURS, exists, failed};
use crate::{Error, Options, Secrets};

/// A repository in a bucket.
pub(crate) struct Bucket {
    store: AmazonS3,
    prefix: Path,
    place: String,
    /// Taken on drop, which must not wait.
    runtime: Option<Runtime>,
}

impl Bucket {
    /// Where a [`Location::S3`] says.
    pub(super) fn new(
        location: &Location,
        secrets: &Secrets,
        options: &Options,
    ) -> Result<Self, Error> {
        let invalid = |subject: &str, reason: String| Error::Invalid {
            subject: format!("S3 {subject}"),
            reason: secrets.redact(&reason),
        };
        let Location::S3 { endpoint, bucket, prefix, region, insecure_tls } = location else {
            return Err(invalid("location", "it is another kind of storage".to_owned()));
        };
        let endpoint =
            endpoint_url(endpoint, region).map_err(|reason| invalid("endpoint", reason))?;
        if bucket.is_empty() || bucket.contains('/') {
            return Err(invalid("bucket", format!("{bucket:?} is no name of a bucket")));
        }
        let prefix = Path::parse(prefix.trim_matches('/'))
            .map_err(|error| invalid("prefix", error.to_string()))?;
        let mut client = ClientOptions::new()
            .with_timeout(options.request_timeout)
            .with_connect_timeout(Duration::from_secs(20).min(options.request_timeout))
            .with_allow_http(endpoint.starts_with("http://"))
            .with_allow_invalid_certificates(*insecure_tls)
            // Without TLS nobody needs to be trusted, and a client that looks for somebody refuses
            // to be made where the system trusts nobody.
            .with_no_system_certificates(endpoint.starts_with("http://"))
            // The client would take a proxy from the environment. There is no switch for that, but
            // a proxy of our own replaces it, and this one is used for no host and no address.
            .with_proxy_url("http://localhost")
            .with_proxy_excludes("*,0.0.0.0/0,::/0");
        if let Some(pem) = &secrets.ca_pem {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|error| invalid("CA_CERT_DATA", error.to_string()))?;
            for certificate in certificates {
                client = client.with_root_certificate(certificate);
            }
        }
        let place = format!("s3:{endpoint}/{bucket}/{prefix}");
        let builder = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_bucket_name(bucket)
            .with_region(if region.is_empty() { "us-east-1" } else { region })
            // As restic does; every S3 server understands it, not all understand the other.
            .with_virtual_hosted_style_request(false)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // Not every store that speaks S3 removes many objects with one request.
            .with_disable_bulk_delete(true)
            .with_client_options(client)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 5,
                retry_timeout: options.request_timeout,
            });
        let builder = match &secrets.s3 {
            Some(login) => builder
                .with_access_key_id(login.user.as_str())
                .with_secret_access_key(login.password.as_str()),
            // Otherwise object_store would look for a metadata service.
            None => builder.with_skip_signature(true),
        };
        let store = builder.build().map_err(|error| invalid("location", error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sealift-s3")
            .enable_all()
            .build()
            .map_err(|source| Error::File {
                operation: "starting the S3 client".to_owned(),
                source: Arc::new(source),
            })?;
        Ok(Self { store, prefix, place, runtime: Some(runtime) })
    }

    /// What lies under the prefix and is no repository's. At the root of a bucket other prefixes
    /// are other people's rooms, and nothing is foreign.
    pub(super) fn foreign(&self, secrets: &Secrets) -> Result<Vec<String>, Error> {
        if self.prefix.as_ref().is_empty() {
            return Ok(Vec::new());
        }
        let listed =
            self.wait(self.store.list_with_delimiter(Some(&self.prefix))).map_err(|error| {
                Error::Storage {
                    operation: "looking into the bucket",
                    source: crate::StorageError::Failed {
                        operation: "list",
                        object: self.place.clone(),
                        // No gate stands before this call.
                        detail: secrets.redact(&crate::error::one_line(&error)),
                    },
                }
            })?;
        Ok(listed
            .common_prefixes
            .iter()
            .chain(listed.objects.iter().map(|object| &object.location))
            .filter_map(|path| path.filename())
            .filter(|name| !OURS.contains(name))
            .map(str::to_owned)
            .collect())
    }

    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, object_store::Error>>,
    ) -> RusticResult<T> {
        let Some(runtime) = &self.runtime else {
            return Err(failed("the S3 client has ended"));
        };
        runtime.block_on(work).map_err(|error| match error {
            object_store::Error::AlreadyExists { .. } => exists(chain_of_causes(&error)),
            _ => failed(chain_of_causes(&error)),
        })
    }

    fn key(&self, tpe: FileType, id: &Id) -> Path {
        let hex = id.to_hex();
        match tpe {
            FileType::Config => self.prefix.clone().join("config"),
            FileType::Pack => {
                let folder: String = hex.chars().take(2).collect();
                self.prefix.clone().join("data").join(folder).join(hex.as_str())
            }
            _ => self.prefix.clone().join(tpe.dirname()).join(hex.as_str()),
        }
    }

    async fn put(
        &self,
        tpe: FileType,
        id: &Id,
        content: &BytesList,
    ) -> Result<(), object_store::Error> {
        let key = self.key(tpe, id);
        let payload = || PutPayload::from_iter(content.slice().iter().cloned());
        if !matches!(tpe, FileType::Config | FileType::Snapshot | FileType::Key) {
            return self.store.put(&key, payload()).await.map(drop);
        }
        // What makes or ends a repository must not replace anything.
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&key, payload(), create).await {
            Err(error @ object_store::Error::AlreadyExists { .. }) => {
                // A request that was repeated after its answer got lost finds itself.
                let there = self.store.get(&key).await?.bytes().await?;
                let ours: Vec<u8> = content.slice().concat();
                if there == ours { Ok(()) } else { Err(error) }
            }
            Err(object_store::Error::NotImplemented { .. }) => {
                self.store.put(&key, payload()).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Waiting here would panic where a repository is dropped by asynchronous code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The endpoint of a manifest as a URL: https unless it says otherwise, and the region's own for
/// Amazon's general name.
fn endpoint_url(endpoint: &str, region: &str) -> Result<String, String> {
    let text =
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") };
    let url = url::Url::parse(&text).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err("it must be a host, or http:// or https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it must not hold a user or a password; keys belong into the storage Secret".to_owned()
        );
    }
    if host == "s3.amazonaws.com" && !region.is_empty() {
        return Ok(format!("{}://s3.{region}.amazonaws.com", url.scheme()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

impl ReadBackend for Bucket {
    fn location(&self) -> String {
        self.place.clone()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let size = |size: u64, key: &Path| {
            u32::try_from(size).map_err(|_| {
                failed(format!("{key}: {size} bytes are more than a repository's file can have"))
            })
        };
        if tpe == FileType::Config {
            let key = self.key(tpe, &Id::default());
            let head = self.wait(async {
                match self.store.head(&key).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    other => other.map(Some),
                }
            })?;
            return head
                .map(|head| Ok((Id::default(), size(head.size, &key)?)))
                .into_iter()
                .collect();
        }
        let folder = self.prefix.clone().join(tpe.dirname());
        // The first page that fails ends the list with its error.
        let objects: Vec<_> = self.wait(self.store.list(Some(&folder)).boxed().try_collect())?;
        objects
            .into_iter()
            .filter_map(|object| {
                let id: Id = object.location.filename()?.parse().ok()?;
                // The list goes into all folders; a file is only where it would be read from.
                (object.location == self.key(tpe, &id)).then_some((id, object))
            })
            .map(|(id, object)| Ok((id, size(object.size, &object.location)?)))
            .collect()
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        let key = self.key(tpe, id);
        self.wait(async { self.store.get(&key).await?.bytes().await })
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let key = self.key(tpe, id);
        let range = u64::from(offset)..u64::from(offset) + u64::from(length);
        self.wait(async {
            let options = GetOptions::default().with_range(Some(range));
            self.store.get_opts(&key, options).await?.bytes().await
        })
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.key(tpe, id).to_string()
    }
}

impl WriteBackend for Bucket {
    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        self.wait(self.put(tpe, id, &content))
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let key = self.key(tpe, id);
        self.wait(self.store.delete(&key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{BufRead, BufReader, Read, Write};

    use super::*;

    #[test]
    fn an_endpoint_is_https_unless_it_says_otherwise() {
        let url = |endpoint, region| endpoint_url(endpoint, region);
        assert_eq!(url("minio.demo:9000", ""), Ok("https://minio.demo:9000".to_owned()));
        assert_eq!(url("http://127.0.0.1:7070/", ""), Ok("http://127.0.0.1:7070".to_owned()));
        assert_eq!(
            url("s3.amazonaws.com", "eu-central-1"),
            Ok("https://s3.eu-central-1.amazonaws.com".to_owned())
        );
        assert!(url("ftp://x", "").is_err());
        assert!(url("https://user:secret@host", "").is_err_and(|text| !text.contains("secret")));
    }

    fn bucket(endpoint: &str, bucket: &str) -> Result<Bucket, Error> {
        let location = Location::S3 {
            endpoint: endpoint.to_owned(),
            bucket: bucket.to_owned(),
            prefix: "p".to_owned(),
            region: String::new(),
            insecure_tls: false,
        };
        let mut secrets = Secrets::new("password");
        let text = |text: &str| zeroize::Zeroizing::new(text.to_owned());
        secrets.s3 = Some(crate::Login { user: text("access-key"), password: text("secret-key") });
        let request_timeout = Duration::from_secs(5);
        Bucket::new(&location, &secrets, &Options { request_timeout, ..Options::default() })
    }

    #[test]
    fn a_bucket_is_a_name_and_no_text_about_it_holds_a_key() {
        for name in ["", "a/b", "secret-key/b"] {
            let error = bucket("http://127.0.0.1:1", name).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(error.contains("is no name of a bucket"), "{name}: {error}");
            assert!(!error.contains("secret-key"), "{error}");
        }
    }

    /// A store that answers a request's head, in small letters, with a status and a body.
    fn store(answer: impl Fn(&str) -> (&'static str, String) + Send + 'static) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    head.push_str(&line.to_ascii_lowercase());
                    line.clear();
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                let _ = reader.read_exact(&mut vec![0; length]);
                let (status, body) = answer(&head);
                let _ = write!(
                    reader.get_mut(),
                    "HTTP/1.1 {status}\r\netag: \"1\"\r\nlast-modified: Fri, 20 Nov 2026 01:00:00 GMT\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        format!("http://{address}")
    }

    /// A store in which every object exists already and holds `there`; it refuses to create one
    /// again and replaces whatever it is not asked to create.
    fn store_that_has(there: &'static str) -> String {
        store(move |head| match head.starts_with("put") {
            true if head.contains("if-none-match: *") => ("412 Precondition Failed", String::new()),
            true => ("200 OK", String::new()),
            false => ("200 OK", there.to_owned()),
        })
    }

    #[test]
    fn a_list_whose_second_page_fails_is_an_error_never_a_short_list() {
        let page = |more: bool| {
            let token = if more { "<NextContinuationToken>t</NextContinuationToken>" } else { "" };
            format!(
                "<ListBucketResult><Name>b</Name><IsTruncated>{more}</IsTruncated>{token}<Contents>\
                 <Key>p/snapshots/{}</Key><LastModified>2026-11-20T01:00:00.000Z</LastModified>\
                 <ETag>1</ETag><Size>10</Size></Contents></ListBucketResult>",
                "0".repeat(64)
            )
        };
        let whole = bucket(&store(move |_| ("200 OK", page(false))), "b").unwrap();
        assert_eq!(whole.list_with_size(FileType::Snapshot).unwrap().len(), 1);
        let torn = store(move |head| match head.contains("continuation-token") {
            true => ("403 Forbidden", String::new()),
            false => ("200 OK", page(true)),
        });
        bucket(&torn, "b").unwrap().list_with_size(FileType::Snapshot).unwrap_err();
    }

    #[test]
    fn what_makes_or_ends_a_repository_replaces_nothing() {
        let bucket = bucket(&store_that_has("another's"), "b").unwrap();
        let id = Id::default();
        let write = |kind, text: &str| {
            bucket.write_bytes(kind, &id, false, text.as_bytes().to_vec().into())
        };
        for kind in [FileType::Config, FileType::Key, FileType::Snapshot] {
            let error = write(kind, "ours").unwrap_err();
            assert!(error.is_code(super::super::EXISTS), "{kind:?}: {error}");
            // A request that was repeated after its answer got lost finds itself.
            write(kind, "another's").unwrap();
        }
        // Packs are named by their content: writing one again changes nothing.
        write(FileType::Pack, "ours").unwrap();
    }
}
