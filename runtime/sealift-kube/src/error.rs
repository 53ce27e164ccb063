//! What can go wrong between us and an API server, and whose fault it is.

use k8s_openapi::api::core::v1::ObjectReference;
use sealift_core::plan::ObjectRef;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The user must change an object; trying again changes nothing.
    Invalid,
    /// Another object, or a right, is missing; it may come at any time.
    Blocked,
    /// Trying again may help.
    Transient,
    /// A bug, or an answer that makes no sense.
    Internal,
}

impl Class {
    /// The word in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Blocked => "Blocked",
            Self::Transient => "Transient",
            Self::Internal => "Internal",
        }
    }
}

/// A call that failed, by what it was meant to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No API server is known, or its address or credentials cannot be used.
    #[error("failed to find out how to reach the API server")]
    Configure {
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object could not be read.
    #[error("failed to read {object}")]
    Read {
        /// Which.
        object: ObjectRef,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// Objects could not be listed.
    #[error("failed to list {kind}")]
    List {
        /// Which kind.
        kind: String,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// An object could not be created or brought into its form.
    #[error("failed to apply {object}")]
    Apply {
        /// Which.
        object: ObjectRef,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// An object could not be deleted.
    #[error("failed to delete {object}")]
    Delete {
        /// Which.
        object: ObjectRef,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// A status could not be written.
    #[error("failed to write the status of {object}")]
    Status {
        /// Which.
        object: ObjectRef,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// An Event could not be written.
    #[error("failed to write an Event about {}", display(.object))]
    Event {
        /// About what.
        object: Box<ObjectReference>,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// The API server's time is not known.
    #[error("failed to ask for the API server's time")]
    ServerTime {
        /// The cause.
        #[source]
        source: Failure,
    },
    /// A Lease could not be read or written.
    #[error("failed to use {object}")]
    Lease {
        /// Which.
        object: ObjectRef,
        /// The cause.
        #[source]
        source: Failure,
    },
    /// A Lease holds something nobody can read.
    #[error("{object}: {field} cannot be read; delete the Lease if nobody uses it")]
    LeaseContent {
        /// Which.
        object: ObjectRef,
        /// Where in it.
        field: &'static str,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

fn display(object: &ObjectReference) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!("{} {}/{}", text(&object.kind), text(&object.namespace), text(&object.name))
}

/// Why one call failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server's own words.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// The way to the API server, or what came back.
    #[error("the API server could not be asked")]
    Call(#[source] Box<kube::Error>),
    /// No answer came in time; whether it was done is not known.
    #[error("no answer from the API server within {seconds} s")]
    Silence {
        /// How long was waited.
        seconds: u64,
    },
    /// An answer without a date that can be read.
    #[error("the answer carries no date")]
    NoDate,
    /// Others kept changing the object in between.
    #[error("the object was changed by others {tries} times in a row")]
    Conflict {
        /// How often.
        tries: u32,
    },
}

/// What the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its status code.
    pub code: u16,
    /// Its word for machines, such as `AlreadyExists`.
    pub reason: String,
    /// What it said.
    pub message: String,
}

impl Error {
    /// Who has to do something about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Configure { .. } => Class::Invalid,
            Self::LeaseContent { .. } => Class::Internal,
            Self::Read { source, .. }
            | Self::List { source, .. }
            | Self::Apply { source, .. }
            | Self::Delete { source, .. }
            | Self::Status { source, .. }
            | Self::Event { source, .. }
            | Self::ServerTime { source }
            | Self::Lease { source, .. } => source.class(),
        }
    }

    /// A stable word for conditions, metrics and logs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Configure { .. } => "FailedToConfigureClient",
            Self::Read { .. } => "FailedToRead",
            Self::List { .. } => "FailedToList",
            Self::Apply { .. } => "FailedToApply",
            Self::Delete { .. } => "FailedToDelete",
            Self::Status { .. } => "FailedToWriteStatus",
            Self::Event { .. } => "FailedToWriteEvent",
            Self::ServerTime { .. } => "FailedToAskForTime",
            Self::Lease { .. } => "FailedToUseLease",
            Self::LeaseContent { .. } => "UnreadableLease",
        }
    }

    /// The object it is about, where there is one.
    #[must_use]
    pub fn related(&self) -> Option<&ObjectRef> {
        match self {
            Self::Read { object, .. }
            | Self::Apply { object, .. }
            | Self::Delete { object, .. }
            | Self::Status { object, .. }
            | Self::Lease { object, .. }
            | Self::LeaseContent { object, .. } => Some(object),
            Self::Configure { .. }
            | Self::List { .. }
            | Self::Event { .. }
            | Self::ServerTime { .. } => None,
        }
    }

    /// Whether the API server said that there is no such object (or kind, or namespace).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.failure().is_some_and(Failure::is_not_found)
    }

    /// Whether our rights do not suffice.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.failure().is_some_and(|failure| failure.code() == Some(403))
    }

    /// Whether no answer came, so that what was asked may be done or not.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        let unanswered = |failure: &Failure| match failure {
            Failure::Silence { .. } => true,
            Failure::Call(_) => failure.class() == Class::Transient,
            Failure::Refused(_) | Failure::NoDate | Failure::Conflict { .. } => false,
        };
        self.failure().is_some_and(unanswered)
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Configure { .. } | Self::LeaseContent { .. } => None,
            Self::Read { source, .. }
            | Self::List { source, .. }
            | Self::Apply { source, .. }
            | Self::Delete { source, .. }
            | Self::Status { source, .. }
            | Self::Event { source, .. }
            | Self::ServerTime { source }
            | Self::Lease { source, .. } => Some(source),
        }
    }
}

impl Failure {
    /// The API server's status code.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::Call(_) | Self::Silence { .. } | Self::NoDate | Self::Conflict { .. } => None,
        }
    }

    /// What a call ended with. kube's own text of a refusal repeats the whole answer.
    #[must_use]
    pub fn of(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let kube::core::Status { code, reason, message, .. } = *status;
                Self::Refused(Box::new(Refusal { code, reason, message }))
            }
            other => Self::Call(Box::new(other)),
        }
    }

    /// Whether the API server said that there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether somebody else was faster: the object exists, or was changed since it was read.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    fn class(&self) -> Class {
        match (self, self.code()) {
            (Self::Silence { .. } | Self::NoDate | Self::Conflict { .. }, _) => Class::Transient,
            // A namespace that is going away, a quota, a right, an admission policy: not the
            // object's fault and not to be hurried.
            (_, Some(401 | 403 | 404)) => Class::Blocked,
            (_, Some(400 | 413 | 415 | 422)) => Class::Invalid,
            (_, Some(_)) | (Self::Refused(_), None) => Class::Transient,
            (Self::Call(error), None) => match &**error {
                kube::Error::SerdeError(_)
                | kube::Error::BuildRequest(_)
                | kube::Error::HttpError(_)
                | kube::Error::FromUtf8(_) => Class::Internal,
                _ => Class::Transient,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealift_core::causes::chain_of_causes;

    fn failed(code: u16, message: &str) -> Error {
        let status = kube::core::Status::failure(message, "Reason").with_code(code);
        Error::Apply {
            object: ObjectRef {
                group: "batch".into(),
                kind: "Job".into(),
                namespace: "demo".into(),
                name: "x".into(),
            },
            source: Failure::of(kube::Error::Api(Box::new(status))),
        }
    }

    #[test]
    fn the_code_decides_who_has_to_act() {
        for (code, class) in [
            (400, Class::Invalid),
            (422, Class::Invalid),
            (401, Class::Blocked),
            (403, Class::Blocked),
            (404, Class::Blocked),
            (409, Class::Transient),
            (429, Class::Transient),
            (500, Class::Transient),
            (503, Class::Transient),
        ] {
            assert_eq!(failed(code, "").class(), class, "{code}");
        }
        let silence = Error::List { kind: "Pod".into(), source: Failure::Silence { seconds: 30 } };
        assert_eq!(silence.class(), Class::Transient);
    }

    #[test]
    fn a_message_names_the_object_and_what_the_server_said() {
        let error = failed(422, "Job.batch \"x\" is invalid");
        let text = chain_of_causes(&error);
        assert_eq!(text, "failed to apply Job demo/x: Job.batch \"x\" is invalid");
        assert_eq!(error.reason(), "FailedToApply");
        assert!(!error.is_not_found());
    }
}
