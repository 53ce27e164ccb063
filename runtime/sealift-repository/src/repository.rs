//! An opened repository: where everything else begins.
//!
//! It keeps the master key, the configuration and the storage; rustic_core's own object is made
//! anew for each piece of work, on a gate of its own, so that nothing is carried over from work
//! that failed. No cache is used: rustic_core's is shared between processes and races.

use std::fmt;
use std::sync::Arc;

use rustic_core::repofile::{ConfigFile, FileType, MasterKey};
use rustic_core::{
    Credentials, OpenStatus, ReadBackend, RepositoryBackends, RepositoryOptions, WriteBackend,
};
use sealift_core::plan::Location;

use crate::gate::Gate;
use crate::{CancelFlag, Error, Options, Secrets, init, storage};

/// An opened repository; clones share everything.
#[derive(Clone)]
pub struct Repository(Arc<Inner>);

struct Inner {
    storage: Arc<dyn WriteBackend>,
    place: String,
    secrets: Arc<Secrets>,
    options: Options,
    key: MasterKey,
    config: ConfigFile,
}

/// What a repository is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// restic's format version, 1 or 2.
    pub version: u32,
    /// Average size of a chunk in bytes.
    pub chunk_average: u64,
    /// What its format costs if it is the first, and its chunk size if it does not suit what was
    /// asked for; several sentences are separated by `; `.
    pub note: Option<String>,
}

impl Repository {
    /// Opens a repository that exists.
    ///
    /// # Errors
    /// There is none, the password is wrong, its format is unknown, or the storage failed.
    pub fn open(location: &Location, secrets: &Secrets, options: Options) -> Result<Self, Error> {
        let storage = storage::connect(location, secrets, &options)?;
        storage::refuse_stray_config(location)?;
        Self::open_on(storage, secrets.clone(), options)
    }

    /// Makes a repository in an empty place.
    ///
    /// # Errors
    /// The place is not empty, or the storage failed. Nothing that is there is ever overwritten.
    pub fn init(location: &Location, secrets: &Secrets, options: Options) -> Result<Self, Error> {
        let storage = storage::connect(location, secrets, &options)?;
        storage::refuse_foreign(location, secrets, &options)?;
        Self::init_on(storage, secrets.clone(), options)
    }

    /// Opens a repository, or makes it where there is none; the second value says whether it did.
    ///
    /// # Errors
    /// As [`Repository::open`] and [`Repository::init`].
    pub fn open_or_init(
        location: &Location,
        secrets: &Secrets,
        options: Options,
    ) -> Result<(Self, bool), Error> {
        match Self::open(location, secrets, options.clone()) {
            Err(Error::NoRepository { .. }) => {
                Self::init(location, secrets, options).map(|repository| (repository, true))
            }
            opened => opened.map(|repository| (repository, false)),
        }
    }

    pub(crate) fn init_on(
        storage: Arc<dyn WriteBackend>,
        secrets: Secrets,
        options: Options,
    ) -> Result<Self, Error> {
        let gate = Gate::shut(storage.clone(), Arc::new(secrets.clone()), options.cancel.clone());
        init::create(&gate, &secrets, &options)?;
        // Read back what was written, through the password, as every later session will.
        Self::open_on(storage, secrets, options)
    }

    pub(crate) fn open_on(
        storage: Arc<dyn WriteBackend>,
        secrets: Secrets,
        options: Options,
    ) -> Result<Self, Error> {
        let secrets = Arc::new(secrets);
        let gate = Gate::shut(storage.clone(), secrets.clone(), options.cancel.clone());
        let place = gate.location();
        let operation = "opening the repository";
        if gate.run(operation, || gate.list(FileType::Config))?.is_empty() {
            return Err(Error::NoRepository { location: place });
        }
        if gate.run(operation, || gate.list(FileType::Key))?.is_empty() {
            return Err(Error::NoKeys { location: place });
        }
        let mut wrong_password = false;
        let opened = gate.run(operation, || {
            rustic_core::Repository::new(
                &RepositoryOptions::default().no_cache(true),
                &RepositoryBackends::new(gate.clone(), None),
            )?
            .open(&Credentials::password(secrets.password.as_str()))
            .inspect_err(|error| wrong_password = error.is_incorrect_password())
        });
        let opened = match opened {
            Err(Error::Engine { .. }) if wrong_password => {
                let hint = if secrets.password.ends_with(['\n', '\r', ' ']) {
                    "; RESTIC_PASSWORD ends with a blank or a line break, which counts"
                } else {
                    ""
                };
                return Err(Error::WrongPassword { location: place, hint });
            }
            other => other.map_err(|error| unknown_format(error, &place))?,
        };
        let config = opened.config().clone();
        let key = opened.key();
        Ok(Self(Arc::new(Inner { storage, place, secrets, options, key, config })))
    }

    /// What the repository is like, and what that costs for the chunks that were asked for.
    #[must_use]
    pub fn format(&self) -> Format {
        let chunk_average = self.0.config.chunk_size() as u64;
        let wanted = self.0.options.chunks.average();
        let version = self.0.config.version;
        let mut notes = Vec::new();
        if version < 2 {
            notes.push(
                "the repository has restic's format version 1, which stores everything \
                 uncompressed and is not changed by itself; `restic migrate upgrade_repo_v2` \
                 changes it"
                    .to_owned(),
            );
        }
        if chunk_average > wanted {
            notes.push(format!(
                "the repository was made with chunks of {} KiB on average, {} KiB would suit this \
                 target: a small change stores up to {} times as much; only a new repository can \
                 change that",
                chunk_average >> 10,
                wanted >> 10,
                chunk_average / wanted
            ));
        }
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Format { version, chunk_average, note }
    }

    /// The repository's own identifier.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.config.id.to_hex().as_str().to_owned()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// A gate through which no snapshot can be written.
    pub(crate) fn shut_gate(&self) -> Arc<Gate> {
        Gate::shut(self.0.storage.clone(), self.0.secrets.clone(), self.0.options.cancel.clone())
    }

    /// The same, but not ended by the session's flag: what was handed over must be settled.
    pub(crate) fn settling_gate(&self) -> Arc<Gate> {
        Gate::shut(self.0.storage.clone(), self.0.secrets.clone(), CancelFlag::new())
    }

    /// A gate for a draft.
    pub(crate) fn holding_gate(&self) -> Arc<Gate> {
        Gate::holding(self.0.storage.clone(), self.0.secrets.clone(), self.0.options.cancel.clone())
    }

    /// rustic_core's repository on this gate, without asking for the password again.
    pub(crate) fn engine(
        &self,
        gate: &Arc<Gate>,
    ) -> Result<rustic_core::Repository<OpenStatus>, Error> {
        gate.run("opening the repository", || {
            rustic_core::Repository::new(
                &RepositoryOptions::default().no_cache(true),
                &RepositoryBackends::new(gate.clone(), None),
            )?
            .open(&Credentials::Masterkey(self.0.key.clone()))
        })
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("place", &self.0.place).finish_non_exhaustive()
    }
}

/// An error of opening that is about the version in the config; rustic_core has no code for it.
fn unknown_format(error: Error, place: &str) -> Error {
    match error {
        Error::Engine { detail, .. } if detail.starts_with("Config version") => {
            Error::Format { location: place.to_owned() }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_version_nobody_knows_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r").to_string_lossy().into_owned();
        let secrets = || Secrets::new("password");
        let location = sealift_core::plan::Location::Local { path };
        let repository = Repository::init(&location, &secrets(), Options::default()).unwrap();
        let told = |version: u32| {
            let config =
                rustic_core::repofile::ConfigFile { version, ..repository.0.config.clone() };
            // What opening a repository asks of its config.
            repository.shut_gate().run("opening", || config.zstd().map(drop))
        };
        told(2).unwrap();
        let error = unknown_format(told(3).unwrap_err(), "place");
        assert!(matches!(&error, Error::Format { location } if location == "place"), "{error:?}");
        let other = Error::NoKeys { location: "place".to_owned() };
        assert!(matches!(unknown_format(other, "place"), Error::NoKeys { .. }));
    }
}
