//! A client that writes its requests byte by byte, so that it can send what a well-behaved one
//! would not.

use std::{io, net::SocketAddr, sync::Arc};

use monocloud_testkit::{Authority, Certificate};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs::{self, sign::any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A client of one proxy. Each request gets a new connection, which resumes the TLS session of the
/// previous one if the proxy permits it.
pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsConnector,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) is_resumed: bool,
}

impl Answer {
    #[track_caller]
    pub(crate) fn body_of_200(self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }
}

impl Client {
    /// Trusts `authority`, and presents a certificate if there is one.
    pub(crate) fn new(
        address: SocketAddr,
        authority: &Authority,
        certificate: Option<&Certificate>,
    ) -> Self {
        let pair = certificate.map(|certificate| (certificate, certificate));
        Self::with_pair(address, authority, rustls::DEFAULT_VERSIONS, pair)
    }

    /// Presents the certificate of `owner` and signs with the key of `attacker`.
    pub(crate) fn impostor(
        address: SocketAddr,
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
        owner: &Certificate,
        attacker: &Certificate,
    ) -> Self {
        Self::with_pair(address, authority, &[version], Some((owner, attacker)))
    }

    fn with_pair(
        address: SocketAddr,
        authority: &Authority,
        versions: &[&'static SupportedProtocolVersion],
        pair: Option<(&Certificate, &Certificate)>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&authority.certificate_pem()));
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let tls = match pair {
            None => tls.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.key_pem().as_bytes()).unwrap();
                let chain = certificates(&certificate.chain_pem());
                let pair = CertifiedKey::new(chain, any_supported_type(&key).unwrap());
                tls.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair)))
            }
        };
        Self { address, tls: Arc::new(tls).into() }
    }

    /// `GET /` with a token and these header lines, the last without its line end.
    pub(crate) async fn get(&self, token: &str, lines: &str) -> io::Result<Answer> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = self.tls.connect(name, stream).await?;
        let mut request = format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n", self.address.port());
        request += &format!("Authorization: Bearer {token}\r\n");
        for line in [lines, "Connection: close"] {
            if !line.is_empty() {
                request += line;
                request += "\r\n";
            }
        }
        stream.write_all((request + "\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            match stream.read_buf(&mut answer).await {
                Ok(0) => break,
                // Servers may take their time to close the connection after a bad request.
                Ok(_) if parse(&answer).is_some_and(|(status, _)| status != 200) => break,
                Ok(_) => {}
                // The server has closed it without a TLS alert.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        let (status, body) = parse(&answer).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Answer { status, body: body.to_owned(), is_resumed })
    }
}

/// The status and the body, once the head is complete.
fn parse(answer: &[u8]) -> Option<(u16, &str)> {
    let (head, body) = std::str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body))
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap()
}
