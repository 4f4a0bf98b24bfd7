use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::http::{TlsConfig, load_tls as load};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, as PEM.
fn issued(by: &Issuer) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (
        params.signed_by(&key, by).unwrap().pem(),
        key.serialize_pem(),
    )
}

/// The PEM files of a listener.
struct Files {
    folder: tempfile::TempDir,
    ca: Issuer,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
            ca: issuer(),
        };
        let (cert, key) = issued(&files.ca);
        std::fs::write(files.path("tls.crt"), cert).unwrap();
        std::fs::write(files.path("tls.key"), key).unwrap();
        std::fs::write(files.path("ca.crt"), files.ca.pem()).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, client_ca: bool) -> TlsConfig {
        TlsConfig {
            cert_file: self.path("tls.crt"),
            key_file: self.path("tls.key"),
            client_ca_file: client_ca.then(|| self.path("ca.crt")),
        }
    }

    fn server(&self, client_ca: bool) -> Server {
        let tls = Some(watch::Sender::new(load(&self.config(client_ca)).unwrap()).subscribe());
        Setup {
            tls,
            ..Setup::default()
        }
        .start()
    }

    /// A client that trusts the CA and shows the certificate.
    async fn client(
        &self,
        server: &Server,
        certificate: Option<(String, String)>,
    ) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let builder =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        let stream = TcpStream::connect(server.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await?;
        Ok(Client::new(stream))
    }
}

/// The status that a client gets, if it gets in.
async fn status(client: std::io::Result<Client<TlsStream<TcpStream>>>) -> Option<u16> {
    let mut client = client.ok()?;
    client.send(post(EVENT)).await;
    client.next_reply().await.map(|reply| reply.status)
}

#[tokio::test]
async fn events_come_in_over_tls() {
    let files = Files::new();
    let server = files.server(false);
    assert_eq!(status(files.client(&server, None).await).await, Some(200));
    assert_eq!(server.inbox.events(), [EVENT]);
    server.stopped().await;
}

#[tokio::test]
async fn with_a_client_ca_only_its_certificates_get_in() {
    let files = Files::new();
    let server = files.server(true);
    let good = issued(&files.ca);
    assert_eq!(
        status(files.client(&server, Some(good)).await).await,
        Some(200)
    );
    let foreign = issued(&issuer());
    assert_eq!(
        status(files.client(&server, Some(foreign)).await).await,
        None
    );
    assert_eq!(status(files.client(&server, None).await).await, None);
    assert_eq!(server.inbox.events(), [EVENT]);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_closes_the_connection() {
    let files = Files::new();
    let mut setup = Setup {
        tls: Some(watch::Sender::new(load(&files.config(false)).unwrap()).subscribe()),
        ..Setup::default()
    };
    setup.connections.header_timeout = Duration::from_millis(100);
    let server = setup.start();
    let mut client = server.connect().await;
    client.closed().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_the_next_connection() {
    let (mut files, other) = (Files::new(), Files::new());
    let tls = watch::Sender::new(load(&files.config(false)).unwrap());
    let setup = Setup {
        tls: Some(tls.subscribe()),
        ..Setup::default()
    };
    let server = setup.start();
    assert_eq!(status(files.client(&server, None).await).await, Some(200));
    tls.send_replace(load(&other.config(false)).unwrap());
    assert!(files.client(&server, None).await.is_err());
    files.ca = other.ca;
    assert_eq!(status(files.client(&server, None).await).await, Some(200));
}

#[test]
fn errors_name_the_key_and_the_file() {
    let files = Files::new();
    let mut config = files.config(true);
    config.client_ca_file = Some(files.path("tls.key"));
    let no_certificate = load(&config).unwrap_err().to_string();
    assert!(
        no_certificate.starts_with("ingest.tls.client_ca_file: cannot read a PEM certificate from")
    );
    config.key_file = files.path("missing");
    let no_key = load(&config).unwrap_err().to_string();
    assert!(
        no_key.starts_with("ingest.tls.key_file: cannot read a PEM private key from"),
        "{no_key}"
    );
    std::fs::write(files.path("tls.key"), issued(&files.ca).1).unwrap();
    assert!(
        load(&files.config(false)).is_err(),
        "the key is another certificate's"
    );
}
