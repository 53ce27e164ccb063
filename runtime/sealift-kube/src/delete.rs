//! Deleting objects. One that is already gone is success.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, DeleteParams, Preconditions};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::request::{call, reference};

/// Deletes an object; what it owns follows in the background. With `uid`, only that very object:
/// one that was made anew under the same name stays.
///
/// # Errors
/// The API server refuses or cannot be reached.
pub async fn delete<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: Option<&str>,
) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut parameters = DeleteParams::background();
    if let Some(uid) = uid {
        parameters = parameters
            .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    }
    match call(api.delete(name, &parameters)).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => Ok(()),
        // The precondition failed: ours is gone, another one has its name.
        Err(failure) if uid.is_some() && failure.is_conflict() => Ok(()),
        Err(source) => Err(Error::Delete { object: reference::<K>(Some(namespace), name), source }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Config;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What is asked to delete an object, and what becomes of it if that is answered with this
    /// status.
    async fn deleted(uid: Option<&str>, status: u16) -> (serde_json::Value, Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            // The body is one object without a closing brace inside a text.
            while serde_json::from_slice::<serde_json::Value>(body(&asked)).is_err() {
                asked.push(stream.read_u8().await.unwrap());
            }
            let said = format!(
                r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"","code":{status}}}"#
            );
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", said.len());
            let head = head + "content-type: application/json\r\n\r\n";
            stream.write_all((head + &said).as_bytes()).await.unwrap();
            serde_json::from_slice(body(&asked)).unwrap()
        });
        let client = crate::connect::client(Config::new(url.parse().unwrap())).unwrap();
        let done = delete::<ConfigMap>(&client, "demo", "x", uid).await;
        (server.await.unwrap(), done)
    }

    fn body(request: &[u8]) -> &[u8] {
        let end = request.windows(4).position(|end| end == b"\r\n\r\n");
        end.and_then(|end| request.get(end + 4..)).unwrap_or_default()
    }

    #[tokio::test]
    async fn only_the_very_object_that_was_meant_is_deleted() {
        let (asked, done) = deleted(Some("u-1"), 409).await;
        assert_eq!(asked.pointer("/preconditions/uid").unwrap(), "u-1");
        assert_eq!(asked.pointer("/propagationPolicy").unwrap(), "Background");
        // Another one has its name: it stays, and what was meant is gone.
        done.unwrap();
        let (asked, done) = deleted(None, 409).await;
        assert!(asked.get("preconditions").is_none(), "{asked}");
        done.unwrap_err();
        deleted(None, 404).await.1.unwrap();
        deleted(Some("u-1"), 403).await.1.unwrap_err();
    }
}
