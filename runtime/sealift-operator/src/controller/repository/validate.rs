//! Judges a Repository by where it points: pure.

use sealift_api::planner::PlanError;
use sealift_core::plan::RepositoryPlan;

use crate::condition::{Statement, Type};
use crate::planning;

/// What is wrong with it by itself; its Secret is looked for where it is used.
pub(super) fn validate(plan: &Result<RepositoryPlan, PlanError>) -> Option<Statement> {
    let problems = &plan.as_ref().err()?.problems;
    let text = planning::text(problems);
    Some(Statement::no(Type::ValidationPassed, "ResourceValidationFailed", text))
}
