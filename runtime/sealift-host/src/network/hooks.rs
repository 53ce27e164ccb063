//! The hooks `wasmtime_wasi_http` calls for a stage: every request of a Function comes in here.

use std::sync::Arc;

use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Network;

/// What `wasmtime_wasi_http` calls for a stage. Absent names = not granted, and not linked.
pub(crate) struct HttpHooks(pub(crate) Option<Arc<Network>>);

type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Worker), Error>;

impl WasiHttpHooks for HttpHooks {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        // Both mean the same: the plan decides whether the origin speaks TLS.
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let network = self.0.clone();
        Box::new(async move {
            let Some(network) = network else {
                return Err(Error::HttpRequestDenied);
            };
            let answer = network.send(request, options).await?;
            let answer = answer.map(BodyExt::boxed_unsync);
            // The connection is driven by a task inside the body, not by this future: it is
            // aborted when the Function drops the answer's head.
            let nothing: Worker = Box::new(std::future::ready(Ok(())));
            Ok((answer, nothing))
        })
    }
}
