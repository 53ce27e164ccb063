//! Components as the planner sees them.
//!
//! The planner asks and does not wait, and what lies in a registry has to be waited for. So what it
//! asks for and is not there yet is noted, fetched, and the plan made again: only then it is known
//! what an image with variables in it comes to, and which Functions a plan has at all. One that can
//! be used is read and looked at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use sealift_api::planner::{ComponentInfo, Components as PlanComponents};
use sealift_core::plan::Plan;
use sealift_host::Inspected;
use sealift_job::components::{ComponentError, Components, FetchError, Fetched, LocalComponents};
use sealift_registry::signature::Signer;

use crate::built_in::BUILT_IN;
use crate::exit::{Exit, Failure};
use crate::registries::PolicyArgs;

/// What is known of the components of one plan.
pub(crate) struct Known<'a> {
    components: &'a LocalComponents,
    inspected: RefCell<BTreeMap<String, Rc<Inspected>>>,
    /// What was asked for and is to be fetched.
    wanted: RefCell<BTreeSet<String>>,
    /// Why what was fetched was not taken.
    refused: RefCell<Vec<Arc<FetchError>>>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(components: &'a LocalComponents) -> Self {
        Self {
            components,
            inspected: RefCell::default(),
            wanted: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    /// Looks at a component.
    pub(crate) fn inspect(&self, reference: &str) -> Result<Rc<Inspected>, ComponentError> {
        if let Some(inspected) = self.inspected.borrow().get(reference) {
            return Ok(Rc::clone(inspected));
        }
        let inspected = Rc::new(self.components.inspect(reference)?);
        self.inspected.borrow_mut().insert(reference.to_owned(), Rc::clone(&inspected));
        Ok(inspected)
    }

    /// What `work` comes to once everything it asks for is there or known not to be had.
    pub(crate) async fn with_all<T>(&self, work: impl Fn() -> T) -> T {
        loop {
            let result = work();
            let wanted = self.wanted.take();
            let Some(registries) = self.components.registries().filter(|_| !wanted.is_empty())
            else {
                return result;
            };
            for reference in wanted {
                // Its verdict is asked for when the work is done again.
                let _ = registries.fetch(&reference).await;
            }
        }
    }

    /// Why the sessions of a plan may not use a component although it was taken.
    pub(crate) fn not_here(&self, reference: &str, plan: &Plan) -> Option<String> {
        let registries = self.components.registries()?;
        let fetched = self.taken(reference)?;
        let namespace = &plan.session.namespace;
        (!registries.permits(&fetched, namespace)).then(|| {
            let namespaces = fetched.pulled.namespaces.join(", ");
            format!(
                "the trust policy allows {reference} to sessions of namespace {namespaces} only, and this one is of {namespace}"
            )
        })
    }

    /// What is to be said of the components of a plan that were fetched.
    pub(crate) fn notes(&self, plan: &Plan) -> Vec<String> {
        let stages = plan.stages.iter().chain(&plan.observers);
        let references: BTreeSet<&str> =
            stages.map(|stage| stage.component.reference.as_str()).collect();
        let taken = references.into_iter().filter_map(|reference| self.taken(reference));
        taken
            .flat_map(|fetched| {
                let pulled = &fetched.pulled;
                let unsigned = "nobody who is trusted has signed it, which the policy allows";
                let unsigned = (pulled.signer == Signer::Unsigned).then(|| unsigned.to_owned());
                let notes = pulled.notes.iter().cloned().chain(unsigned);
                notes
                    .map(|note| format!("component {}: {note}", pulled.reference))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn taken(&self, reference: &str) -> Option<Arc<Fetched>> {
        self.components.registries()?.fetched(reference)?.ok()
    }

    /// A failure of a plan, with what can be done about components that were not taken.
    pub(crate) fn advised(&self, mut failure: Failure, policy: &PolicyArgs) -> Failure {
        let refused = self.refused.borrow();
        if refused.iter().any(|error| error.is_transient()) {
            // Nothing is wrong with the manifests.
            failure.exit = Exit::Failed;
        }
        if refused.iter().any(|error| error.is_distrust()) && !policy.has_policy() {
            return failure.help(
                "say with --policy FILE which registries Functions come from, and who signs them",
            );
        }
        failure
    }
}

impl PlanComponents for Known<'_> {
    fn find(&self, reference: &str) -> Option<ComponentInfo> {
        let inspected = match self.inspect(reference) {
            Ok(inspected) => inspected,
            Err(ComponentError::NotFetched { .. }) => {
                self.wanted.borrow_mut().insert(reference.to_owned());
                return None;
            }
            Err(ComponentError::Fetch(error)) => {
                self.refused.borrow_mut().push(error);
                return None;
            }
            Err(_) => return None,
        };
        let pinned = self.taken(reference).map(|fetched| fetched.pulled.reference.to_string());
        Some(ComponentInfo {
            kind: inspected.kind,
            reference: pinned.unwrap_or_else(|| reference.to_owned()),
            digest: inspected.digest.clone(),
            parameters: inspected.descriptor.parameters.clone(),
            requests: inspected.descriptor.requests.clone(),
            unknown_size: inspected.descriptor.unknown_size,
        })
    }

    fn refusal(&self, reference: &str) -> Option<String> {
        let error = self.inspect(reference).err()?;
        Some(sealift_job::chain_of_causes(&error))
    }

    fn references(&self) -> Vec<String> {
        BUILT_IN.iter().map(|built_in| format!("builtin:{}", built_in.name)).collect()
    }
}
