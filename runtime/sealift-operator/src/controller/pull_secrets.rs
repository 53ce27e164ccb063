//! The Secrets with which a Job's image is pulled. Kubelet goes on without one that is missing, and
//! then tells only what the registry said: here the missing one gets a name.

use k8s_openapi::api::batch::v1::Job;
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::ending::Death;

/// Kubelet's words for an image that did not come.
const NOT_PULLED: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

/// A death for want of the image also says which pull secrets are missing in the Job's namespace.
pub(crate) async fn explain(cluster: &Cluster, job: &Job, death: Death) -> Death {
    if !NOT_PULLED.contains(&death.reason.as_str()) {
        return death;
    }
    let mut missing = Vec::new();
    for secret in named(job) {
        // What cannot be asked is not said to be missing.
        if let Ok(seen) = cluster.secrets.look(&secret).await
            && !seen.there
        {
            missing.push(secret);
        }
    }
    told(death, &missing)
}

fn named(job: &Job) -> Vec<Key> {
    let namespace = job.metadata.namespace.as_deref().unwrap_or_default();
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let secrets = pod.and_then(|pod| pod.image_pull_secrets.as_deref()).unwrap_or_default();
    secrets.iter().map(|secret| Key::new(namespace, &secret.name)).collect()
}

fn told(death: Death, missing: &[Key]) -> Death {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let (verb, make) = match names.len() {
        0 => return death,
        1 => ("does", "it"),
        _ => ("do", "them"),
    };
    let Death { reason, message } = death;
    let message = format!(
        "{message}; Secret {}, named in imagePullSecrets, {verb} not exist: make {make} in this namespace, those of other namespaces are not used",
        names.join(" and Secret ")
    );
    Death { reason, message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_missing_pull_secret_is_named_with_the_namespace_it_belongs_in() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "j", "namespace": "demo"},
            "spec": {"template": {"spec": {"containers": [],
                "imagePullSecrets": [{"name": "own"}, {"name": "registry"}]}}}
        }))
        .unwrap();
        let secrets = named(&job);
        let death = || Death::new("ErrImagePull", "401");
        assert_eq!(told(death(), &[]), death());
        insta::assert_snapshot!(told(death(), secrets.get(1..).unwrap()).message, @"401; Secret demo/registry, named in imagePullSecrets, does not exist: make it in this namespace, those of other namespaces are not used");
        insta::assert_snapshot!(told(death(), &secrets).message, @"401; Secret demo/own and Secret demo/registry, named in imagePullSecrets, do not exist: make them in this namespace, those of other namespaces are not used");
    }
}
