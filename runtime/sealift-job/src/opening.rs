//! Opens a plan's repository and takes its locks in the right order.
//!
//! A backup makes the repository where there is none, and puts what an earlier, broken-off
//! backup uploaded back into the index. Both need the repository alone. A backup that cannot
//! have it alone finds another session at work: it then shares the lock, which it gets only
//! once nobody is alone any more, and opens what is there. Only if nothing is there it waits to
//! be alone: whoever was to make the repository did not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sealift_core::plan::{Direction, Plan, RepositoryPlan};
use sealift_repository::{Options, Repository, Secrets};

use crate::failure::{LastWords, SessionError};
use crate::locks::{Hold, Lock, end_when_lost};
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
    /// Keeps maintenance of other sessions away.
    pub(crate) lock: Box<dyn Lock>,
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
    let opening = Arc::new(Opening { plan: plan.clone(), secrets, options });
    opening.run(around).await
}

struct Opening {
    plan: Plan,
    secrets: Secrets,
    options: Options,
}

impl Opening {
    async fn run(self: Arc<Self>, around: &Surroundings) -> Result<Opened, SessionError> {
        let is_backup = matches!(self.plan.direction, Direction::Backup(_));
        if is_backup {
            // Whoever cannot be alone now shares; an error shows itself there again.
            let (repository, holder) = self.lock_names();
            if let Ok(lock) = around.locks.try_lock(repository, holder, Hold::Alone).await {
                end_when_lost(&*lock, &around.cancel);
                return self.alone(lock, around).await;
            }
        }
        let lock = self.lock(Hold::Shared, around).await?;
        let opening = Arc::clone(&self);
        match spawn(move || opening.existing()).await? {
            Ok(repository) => {
                let note = self.note(&repository);
                Ok(Opened { repository, created: false, resumed_packs: 0, note, lock })
            }
            // Whoever was alone before has not made one, and may have died of it.
            Err(error) if is_backup && error.is_no_repository() => {
                lock.release().await;
                match self.lock(Hold::Alone, around).await {
                    Ok(lock) => self.alone(lock, around).await,
                    Err(_) => Err(error),
                }
            }
            Err(error) => {
                lock.release().await;
                Err(error)
            }
        }
    }

    /// Makes or repairs the repository, then shares it.
    async fn alone(
        self: Arc<Self>,
        lock: Box<dyn Lock>,
        around: &Surroundings,
    ) -> Result<Opened, SessionError> {
        let opening = Arc::clone(&self);
        let prepared = spawn(move || opening.prepared()).await;
        lock.release().await;
        let (repository, created, resumed_packs) = prepared??;
        let lock = self.lock(Hold::Shared, around).await?;
        let note = self.note(&repository);
        Ok(Opened { repository, created, resumed_packs, note, lock })
    }

    /// A repository that is there and whole; whether it was made, and what was put back.
    fn prepared(&self) -> Result<(Repository, bool, u64), SessionError> {
        let options = Options { alone: true, ..self.options.clone() };
        let location = &self.plan.repository.location;
        let (repository, created) = Repository::open_or_init(location, &self.secrets, options)
            .map_err(|source| self.failed(source))?;
        let resumed_packs = if created {
            0
        } else {
            repository.resume().map_err(|source| self.failed(source))?.packs
        };
        Ok((repository, created, resumed_packs))
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

    fn lock_names(&self) -> (&RepositoryPlan, &str) {
        (&self.plan.repository, &self.plan.session.name)
    }

    async fn lock(&self, hold: Hold, around: &Surroundings) -> Result<Box<dyn Lock>, SessionError> {
        let (repository, holder) = self.lock_names();
        let patience = around.locks.patience().min(Duration::from_secs(self.plan.timeout_seconds));
        let locked = around.locks.lock(repository, holder, hold, patience, &around.cancel).await;
        let lock = locked.map_err(|source| match around.cancel.is_cancelled() {
            true => SessionError::Cancelled(LastWords::default()),
            false => SessionError::Locked {
                namespace: repository.reference.namespace.clone(),
                name: repository.reference.name.clone(),
                source,
            },
        })?;
        end_when_lost(&*lock, &around.cancel);
        Ok(lock)
    }

    fn failed(&self, source: sealift_repository::Error) -> SessionError {
        SessionError::Repository {
            namespace: self.plan.repository.reference.namespace.clone(),
            name: self.plan.repository.reference.name.clone(),
            secret: self.plan.repository.secret.clone(),
            source: Box::new(source),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::sample;
    use sealift_core::plan::SnapshotSelection;

    fn restore(mut plan: Plan) -> Plan {
        plan.direction = Direction::Restore(SnapshotSelection {
            snapshot: "latest".into(),
            hostname: None,
            target_tag: "t".into(),
            of_another: false,
            paths: vec!["/data".into()],
        });
        plan
    }

    #[tokio::test]
    async fn a_repository_is_only_made_by_who_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("r");
        let (plan, around) = (sample::plan(&place), sample::around(folder.path()));
        let other = around.locks.try_lock(&plan.repository, "other", Hold::Shared).await.unwrap();
        let error = open(&plan, None, &around).await.err().unwrap();
        assert!(error.is_no_repository(), "{error:?}");
        assert!(!place.try_exists().unwrap(), "it was made beside another session");
        other.release().await;
        assert!(open(&plan, None, &around).await.unwrap().created);
    }

    #[tokio::test]
    async fn a_session_shares_its_repository_as_long_as_it_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("r");
        let around = sample::around(folder.path());
        // One that makes the repository, one that finds it, one that only reads.
        let backup = sample::plan(&place);
        for plan in [backup.clone(), backup.clone(), restore(backup)] {
            let opened = open(&plan, None, &around).await.unwrap();
            let take = |hold| around.locks.try_lock(&plan.repository, "other", hold);
            assert!(take(Hold::Alone).await.is_err_and(|error| error.is_held()));
            take(Hold::Shared).await.unwrap().release().await;
            opened.lock.release().await;
            take(Hold::Alone).await.unwrap().release().await;
        }
    }

    #[tokio::test]
    async fn nobody_uses_a_repository_that_somebody_has_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("r");
        let (backup, around) = (sample::plan(&place), sample::around(folder.path()));
        sample::repository(&place);
        let _other = around.locks.try_lock(&backup.repository, "other", Hold::Alone).await.unwrap();
        for plan in [backup.clone(), restore(backup)] {
            let error = open(&plan, None, &around).await.err().unwrap();
            assert!(matches!(error, SessionError::Locked { .. }), "{error:?}");
        }
    }
}
