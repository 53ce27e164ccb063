//! The time of the API server: it dates what is made, so what was made is judged by it.
//!
//! Flow: ask for the version, whose answer carries a date as every answer of HTTP does. An answer
//! that refuses carries one, too, so no right is needed. The time is that of when the answer was
//! made, in whole seconds.

use http::Request;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;

use crate::error::{Error, Failure, Result};
use crate::request::call;

/// Asks for it.
///
/// # Errors
/// The API server cannot be reached, or its answer carries no date.
pub async fn server_time(client: &Client) -> Result<Timestamp> {
    let asked = async {
        let request = Request::get("/version").body(Body::empty());
        client.send(request.map_err(kube::Error::HttpError)?).await
    };
    let answer = call(asked).await.map_err(|source| Error::ServerTime { source })?;
    let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    let read = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    read.map(|zoned| zoned.timestamp()).ok_or(Error::ServerTime { source: Failure::NoDate })
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_of_http_are_read() {
        let read = jiff::fmt::rfc2822::parse("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(read.ok().map(|read| read.timestamp().as_second()), Some(784_111_777));
    }
}
