//! What can go wrong between us and a registry, and whose turn it is then.
//!
//! Words of a registry are data: cut, escaped, and never the whole of a message.

use std::time::Duration;

use crate::credentials::CredentialError;
use crate::digest::Digest;

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing changes by waiting: what was asked for, or what answered, is wrong.
    Invalid,
    /// Somebody must give or make something first: credentials, a certificate, the artifact.
    Blocked,
    /// It may be different in a moment.
    Transient,
}

/// Why a registry did not give or take what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A client for it could not be made, so nothing was asked.
    #[error("failed to make a client for {host}; check its `ca`")]
    Client {
        /// For which registry.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The reference ends with the repository.
    #[error("{reference} names neither a tag nor a digest")]
    NoVersion {
        /// Which one.
        reference: String,
    },
    /// No connection, or one that broke off.
    #[error("{what}: {host} is not reached")]
    Unreachable {
        /// What was asked.
        what: String,
        /// Who.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It did not prove who it is.
    #[error("{what}: the certificate of {host} is not trusted; name its authority in `ca`")]
    Certificate {
        /// What was asked.
        what: String,
        /// Who.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An address that nobody is sent to, whatever name leads there.
    #[error("{what}: {why}")]
    Prohibited {
        /// What was asked.
        what: String,
        /// Which name, which address, why.
        why: String,
    },
    /// It said nothing for too long, or too little at a time.
    #[error("{what}: {host} did not finish within {} s", .after.as_secs())]
    Stalled {
        /// What was asked.
        what: String,
        /// Who.
        host: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// 401 or 403.
    #[error("{what}: denied by {host} ({status}{}); {}", told(.message), advice(*.known))]
    Denied {
        /// What was asked.
        what: String,
        /// By whom.
        host: String,
        /// 401 or 403.
        status: u16,
        /// Its words.
        message: String,
        /// Whether credentials were sent.
        known: bool,
    },
    /// 404.
    #[error("{what}: not found{}", told(.message))]
    NotFound {
        /// What was asked.
        what: String,
        /// Its words.
        message: String,
    },
    /// 429, also after waiting.
    #[error("{what}: {host} wants fewer requests")]
    TooMany {
        /// What was asked.
        what: String,
        /// Who.
        host: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// Any other status that is no success.
    #[error("{what}: {host} answered {status}{}", told(.message))]
    Refused {
        /// What was asked.
        what: String,
        /// Who.
        host: String,
        /// The status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// More than anything of its kind has.
    #[error("{what}: it has more than {most} bytes")]
    TooLarge {
        /// What was asked.
        what: String,
        /// The bound.
        most: u64,
    },
    /// Other bytes than their name says.
    #[error("{what}: {wanted} was asked for, and bytes of {found} came")]
    Digest {
        /// What was asked.
        what: String,
        /// What they should be.
        wanted: Digest,
        /// What they are.
        found: Digest,
    },
    /// An answer that no registry gives.
    #[error("{what}: {why}")]
    Form {
        /// What was asked.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A redirect that is not followed.
    #[error("{what}: {host} redirects {why}; not followed")]
    Redirect {
        /// What was asked.
        what: String,
        /// Who.
        host: String,
        /// Where to, or how often.
        why: String,
    },
    /// Credentials are there and could not be had.
    #[error("{what}: the credentials for {host} could not be had")]
    Credentials {
        /// What was asked.
        what: String,
        /// For whom.
        host: String,
        /// Why.
        #[source]
        source: Box<CredentialError>,
    },
}

fn told(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn advice(known: bool) -> &'static str {
    if known {
        "the credentials it got do not allow that"
    } else {
        "no credentials are known for it"
    }
}

impl WireError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } | Self::Stalled { .. } | Self::TooMany { .. } => {
                Class::Transient
            }
            Self::Refused { status, .. } if *status >= 500 => Class::Transient,
            Self::Denied { .. }
            | Self::NotFound { .. }
            | Self::Certificate { .. }
            | Self::Credentials { .. } => Class::Blocked,
            Self::Client { .. }
            | Self::NoVersion { .. }
            | Self::Prohibited { .. }
            | Self::Refused { .. }
            | Self::TooLarge { .. }
            | Self::Digest { .. }
            | Self::Form { .. }
            | Self::Redirect { .. } => Class::Invalid,
        }
    }

    /// Whether it says that what was asked for is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
