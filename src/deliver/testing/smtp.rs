//! A small SMTP server: EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA; told what to refuse.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::CANARY;

/// How the server is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::deliver) enum Security {
    Plain,
    StartTls,
    Implicit,
}

/// A mail as taken.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct Mail {
    pub(in crate::deliver) from: String,
    pub(in crate::deliver) to: Vec<String>,
    pub(in crate::deliver) raw: String,
    pub(in crate::deliver) tls: bool,
    pub(in crate::deliver) user: Option<String>,
}

/// The server.
#[derive(Clone)]
pub(in crate::deliver) struct FakeSmtp {
    pub(in crate::deliver) port: u16,
    /// The certificate that clients must trust, in PEM.
    pub(in crate::deliver) certificate: String,
    state: Arc<Mutex<State>>,
    acceptor: TlsAcceptor,
    security: Security,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    logins: usize,
    connections: usize,
    /// Replies by what the client's line begins with; `DROP` closes the connection, `HANG`
    /// says nothing more.
    planned: VecDeque<(&'static str, &'static str)>,
    /// Replies that stay, by what the client's line holds.
    refused: Vec<(&'static str, &'static str)>,
}

impl FakeSmtp {
    pub(in crate::deliver) async fn start(security: Security) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            certificate: made.cert.pem(),
            state: Arc::default(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            security,
        };
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.state.lock().unwrap().connections += 1;
                let shared = shared.clone();
                // A client that goes away is no matter.
                tokio::spawn(async move { drop(shared.serve(stream).await) });
            }
        });
        server
    }

    /// The next line that begins with `command` gets this reply. `.` stands for the end of DATA.
    pub(in crate::deliver) fn plan(&self, command: &'static str, reply: &'static str) {
        self.state
            .lock()
            .unwrap()
            .planned
            .push_back((command, reply));
    }

    /// Every RCPT for this address gets this reply.
    pub(in crate::deliver) fn refuse(&self, address: &'static str, reply: &'static str) {
        self.state.lock().unwrap().refused.push((address, reply));
    }

    pub(in crate::deliver) fn forgive(&self) {
        self.state.lock().unwrap().refused.clear();
    }

    pub(in crate::deliver) fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }

    pub(in crate::deliver) fn logins(&self) -> usize {
        self.state.lock().unwrap().logins
    }

    pub(in crate::deliver) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        if self.security == Security::Implicit {
            let stream = self.acceptor.accept(stream).await?;
            return self.talk(stream, true, true).await.map(drop);
        }
        // `None` unless the client asked for STARTTLS.
        if let Some(stream) = self.talk(stream, false, true).await? {
            let stream = self.acceptor.accept(stream).await?;
            self.talk(stream, true, false).await?;
        }
        Ok(())
    }

    /// One conversation; gives the stream back when TLS is to begin.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        tls: bool,
        greet: bool,
    ) -> std::io::Result<Option<S>> {
        let mut stream = BufReader::new(stream);
        if greet {
            stream.write_all(b"220 peer ESMTP\r\n").await?;
        }
        let (mut from, mut to, mut user) = (String::new(), Vec::new(), None);
        loop {
            let line = read(&mut stream).await?;
            let verb: String = line.chars().take(4).collect::<String>().to_uppercase();
            let reply = match (self.planned(&line), verb.as_str()) {
                (Some("DROP"), _) => return Ok(None),
                (Some("HANG"), _) => std::future::pending().await,
                (Some(reply), _) => reply.to_owned(),
                (None, "EHLO") => self.ehlo(tls),
                (None, "STAR") if self.security == Security::StartTls && !tls => {
                    stream.write_all(b"220 go\r\n").await?;
                    return Ok(Some(stream.into_inner()));
                }
                (None, "AUTH") => self.login(&mut stream, &line, &mut user).await?,
                (None, "MAIL") if self.security == Security::StartTls && !tls => {
                    "530 5.7.0 Must issue a STARTTLS command first".to_owned()
                }
                (None, "MAIL") => {
                    from = address(&line);
                    to.clear();
                    "250 ok".to_owned()
                }
                (None, "RCPT") => {
                    to.push(address(&line));
                    "250 ok".to_owned()
                }
                (None, "DATA") => {
                    stream.write_all(b"354 go\r\n").await?;
                    let raw = read_data(&mut stream).await?;
                    match self.planned(".") {
                        Some("DROP") => return Ok(None),
                        Some("HANG") => std::future::pending().await,
                        Some(reply) => reply.to_owned(),
                        None => {
                            let (from, to, user) = (from.clone(), to.clone(), user.clone());
                            self.state.lock().unwrap().mails.push(Mail {
                                from,
                                to,
                                raw,
                                tls,
                                user,
                            });
                            "250 queued".to_owned()
                        }
                    }
                }
                (None, "RSET" | "NOOP") => "250 ok".to_owned(),
                (None, "QUIT") => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(None);
                }
                _ => "502 5.5.2 unknown".to_owned(),
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
    }

    fn planned(&self, line: &str) -> Option<&'static str> {
        let mut state = self.state.lock().unwrap();
        let refused = state.refused.iter();
        let refused = refused
            .filter(|(address, _)| line.starts_with("RCPT") && line.contains(address))
            .map(|(_, reply)| *reply)
            .next();
        let next = state
            .planned
            .front()
            .filter(|(command, _)| line.starts_with(command));
        match next {
            Some((_, reply)) => {
                let reply = *reply;
                state.planned.pop_front();
                Some(reply)
            }
            None => refused,
        }
    }

    fn ehlo(&self, tls: bool) -> String {
        let offer = match (self.security, tls) {
            (Security::StartTls, false) => "STARTTLS",
            (Security::Plain, _) => "8BITMIME",
            _ => "AUTH PLAIN LOGIN XOAUTH2",
        };
        format!("250-peer\r\n250-SIZE 10240000\r\n250 {offer}")
    }

    async fn login<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        line: &str,
        user: &mut Option<String>,
    ) -> std::io::Result<String> {
        self.state.lock().unwrap().logins += 1;
        let (name, password) = if let Some(given) = line.strip_prefix("AUTH PLAIN ") {
            let given = decode(given);
            let mut parts = given.split('\0').skip(1).map(str::to_owned);
            (
                parts.next().unwrap_or_default(),
                parts.next().unwrap_or_default(),
            )
        } else if let Some(given) = line.strip_prefix("AUTH XOAUTH2 ") {
            let given = decode(given);
            let (user, token) = given.split_once("\u{1}auth=Bearer ").unwrap();
            let token = token.strip_suffix("\u{1}\u{1}").unwrap();
            let user = user.strip_prefix("user=").unwrap();
            (user.to_owned(), token.to_owned())
        } else {
            stream.write_all(b"334 VXNlcm5hbWU6\r\n").await?;
            let name = decode(&read(stream).await?);
            stream.write_all(b"334 UGFzc3dvcmQ6\r\n").await?;
            (name, decode(&read(stream).await?))
        };
        if password == CANARY {
            *user = Some(name);
            return Ok("235 ok".to_owned());
        }
        Ok("535 5.7.8 bad login".to_owned())
    }
}

fn decode(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

fn address(line: &str) -> String {
    let inside = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside
        .map(|(address, _)| address.to_owned())
        .unwrap_or_default()
}

async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    assert!(line.ends_with("\r\n"), "a bare line end: {line:?}");
    Ok(line.trim_end_matches("\r\n").to_owned())
}

async fn read_data<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut raw = String::new();
    loop {
        let line = read(stream).await?;
        if line == "." {
            return Ok(raw);
        }
        assert!(line.len() <= 998, "a line too long for SMTP");
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
        raw.push_str("\r\n");
    }
}
