//! What a failed connection means for the session.

use crate::bindings::wasi::http::types::ErrorCode;
use crate::error::Error;

/// Turns an error of the network into the contract's: what another attempt may not meet is
/// retryable, what the host refused is denied.
pub(super) fn error_of(code: &ErrorCode) -> Error {
    let text = describe(code);
    match code {
        ErrorCode::HttpRequestDenied
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestMethodInvalid => Error::Denied(text),
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTerminated
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::HttpResponseTimeout
        | ErrorCode::HttpResponseIncomplete => Error::retryable(text),
        _ => Error::ExternalFailed(text),
    }
}

fn describe(code: &ErrorCode) -> String {
    match code {
        ErrorCode::DnsTimeout => "the name was not resolved in time".to_owned(),
        ErrorCode::DnsError(error) => match &error.rcode {
            Some(rcode) => format!("the name cannot be resolved: {rcode}"),
            None => "the name cannot be resolved".to_owned(),
        },
        ErrorCode::DestinationNotFound => "the name cannot be resolved".to_owned(),
        ErrorCode::DestinationUnavailable => "the address is not available".to_owned(),
        ErrorCode::DestinationIpProhibited => "the address is not allowed".to_owned(),
        ErrorCode::DestinationIpUnroutable => "there is no route to the address".to_owned(),
        ErrorCode::ConnectionRefused => "connection refused".to_owned(),
        ErrorCode::ConnectionTerminated => "the connection was closed".to_owned(),
        ErrorCode::ConnectionTimeout => "no connection in time".to_owned(),
        ErrorCode::ConnectionReadTimeout => "nothing was received in time".to_owned(),
        ErrorCode::ConnectionWriteTimeout => "nothing could be sent in time".to_owned(),
        ErrorCode::TlsProtocolError => {
            "the TLS handshake failed; does the other side speak https?".to_owned()
        }
        ErrorCode::TlsCertificateError => {
            "the certificate is not trusted; check caBundle of the AppBinding".to_owned()
        }
        ErrorCode::TlsAlertReceived(alert) => match &alert.alert_message {
            Some(message) => format!("the other side refused TLS: {message}"),
            None => "the other side refused TLS".to_owned(),
        },
        ErrorCode::HttpRequestDenied => "the request is not granted".to_owned(),
        ErrorCode::HttpResponseTimeout => "no answer in time".to_owned(),
        ErrorCode::HttpResponseIncomplete => "the answer broke off".to_owned(),
        ErrorCode::HttpProtocolError => "the answer is not HTTP".to_owned(),
        ErrorCode::InternalError(Some(message)) => message.clone(),
        other => {
            // The generated names are CamelCase words: good enough for what is never seen.
            let name = format!("{other:?}");
            name.split_once('(').map_or(name.as_str(), |(name, _)| name).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::wasi::http::types::{DnsErrorPayload, TlsAlertReceivedPayload};

    #[test]
    fn what_another_attempt_may_not_meet_is_retryable_and_what_is_not_granted_is_denied() {
        let dns = || DnsErrorPayload { rcode: None, info_code: None };
        for code in [
            ErrorCode::DnsTimeout,
            ErrorCode::DnsError(dns()),
            ErrorCode::DestinationNotFound,
            ErrorCode::DestinationUnavailable,
            ErrorCode::DestinationIpUnroutable,
            ErrorCode::ConnectionRefused,
            ErrorCode::ConnectionTerminated,
            ErrorCode::ConnectionTimeout,
            ErrorCode::ConnectionReadTimeout,
            ErrorCode::ConnectionWriteTimeout,
            ErrorCode::ConnectionLimitReached,
            ErrorCode::HttpResponseTimeout,
            ErrorCode::HttpResponseIncomplete,
        ] {
            assert!(matches!(error_of(&code), Error::Retryable { .. }), "{code:?}");
        }
        for code in [
            ErrorCode::HttpRequestDenied,
            ErrorCode::DestinationIpProhibited,
            ErrorCode::HttpRequestUriInvalid,
            ErrorCode::HttpRequestMethodInvalid,
        ] {
            assert!(matches!(error_of(&code), Error::Denied(_)), "{code:?}");
        }
        let alert = TlsAlertReceivedPayload { alert_id: None, alert_message: None };
        for code in [
            ErrorCode::TlsProtocolError,
            ErrorCode::TlsCertificateError,
            ErrorCode::TlsAlertReceived(alert),
            ErrorCode::HttpProtocolError,
            ErrorCode::ConfigurationError,
            ErrorCode::InternalError(None),
        ] {
            assert!(matches!(error_of(&code), Error::ExternalFailed(_)), "{code:?}");
        }
    }
}
