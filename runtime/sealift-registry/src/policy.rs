//! Who is believed about what: the trust policy, a file an administrator writes.
//!
//! Rules are read from the top and the first that matches a repository decides. What no rule
//! matches is not asked of any registry. A rule says whether a signature is needed in one word that
//! has no default, whose signatures count, and in which namespaces such a Function may be used.
//! Reading the file is all that happens here; `pull` obeys it.

mod file;

use std::io;

use sealift_core::pattern::{Pattern, PatternError};

use crate::digest::Digest;
use crate::reference::Reference;
use crate::signature::{KeyError, Trust, TrustError};

/// A trust policy.
pub struct Policy {
    rules: Vec<Rule>,
    digest: Digest,
}

/// One entry.
pub struct Rule {
    /// The repositories it is about, as `registry/repository`.
    pub images: Vec<Pattern>,
    /// The namespaces whose sessions may use what it lets in.
    pub namespaces: Vec<Pattern>,
    /// Whether a signature is needed.
    pub demand: Demand,
    /// Whose signatures count.
    pub trust: Trust,
}

/// Whether a signature is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Without one that counts, nothing is taken.
    Required,
    /// One that counts is told; without it, it is taken as unsigned.
    Optional,
    /// Signatures are not looked at.
    None,
}

/// What is wrong with a policy, with the place in the file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file of that size holds something else.
    #[error("the trust policy has more than {0} bytes")]
    Large(usize),
    /// No YAML, or a key that is unknown, missing or of another type.
    #[error("the trust policy is not read")]
    Form(#[source] Box<serde_saphyr::Error>),
    /// A pattern that is none.
    #[error("{field}: {text:?}")]
    Pattern {
        /// Where.
        field: String,
        /// What is written.
        text: String,
        /// Why.
        #[source]
        source: PatternError,
    },
    /// Something without which a rule makes no sense.
    #[error("{field}: {why}")]
    Field {
        /// Where.
        field: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A key that is none.
    #[error("{field}")]
    Key {
        /// Where.
        field: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A file that is named and cannot be read.
    #[error("{field}: failed to read {path}")]
    File {
        /// Where.
        field: String,
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A trusted root that is none.
    #[error("{field}")]
    Root {
        /// Where.
        field: String,
        /// Why.
        #[source]
        source: TrustError,
    },
}

impl Policy {
    /// Reads the YAML of a policy; `files` reads what it names by path.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(
        yaml: &str,
        files: &dyn Fn(&str) -> io::Result<String>,
    ) -> Result<Self, Vec<PolicyError>> {
        file::read(yaml, files)
    }

    /// Takes nothing from anybody, so no registry is asked: what holds where nobody wrote a policy.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self { rules: Vec::new(), digest: Digest::of(b"nothing") }
    }

    /// Takes everything from everybody, signed or not. For a person who says so, never for a
    /// cluster.
    #[must_use]
    pub fn of_everything() -> Self {
        let everything = Pattern::parse("**").ok();
        let rule = Rule {
            images: everything.iter().cloned().collect(),
            namespaces: everything.into_iter().collect(),
            demand: Demand::None,
            trust: Trust::default(),
        };
        Self { rules: vec![rule], digest: Digest::of(b"everything") }
    }

    /// Takes everything that one of these has signed: the policy of a person who names a key. Its
    /// digest does not tell whom it names, so nothing it let in may be kept under that.
    #[must_use]
    pub fn of_signers(trust: Trust) -> Self {
        let Self { rules, .. } = Self::of_everything();
        let mut trust = Some(trust);
        let rules = rules
            .into_iter()
            .map(|rule| Rule {
                demand: Demand::Required,
                trust: trust.take().unwrap_or_default(),
                ..rule
            })
            .collect();
        Self { rules, digest: Digest::of(b"signers") }
    }

    /// The rule about a reference's repository: the first that matches. None: nobody is asked.
    #[must_use]
    pub fn rule(&self, reference: &Reference) -> Option<&Rule> {
        let place = reference.place();
        self.rules.iter().find(|rule| rule.images.iter().any(|pattern| pattern.matches(&place)))
    }

    /// All rules, in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The digest of everything the policy was read from, by which two processes know that they
    /// have the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Rule {
    /// Whether sessions of this namespace may use what the rule lets in.
    #[must_use]
    pub fn permits(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|pattern| pattern.matches(namespace))
    }
}

#[cfg(test)]
mod tests;
