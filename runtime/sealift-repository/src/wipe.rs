//! Removes a repository and everything else in its place, and proves that nothing is left.
//!
//! It cannot be undone, so it is refused unless the place is known to be the repository's: there
//! is a repository that the password opens, or nothing but leftovers of one. A prefix that was
//! mistyped holds other people's data. A whole bucket is a place only if nothing else is in it, and
//! another repository further below is never touched.
//!
//! Flow: open → list → refuse → remove data, then `config`, then the keys → list again. Whatever
//! breaks off in between can be begun again: while there is a `config` there are its keys.

use std::collections::BTreeSet;

use sealift_core::plan::Location;

use crate::storage::{self, Item};
use crate::{Error, Options, Repository, Secrets, StorageError};

/// Between so many removals it is looked whether the work was cancelled.
const BATCH: usize = 256;

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wiped {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes everything below the repository's prefix. The caller holds the repository alone.
///
/// # Errors
/// The storage is not S3; the place is not known to be the repository's alone; the password does
/// not open the repository that is there; the storage failed; or something was left.
pub fn wipe(location: &Location, secrets: &Secrets, options: &Options) -> Result<Wiped, Error> {
    let bucket = match storage::bucket(location, secrets, options)? {
        Some(bucket) => bucket,
        None => {
            return Err(Error::Invalid {
                subject: format!("storage {}", location.provider()),
                reason: "its data cannot be removed with the Repository; remove it by hand"
                    .to_owned(),
            });
        }
    };
    let proven = match Repository::open(location, secrets, options.clone()) {
        Ok(_) => true,
        Err(Error::NoRepository { .. }) => false,
        Err(error) => return Err(error),
    };
    let list =
        || bucket.everything().map_err(|error| failed(secrets, "list", bucket.place(), &error));
    let found = list()?;
    if let Some(reason) = refusal(&found, bucket.is_whole_bucket(), proven) {
        return Err(Error::Invalid { subject: bucket.place().to_owned(), reason });
    }
    for round in rounds(&found) {
        for batch in round.chunks(BATCH) {
            if options.cancel.is_cancelled() {
                return Err(Error::Cancelled { operation: "removing the repository" });
            }
            bucket
                .remove_all(batch)
                .map_err(|error| failed(secrets, "remove", bucket.place(), &error))?;
        }
    }
    let left = list()?;
    match left.first() {
        None => Ok(Wiped {
            objects: found.len() as u64,
            bytes: found.iter().map(|item| item.size).sum(),
        }),
        Some(first) => Err(Error::Storage {
            operation: "removing the repository",
            source: StorageError::Failed {
                operation: "remove",
                object: bucket.place().to_owned(),
                detail: format!(
                    "{} objects are still there, such as {:?}; find out who writes them, or whether the bucket keeps them",
                    left.len(),
                    first.name
                ),
            },
        }),
    }
}

/// Why nothing may be removed.
fn refusal(found: &[Item], whole_bucket: bool, proven: bool) -> Option<String> {
    let names: BTreeSet<&str> = found.iter().map(|item| item.name.as_str()).collect();
    let foreign: Vec<&str> = names.iter().copied().filter(|name| !storage::is_ours(name)).collect();
    if let Some(first) = foreign.first().filter(|_| whole_bucket || !proven) {
        let why = match whole_bucket {
            true => "the Repository has no prefix, and its bucket holds other things",
            false => "there is no repository, but there are other things",
        };
        return Some(format!(
            "{why}: {} objects, such as {first:?}; nothing was removed, so look at what is there and remove it by hand",
            foreign.len()
        ));
    }
    let below = foreign.iter().find_map(|name| {
        let top = name.strip_suffix("/config")?;
        let keys = format!("{top}/keys/");
        names
            .range(keys.as_str()..)
            .next()
            .is_some_and(|name| name.starts_with(&keys))
            .then_some(top)
    })?;
    Some(format!(
        "another repository lies below it, at {below:?}; nothing was removed, so move that one away, or remove this one by hand"
    ))
}

/// In which order they go: what the repository is recognised by comes last.
fn rounds(found: &[Item]) -> [Vec<String>; 3] {
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    let [data, config, keys] = &mut rounds;
    for Item { name, .. } in found {
        let round = match name.as_str() {
            "config" => &mut *config,
            name if name.starts_with("keys/") => &mut *keys,
            _ => &mut *data,
        };
        round.push(name.clone());
    }
    rounds
}

fn failed(
    secrets: &Secrets,
    operation: &'static str,
    place: &str,
    error: &rustic_core::RusticError,
) -> Error {
    Error::Storage {
        operation: "removing the repository",
        source: StorageError::Failed {
            operation,
            object: place.to_owned(),
            // No gate stands before these calls.
            detail: secrets.redact(&crate::error::one_line(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::{BufRead, BufReader, Write};
    use std::sync::mpsc;

    use super::*;
    use crate::ErrorClass;

    fn items(names: &[&str]) -> Vec<Item> {
        names.iter().map(|name| Item { name: (*name).to_owned(), size: 1 }).collect()
    }

    const REPOSITORY: [&str; 6] =
        ["config", "data/ab/abcd", "index/1", "keys/2", "locks/3", "snapshots/4"];

    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        REPOSITORY.iter().copied().chain(more.iter().copied()).collect()
    }

    #[test]
    fn a_repository_and_what_lies_with_it_go_and_its_leftovers_too() {
        assert_eq!(refusal(&items(&REPOSITORY), false, true), None);
        assert_eq!(refusal(&items(&REPOSITORY), true, true), None);
        assert_eq!(refusal(&items(&with(&["notes.txt", "old/config"])), false, true), None);
        // A removal that broke off after `config`.
        assert_eq!(refusal(&items(&["keys/2"]), false, false), None);
        assert_eq!(refusal(&[], true, false), None);
    }

    #[test]
    fn what_is_not_known_to_be_the_repositorys_stays() {
        let said = refusal(&items(&["letters/a", "letters/b"]), false, false).unwrap();
        assert!(said.contains("no repository") && said.contains("\"letters/a\""), "{said}");
        let said = refusal(&items(&with(&["other-team/file"])), true, true).unwrap();
        assert!(said.contains("no prefix") && said.contains("other-team/file"), "{said}");
        // A file that only begins like one of a repository's.
        let said = refusal(&items(&with(&["config-of-others"])), true, true).unwrap();
        assert!(said.contains("config-of-others"), "{said}");
    }

    #[test]
    fn a_repository_below_is_another_one() {
        let said = refusal(&items(&with(&["team/b/config", "team/b/keys/1"])), false, true);
        assert!(said.unwrap().contains("at \"team/b\""));
    }

    /// A bucket with leftovers of a repository that takes every removal and keeps the object;
    /// which one is told.
    fn bucket_that_keeps(names: &[&str], removed: impl Fn(&str) + Send + 'static) -> Location {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let objects: String = names
            .iter()
            .map(|name| {
                format!(
                    "<Contents><Key>p/{name}</Key><ETag>1</ETag><Size>10</Size>\
                     <LastModified>2026-11-20T01:00:00.000Z</LastModified></Contents>"
                )
            })
            .collect();
        let list = format!(
            "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        );
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    head.push_str(&line);
                    line.clear();
                }
                let mut words = head.split(' ');
                let (status, body) = match (words.next(), words.next()) {
                    (Some("HEAD"), _) => ("404 Not Found", ""),
                    (Some("DELETE"), path) => {
                        removed(path.unwrap_or_default());
                        ("204 No Content", "")
                    }
                    _ => ("200 OK", list.as_str()),
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = reader.get_mut().write_all((answer + body).as_bytes());
            }
        });
        Location::S3 {
            endpoint,
            bucket: "b".to_owned(),
            prefix: "p".to_owned(),
            region: String::new(),
            insecure_tls: false,
        }
    }

    #[test]
    fn what_is_still_there_after_its_removal_is_no_success() {
        let location = bucket_that_keeps(&["keys/1"], |_| ());
        let error = wipe(&location, &Secrets::new("password"), &Options::default()).unwrap_err();
        let causes = sealift_core::causes::chain_of_causes(&error);
        assert!(causes.contains("1 objects are still there, such as \"keys/1\""), "{causes}");
    }

    #[test]
    fn a_removal_that_is_interrupted_goes_no_further() {
        let (options, (told, removed)) = (Options::default(), mpsc::channel());
        let cancel = options.cancel.clone();
        let location = bucket_that_keeps(&["data/ab/abcd", "keys/1"], move |path| {
            told.send(path.to_owned()).unwrap();
            cancel.cancel();
        });
        let error = wipe(&location, &Secrets::new("password"), &options).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Cancelled, "{error}");
        assert_eq!(removed.try_iter().collect::<Vec<_>>(), ["/b/p/data/ab/abcd"]);
    }

    #[test]
    fn what_the_repository_is_recognised_by_goes_last() {
        let [data, config, keys] = rounds(&items(&with(&["note"])));
        assert_eq!(data, ["data/ab/abcd", "index/1", "locks/3", "snapshots/4", "note"]);
        assert_eq!((config, keys), (vec!["config".to_owned()], vec!["keys/2".to_owned()]));
    }
}
