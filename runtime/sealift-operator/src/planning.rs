//! A plan from what the watches saw. The planner itself is `sealift-api`'s.

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::documents::Document;
use sealift_api::finding::Place;
use sealift_api::object::{Namespace, Object};
use sealift_api::objects::Objects;
use sealift_api::planner::{self, PlanError, PlanInput, Problem, Reason};
use sealift_api::reference::{RepositoryRef, TargetRef};
use sealift_api::restore_session::RestoreSession;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::watch::Key;

use crate::cluster::Stores;
use crate::labels;
use crate::options::Options;

/// Plans a session of a BackupConfiguration.
///
/// # Errors
/// Everything that is wrong.
pub fn backup(
    stores: &Stores,
    options: &Options,
    configuration: &BackupConfiguration,
    session: &str,
) -> Result<Plan, PlanError> {
    let spec = &configuration.spec;
    let target = spec.target.as_ref().and_then(|target| target.reference.as_ref());
    let mut objects = related(stores, configuration.namespace(), spec.repository.as_ref(), target);
    let invoker = configuration.reference();
    insert(&mut objects, Object::BackupConfiguration(Box::new(configuration.clone())));
    plan(&objects, &invoker, session, options)
}

/// Plans a RestoreSession.
///
/// # Errors
/// Everything that is wrong.
pub fn restore(
    stores: &Stores,
    options: &Options,
    restore: &RestoreSession,
) -> Result<Plan, PlanError> {
    let spec = &restore.spec;
    let target = spec.target.as_ref().and_then(|target| target.reference.as_ref());
    let mut objects = related(stores, restore.namespace(), spec.repository.as_ref(), target);
    let invoker = restore.reference();
    insert(&mut objects, Object::RestoreSession(Box::new(restore.clone())));
    plan(&objects, &invoker, restore.name(), options)
}

/// Where the Repository is that an object of `namespace` names.
#[must_use]
pub fn repository_key(namespace: &str, named: Option<&RepositoryRef>) -> Option<Key> {
    let named = named.filter(|named| !named.name.is_empty())?;
    let other = named.namespace.as_deref().filter(|other| !other.is_empty());
    Some(Key::new(other.unwrap_or(namespace), &named.name))
}

/// The target that an object of `namespace` names.
#[must_use]
pub fn target(namespace: &str, named: Option<&TargetRef>) -> Option<ObjectRef> {
    let named = named?;
    let other = named.namespace.as_deref().filter(|other| !other.is_empty());
    let version = named.api_version.as_deref().unwrap_or_default();
    Some(ObjectRef {
        group: sealift_api::manifest::group_of(version).to_owned(),
        kind: named.kind.clone().unwrap_or_default(),
        namespace: other.unwrap_or(namespace).to_owned(),
        name: named.name.clone().unwrap_or_default(),
    })
}

/// Whether a problem only says that Repository or target is not there: other conditions than
/// `ValidationPassed` say that.
#[must_use]
pub fn is_absence(problem: &Problem) -> bool {
    problem.reason == Reason::NotFound
        && ["spec.repository.name", "spec.target.ref"].contains(&problem.field.as_str())
}

/// Whether the Repository's usage policy refuses the invoker.
#[must_use]
pub fn is_forbidden(plan: &Result<Plan, PlanError>) -> bool {
    plan.as_ref()
        .is_err_and(|error| error.problems.iter().any(|found| found.reason == Reason::NotAllowed))
}

/// All problems in one text, each with what to do.
#[must_use]
pub fn text<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let lines: Vec<String> = problems
        .into_iter()
        .map(|problem| match problem.help() {
            "" => problem.to_string(),
            help => format!("{problem} (help: {help})"),
        })
        .collect();
    lines.join("; ")
}

fn plan(
    objects: &Objects,
    invoker: &ObjectRef,
    session: &str,
    options: &Options,
) -> Result<Plan, PlanError> {
    planner::plan(&PlanInput {
        objects,
        invoker,
        session,
        components: &options.components,
        options: &options.plan_options(),
    })
}

fn related(
    stores: &Stores,
    namespace: &str,
    repository: Option<&RepositoryRef>,
    target_ref: Option<&TargetRef>,
) -> Objects {
    let mut objects = Objects::default();
    let repository = repository_key(namespace, repository);
    let found = repository.and_then(|key| stores.repositories.find(&key));
    // One that is being deleted takes no new session.
    if let Some(found) = found.filter(|found| !labels::is_going(&found.metadata)) {
        insert(&mut objects, Object::Repository(Box::new((*found).clone())));
    }
    let target = target(namespace, target_ref);
    if let Some(found) =
        target.and_then(|target| stores.app_bindings.get(&target.namespace, &target.name))
    {
        insert(&mut objects, Object::AppBinding(Box::new((*found).clone())));
    }
    if let Some(found) = stores.namespaces.get("", namespace) {
        let labels = found.metadata.labels.clone();
        insert(&mut objects, Object::Namespace(Namespace::new(namespace.to_owned(), labels)));
    }
    for task in stores.tasks.all() {
        insert(&mut objects, Object::Task(Box::new((*task).clone())));
    }
    for function in stores.functions.all() {
        insert(&mut objects, Object::Function(Box::new((*function).clone())));
    }
    objects
}

/// A store holds no object twice, so nothing can be refused.
fn insert(objects: &mut Objects, object: Object) {
    let place = Place { file: "the cluster".to_owned(), document: 1, line: 1 };
    if let Err(error) = objects.insert(Document { place, object }) {
        tracing::error!(%error, "an object is there twice");
    }
}
