//! How a repository is used: chunks, the interim folder, limits in time.
//!
//! Nothing secret is in here; see `secrets`.

use std::path::PathBuf;
use std::time::Duration;

use crate::CancelFlag;

/// How a repository is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where artifacts of unknown size are kept until their end is seen; none = they are refused
    /// when they are larger than 1 MiB.
    pub interim_dir: Option<PathBuf>,
    /// The largest artifact that is kept there, in bytes; none = what the place holds.
    pub interim_limit: Option<u64>,
    /// How a repository that is made gets its chunks; an existing one keeps its own.
    pub chunks: Chunks,
    /// Whether the caller holds the repository alone. What a broken-off init left is cleared
    /// away only then: otherwise it could be that of a session which is just making it.
    pub alone: bool,
    /// Ends the work.
    pub cancel: CancelFlag,
    /// How long one request to the storage may take. Default: 5 minutes.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interim_dir: None,
            interim_limit: None,
            chunks: Chunks::Large,
            alone: false,
            cancel: CancelFlag::new(),
            request_timeout: Duration::from_secs(300),
        }
    }
}

/// Into what pieces a repository cuts its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// 16 KiB on average. Small changes scattered over a large file, as in the snapshots of a
    /// Vault, then cost little; the index is larger.
    Small,
    /// 1 MiB on average, restic's own.
    Large,
}

impl Chunks {
    /// The average size in bytes; a power of two, as the Rabin chunker needs it.
    #[must_use]
    pub fn average(self) -> u64 {
        match self {
            Self::Small => 16 << 10,
            Self::Large => 1 << 20,
        }
    }
}
