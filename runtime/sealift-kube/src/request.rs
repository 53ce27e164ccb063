//! One call to an API server, with a time limit. What it was for is added by the caller.

use std::future::Future;
use std::time::Duration;

use kube::Resource;
use sealift_core::plan::ObjectRef;

use crate::error::Failure;

/// Longer than a healthy API server takes for anything we ask of it, shorter than the 60 s after
/// which a caller would be taken for dead: a server that went silent must not hold a worker.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Waits for a call.
pub(crate) async fn call<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(CALL_LIMIT, call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::of(error)),
        Err(_) => Err(Failure::Silence { seconds: CALL_LIMIT.as_secs() }),
    }
}

/// An object of a kind, for messages.
pub(crate) fn reference<K: Resource<DynamicType = ()>>(
    namespace: Option<&str>,
    name: &str,
) -> ObjectRef {
    ObjectRef {
        group: K::group(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.to_owned(),
    }
}
