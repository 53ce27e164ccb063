//! One hook's action: a command, a request, a connection.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use sealift_core::hook::{HookAction, HookBody, HookRequest};
use sealift_core::template::{Template, Value};
use sealift_host::{Outbound, knock};

use super::{ExecError, HookError};
use crate::surroundings::Surroundings;

/// Does it; templates see `data`.
pub(super) async fn run(
    action: &HookAction,
    data: &Value,
    limit: Duration,
    around: &Surroundings,
) -> Result<(), HookError> {
    match action {
        HookAction::Exec { command, namespace, service, container } => {
            let command =
                command.iter().map(|part| render(part, data)).collect::<Result<Vec<_>, _>>()?;
            let exec = around.hooks.exec.as_ref().ok_or(HookError::Exec(ExecError::NoCluster))?;
            exec.exec(namespace, service, container.as_deref(), &command)
                .await
                .map_err(HookError::Exec)
        }
        HookAction::HttpGet { request } => {
            send(request, Method::GET, &[], Bytes::new(), limit, around).await
        }
        HookAction::HttpPost { request, body } => {
            let (body, content_type) = match body {
                HookBody::Text(text) => (render(text, data)?, None),
                HookBody::Form(fields) => {
                    let mut form = url::form_urlencoded::Serializer::new(String::new());
                    for (key, values) in fields {
                        for value in values {
                            form.append_pair(key, value);
                        }
                    }
                    (form.finish(), Some("application/x-www-form-urlencoded"))
                }
            };
            // The user's own header wins: it comes after this one.
            let content_type =
                content_type.map(|value| ("content-type".to_owned(), value.to_owned()));
            let headers: Vec<_> = content_type.into_iter().collect();
            send(request, Method::POST, &headers, Bytes::from(body), limit, around).await
        }
        HookAction::TcpSocket { host, port } => {
            knock(host, *port, around.allow_loopback, limit).await.map_err(HookError::Connect)
        }
    }
}

fn render(template: &str, data: &Value) -> Result<String, HookError> {
    Template::parse(template)
        .and_then(|template| template.render(data))
        .map_err(HookError::Template)
}

async fn send(
    request: &HookRequest,
    method: Method,
    first_headers: &[(String, String)],
    body: Bytes,
    timeout: Duration,
    around: &Surroundings,
) -> Result<(), HookError> {
    let mut headers = first_headers.to_vec();
    headers.extend(request.headers.iter().cloned());
    let status = Outbound {
        method,
        url: &request.url,
        headers: &headers,
        body,
        ca_pem: request.ca_pem.as_deref(),
        allow_loopback: around.allow_loopback,
        timeout,
    }
    .send()
    .await
    .map_err(HookError::Send)?;
    // 200 to 399, as probes of Kubernetes have it; a redirect is not followed.
    if (200..400).contains(&status.as_u16()) {
        return Ok(());
    }
    Err(HookError::Answer {
        place: request.url.origin().ascii_serialization(),
        status: status.as_u16(),
    })
}
