//! What a session needs besides its plan, and what it makes of both: loaded components and ports.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use sealift_core::plan::{Plan, StagePlan};
use sealift_host::ports::{Events, Ports};
use sealift_host::{Host, Stage};
use tokio_util::sync::CancellationToken;

use crate::components::Components;
use crate::credentials::SessionCredentials;
use crate::facts::session_facts;
use crate::failure::SessionError;
use crate::hooks::HookSurroundings;
use crate::keys::SecretKeyStore;
use crate::locks::Locks;
use crate::objects::Objects;

/// What a session needs besides its plan.
#[derive(Clone)]
pub struct Surroundings {
    /// Runs the Functions.
    pub host: Host,
    /// Where their components come from.
    pub components: Arc<dyn Components>,
    /// Secrets, and where changed ones go.
    pub objects: Arc<dyn Objects>,
    /// Told of progress.
    pub events: Arc<dyn Events>,
    /// Cancelling it ends the session; nothing is committed then.
    pub cancel: CancellationToken,
    /// Whether loopback addresses may be reached: only in `sealift run`.
    pub allow_loopback: bool,
    /// Keeps others away from the repository.
    pub locks: Arc<dyn Locks>,
    /// Folder below which a session whose plan has an interim volume makes a private one of its
    /// own, and removes it afterwards. Not touched otherwise.
    pub interim_dir: PathBuf,
    /// What hooks need besides the plan.
    pub hooks: HookSurroundings,
}

/// Loads the components of these stages.
pub(crate) fn load(
    stages: &[StagePlan],
    around: &Surroundings,
) -> Result<Vec<Stage>, SessionError> {
    stages
        .iter()
        .map(|stage| {
            let function =
                around.components.load(&around.host, &stage.component).map_err(|source| {
                    SessionError::Component {
                        function: stage.function.clone(),
                        source: Box::new(source),
                    }
                })?;
            Ok(Stage {
                name: stage.name.clone(),
                function,
                parameters: stage.parameters.clone(),
                grants: stage.grants.clone(),
                limits: stage.limits,
            })
        })
        .collect()
}

/// Everything but the repository, which belongs to the direction.
pub(crate) fn ports(plan: &Plan, started: Timestamp, around: &Surroundings) -> Ports {
    Ports {
        repository_writer: None,
        repository_reader: None,
        keys: plan
            .keys
            .clone()
            .map(|keys| Arc::new(SecretKeyStore::new(Arc::clone(&around.objects), keys)) as _),
        credentials: Arc::new(SessionCredentials::new(Arc::clone(&around.objects), plan)),
        origins: plan.origins.clone(),
        allow_loopback: around.allow_loopback,
        facts: session_facts(plan, started),
        events: Arc::clone(&around.events),
    }
}

/// Runs work of the repository on a thread that may block.
pub(crate) async fn spawn<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SessionError> {
    tokio::task::spawn_blocking(call).await.map_err(SessionError::Interrupted)
}
