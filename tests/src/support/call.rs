//! Calls to an API: to its guards directly, or to a host over the wire.

use std::{net::SocketAddr, sync::Arc};

use monocloud_backend::ProtectApi;
use monocloud_testkit::{Authority, Certificate};
use reqwest::{
    Client, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use rustls::{
    ClientConfig, ConfigBuilder, DEFAULT_VERSIONS, RootCertStore, SupportedProtocolVersion,
    client::WantsClientCert,
    crypto::aws_lc_rs::{self, sign::any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    answer::{Answer, Expected},
    guards::Guards,
};

/// A request that is being built.
#[derive(Clone, Debug)]
#[must_use = "a call is made with `Api::send`"]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

pub fn call(method: &str, path: &str) -> Call {
    let method = method.parse().unwrap();
    Call { method, path: path.to_owned(), headers: HeaderMap::new(), body: String::new() }
}

pub fn get(path: &str) -> Call {
    call("GET", path)
}

pub fn head(path: &str) -> Call {
    call("HEAD", path)
}

/// A POST of JSON.
pub fn post(path: &str, json: &str) -> Call {
    call("POST", path).header(CONTENT_TYPE, "application/json").body(json)
}

impl Call {
    /// Adds a header, keeping others of the same name.
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl AsRef<[u8]>) -> Self {
        let name = name.try_into().ok().expect("a header's name");
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    /// Adds headers, keeping others of the same names.
    pub fn headers(mut self, headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        for (name, value) in headers {
            self.headers.append(name, value);
        }
        self
    }

    pub fn authorization(self, value: impl AsRef<[u8]>) -> Self {
        self.header(AUTHORIZATION, value)
    }

    pub fn bearer(self, token: &str) -> Self {
        self.authorization(format!("Bearer {token}"))
    }

    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Its headers, for a guard that is called directly.
    pub fn into_headers(self) -> HeaderMap {
        self.headers
    }
}

/// An API that answers calls.
#[derive(Clone, Debug)]
pub struct Api {
    name: &'static str,
    transport: Transport,
}

#[derive(Clone, Debug)]
enum Transport {
    /// Guards in the process.
    Direct(Guards),
    /// A host, at `http://…` or `https://…`, without a path.
    Http { address: SocketAddr, origin: String, client: Client },
}

/// The API, without a host.
pub fn serve(protect: &ProtectApi) -> Api {
    Api { name: "no host", transport: Transport::Direct(Guards::new(protect)) }
}

impl Api {
    /// The API that a host serves.
    pub fn new(host: &'static str, address: SocketAddr) -> Self {
        Self::at(host, address, format!("http://{address}"), client(None, None))
    }

    /// The API over TLS, by a client that trusts it.
    pub fn over_tls(host: &'static str, address: SocketAddr, client: Client) -> Self {
        Self::at(host, address, format!("https://localhost:{}", address.port()), client)
    }

    fn at(name: &'static str, address: SocketAddr, origin: String, client: Client) -> Self {
        Self { name, transport: Transport::Http { address, origin, client } }
    }

    /// Where a host serves it.
    pub fn address(&self) -> SocketAddr {
        let Transport::Http { address, .. } = self.transport else { panic!("a host has it") };
        address
    }

    pub async fn send(&self, call: Call) -> Answer {
        self.try_send(call).await.unwrap()
    }

    /// Fails if there is no answer, for example because there is no connection.
    pub async fn try_send(&self, call: Call) -> reqwest::Result<Answer> {
        let Call { method, path, headers, body } = call;
        let (origin, client) = match &self.transport {
            Transport::Direct(guards) => {
                return Ok(guards.answer(&method, &path, &headers, &body).await);
            }
            Transport::Http { origin, client, .. } => (origin, client),
        };
        let request = client.request(method, format!("{origin}{path}")).headers(headers);
        let response = request.body(body).send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await?,
        })
    }

    /// Makes one call and checks its answer.
    pub async fn check(&self, case: &str, call: Call, expected: &Expected) {
        let answer = self.send(call).await;
        answer.assert(&format!("{case}, on {}", self.name), expected);
    }

    /// Sends bytes that no well-behaved client would, and reads the answer to its end.
    pub async fn send_raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A client that trusts one authority or none, with or without a certificate. reqwest needs a TLS
/// configuration for plain HTTP too, and would use the process's default.
pub fn client(authority: Option<&Authority>, own: Option<&Certificate>) -> Client {
    let tls = trusting(authority, DEFAULT_VERSIONS);
    over(match own {
        None => tls.with_no_client_auth(),
        Some(own) => {
            tls.with_client_auth_cert(certificates(&own.chain_pem()), key_of(own)).unwrap()
        }
    })
}

/// A client that presents one certificate and signs with the key of another.
pub fn impostor(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    certificate: &Certificate,
    key: &Certificate,
) -> Client {
    let key = any_supported_type(&key_of(key)).unwrap();
    let pair = CertifiedKey::new(certificates(&certificate.chain_pem()), key);
    let resolver = Arc::new(SingleCertAndKey::from(pair));
    over(trusting(Some(authority), &[version]).with_client_cert_resolver(resolver))
}

fn trusting(
    authority: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    if let Some(authority) = authority {
        roots.add_parsable_certificates(certificates(&authority.certificate_pem()));
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

fn over(tls: ClientConfig) -> Client {
    Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn key_of(certificate: &Certificate) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(certificate.key_pem().as_bytes()).unwrap()
}
