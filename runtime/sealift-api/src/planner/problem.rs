//! What is wrong with an object: which one, which field, why, and what to do.

use std::fmt;

use sealift_core::plan::ObjectRef;

use crate::manifest::STASH_GROUP;

/// All that stands between the objects and a plan; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PlanError {
    /// In the order of the objects they were found in.
    pub problems: Vec<Problem>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "; " };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

/// Why an object cannot be used; the operator's conditions follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An object that is named is not there; it may still come.
    NotFound,
    /// A field is wrong; the user must change something.
    Invalid,
    /// A feature of the API that is not built yet.
    NotSupported,
    /// A usage policy does not allow it.
    NotAllowed,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The object.
    pub object: ObjectRef,
    /// JSON path in it.
    pub field: String,
    /// Why.
    pub reason: Reason,
    /// What is wrong, for people.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.message)
    }
}

/// Collects problems of one plan.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    pub(crate) fn add(
        &mut self,
        reason: Reason,
        object: &ObjectRef,
        field: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Problem {
            object: object.clone(),
            field: field.into(),
            reason,
            message: message.into(),
            help: help.into(),
        };
        // Two ways may lead to the same object; once is enough.
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    pub(crate) fn extend(&mut self, others: Self) {
        for problem in others.found {
            if !self.found.contains(&problem) {
                self.found.push(problem);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_error(self) -> PlanError {
        PlanError { problems: self.found }
    }
}

/// A Task or Function of the Stash API.
pub(crate) fn cluster_ref(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: STASH_GROUP.to_owned(),
        kind: kind.to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}
