//! The hosts, and the one small API that each of them serves.
//!
//! | route | needs | answers |
//! |---|---|---|
//! | `GET /health` | – | `up` |
//! | `GET /any` | any token | its claims as JSON |
//! | `GET /read` | scope `posts:read` | `read` |
//! | `POST /write` `{"title":…}` | scopes `posts:read`, `posts:write` | the title |
//! | `GET /admin` | the group `admin` | `admin` |
//! | `GET /both` | both groups, `a` and `b` | `both` |
//! | `GET /groups` | `a` or `b`, or both: as configured | `groups` |
//! | `GET /scope-and-group` | scope `posts:read` and the group `admin` | `scope and group` |
//! | `GET /optional` | – | the subject, or `anonymous` |
//! | `GET /profile` | any token with an `email` | subject, `email` and `plan`, from typed claims |
//! | `GET /unguarded` | asks for the caller with no guard before it | 500 |
//! | `/branded/…` | the same routes | rejections say `sorry: ` and the error instead |
//!
//! CORS is in front of everything.

use std::net::{SocketAddr, TcpListener};

use monocloud_backend::{
    ProtectApi, certificate::ServerTls, mcp::McpGuard, openapi::DocumentEndpoint,
    resource::ResourceMetadata,
};
use monocloud_testkit::{Authority, Certificate, MockTenant};
use rustls::SupportedProtocolVersion;

use crate::support::{Api, client, impostor, protect};

/// Types that name policies: `named_policies! { Admins = ADMIN; }`.
#[macro_export]
macro_rules! named_policies {
    ($($name:ident = $policy:expr;)+) => {
        $(struct $name;

        impl Require for $name {
            const POLICY: Policy = $policy;
        })+
    };
}

mod axum;
mod poem;
mod poem_openapi;
mod salvo;

pub use self::salvo::Say;

pub const AXUM: Host = Host {
    name: "axum",
    serve: axum::serve,
    serve_metadata: axum::serve_metadata,
    serve_document: axum::serve_document,
    serve_mcp: axum::serve_mcp,
};
pub const AXUM_DOCUMENT: Host =
    Host { name: "axum by document", serve: axum::serve_documented, ..AXUM };
pub const POEM: Host = Host {
    name: "poem",
    serve: poem::serve,
    serve_metadata: poem::serve_metadata,
    serve_document: poem::serve_document,
    serve_mcp: poem::serve_mcp,
};
pub const POEM_DOCUMENT: Host =
    Host { name: "poem by document", serve: poem::serve_documented, ..POEM };
pub const POEM_OPENAPI: Host = Host { name: "poem-openapi", serve: poem_openapi::serve, ..POEM };
pub const SALVO: Host = Host {
    name: "salvo",
    serve: salvo::serve,
    serve_metadata: salvo::serve_metadata,
    serve_document: salvo::serve_document,
    serve_mcp: salvo::serve_mcp,
};
pub const SALVO_DOCUMENT: Host =
    Host { name: "salvo by document", serve: salvo::serve_documented, ..SALVO };

/// What an MCP server of the tests answers with events.
const LISTEN: &str = "test/events";

/// A framework that serves the API.
#[derive(Clone, Copy)]
pub struct Host {
    pub name: &'static str,
    /// Serves on a listener, over TLS or not, in a separate task, until the runtime ends.
    serve: fn(&ProtectApi, TcpListener, Option<ServerTls>),
    /// Serves the metadata of an API, and nothing else.
    serve_metadata: fn(ResourceMetadata, TcpListener),
    /// Serves a document at `/openapi`, and nothing else.
    serve_document: fn(DocumentEndpoint, TcpListener),
    /// Serves an MCP server at `/mcp` behind a guard, and nothing else.
    serve_mcp: fn(McpGuard, TcpListener),
}

impl Host {
    /// Serves the API on its own port.
    pub fn serve(self, protect: &ProtectApi) -> Api {
        Api::new(self.name, self.listen(protect, None))
    }

    /// Serves the API with nothing configured but its tenant.
    pub fn protected_by(self, tenant: &MockTenant) -> Api {
        self.serve(&protect(tenant).build().unwrap())
    }

    /// Serves the API over TLS.
    pub fn serve_tls(self, protect: &ProtectApi, tls: ServerTls) -> Secure {
        Secure { host: self.name, address: self.listen(protect, Some(tls)) }
    }

    /// Serves the metadata of the API on its own port.
    pub fn serve_metadata(self, metadata: ResourceMetadata) -> Api {
        let (listener, address) = bind();
        (self.serve_metadata)(metadata, listener);
        Api::new(self.name, address)
    }

    /// Serves a document at `/openapi` on its own port.
    pub fn serve_document(self, document: DocumentEndpoint) -> Api {
        let (listener, address) = bind();
        (self.serve_document)(document, listener);
        Api::new(self.name, address)
    }

    /// Serves an MCP server at `/mcp`, behind a guard. It answers with the method and the body of a
    /// request, its subject in the header `subject`; to `test/events` with an event of two
    /// bytes, `a` and a line break, and no end.
    pub fn serve_mcp(self, guard: McpGuard) -> Api {
        let (listener, address) = bind();
        (self.serve_mcp)(guard, listener);
        Api::new(self.name, address)
    }

    fn listen(self, protect: &ProtectApi, tls: Option<ServerTls>) -> SocketAddr {
        let (listener, address) = bind();
        (self.serve)(protect, listener, tls);
        address
    }
}

pub fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An API that a host serves over TLS.
#[derive(Clone, Copy)]
pub struct Secure {
    host: &'static str,
    pub address: SocketAddr,
}

impl Secure {
    /// The API for a client that trusts `authority`, with a certificate or without.
    pub fn to(self, authority: &Authority, own: Option<&Certificate>) -> Api {
        Api::over_tls(self.host, self.address, client(Some(authority), own))
    }

    /// The API for a client that presents one certificate and signs with the key of another.
    pub fn to_impostor(
        self,
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
        certificate: &Certificate,
        key: &Certificate,
    ) -> Api {
        let client = impostor(authority, version, certificate, key);
        Api::over_tls(self.host, self.address, client)
    }
}
