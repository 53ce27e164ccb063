//! TLS towards an origin: its CA, or the bundled public roots, or, if told so, no verification.
//!
//! The system's certificate store is not read: the image has none, and a session must not depend
//! on the machine it runs on.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sealift_core::plan::Origin;

/// Why there is no TLS to an origin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the CA certificates of origin {origin} cannot be read as PEM")]
    ReadCa {
        origin: String,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the CA of origin {origin} holds no certificate")]
    EmptyCa { origin: String },
    #[error("a CA certificate of origin {origin} is not usable")]
    UseCa {
        origin: String,
        #[source]
        source: rustls::Error,
    },
    #[error("the TLS versions cannot be configured")]
    Configure(#[source] rustls::Error),
}

/// The configuration for an origin.
pub(crate) fn client_config(origin: &Origin) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Configure)?;
    let mut config = if origin.insecure_skip_tls_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth()
    } else {
        builder.with_root_certificates(roots(origin)?).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(origin: &Origin) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = &origin.ca_pem else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate
            .map_err(|source| TlsError::ReadCa { origin: origin.name.clone(), source })?;
        roots
            .add(certificate)
            .map_err(|source| TlsError::UseCa { origin: origin.name.clone(), source })?;
    }
    if roots.is_empty() {
        return Err(TlsError::EmptyCa { origin: origin.name.clone() });
    }
    Ok(roots)
}

/// Takes every certificate, because the AppBinding says `insecureSkipTLSVerify`. Signatures are
/// still checked, so that what is encrypted is at least one conversation.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
