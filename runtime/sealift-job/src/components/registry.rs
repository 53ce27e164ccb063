//! Components in registries: resolved once, believed or not, bounded, and kept on this machine.
//!
//! Flow of one: the trust policy says whether its registry is asked at all → a tag becomes a
//! digest, once for the whole process → the cache hands out what this policy has let in before,
//! else it is pulled → its bounds, what it says of itself, and whether its annotation says the same
//! → held for the plan that names it and for the run that loads it. What it may do is asked later,
//! as of every component.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sealift_component::bounds::{self, Bounds, BoundsError};
use sealift_component::{InspectError, Inspected, section};
use sealift_core::plan::ComponentRef;
use sealift_host::{Function, Host};
use sealift_registry::artifact::DESCRIPTOR;
use sealift_registry::cache::Cache;
use sealift_registry::credentials::Credentials;
use sealift_registry::pull::PullError;
use sealift_registry::reference::ReferenceError;
use sealift_registry::wire::{Class, WireError};
use sealift_registry::{Client, Policy, Pulled, Reference, Settings, pull};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{ComponentError, digest, refused, same_digest};

/// Why a component was not taken from a registry.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It names no place in a registry.
    #[error("{text:?} is no reference to a component in a registry")]
    Reference {
        /// As written.
        text: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
    /// Nobody can be asked.
    #[error("failed to make a client for registries")]
    Client(#[source] WireError),
    /// Its tag leads nowhere, or nobody says where.
    #[error("failed to resolve {reference}")]
    Resolve {
        /// What.
        reference: String,
        /// Why.
        #[source]
        source: WireError,
    },
    /// The policy, the registry, or what lies there.
    #[error(transparent)]
    Pull(PullError),
    /// It would harm whoever compiles it.
    #[error("{reference} is not taken")]
    Bounds {
        /// What, pinned.
        reference: String,
        /// Too much of what.
        #[source]
        source: BoundsError,
    },
    /// It is no component of a Function.
    #[error("{reference} is no component of a Function")]
    Inspect {
        /// What, pinned.
        reference: String,
        /// What it is instead.
        #[source]
        source: InspectError,
    },
    /// Who looks at its manifest sees another component than who runs it.
    #[error(
        "{reference} is not taken: its annotation {DESCRIPTOR} is not the descriptor in its bytes; push it again"
    )]
    Descriptor {
        /// What, pinned.
        reference: String,
    },
}

impl FetchError {
    /// Whether it may be different in a moment, with nothing changed here.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve { source, .. } | Self::Pull(PullError::Wire { source, .. }) => {
                source.class() == Class::Transient
            }
            _ => false,
        }
    }

    /// Whether the trust policy stands in the way.
    #[must_use]
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::Pull(
                PullError::NoPolicy { .. }
                    | PullError::Unsigned { .. }
                    | PullError::Untrusted { .. }
            )
        )
    }
}

/// A component that was taken.
#[derive(Debug)]
pub struct Fetched {
    /// Where it is, who stands for it.
    pub pulled: Pulled,
    /// What it says of itself.
    pub inspected: Inspected,
    wasm: Vec<u8>,
    cache: Option<Cache>,
}

/// The registries of this machine's user.
pub struct Registries {
    settings: Settings,
    credentials: Arc<dyn Credentials>,
    policy: Policy,
    /// Where the cache is to be. None: nothing is kept.
    folder: Option<PathBuf>,
    client: OnceCell<Client>,
    cache: OnceLock<Option<Cache>>,
    /// By what was asked for, and by the reference it led to.
    verdicts: Mutex<Verdicts>,
}

type Verdict = Result<Arc<Fetched>, Arc<FetchError>>;
type Verdicts = BTreeMap<String, Verdict>;

impl Registries {
    /// Registries with these settings, for what `policy` lets in. Nothing is opened before it is
    /// needed, and what was pulled is not kept beyond this process.
    #[must_use]
    pub fn new(settings: Settings, credentials: Arc<dyn Credentials>, policy: Policy) -> Self {
        Self {
            settings,
            credentials,
            policy,
            folder: None,
            client: OnceCell::new(),
            cache: OnceLock::new(),
            verdicts: Mutex::default(),
        }
    }

    /// The same, with what was pulled kept in this folder. The policy must be read from a file:
    /// what it let in is found again by its digest.
    #[must_use]
    pub fn keeping(self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Takes what a reference leads to, or finds out why not. The first time counts: a tag that
    /// moves while this process lives changes nothing.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn fetch(&self, reference: &str) -> Verdict {
        if let Some(verdict) = self.fetched(reference) {
            return verdict;
        }
        let verdict = self.take(reference).await.map(Arc::new).map_err(Arc::new);
        let mut verdicts = self.verdicts();
        if let Ok(fetched) = &verdict {
            verdicts.insert(fetched.pulled.reference.to_string(), Ok(Arc::clone(fetched)));
        }
        verdicts.insert(reference.to_owned(), verdict.clone());
        verdict
    }

    /// What became of a reference; none if it was not asked for yet.
    #[must_use]
    pub fn fetched(&self, reference: &str) -> Option<Verdict> {
        self.verdicts().get(reference).cloned()
    }

    /// Whether sessions of this namespace may use what was taken.
    #[must_use]
    pub fn permits(&self, fetched: &Fetched, namespace: &str) -> bool {
        let rule = self.policy.rule(&fetched.pulled.reference);
        rule.is_some_and(|rule| rule.permits(namespace))
    }

    async fn take(&self, text: &str) -> Result<Fetched, FetchError> {
        let from: Reference = text
            .parse()
            .map_err(|source| FetchError::Reference { text: text.to_owned(), source })?;
        if self.policy.rule(&from).is_none() {
            return Err(FetchError::Pull(PullError::NoPolicy { place: from.to_string() }));
        }
        let manifest =
            match from.digest() {
                Some(manifest) => *manifest,
                None => self.client().await?.resolve(&from).await.map_err(|source| {
                    FetchError::Resolve { reference: from.to_string(), source }
                })?,
            };
        let pinned = from.pinned(manifest);
        if let Some((pulled, wasm)) = self.kept(&pinned) {
            return self.checked(pulled, wasm);
        }
        let mut wasm = Vec::new();
        let pulled = pull(self.client().await?, &pinned, &self.policy, &mut wasm)
            .await
            .map_err(FetchError::Pull)?;
        let fetched = self.checked(pulled, wasm)?;
        self.keep(&pinned, &fetched);
        Ok(fetched)
    }

    /// What is asked of every component, wherever its bytes come from.
    fn checked(&self, pulled: Pulled, wasm: Vec<u8>) -> Result<Fetched, FetchError> {
        let reference = || pulled.reference.to_string();
        bounds::check(&wasm, &Bounds::default())
            .map_err(|source| FetchError::Bounds { reference: reference(), source })?;
        let inspected = sealift_component::inspect(&wasm)
            .map_err(|source| FetchError::Inspect { reference: reference(), source })?;
        if let Some(said) = &pulled.descriptor
            && !says_the_same(said, &wasm)
        {
            return Err(FetchError::Descriptor { reference: reference() });
        }
        Ok(Fetched { pulled, inspected, wasm, cache: self.cache().cloned() })
    }

    fn kept(&self, pinned: &Reference) -> Option<(Pulled, Vec<u8>)> {
        let cache = self.cache()?;
        let pulled = cache.pulled(pinned, &self.policy.digest())?;
        let wasm = cache.component(&pulled.component)?;
        Some((pulled, wasm))
    }

    /// A cache that takes nothing costs the next run a download, and this one nothing.
    fn keep(&self, pinned: &Reference, fetched: &Fetched) {
        let Some(cache) = self.cache() else { return };
        let kept = cache
            .put_component(&fetched.wasm)
            .and_then(|_| cache.put_pulled(pinned, &self.policy.digest(), &fetched.pulled));
        if let Err(error) = kept {
            tracing::warn!("{}", crate::chain_of_causes(&error));
        }
    }

    async fn client(&self) -> Result<&Client, FetchError> {
        let make = || async {
            Client::new(self.settings.clone(), Arc::clone(&self.credentials))
                .map_err(FetchError::Client)
        };
        self.client.get_or_try_init(make).await
    }

    fn cache(&self) -> Option<&Cache> {
        let open = || match Cache::open(self.folder.as_deref()?) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!("{}", crate::chain_of_causes(&error));
                None
            }
        };
        self.cache.get_or_init(open).as_ref()
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        // Nothing panics while it is held.
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetched {
    /// Its bytes.
    #[must_use]
    pub fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    pub(super) fn load(
        &self,
        host: &Host,
        component: &ComponentRef,
    ) -> Result<Function, ComponentError> {
        let reference = &component.reference;
        same_digest(component, &self.inspected.digest)?;
        let refused = |source| refused(reference, source);
        let Some(cache) = &self.cache else {
            return host.load(&self.wasm).map_err(refused);
        };
        let descriptor = || self.inspected.descriptor.clone();
        let engine = host.engine_hash();
        if let Some(form) = cache.form(&self.pulled.component, &engine) {
            match host.load_compiled(descriptor(), &form, &digest(&form)) {
                Ok(function) => return Ok(function),
                Err(error) => tracing::warn!("{}", crate::chain_of_causes(&error)),
            }
        }
        let form = host
            .compile(&self.wasm)
            .map_err(|source| ComponentError::Compile { reference: reference.clone(), source })?;
        if let Err(error) = cache.put_form(&self.pulled.component, &engine, &form) {
            tracing::warn!("{}", crate::chain_of_causes(&error));
        }
        host.load_compiled(descriptor(), &form, &digest(&form)).map_err(refused)
    }
}

/// Whether the annotation is the descriptor of the bytes; blanks and the order of keys are nobody's.
fn says_the_same(said: &str, wasm: &[u8]) -> bool {
    let Ok(Some(own)) = section::find(wasm) else { return false };
    let said = serde_json::from_str::<Value>(said);
    let own = serde_json::from_slice::<Value>(own);
    matches!((said, own), (Ok(said), Ok(own)) if said == own)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use sealift_registry::credentials::Anonymous;

    use super::*;

    fn registries(policy: &str) -> Registries {
        let policy = Policy::read(policy, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        Registries::new(Settings::default(), Arc::new(Anonymous), policy)
    }

    #[tokio::test]
    async fn what_no_policy_knows_is_not_asked_for() {
        let registries = registries("policies: [{images: [\"ghcr.io/acme/*\"], signature: none}]");
        assert!(registries.fetched("localhost:1/acme/export:1").is_none());
        let error = registries.fetch("localhost:1/acme/export:1").await.unwrap_err();
        assert!(error.is_distrust() && !error.is_transient(), "{error:?}");
        // Nobody could have been asked: there is no client.
        assert!(registries.client.get().is_none());
        let again = registries.fetched("localhost:1/acme/export:1").unwrap();
        assert!(Arc::ptr_eq(&error, &again.unwrap_err()));
    }

    #[tokio::test]
    async fn a_registry_that_is_not_there_is_told_from_one_that_refuses() {
        let registries = registries("policies: [{images: [\"localhost:1/**\"], signature: none}]");
        let error = registries.fetch("localhost:1/acme/export:1").await.unwrap_err();
        assert!(error.is_transient() && !error.is_distrust(), "{error:?}");
        for text in ["localhost:1/acme/EXPORT:1", "localhost:1/acme/export@sha256:00"] {
            let error = registries.fetch(text).await.unwrap_err();
            assert!(matches!(*error, FetchError::Reference { .. }), "{error:?}");
        }
    }

    #[test]
    fn an_annotation_is_compared_by_what_it_says() {
        let component =
            section::append(b"\0asm\x0d\0\x01\0", br#"{ "name": "a", "version": "1" }"#);
        assert!(says_the_same(r#"{"version":"1","name":"a"}"#, &component));
        for said in [r#"{"name":"a"}"#, r#"{"name":"a","version":"2"}"#, "", "null"] {
            assert!(!says_the_same(said, &component), "{said}");
        }
        assert!(!says_the_same("{}", b"no component"));
    }
}
