//! restic repositories, on rustic_core: storage, the commit gate, maintenance.
//!
//! What Sealift writes here `restic check --read-data` accepts, and what restic writes Sealift
//! reads. rustic_core loses data when it is used naively; each way in which it does is closed in
//! this crate and has a test that shows it on bare rustic_core beside the test that we are safe
//! (`tests/repository/hazards.rs`).
//!
//! The way of a backup: [`Repository::open_or_init`] → [`Repository::resume`] →
//! [`Repository::draft`] → [`Draft::add`] for each artifact → [`Draft::commit`], which alone lets
//! a snapshot appear → [`Repository::forget`], [`Repository::prune`], [`Repository::check`],
//! [`Repository::statistics`]. The way of a restore: [`Repository::select`] →
//! [`Repository::reader`].
//!
//! Everything here blocks. Nothing here reads the environment or knows Kubernetes; exclusion in a
//! cluster is the caller's, on one machine it is [`RepositoryLock`].

mod archive;
mod artifact;
mod cancel;
mod check;
mod commit;
mod draft;
mod error;
mod forget;
mod gate;
mod init;
mod lock;
mod meter;
mod options;
mod proof;
mod prune;
mod reader;
mod repository;
mod resume;
mod retention;
mod secrets;
mod select;
mod snapshots;
mod statistics;
mod storage;
mod wipe;

pub use artifact::{FileExpectation, FileReceipt};
pub use cancel::CancelFlag;
pub use check::{CheckReport, Finding};
pub use commit::{CommitStatistics, Committed};
pub use draft::Draft;
pub use error::{Error, ErrorClass, StorageError};
pub use forget::{ForgetGroup, ForgetReport, KeptSnapshot};
pub use lock::{LockError, RepositoryLock};
pub use options::{Chunks, Options};
pub use prune::{Amount, KEEP_DELETE_HOURS, PruneReport};
pub use reader::{EntryKind, FileReader, SnapshotEntry, SnapshotReader};
pub use repository::{Format, Repository};
pub use resume::Resumed;
pub use secrets::{Login, Secrets, SecretsError};
pub use snapshots::{SnapshotInfo, SnapshotSummary};
pub use statistics::Statistics;
pub use wipe::{Wiped, wipe};

#[cfg(test)]
mod faults;
