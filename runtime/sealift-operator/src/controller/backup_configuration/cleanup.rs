//! A BackupConfiguration goes: what lies in other namespaces is removed by hand, the rest goes
//! with its owner. Never validates anything; what is already gone is success.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_core::plan::ObjectRef;
use sealift_kube::kube::Resource;
use sealift_kube::{delete, read};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::controller::finalizer;
use crate::error::Result;
use crate::{labels, names};

pub(super) async fn cleanup(cluster: &Cluster, configuration: &BackupConfiguration) -> Result<()> {
    let meta = &configuration.metadata;
    if !labels::has_finalizer(meta, labels::FINALIZER) {
        return Ok(());
    }
    repository_access(cluster, &configuration.reference(), None).await?;
    finalizer::remove::<BackupConfiguration>(cluster, meta, labels::FINALIZER).await
}

/// Removes the rights an invoker's Jobs have in the namespaces of Repositories, but for those in
/// `keep`. What was made a moment ago may not have been seen yet, and a finalizer is taken off
/// once: so it is asked live.
pub(crate) async fn repository_access(
    cluster: &Cluster,
    invoker: &ObjectRef,
    keep: Option<&str>,
) -> Result<()> {
    let ObjectRef { kind, namespace, name, .. } = invoker;
    let access = OfInvoker {
        name: names::repository_access(namespace, kind, name),
        // They tell it from an object of the same name that is not ours.
        labels: format!(
            "{}={},{}={}",
            labels::INVOKER_TYPE,
            names::label_value(kind),
            labels::INVOKER_NAME,
            names::label_value(name)
        ),
        keep,
    };
    access.remove::<RoleBinding>(cluster).await?;
    access.remove::<Role>(cluster).await
}

struct OfInvoker<'a> {
    name: String,
    labels: String,
    keep: Option<&'a str>,
}

impl OfInvoker<'_> {
    async fn remove<K>(&self, cluster: &Cluster) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let watched = cluster.options.watch_namespace.as_deref();
        for found in read::list::<K>(&cluster.client, watched, &self.labels).await? {
            let meta = found.meta();
            let place = meta.namespace.as_deref().unwrap_or_default();
            if meta.name.as_deref() == Some(&self.name) && Some(place) != self.keep {
                let uid = meta.uid.as_deref();
                delete::delete::<K>(&cluster.client, place, &self.name, uid).await?;
            }
        }
        Ok(())
    }
}
