//! The wrapper around every storage: cancelling, the snapshot gate, context for errors.
//!
//! rustic_core writes the snapshot file when it thinks that a backup is done, which is too early:
//! it skips files it could not read. So no snapshot file of rustic_core's ever reaches the
//! storage; `commit` opens the gate for exactly one, ours. Each piece of work gets a gate of its
//! own. The gate also remembers the first failed call, because rustic_core turns errors into text,
//! warnings or panics of its threads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::error::{one_line, panic_text};
use crate::storage::EXISTS;
use crate::{CancelFlag, Error, Secrets, StorageError};

/// What happens to a snapshot file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Snapshots {
    /// It is an error.
    Refused,
    /// It is counted and thrown away: rustic_core thinks it is stored.
    Held(usize),
    /// The one that comes next goes through.
    Released,
    /// That one was handed to the storage.
    Sent(Id),
}

/// A storage as one piece of work sees it.
pub(crate) struct Gate {
    storage: Arc<dyn WriteBackend>,
    secrets: Arc<Secrets>,
    cancel: CancelFlag,
    snapshots: Mutex<Snapshots>,
    failure: Mutex<Option<StorageError>>,
    /// The key file that was written last.
    key: Mutex<Option<Id>>,
}

impl Gate {
    /// A gate through which no snapshot file is written.
    pub(crate) fn shut(
        storage: Arc<dyn WriteBackend>,
        secrets: Arc<Secrets>,
        cancel: CancelFlag,
    ) -> Arc<Self> {
        Self::new(storage, secrets, cancel, Snapshots::Refused)
    }

    /// A gate that keeps the snapshot files back, for a draft.
    pub(crate) fn holding(
        storage: Arc<dyn WriteBackend>,
        secrets: Arc<Secrets>,
        cancel: CancelFlag,
    ) -> Arc<Self> {
        Self::new(storage, secrets, cancel, Snapshots::Held(0))
    }

    fn new(
        storage: Arc<dyn WriteBackend>,
        secrets: Arc<Secrets>,
        cancel: CancelFlag,
        snapshots: Snapshots,
    ) -> Arc<Self> {
        Arc::new(Self {
            storage,
            secrets,
            cancel,
            snapshots: Mutex::new(snapshots),
            failure: Mutex::new(None),
            key: Mutex::new(None),
        })
    }

    /// How many snapshot files were kept back so far.
    pub(crate) fn held(&self) -> usize {
        match *self.snapshots.lock().unwrap_or_else(PoisonError::into_inner) {
            Snapshots::Held(count) => count,
            _ => 0,
        }
    }

    /// Lets the next snapshot file through, and only that one.
    pub(crate) fn release_one(&self) {
        *self.snapshots.lock().unwrap_or_else(PoisonError::into_inner) = Snapshots::Released;
    }

    /// The snapshot file that was handed to the storage, whether it arrived or not.
    pub(crate) fn sent(&self) -> Option<Id> {
        match *self.snapshots.lock().unwrap_or_else(PoisonError::into_inner) {
            Snapshots::Sent(id) => Some(id),
            _ => None,
        }
    }

    /// The key file that was written last.
    pub(crate) fn key(&self) -> Option<Id> {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs rustic_core and turns what comes out, panics of its threads included, into our error.
    pub(crate) fn run<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> RusticResult<T>,
    ) -> Result<T, Error> {
        let (outcome, failure) = self.run_on(operation, work);
        // A failed call counts even if rustic_core went on and said yes.
        match failure {
            Some(StorageError::Cancelled { .. }) => Err(Error::Cancelled { operation }),
            Some(source) => Err(Error::Storage { operation, source }),
            None => outcome,
        }
    }

    /// The same, but tells a failed call beside the outcome.
    pub(crate) fn run_on<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> RusticResult<T>,
    ) -> (Result<T, Error>, Option<StorageError>) {
        // Nothing that could be left half changed is looked at again after a panic: the draft is
        // given up, and a repository is opened anew for each piece of work.
        let outcome = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Error::Engine { operation, detail: self.text(&error) }),
            Err(payload) => {
                Err(Error::Panicked { operation, detail: panic_text(payload.as_ref()) })
            }
        };
        (outcome, self.take_failure())
    }

    /// The first failed call since it was last asked for.
    pub(crate) fn take_failure(&self) -> Option<StorageError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn text(&self, error: &RusticError) -> String {
        self.secrets.redact(&one_line(error))
    }

    fn remember(&self, failure: StorageError) -> Box<RusticError> {
        let error = RusticError::new(ErrorKind::Backend, failure.to_string());
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        error
    }

    fn call<T>(
        &self,
        operation: &'static str,
        object: impl Fn() -> String,
        work: impl FnOnce() -> RusticResult<T>,
    ) -> RusticResult<T> {
        if self.cancel.is_cancelled() {
            return Err(self.remember(StorageError::Cancelled { operation, object: object() }));
        }
        work().map_err(|error| {
            self.remember(if error.is_code(EXISTS) {
                StorageError::Exists { operation, object: object() }
            } else {
                StorageError::Failed { operation, object: object(), detail: self.text(&error) }
            })
        })
    }
}

fn name(tpe: FileType, id: &Id) -> String {
    match tpe {
        FileType::Config => "the config file".to_owned(),
        _ => format!("{tpe:?} {}", id.to_hex().as_str()).to_lowercase(),
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl ReadBackend for Gate {
    fn location(&self) -> String {
        // Public as the plan has it: a storage refuses a place that holds a user or a password.
        // Redacted it would only lose a folder that is named like its user.
        self.storage.location()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.call("list", || tpe.dirname().to_owned(), || self.storage.list_with_size(tpe))
    }

    fn list(&self, tpe: FileType) -> RusticResult<Vec<Id>> {
        self.call("list", || tpe.dirname().to_owned(), || self.storage.list(tpe))
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.call("read", || name(tpe, id), || self.storage.read_full(tpe, id))
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.call(
            "read",
            || name(tpe, id),
            || {
                let bytes = self.storage.read_partial(tpe, id, cacheable, offset, length)?;
                // A server that ignores the range answers with the whole file.
                if bytes.len() == length as usize {
                    Ok(bytes)
                } else {
                    Err(RusticError::new(
                        ErrorKind::Backend,
                        format!("asked for {length} bytes, got {}", bytes.len()),
                    ))
                }
            },
        )
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        name(tpe, id)
    }
}

impl WriteBackend for Gate {
    fn create(&self) -> RusticResult<()> {
        self.call("create", || "the repository's folders".to_owned(), || self.storage.create())
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        if tpe == FileType::Snapshot {
            let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
            match *snapshots {
                Snapshots::Held(count) => {
                    *snapshots = Snapshots::Held(count + 1);
                    return Ok(());
                }
                // From here on it may arrive, whatever is said afterwards.
                Snapshots::Released if !self.cancel.is_cancelled() => {
                    *snapshots = Snapshots::Sent(*id);
                }
                Snapshots::Released => {
                    return Err(self.remember(StorageError::Cancelled {
                        operation: "write",
                        object: name(tpe, id),
                    }));
                }
                Snapshots::Refused | Snapshots::Sent(_) => {
                    return Err(self.remember(StorageError::SnapshotOutsideCommit));
                }
            }
        }
        self.call(
            "write",
            || name(tpe, id),
            || self.storage.write_bytes(tpe, id, cacheable, content),
        )?;
        if tpe == FileType::Key {
            *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(*id);
        }
        Ok(())
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.call("remove", || name(tpe, id), || self.storage.remove(tpe, id, cacheable))
    }
}
