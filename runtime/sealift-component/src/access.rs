//! Whether a component may have what it imports: two keys, and what to do about a missing one.
//!
//! The descriptor asks, the grant allows. What a component imports and was not granted is refused
//! before anything is linked, with the line of YAML that is missing. Degrees of a grant (which
//! path, which key) are checked by the host, call by call.

use sealift_core::grants::{Grants, HttpGrant, KeyGrant, RepositoryGrant};
use sealift_core::plan::Kind;

use crate::descriptor::Descriptor;
use crate::need::{Need, UnknownImport, need};
use crate::text;

/// Bytes of a component's name that a message repeats.
const NAME_BYTES: usize = 128;
/// Bytes of a line of YAML that a message tells.
const LINE_BYTES: usize = 4096;

/// Why a component cannot be started with what it was granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("component {component} cannot be started: {}", join(refusals))]
pub struct Refused {
    /// Its name, cut.
    pub component: String,
    /// Each import it cannot be given; of those that the same line would open, the first.
    pub refusals: Vec<Refusal>,
}

fn join(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// One import a component cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It asks, and nobody allowed.
    #[error(
        "it imports {import} and was not granted it; add `{line}` to spec.permissions of the Function"
    )]
    NotGranted {
        /// The interface, without its version.
        import: String,
        /// The line of YAML.
        line: String,
    },
    /// It does not even ask.
    #[error(
        "it imports {import} and does not ask for it; add `{line}` to the requests of its descriptor and to spec.permissions of the Function"
    )]
    NotAsked {
        /// The interface, without its version.
        import: String,
        /// The line of YAML.
        line: String,
    },
    /// It belongs to other kinds.
    #[error(
        "a {} cannot import {import}; it is for: {}",
        kind.as_str(),
        kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
    )]
    OtherKind {
        /// Of the component.
        kind: Kind,
        /// The interface.
        import: String,
        /// Whose it is.
        kinds: &'static [Kind],
    },
    /// Nobody has it.
    #[error(transparent)]
    Unknown(#[from] UnknownImport),
}

impl Refusal {
    /// The line of YAML that would help.
    #[must_use]
    pub fn line(&self) -> Option<&str> {
        match self {
            Self::NotGranted { line, .. } | Self::NotAsked { line, .. } => Some(line),
            Self::OtherKind { .. } | Self::Unknown(_) => None,
        }
    }
}

/// Whether a component with this descriptor and these imports can be started with these grants.
///
/// # Errors
/// Everything it cannot be given.
pub fn check(descriptor: &Descriptor, imports: &[String], grants: &Grants) -> Result<(), Refused> {
    let keys =
        TwoKeys { asked: &descriptor.requests, both: descriptor.requests.intersection(grants) };
    let mut refusals: Vec<Refusal> = Vec::new();
    for import in imports {
        let refusal = match need(import) {
            Err(unknown) => Some(unknown.into()),
            Ok(need) => keys.refusal(descriptor.kind, import, need),
        };
        // Two interfaces of one package need the same line: it is told once.
        let is_new = |refusal: &Refusal| {
            !refusals.iter().any(|known| {
                known == refusal || (known.line().is_some() && known.line() == refusal.line())
            })
        };
        if let Some(refusal) = refusal.filter(is_new) {
            refusals.push(refusal);
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Refused { component: text::clean(&descriptor.name, NAME_BYTES), refusals })
}

/// The two keys.
struct TwoKeys<'a> {
    asked: &'a Grants,
    /// What was asked for and allowed.
    both: Grants,
}

impl TwoKeys<'_> {
    fn refusal(&self, kind: Kind, import: &str, need: Need) -> Option<Refusal> {
        let (opens, asks, line) = match need {
            Need::Nothing | Need::Ours(_) => return None,
            Need::Kinds(kinds, _) => {
                let import = import.to_owned();
                let other = Refusal::OtherKind { kind, import, kinds };
                return (!kinds.contains(&kind)).then_some(other);
            }
            Need::Http => {
                (!self.both.http.is_empty(), !self.asked.http.is_empty(), http_line(self.asked))
            }
            Need::RepositoryWriter => {
                let writes = |grants: &Grants| grants.repository == Some(RepositoryGrant::Write);
                (writes(&self.both), writes(self.asked), "repository: write".to_owned())
            }
            Need::RepositoryReader => {
                (reads(&self.both), reads(self.asked), reader_line(self.asked))
            }
            Need::Keys => {
                let has = |grants: &Grants| grants.unseal_keys.is_some();
                (has(&self.both), has(self.asked), keys_line(self.asked))
            }
        };
        let import = import.split('@').next().unwrap_or(import).to_owned();
        match (opens, asks) {
            (true, _) => None,
            (false, true) => Some(Refusal::NotGranted { import, line }),
            (false, false) => Some(Refusal::NotAsked { import, line }),
        }
    }
}

fn reads(grants: &Grants) -> bool {
    matches!(grants.repository, Some(RepositoryGrant::ReadSelected | RepositoryGrant::ReadAll))
}

fn reader_line(asked: &Grants) -> String {
    let value = match asked.repository {
        Some(RepositoryGrant::ReadAll) => "read-all",
        _ => "read-selected",
    };
    format!("repository: {value}")
}

fn keys_line(asked: &Grants) -> String {
    let value = match asked.unseal_keys {
        Some(KeyGrant::Read) => "read",
        Some(KeyGrant::Write) => "write",
        _ => "copy",
    };
    format!("unsealKeys: {value}")
}

/// The line for the network, as the descriptor asks for it.
fn http_line(asked: &Grants) -> String {
    let entry = |grant: &HttpGrant| {
        let paths: Vec<String> = grant.paths.iter().map(|path| format!("{path:?}")).collect();
        format!(
            "{{name: {}, methods: [{}], paths: [{}]}}",
            grant.name,
            grant.methods.join(", "),
            paths.join(", ")
        )
    };
    if asked.http.is_empty() {
        return "http: [{name: target, methods: [GET], paths: [\"/…\"]}]".to_owned();
    }
    let entries: Vec<String> = asked.http.iter().map(entry).collect();
    text::clean(&format!("http: [{}]", entries.join(", ")), LINE_BYTES)
}

#[cfg(test)]
mod tests;
