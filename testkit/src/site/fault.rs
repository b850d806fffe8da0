//! The ways in which an endpoint can fail.

use std::time::Duration;

use http::{HeaderValue, StatusCode};

use crate::Endpoint;

/// A way in which an endpoint fails; see [`MockTenant::fault`](crate::MockTenant::fault).
///
/// The request has arrived and is counted, whatever the fault. Times are on the tenant's
/// [`Clock`](crate::Clock) and count from the arrival of the request. The right answer is the one
/// that the tenant, or a [mock](crate::MockTenant::mount), would have given.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// This status, from 200 on, with a JSON object that holds nothing of use.
    Status(u16),
    /// The same with a `Retry-After` header (RFC 9110 §10.2.3), in whole seconds, rounded up. It is
    /// customary with status 429 (RFC 6585 §4) and 503 (RFC 9110 §15.6.4).
    RetryAfter {
        /// The status, from 200 on.
        status: u16,
        /// How long to wait.
        after: Duration,
    },
    /// Exactly this answer, whatever the request.
    Answer {
        /// The status, from 200 on.
        status: u16,
        /// The media type.
        content_type: &'static str,
        /// The whole body.
        body: String,
    },
    /// The right answer, this much later.
    Latency(Duration),
    /// No answer: the connection is held until the client leaves, or until the fault is lifted,
    /// after which the client receives the right answer as of the arrival of its request.
    NeverAnswer,
    /// Status 200 with an empty body.
    Empty,
    /// The first half of the right answer, as if it were all.
    Malformed,
    /// The right answer under a wrong media type.
    ContentType(&'static str),
    /// The right answer, followed by as much white space (RFC 8259 §2) as the body needs to have
    /// this many bytes. It is generated while it is sent, after which the connection closes.
    Huge(usize),
    /// The right answer with one more member, which holds arrays nested to this depth.
    DeepJson(usize),
    /// Status 307 (RFC 9110 §15.4.8) with this URL: a client that follows it sends its request,
    /// credentials included, to another server.
    Redirect(String),
    /// The right answer, cut after this many bytes of the body. The `Content-Length` is that of the
    /// whole body, and the connection closes, with TLS by a `close_notify`.
    Truncated {
        /// In bytes.
        after: usize,
    },
    /// The right answer in parts: one at once, and another after each period. The connection closes
    /// at the end.
    SlowDrip {
        /// The size of a part, in bytes.
        chunk: usize,
        /// From one part to the next.
        every: Duration,
    },
    /// A TCP reset instead of an answer.
    Reset,
    /// The end of the TCP stream instead of an answer, without a `close_notify` where there is TLS.
    CloseBeforeAnswer,
    /// Bytes that are not TLS instead of an answer, on a connection with TLS.
    BrokenTls,
    /// Another issuer, as the `issuer` of the discovery document or the `iss` of an introspection.
    WrongIssuer(String),
    /// The right answer without this member of its JSON object.
    MissingField(&'static str),
}

impl Fault {
    /// The error says why this endpoint cannot fail like this.
    pub(crate) fn check(&self, endpoint: Endpoint, has_tls: bool) -> Result<(), String> {
        let ensure = |condition: bool, otherwise: &str| {
            if condition { Ok(()) } else { Err(otherwise.to_owned()) }
        };
        match self {
            Self::Status(status) | Self::RetryAfter { status, .. } => {
                status_code(*status).map(|_| ())
            }
            Self::Answer { status, content_type, .. } => {
                status_code(*status).and(header_value(content_type)).map(|_| ())
            }
            Self::ContentType(value) => header_value(value).map(|_| ()),
            Self::Redirect(url) => header_value(url).map(|_| ()),
            Self::SlowDrip { chunk, .. } => ensure(*chunk > 0, "a part has at least one byte"),
            Self::BrokenTls => ensure(has_tls, "the tenant was built without TLS"),
            Self::WrongIssuer(_) => {
                let names_issuer = matches!(
                    endpoint,
                    Endpoint::Discovery | Endpoint::AuthorizationServer | Endpoint::Introspection
                );
                ensure(names_issuer, &format!("no answer of {endpoint:?} names an issuer"))
            }
            _ => Ok(()),
        }
    }
}

/// A status that can end a request.
pub(crate) fn status_code(status: u16) -> Result<StatusCode, String> {
    let code = StatusCode::from_u16(status).ok().filter(|code| !code.is_informational());
    code.ok_or_else(|| format!("no answer has the status {status}"))
}

pub(crate) fn header_value(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("{value:?} cannot be in a header"))
}
