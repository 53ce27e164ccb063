//! Commands in pods: a pod behind the Service is found through its Endpoints, ready ones first,
//! and the command runs there through the API server.
//!
//! What the command prints is read and thrown away: it may hold secrets, and nobody may fill
//! the session's memory with it.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Endpoints, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use sealift_kube::kube::api::{AttachParams, AttachedProcess};
use sealift_kube::kube::{Api, Client};
use tokio::io::AsyncRead;

use super::ask::{AskError, ask};
use crate::hooks::{ExecError, PodExec};

/// Runs commands through the API server.
pub struct ClusterExec {
    client: Client,
}

impl ClusterExec {
    /// Runs commands with this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn pod(&self, namespace: &str, service: &str) -> Result<Pod, ExecError> {
        let endpoints: Api<Endpoints> = Api::namespaced(self.client.clone(), namespace);
        let named = format!("Endpoints {namespace}/{service}");
        let found = ask("get", &named, || endpoints.get(service)).await.map_err(asked)?;
        let pod = pod_name(&found).ok_or_else(|| ExecError::NoPod {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
        })?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let named = format!("Pod {namespace}/{pod}");
        ask("get", &named, || pods.get(&pod)).await.map_err(asked)
    }
}

fn asked(error: AskError) -> ExecError {
    ExecError::Ask { what: error.to_string(), source: Box::new(error.source) }
}

/// The first pod that is ready, else the first that is not.
fn pod_name(endpoints: &Endpoints) -> Option<String> {
    let subsets = endpoints.subsets.as_deref().unwrap_or_default();
    let ready = subsets.iter().flat_map(|subset| subset.addresses.iter().flatten());
    let not_ready = subsets.iter().flat_map(|subset| subset.not_ready_addresses.iter().flatten());
    ready
        .chain(not_ready)
        .filter_map(|address| address.target_ref.as_ref())
        .filter(|target| target.kind.as_deref() == Some("Pod"))
        .find_map(|target| target.name.clone())
}

/// The container asked for, else the pod's first.
fn container_name(pod: &Pod, wanted: Option<&str>) -> Result<String, ExecError> {
    let known: Vec<_> = pod
        .spec
        .iter()
        .flat_map(|spec| spec.containers.iter().map(|container| container.name.as_str()))
        .collect();
    let found = match wanted {
        Some(wanted) => known.iter().find(|name| **name == wanted),
        None => known.first(),
    };
    found.map(|name| (*name).to_owned()).ok_or_else(|| ExecError::NoContainer {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        pod: pod.metadata.name.clone().unwrap_or_default(),
        container: wanted.unwrap_or_default().to_owned(),
        known: known.join(", "),
    })
}

#[async_trait]
impl PodExec for ClusterExec {
    async fn exec(
        &self,
        namespace: &str,
        service: &str,
        container: Option<&str>,
        command: &[String],
    ) -> Result<(), ExecError> {
        let pod = self.pod(namespace, service).await?;
        let container = container_name(&pod, container)?;
        let pod = pod.metadata.name.unwrap_or_default();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let parameters =
            AttachParams { container: Some(container.clone()), ..AttachParams::default() };
        let named = format!("exec of Pod {namespace}/{pod}");
        // Not asked again: nobody would know whether the command ran twice.
        let mut process = pods
            .exec(&pod, command, &parameters)
            .await
            .map_err(|error| asked(AskError::new("create", named, &error)))?;
        let failed = |message: String| ExecError::Command {
            namespace: namespace.to_owned(),
            pod: pod.clone(),
            container: container.clone(),
            message,
        };
        let status = finish(&mut process).await;
        match status {
            None => Err(failed("the connection ended before the command did".to_owned())),
            Some(status) if status.status.as_deref() == Some("Success") => Ok(()),
            Some(status) => {
                Err(failed(status.message.unwrap_or_else(|| "the command failed".to_owned())))
            }
        }
    }
}

/// Reads both outputs to their ends, so that the command is never held up, and waits for its
/// status.
async fn finish(process: &mut AttachedProcess) -> Option<Status> {
    let stdout = drain(process.stdout());
    let stderr = drain(process.stderr());
    let status = process.take_status();
    let status = async {
        match status {
            Some(status) => status.await,
            None => None,
        }
    };
    let ((), (), status) = tokio::join!(stdout, stderr, status);
    status
}

async fn drain(output: Option<impl AsyncRead + Unpin>) {
    if let Some(mut output) = output {
        // An output that breaks off is told by the status.
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn endpoints(text: &str) -> Endpoints {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_ready_pod_is_taken_before_one_that_is_not() {
        let address = |name: &str, kind: &str| {
            format!(r#"{{"ip": "10.0.0.1", "targetRef": {{"kind": "{kind}", "name": "{name}"}}}}"#)
        };
        let both = format!(
            r#"{{"subsets": [{{"notReadyAddresses": [{}]}}, {{"addresses": [{}, {}]}}]}}"#,
            address("sealed", "Pod"),
            address("node", "Node"),
            address("ready", "Pod")
        );
        assert_eq!(pod_name(&endpoints(&both)).unwrap(), "ready");
        let sealed =
            format!(r#"{{"subsets": [{{"notReadyAddresses": [{}]}}]}}"#, address("sealed", "Pod"));
        assert_eq!(pod_name(&endpoints(&sealed)).unwrap(), "sealed");
        assert_eq!(pod_name(&endpoints("{}")), None);
    }

    #[test]
    fn a_container_is_found_by_name_or_is_the_first() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata": {"name": "vault-0", "namespace": "demo"},
                "spec": {"containers": [{"name": "vault"}, {"name": "exporter"}]}}"#,
        )
        .unwrap();
        assert_eq!(container_name(&pod, None).unwrap(), "vault");
        assert_eq!(container_name(&pod, Some("exporter")).unwrap(), "exporter");
        assert_eq!(
            container_name(&pod, Some("x")).unwrap_err().to_string(),
            "pod demo/vault-0 has no container \"x\"; it has vault, exporter"
        );
    }
}
