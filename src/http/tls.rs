//! TLS of the events listener: the server's certificate, and the senders' when a CA is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;

/// PEM files of the listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain, the server's own certificate first.
    pub cert_file: PathBuf,
    /// The private key of the certificate.
    pub key_file: PathBuf,
    /// The CAs of the senders' certificates. When set, only senders with a certificate get in.
    pub client_ca_file: Option<PathBuf>,
}

/// Why TLS cannot be set up. Names the key and the file, never the content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or holds no such PEM section.
    #[error("ingest.tls.{key}: cannot read a PEM {what} from {}", path.display())]
    Pem {
        /// The config key.
        key: &'static str,
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate and the key do not fit, or cannot be used.
    #[error("ingest.tls.key_file: certificate and key cannot be used together")]
    Pair(#[source] rustls::Error),
    /// The client CAs cannot be used.
    #[error("ingest.tls.client_ca_file: the certificates cannot be used as authorities")]
    ClientCa(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads the files into what the listener takes.
pub fn load(config: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates("cert_file", &config.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&config.key_file).map_err(|source| TlsError::Pem {
        key: "key_file",
        what: "private key",
        path: config.key_file.clone(),
        source,
    })?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client_ca_file", path)? {
                roots
                    .add(certificate)
                    .map_err(|error| TlsError::ClientCa(error.into()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError::ClientCa(error.into()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    // HTTP/2 would bring its own floods, and no sender needs it.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refuse = |source| TlsError::Pem {
        key,
        what: "certificate",
        path: path.to_owned(),
        source,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(refuse)?;
    if certificates.is_empty() {
        return Err(refuse(rustls_pki_types::pem::Error::NoItemsFound));
    }
    Ok(certificates)
}
