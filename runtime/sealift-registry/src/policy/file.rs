//! The file of a trust policy: YAML to rules, with everything that is wrong at once.

use std::collections::BTreeSet;
use std::io;

use sealift_core::pattern::Pattern;
use serde::Deserialize;

use super::{Demand, Policy, PolicyError, Rule};
use crate::digest::Digest;
use crate::signature::{PublicKey, Trust, TrustedIdentity, TrustedKey};

/// The largest policy.
const MOST_BYTES: usize = 1 << 20;
/// The largest trusted root.
const MOST_ROOT: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policies: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    images: Vec<String>,
    #[serde(default = "all")]
    namespaces: Vec<String>,
    signature: Word,
    #[serde(default)]
    keys: Vec<KeyEntry>,
    #[serde(default)]
    identities: Vec<IdentityEntry>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Word {
    Required,
    Optional,
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyEntry {
    name: String,
    public_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentityEntry {
    name: String,
    issuer: String,
    subject: String,
    trusted_root: String,
    #[serde(default)]
    transparency_log: Needed,
    #[serde(default)]
    sct: Needed,
}

/// Whether a proof of a log is needed. Doing without is written out.
#[derive(Deserialize, Clone, Copy, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Needed {
    #[default]
    Required,
    Skip,
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

type Files<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// What is read, and what was wrong on the way.
struct Reading<'a> {
    files: Files<'a>,
    /// What the policy was made of.
    seen: Vec<u8>,
    errors: Vec<PolicyError>,
}

pub(super) fn read(yaml: &str, files: Files<'_>) -> Result<Policy, Vec<PolicyError>> {
    if yaml.len() > MOST_BYTES {
        return Err(vec![PolicyError::Large(MOST_BYTES)]);
    }
    let file: File =
        serde_saphyr::from_str(yaml).map_err(|error| vec![PolicyError::Form(Box::new(error))])?;
    let mut reading = Reading { files, seen: yaml.as_bytes().to_vec(), errors: Vec::new() };
    let rules = file
        .policies
        .into_iter()
        .enumerate()
        .map(|(index, entry)| reading.rule(&format!("policies[{index}]"), entry))
        .collect();
    match reading.errors.is_empty() {
        true => Ok(Policy { rules, digest: Digest::of(&reading.seen) }),
        false => Err(reading.errors),
    }
}

impl Reading<'_> {
    fn rule(&mut self, field: &str, entry: Entry) -> Rule {
        let demand = match entry.signature {
            Word::Required => Demand::Required,
            Word::Optional => Demand::Optional,
            Word::None => Demand::None,
        };
        let signers = entry.keys.len() + entry.identities.len();
        if entry.images.is_empty() {
            self.wrong(format!("{field}.images"), "it is empty, so the rule matches nothing");
        }
        if demand == Demand::Required && signers == 0 {
            self.wrong(
                format!("{field}.signature"),
                "it is required, and neither keys nor identities say of whom",
            );
        }
        if demand == Demand::None && signers > 0 {
            self.wrong(
                format!("{field}.signature"),
                "it is none, so keys and identities would not be looked at",
            );
        }
        let mut names = BTreeSet::new();
        let given = entry.keys.iter().map(|key| &key.name);
        for name in given.chain(entry.identities.iter().map(|identity| &identity.name)) {
            if name.trim().is_empty() || !names.insert(name.clone()) {
                self.wrong(
                    field.to_owned(),
                    "keys and identities have a name each, and no two one",
                );
            }
        }
        let images = self.patterns(&format!("{field}.images"), &entry.images);
        let namespaces = self.patterns(&format!("{field}.namespaces"), &entry.namespaces);
        let keys = self.keys(field, entry.keys);
        let identities = self.identities(field, entry.identities);
        Rule { images, namespaces, demand, trust: Trust { keys, identities } }
    }

    fn wrong(&mut self, field: String, why: &'static str) {
        self.errors.push(PolicyError::Field { field, why });
    }

    fn patterns(&mut self, field: &str, texts: &[String]) -> Vec<Pattern> {
        let named =
            texts.iter().enumerate().map(|(index, text)| (format!("{field}[{index}]"), text));
        named.filter_map(|(field, text)| self.pattern(field, text)).collect()
    }

    fn pattern(&mut self, field: String, text: &str) -> Option<Pattern> {
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(source) => {
                self.errors.push(PolicyError::Pattern { field, text: text.to_owned(), source });
                None
            }
        }
    }

    fn keys(&mut self, field: &str, entries: Vec<KeyEntry>) -> Vec<TrustedKey> {
        let mut keys = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            match PublicKey::read(&entry.public_key) {
                Ok(key) => keys.push(TrustedKey { name: entry.name, key }),
                Err(source) => {
                    let field = format!("{field}.keys[{index}].publicKey");
                    self.errors.push(PolicyError::Key { field, source });
                }
            }
        }
        keys
    }

    fn identities(&mut self, field: &str, entries: Vec<IdentityEntry>) -> Vec<TrustedIdentity> {
        let mut identities = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let field = format!("{field}.identities[{index}]");
            identities.extend(self.identity(&field, entry));
        }
        identities
    }

    fn identity(&mut self, field: &str, entry: IdentityEntry) -> Option<TrustedIdentity> {
        let subject = self.pattern(format!("{field}.subject"), &entry.subject);
        if entry.issuer.is_empty() {
            self.wrong(format!("{field}.issuer"), "it is empty");
        }
        let field = format!("{field}.trustedRoot");
        let root = match (self.files)(&entry.trusted_root) {
            Ok(root) if root.len() <= MOST_ROOT => root,
            Ok(_) => {
                self.wrong(field, "the file is larger than any trusted root");
                return None;
            }
            Err(source) => {
                self.errors.push(PolicyError::File { field, path: entry.trusted_root, source });
                return None;
            }
        };
        self.seen.extend_from_slice(root.as_bytes());
        let (log, sct) =
            (entry.transparency_log == Needed::Required, entry.sct == Needed::Required);
        match TrustedIdentity::new(entry.name, entry.issuer, subject?, &root, log, sct) {
            Ok(identity) => Some(identity),
            Err(source) => {
                self.errors.push(PolicyError::Root { field, source });
                None
            }
        }
    }
}
