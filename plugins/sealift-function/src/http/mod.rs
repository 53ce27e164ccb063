//! HTTP to the origins the plan binds to names, such as `http://target/v1/sys/health`.
//!
//! The host resolves the name, does TLS, adds the credential, follows the redirects it may and
//! refuses everything else: a Function never sees an address or a token. Blocking, on
//! `wasi:http`; needs grant `http`.
//!
//! ```no_run
//! # fn main() -> sealift_function::Result<()> {
//! use sealift_function::http;
//! let answer = http::get("http://target/v1/sys/leader").send()?;
//! if answer.status() == 200 {
//!     let leader = answer.into_body().read_all(64 * 1024)?;
//! }
//! # Ok(())
//! # }
//! ```

mod failure;
mod request;
mod response;
mod upload;
mod url;

pub use request::{Method, Request};
pub use response::Response;
pub use upload::Upload;

/// A GET request.
pub fn get(url: &str) -> Request {
    Request::new(Method::Get, url)
}

/// A POST request.
pub fn post(url: &str) -> Request {
    Request::new(Method::Post, url)
}

/// A PUT request.
pub fn put(url: &str) -> Request {
    Request::new(Method::Put, url)
}
