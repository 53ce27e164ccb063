//! CoreDNS as a pod behind the address every pod is told.

use anyhow::Result;
use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, DNS_ADDRESS};
use crate::workloads;

/// Its image.
pub(super) const IMAGE: &str = "localhost/coredns:1";

/// Names of Services and nothing else; nothing is asked outside.
const COREFILE: &str = ".:53 {
    errors
    ready :8181
    kubernetes cluster.local in-addr.arpa {
        ttl 5
    }
    cache 5
}
";

/// Makes its objects and waits until it answers.
pub(super) fn start(plane: &ControlPlane) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects()});
    plane.kubectl().apply(&list.to_string(), &[])?;
    let path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";
    plane.client().wait("CoreDNS answers", path, |deployment| {
        let ready = deployment?.pointer("/status/readyReplicas")?.as_i64()?;
        (ready > 0).then_some(())
    })
}

fn objects() -> Vec<Value> {
    let labels = json!({"k8s-app": "kube-dns"});
    let meta = json!({"name": "coredns", "namespace": "kube-system"});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "system:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}]}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"Corefile": COREFILE}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {
                "serviceAccountName": "coredns",
                "dnsPolicy": "Default",
                "tolerations": workloads::tolerations(),
                "containers": [{
                    "name": "coredns",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["-conf", "/etc/coredns/Corefile"],
                    "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns", "readOnly": true}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                }],
                "volumes": [{"name": "configuration", "configMap": {"name": "coredns"}}],
            }}}}),
        json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": DNS_ADDRESS, "selector": labels, "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ]}}),
    ]
}
