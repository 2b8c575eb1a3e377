//! Whom a client believes to be the server, and what it shows of itself, where the system's own
//! certificates are not what counts.

use crate::client::ClientError;
use reqwest::{Certificate, Identity};
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// TLS settings of a client; the default is the system's authorities and no certificate of its own.
#[derive(Clone, Default)]
pub struct TlsTrust {
    /// PEM of the authorities that may certify the server. Where there are any, no others are
    /// believed: a private log should not be vouched for by a public authority.
    pub authorities: Option<String>,
    /// PEM of the client's certificate with its chain, and of its private key.
    pub identity: Option<String>,
}

impl TlsTrust {
    /// An HTTP client with these settings.
    ///
    /// # Errors
    /// [`ClientError::Certificates`] when a PEM text is not what it should be,
    /// [`ClientError::Unreachable`] when TLS cannot be set up.
    pub fn http_client(&self) -> Result<reqwest::Client, ClientError> {
        let refused = |error: reqwest::Error| ClientError::Certificates(error.to_string());
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // A proxy from the environment would see, and could answer for, every decision record.
            .no_proxy();
        if let Some(pem) = &self.authorities {
            let authorities = Certificate::from_pem_bundle(pem.as_bytes()).map_err(refused)?;
            if authorities.is_empty() {
                let detail = "no authority is in the PEM text".to_owned();
                return Err(ClientError::Certificates(detail));
            }
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(pem) = &self.identity {
            builder = builder.identity(Identity::from_pem(pem.as_bytes()).map_err(refused)?);
        }
        builder
            .build()
            .map_err(|error| ClientError::Unreachable(error.to_string()))
    }
}
