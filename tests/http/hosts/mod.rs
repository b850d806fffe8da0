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
//! | `GET /unguarded` | asks for the caller with no guard before it | 500 |
//! | `/branded/…` | the same once more | refusals say `sorry: ` and the error instead |
//!
//! CORS is in front of everything.

use std::net::{SocketAddr, TcpListener};

use monocloud_backend::{Policy, ProtectApi, ServerTls};

use crate::support::Api;

mod poem;
mod poem_openapi;
mod salvo;

pub(crate) const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
pub(crate) const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:read", "posts:write"]);
pub(crate) const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
pub(crate) const BOTH: Policy = Policy::ANY_TOKEN.all_groups(&["a", "b"]);
pub(crate) const GROUPS: Policy = Policy::ANY_TOKEN.groups(&["a", "b"]);
pub(crate) const SCOPE_AND_GROUP: Policy = READ.any_group(&["admin"]);

/// Every host.
pub(crate) const HOSTS: &[Host] = &[POEM, POEM_OPENAPI, SALVO];

pub(crate) const POEM: Host = Host { name: "poem", serve: poem::serve };
pub(crate) const POEM_OPENAPI: Host = Host { name: "poem-openapi", serve: poem_openapi::serve };
pub(crate) const SALVO: Host = Host { name: "salvo", serve: salvo::serve };

/// A framework that serves the API.
#[derive(Clone, Copy)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    /// Serves on a listener, over TLS or not, in a task of its own, until the runtime ends.
    serve: fn(&ProtectApi, TcpListener, Option<ServerTls>),
}

impl Host {
    /// Serves the API on a port of its own.
    pub(crate) fn serve(self, protect: &ProtectApi) -> Api {
        Api::new(self.name, self.listen(protect, None))
    }

    /// Serves the API over TLS.
    pub(crate) fn serve_tls(self, protect: &ProtectApi, tls: ServerTls) -> SocketAddr {
        self.listen(protect, Some(tls))
    }

    fn listen(self, protect: &ProtectApi, tls: Option<ServerTls>) -> SocketAddr {
        // Seen only when the test fails, and then the first thing one wants to know.
        println!("on {}", self.name);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        (self.serve)(protect, listener, tls);
        address
    }
}
