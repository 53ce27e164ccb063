//! What the argument of a verb names: the component of a file, or one in a registry.
//!
//! Nobody has to be trusted for looking at one: it is read within bounds and never run. Where
//! somebody is named, their signature is wanted.

use std::path::Path;

use sealift_component::Inspected;
use sealift_registry::signature::Signer;
use sealift_registry::{Policy, Reference};
use serde::Serialize;

use crate::exit::Failure;
use crate::registries::{self, RegistryArgs, TrustArgs};

/// A component that was found.
pub(super) struct Named {
    pub(super) inspected: Inspected,
    /// None: it is a file.
    pub(super) published: Option<Published>,
}

/// Where one in a registry lies, and who stands for it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Published {
    /// With its digest.
    pub(super) reference: Reference,
    /// None: nobody was asked for.
    pub(super) signer: Option<Signer>,
}

impl Named {
    /// What `component` names.
    pub(super) async fn find(
        component: &Path,
        trust: &TrustArgs,
        registry: &RegistryArgs,
    ) -> Result<Self, Failure> {
        if let Some(reference) = in_registry(component) {
            return Self::fetch(reference, trust, registry).await;
        }
        let inspected = super::inspected(component, &super::read(component)?)?;
        Ok(Self { inspected, published: None })
    }

    async fn fetch(
        reference: &str,
        trust: &TrustArgs,
        registry: &RegistryArgs,
    ) -> Result<Self, Failure> {
        let policy = trust.policy()?;
        let asked = policy.is_some();
        let registries = registry.registries(policy.unwrap_or_else(Policy::of_everything))?;
        let fetched =
            registries.fetch(reference).await.map_err(|error| registries::not_taken(&error))?;
        let pulled = &fetched.pulled;
        let signer = asked.then(|| pulled.signer.clone());
        let published = Published { reference: pulled.reference.clone(), signer };
        Ok(Self { inspected: fetched.inspected.clone(), published: Some(published) })
    }
}

/// What is no file and names a version of something in a registry. A mistyped path does not.
fn in_registry(component: &Path) -> Option<&str> {
    if component.try_exists().unwrap_or(true) {
        return None;
    }
    let names_a_version = |text: &&str| {
        let parsed = text.parse::<Reference>();
        parsed.is_ok_and(|found| found.tag().is_some() || found.digest().is_some())
    };
    component.to_str().filter(names_a_version)
}
