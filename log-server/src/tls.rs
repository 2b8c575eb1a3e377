//! TLS of the listener: rustls, and certificates that change while connections go on.
//!
//! Owns reading certificate, key and client authorities, and replacing them. A handshake uses what
//! was read last; connections that exist keep what they have. Files that cannot be used are
//! reported and the old ones stay in use: a half-copied certificate must not stop the service.

use crate::config::{ClientCertificates, TlsConfig};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// How often the files are looked at: certificates live for days, so this is soon enough.
const LOOK: Duration = Duration::from_secs(10);

/// Largest PEM file in bytes; a chain has about 10 KiB, a bundle of authorities 250 KiB.
const MAX_PEM_BYTES: u64 = 1_048_576;

/// Why TLS cannot be used with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("a file of `tls` cannot be read")]
    Read(#[from] cairn_durable::file::ReadFileError),
    /// A file is not PEM of what it should hold.
    #[error("`{}` is not PEM with what is expected in it", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("`{}` holds no certificate", .0.display())]
    Empty(PathBuf),
    /// Certificate and key cannot be used together.
    #[error("certificate and key are refused")]
    Pair(#[from] tokio_rustls::rustls::Error),
    /// The client authorities cannot be used.
    #[error("the client authorities are refused")]
    Clients(#[from] VerifierBuilderError),
}

/// The files as read.
#[derive(PartialEq, Eq)]
struct Pems {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

/// The TLS configuration in use, replaceable.
pub struct Tls {
    dir: PathBuf,
    config: TlsConfig,
    current: RwLock<(Pems, Arc<ServerConfig>)>,
}

impl Tls {
    /// Reads the files of a data folder's `tls` section.
    ///
    /// # Errors
    /// [`TlsError`]; the server does not start.
    pub fn load(dir: &Path, config: &TlsConfig) -> Result<Self, TlsError> {
        let pems = read(dir, config)?;
        let made = server_config(config, &pems)?;
        Ok(Self {
            dir: dir.to_owned(),
            config: config.clone(),
            current: RwLock::new((pems, made)),
        })
    }

    /// For the next handshake.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(current.1.clone())
    }

    /// Who must show a client certificate.
    #[must_use]
    pub fn client(&self) -> ClientCertificates {
        self.config.client
    }

    /// Reads the files again; true when they changed and are in use.
    ///
    /// # Errors
    /// [`TlsError`]; the old ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let pems = read(&self.dir, &self.config)?;
        let known = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if known.0 == pems {
            return Ok(false);
        }
        drop(known);
        let made = server_config(&self.config, &pems)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (pems, made);
        Ok(true)
    }

    /// Reloads on SIGHUP and whenever the files have changed, for as long as the process lives. From
    /// the call on, before anything is awaited, SIGHUP does not end the process.
    pub fn watch(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = signal(SignalKind::hangup()).ok();
        self.watch_with(hangup)
    }

    async fn watch_with(self: Arc<Self>, mut hangup: Option<Signal>) {
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await.is_some(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = asked => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.reload()).await {
                Ok(Ok(true)) => tracing::info!("the TLS certificate was replaced"),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => {
                    let cause = crate::sequence::chain(&error);
                    tracing::error!(%cause, "the TLS files are refused, the old ones stay in use");
                }
            }
        }
    }
}

fn read(dir: &Path, config: &TlsConfig) -> Result<Pems, TlsError> {
    let bytes = |path: &PathBuf| cairn_durable::read_limited(&dir.join(path), MAX_PEM_BYTES);
    Ok(Pems {
        certificate: bytes(&config.certificate)?,
        key: bytes(&config.key)?.into(),
        client_ca: config.client_ca.as_ref().map(bytes).transpose()?,
    })
}

fn server_config(config: &TlsConfig, pems: &Pems) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions()?;
    let chain = certificates(&config.certificate, &pems.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(|source| TlsError::Pem {
        path: config.key.clone(),
        source,
    })?;
    let builder = match (&config.client_ca, &pems.client_ca, config.client) {
        (Some(path), Some(pem), asked) if asked != ClientCertificates::None => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path, pem)? {
                roots.add(authority)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match asked {
                ClientCertificates::Everybody => verifier,
                _ => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build()?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut made = builder.with_single_cert(chain, key)?;
    made.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(made))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|source| TlsError::Pem {
        path: path.to_owned(),
        source,
    })?;
    if found.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(found)
}
