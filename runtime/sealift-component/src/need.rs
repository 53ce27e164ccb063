//! What an import of a component needs: nothing, a kind, or a grant.
//!
//! The one table of what this Sealift has. Everything that asks uses it: the check before a start
//! (`access`), the host when it links, and the words people are told (`words`).

use sealift_core::plan::Kind;

use crate::contract::{self, CURRENT, PACKAGE};
use crate::text;

/// Bytes of a name that a message repeats.
const SHOWN: usize = 256;

/// Packages of WASI 0.2 that everybody gets, closed: no files, no environment, no sockets.
const BASE: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Interfaces of `wasi:http` that the grant `http` gives.
const HTTP: [&str; 2] = ["outgoing-handler", "types"];

/// What an import needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the closed base of WASI, or types only.
    Nothing,
    /// Nothing: one of ours that everybody gets.
    Ours(Interface),
    /// To be of one of these kinds.
    Kinds(&'static [Kind], Interface),
    /// A grant under `http`.
    Http,
    /// The grant `repository: write`.
    RepositoryWriter,
    /// The grant `repository: read-selected` or `read-all`.
    RepositoryReader,
    /// A grant `unsealKeys`.
    Keys,
}

/// An interface of the contract that needs no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// What both directions of artifacts are made of.
    Artifacts,
    /// Values of the plan.
    Parameters,
    /// Logs, figures, whether to stop.
    Progress,
    /// What is known of the session.
    Session,
    /// Bodies as streams of WASI and back.
    WasiStreams,
    /// Artifacts of the stage before.
    Upstream,
    /// Artifacts for the stage behind.
    Downstream,
    /// How everything ended.
    Outcomes,
}

/// An import nobody can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownImport {
    /// Not of this host.
    #[error("it imports {import}, which this host does not have")]
    Absent {
        /// The import, cut.
        import: String,
    },
    /// Another WASI.
    #[error("it imports {import}, and this host has WASI 0.2; build it for wasm32-wasip2")]
    Wasi {
        /// The import, cut.
        import: String,
    },
    /// Another version of the contract.
    #[error(
        "it imports {import}, and this host serves contract {CURRENT}; build it again with an SDK for {CURRENT}"
    )]
    Contract {
        /// The import, cut.
        import: String,
    },
}

/// What an import, by its full name, needs.
///
/// # Errors
/// Nobody has it.
pub fn need(import: &str) -> Result<Need, UnknownImport> {
    let shown = || text::clean(import, SHOWN);
    let absent = || UnknownImport::Absent { import: shown() };
    let (path, version) = import.split_once('@').ok_or_else(absent)?;
    let (package, interface) = path.split_once('/').ok_or_else(absent)?;
    if let Some(wasi) = package.strip_prefix("wasi:") {
        if !version.starts_with("0.2.") {
            return Err(UnknownImport::Wasi { import: shown() });
        }
        return match wasi {
            wasi if BASE.contains(&wasi) => Ok(Need::Nothing),
            "http" if HTTP.contains(&interface) => Ok(Need::Http),
            _ => Err(absent()),
        };
    }
    if package != PACKAGE {
        return Err(absent());
    }
    if !contract::is_served(version) {
        return Err(UnknownImport::Contract { import: shown() });
    }
    ours(interface).ok_or_else(absent)
}

fn ours(interface: &str) -> Option<Need> {
    Some(match interface {
        // Types only.
        "errors" => Need::Nothing,
        "artifacts" => Need::Ours(Interface::Artifacts),
        "parameters" => Need::Ours(Interface::Parameters),
        "progress" => Need::Ours(Interface::Progress),
        "session" => Need::Ours(Interface::Session),
        "wasi-streams" => Need::Ours(Interface::WasiStreams),
        "upstream" => Need::Kinds(&[Kind::Transform, Kind::Sink], Interface::Upstream),
        "downstream" => Need::Kinds(&[Kind::Source, Kind::Transform], Interface::Downstream),
        "outcomes" => Need::Kinds(&[Kind::Observer], Interface::Outcomes),
        "repository-writer" => Need::RepositoryWriter,
        "repository-reader" => Need::RepositoryReader,
        "key-store" => Need::Keys,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_import_is_known_or_refused_in_words() {
        for (import, wanted) in [
            ("wasi:cli/environment@0.2.3", Need::Nothing),
            ("wasi:http/types@0.2.12", Need::Http),
            ("sealift:function/errors@0.1.0", Need::Nothing),
            ("sealift:function/key-store@0.1.0", Need::Keys),
            ("sealift:function/progress@0.1.9", Need::Ours(Interface::Progress)),
            (
                "sealift:function/outcomes@0.1.0",
                Need::Kinds(&[Kind::Observer], Interface::Outcomes),
            ),
        ] {
            assert_eq!(need(import), Ok(wanted), "{import}");
        }
        for (import, words) in [
            ("wasi:cli/environment@0.3.0", "WASI 0.2"),
            ("wasi:http/incoming-handler@0.2.0", "does not have"),
            ("wasi:keyvalue/store@0.2.0", "does not have"),
            ("sealift:function/progress@0.2.0", "serves contract 0.1.0"),
            ("sealift:function/shell@0.1.0", "does not have"),
            ("sealift:function@0.1.0", "does not have"),
            ("env", "does not have"),
            ("other:thing/x@1.0.0", "does not have"),
        ] {
            let text = need(import).unwrap_err().to_string();
            assert!(text.contains(words), "{import}: {text}");
        }
    }

    #[test]
    fn a_name_drives_no_terminal() {
        let text = need(&format!("\u{1b}[2J{}", "x".repeat(1000))).unwrap_err().to_string();
        assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
    }

    /// The contract and this table cannot part: a file of it that this host does not link would
    /// be found only by the Function that imports it.
    #[test]
    fn every_interface_of_the_contract_that_can_be_imported_is_known() {
        let files = [
            include_str!("../../../wit/0.1.0/artifacts.wit"),
            include_str!("../../../wit/0.1.0/errors.wit"),
            include_str!("../../../wit/0.1.0/keys.wit"),
            include_str!("../../../wit/0.1.0/repository.wit"),
            include_str!("../../../wit/0.1.0/session.wit"),
            include_str!("../../../wit/0.1.0/streams.wit"),
        ];
        let lines = files.iter().flat_map(|file| file.lines());
        let interfaces: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix("interface "))
            .map(|rest| rest.trim_end_matches([' ', '{']))
            .collect();
        assert_eq!(interfaces.len(), 12, "{interfaces:?}");
        for interface in interfaces {
            assert!(ours(interface).is_some(), "{interface}");
        }
    }
}
