//! S3 in a pod: versitygw over a folder of the pod.

use anyhow::Result;
use sealift_e2e::binaries;
use serde_json::json;

use super::{pod_address, tolerations};
use crate::control_plane::ControlPlane;
use crate::images::Image;
use crate::node::Node;

const IMAGE: &str = "localhost/versitygw:1";
const NAME: &str = "s3";
const PORT: u16 = 7070;

/// A running S3 with one bucket, reached under its Service's name.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `http://s3.<namespace>.svc:7070`.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// Who may.
    pub access_key: String,
    /// With what.
    pub secret_key: String,
    /// The same place by the pod's address, for programs outside of the cluster.
    pub outside_endpoint: String,
}

/// Starts one in `namespace`.
pub fn start(plane: &ControlPlane, node: &Node, namespace: &str, bucket: &str) -> Result<S3> {
    node.import(&Image::of(IMAGE, &binaries::server("versitygw", "versitygw")?)?)?;
    // Each part of a folder that appears is a bucket; the mount makes it.
    let bucket_folder = format!("/data/{bucket}");
    let (access_key, secret_key) = ("storage-user", "storage-secret-of-the-tests");
    let labels = json!({"app": NAME});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "tolerations": tolerations(),
                "containers": [{
                    "name": NAME,
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["--port", format!("0.0.0.0:{PORT}"), "posix", "/data"],
                    "env": [
                        {"name": "ROOT_ACCESS_KEY", "value": access_key},
                        {"name": "ROOT_SECRET_KEY", "value": secret_key},
                    ],
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {"name": "bucket", "mountPath": bucket_folder},
                    ],
                    "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                }],
                "volumes": [
                    {"name": "data", "emptyDir": {}},
                    {"name": "bucket", "emptyDir": {}},
                ],
            }},
        {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": NAME, "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": PORT}]}},
    ]});
    plane.kubectl().apply(&objects.to_string(), &[])?;
    let address = pod_address(plane.client(), namespace, NAME)?;
    plane.kubectl().succeed(&[
        "-n",
        namespace,
        "wait",
        "pod",
        NAME,
        "--for=condition=Ready",
        "--timeout=120s",
    ])?;
    Ok(S3 {
        endpoint: format!("http://{NAME}.{namespace}.svc:{PORT}"),
        bucket: bucket.to_owned(),
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        outside_endpoint: format!("http://{address}:{PORT}"),
    })
}
