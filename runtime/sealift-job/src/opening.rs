//! Opens a plan's repository and takes this machine's locks in the right order.
//!
//! A backup makes the repository where there is none, and puts what an earlier, broken-off
//! backup uploaded back into the index. Both need the repository alone. A backup that cannot
//! have it alone finds another session at work: it then shares the lock, which it gets only
//! once nobody is alone any more, and opens what is there; it never makes a repository.

use std::path::{Path, PathBuf};

use sealift_core::plan::{Direction, Plan};
use sealift_repository::{LockError, Options, Repository, RepositoryLock, Secrets};

use crate::failure::SessionError;
use crate::storage;
use crate::surroundings::{Surroundings, spawn};

/// A repository that is ready for a chain.
pub(crate) struct Opened {
    /// The repository.
    pub(crate) repository: Repository,
    /// Whether this session made it.
    pub(crate) created: bool,
    /// Packs of a broken-off backup that are in the index again.
    pub(crate) resumed_packs: u64,
    /// What its chunks or its format cost a backup of this target.
    pub(crate) note: Option<String>,
    /// Keeps maintenance of other sessions on this machine away.
    pub(crate) lock: RepositoryLock,
}

/// Opens the repository for this plan's direction.
pub(crate) async fn open(
    plan: &Plan,
    interim: Option<&Path>,
    around: &Surroundings,
) -> Result<Opened, SessionError> {
    let secrets = storage::read_secrets(&plan.repository, &*around.objects)
        .await
        .map_err(|error| SessionError::Storage(Box::new(error)))?;
    let options = Options {
        interim_dir: interim.map(Path::to_owned),
        interim_limit: plan.interim_volume.as_ref().and_then(|volume| volume.size_bytes),
        ..storage::options(&around.cancel)
    };
    let opening = Opening { plan: plan.clone(), secrets, options, folder: around.lock_dir.clone() };
    spawn(move || opening.run()).await?
}

struct Opening {
    plan: Plan,
    secrets: Secrets,
    options: Options,
    folder: PathBuf,
}

impl Opening {
    fn run(self) -> Result<Opened, SessionError> {
        let alone = match self.plan.direction {
            Direction::Backup(_) => self.alone().ok(),
            Direction::Restore(_) => None,
        };
        let Some(alone) = alone else {
            let lock = self.shared()?;
            let repository = self.existing()?;
            let note = self.note(&repository);
            return Ok(Opened { repository, created: false, resumed_packs: 0, note, lock });
        };
        let options = Options { alone: true, ..self.options.clone() };
        let location = &self.plan.repository.location;
        let (repository, created) = Repository::open_or_init(location, &self.secrets, options)
            .map_err(|source| self.failed(source))?;
        let resumed_packs = if created {
            0
        } else {
            repository.resume().map_err(|source| self.failed(source))?.packs
        };
        drop(alone);
        let lock = self.shared()?;
        let note = self.note(&repository);
        Ok(Opened { repository, created, resumed_packs, note, lock })
    }

    /// A restore costs the same, whatever the chunks are.
    fn note(&self, repository: &Repository) -> Option<String> {
        match self.plan.direction {
            Direction::Backup(_) => repository.format().note,
            Direction::Restore(_) => None,
        }
    }

    fn existing(&self) -> Result<Repository, SessionError> {
        Repository::open(&self.plan.repository.location, &self.secrets, self.options.clone())
            .map_err(|source| self.failed(source))
    }

    fn alone(&self) -> Result<RepositoryLock, LockError> {
        let location = &self.plan.repository.location;
        RepositoryLock::exclusive(&self.folder, location, &self.plan.session.name)
    }

    fn shared(&self) -> Result<RepositoryLock, SessionError> {
        let location = &self.plan.repository.location;
        RepositoryLock::shared(&self.folder, location, &self.plan.session.name).map_err(|source| {
            SessionError::Locked {
                namespace: self.plan.repository.reference.namespace.clone(),
                name: self.plan.repository.reference.name.clone(),
                source,
            }
        })
    }

    fn failed(&self, source: sealift_repository::Error) -> SessionError {
        SessionError::Repository {
            namespace: self.plan.repository.reference.namespace.clone(),
            name: self.plan.repository.reference.name.clone(),
            source: Box::new(source),
        }
    }
}
