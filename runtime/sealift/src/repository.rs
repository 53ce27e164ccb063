//! A Repository from manifests, for the commands that work on one without a session.

use sealift_api::object::Object;
use sealift_api::objects::Objects;
use sealift_api::planner::{self, Environment};
use sealift_core::plan::{RepositoryPlan, Retention};
use sealift_job::storage;
use sealift_repository::{Repository, RepositoryLock};
use tokio_util::sync::CancellationToken;

use crate::args::RepositoryArgs;
use crate::context;
use crate::exit::{Exit, Failure};
use crate::manifests;

/// How a command uses the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Beside others.
    Shared,
    /// Alone.
    Exclusive,
}

/// Opens the Repository, locks it, and calls `work` on a thread that may block.
pub(crate) async fn with<T: Send + 'static>(
    args: &RepositoryArgs,
    how: Use,
    work: impl FnOnce(&Repository) -> Result<T, sealift_repository::Error> + Send + 'static,
) -> Result<T, Failure> {
    let objects = manifests::read(&args.filename)?;
    let plan = find(&objects, args.repository.as_deref())?;
    let files = manifests::session_objects(&objects, None);
    let secrets = storage::read_secrets(&plan, &files)
        .await
        .map_err(|error| Failure::of(Exit::Invalid, &error))?;
    let options = storage::options(&CancellationToken::new());
    let folder = context::lock_dir(&args.lock);
    let done = tokio::task::spawn_blocking(move || {
        let holder = format!("sealift (process {})", std::process::id());
        let repository = Repository::open(&plan.location, &secrets, options)?;
        let lock = match how {
            Use::Shared => RepositoryLock::shared(&folder, &plan.location, &holder),
            Use::Exclusive => RepositoryLock::exclusive(&folder, &plan.location, &holder),
        }?;
        let result = work(&repository);
        drop(lock);
        result.map_err(Failure::from)
    });
    done.await.map_err(|error| Failure::of(Exit::Failed, &error))?
}

fn find(objects: &Objects, wanted: Option<&str>) -> Result<RepositoryPlan, Failure> {
    let mut fitting: Vec<_> = objects
        .repositories()
        .filter(|repository| wanted.is_none_or(|wanted| wanted == repository.name()))
        .collect();
    let repository = match (fitting.pop(), fitting.is_empty()) {
        (Some(repository), true) => repository,
        (Some(_), false) => {
            return Err(Failure::new(Exit::Invalid, "the files hold several Repositories")
                .help("choose one with --repository NAME"));
        }
        (None, _) => {
            return Err(Failure::new(Exit::Invalid, "the files hold no such Repository")
                .help("add the file with the Repository and its Secret with -f FILE"));
        }
    };
    planner::repository_plan(objects, &repository.reference(), Environment::Local)
        .map_err(|error| context::problems(objects, &error))
}

/// The retention policy of the one BackupConfiguration in the files that writes to the Repository.
pub(crate) fn retention(args: &RepositoryArgs) -> Result<Retention, Failure> {
    let objects = manifests::read(&args.filename)?;
    let repository = find(&objects, args.repository.as_deref())?.reference;
    let mut configurations = objects.iter().filter_map(|(_, object)| match object {
        Object::BackupConfiguration(configuration) => Some(&**configuration),
        _ => None,
    });
    let help =
        "add the file with the BackupConfiguration whose retentionPolicy is meant with -f FILE";
    let configuration = configurations
        .find(|configuration| {
            configuration.spec.repository.as_ref().is_some_and(|named| {
                named.name == repository.name
                    && named.namespace.as_deref().unwrap_or(configuration.namespace())
                        == repository.namespace
            })
        })
        .ok_or_else(|| {
            Failure::new(
                Exit::Invalid,
                format!(
                    "no BackupConfiguration in the files writes to Repository {}",
                    repository.name
                ),
            )
            .help(help)
        })?;
    planner::retention_plan(configuration).map_err(|error| context::problems(&objects, &error))
}
