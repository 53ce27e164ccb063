//! A BackupConfiguration goes: what lies in other namespaces is removed by hand, the rest goes
//! with its owner. Never validates anything; what is already gone is success.

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_kube::{apply as server, delete};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::{labels, names};

pub(super) async fn cleanup(cluster: &Cluster, configuration: &BackupConfiguration) -> Result<()> {
    let (namespace, name) = (configuration.namespace(), configuration.name());
    if !labels::has_finalizer(&configuration.metadata, labels::FINALIZER) {
        return Ok(());
    }
    repository_access(cluster, namespace, "BackupConfiguration", name).await?;
    let rest: Vec<&String> = configuration
        .metadata
        .finalizers
        .iter()
        .flatten()
        .filter(|finalizer| *finalizer != labels::FINALIZER)
        .collect();
    let patch = serde_json::json!({
        "finalizers": rest, "resourceVersion": configuration.metadata.resource_version
    });
    match server::patch_metadata::<BackupConfiguration>(&cluster.client, namespace, name, &patch)
        .await
    {
        Err(error) if !error.is_not_found() => Err(Error::Call(error)),
        _ => Ok(()),
    }
}

/// Removes the rights an invoker's Jobs have in the namespaces of Repositories.
pub(crate) async fn repository_access(
    cluster: &Cluster,
    namespace: &str,
    kind: &str,
    invoker: &str,
) -> Result<()> {
    let name = names::repository_access(namespace, kind, invoker);
    // The labels tell it from an object of the same name that is not ours.
    let ours = |meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
        let label = |key: &str| {
            meta.labels.iter().flatten().find(|(found, _)| *found == key).map(|(_, value)| value)
        };
        meta.name.as_deref() == Some(&name)
            && label(labels::INVOKER_TYPE) == Some(&names::label_value(kind))
            && label(labels::INVOKER_NAME) == Some(&names::label_value(invoker))
    };
    let client = &cluster.client;
    for binding in cluster.stores.role_bindings.select(|found| ours(&found.metadata)) {
        let place = binding.metadata.namespace.as_deref().unwrap_or_default();
        delete::delete::<RoleBinding>(client, place, &name, None).await?;
    }
    for role in cluster.stores.roles.select(|found| ours(&found.metadata)) {
        let place = role.metadata.namespace.as_deref().unwrap_or_default();
        delete::delete::<Role>(client, place, &name, None).await?;
    }
    Ok(())
}
