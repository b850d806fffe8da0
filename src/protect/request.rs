//! What a guard sees of a request.

use http::{HeaderMap, Method, Uri};

use crate::certificate::PeerCertificate;

/// A request without its body: what a [`Guard`](crate::Guard) checks.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'r> {
    pub(super) method: &'r Method,
    pub(super) uri: &'r Uri,
    pub(super) headers: &'r HeaderMap,
    pub(super) peer: Option<&'r PeerCertificate>,
}

impl<'r> RequestHead<'r> {
    /// A request as it was received: `uri` is the client's, even where a router has cut off what it
    /// has matched.
    #[must_use]
    pub const fn new(method: &'r Method, uri: &'r Uri, headers: &'r HeaderMap) -> Self {
        Self { method, uri, headers, peer: None }
    }

    #[cfg(feature = "mcp")]
    pub(crate) const fn method(&self) -> &'r Method {
        self.method
    }

    #[cfg(feature = "mcp")]
    pub(crate) const fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// The client certificate of the TLS connection, if it has one. It does not count where a header
    /// is configured for certificates: there the connection is the proxy's.
    #[must_use]
    pub const fn peer(self, peer: Option<&'r PeerCertificate>) -> Self {
        Self { peer, ..self }
    }
}
