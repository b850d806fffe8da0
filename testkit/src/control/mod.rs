//! The control API: what a test in another language does to its tenant, as JSON over HTTP.
//!
//! A page in a browser can send requests to loopback addresses, so these rules apply to all
//! operations: an `Origin` must be the tenant's own, a body must be `application/json`, which a page
//! of another origin cannot send without the preflight that is never granted, and no answer has CORS
//! headers.

mod clock;
mod faults;
mod keys;
mod mistake;
mod openapi;
#[cfg(feature = "pages")]
mod start_page;
mod tokens;

use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, ORIGIN},
};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Endpoint, MockTenant,
    clock::Time,
    control::mistake::Mistake,
    site::{Site, answer::json_answer, body::ResponseBody, oauth::revoke_token},
};

/// The largest body of a request, in bytes.
const LARGEST: usize = 64 * 1024;

/// The control API of one tenant.
#[derive(Debug)]
pub(crate) struct Control {
    tenant: MockTenant,
    clock_at_start: Time,
    /// The tenant's own origins (RFC 6454 §6.1), from which its pages are served.
    origins: Vec<String>,
}

/// The operations: path, method, and what it does.
const OPERATIONS: [(&str, Method, Operation); 10] = [
    ("tokens", Method::POST, Operation::MintToken),
    ("keys/rotate", Method::POST, Operation::RotateKeys),
    ("keys/withdraw", Method::POST, Operation::WithdrawKeys),
    ("faults", Method::POST, Operation::PutFault),
    ("faults", Method::DELETE, Operation::LiftFaults),
    ("clock", Method::POST, Operation::MoveClock),
    ("revoke", Method::POST, Operation::Revoke),
    ("requests", Method::GET, Operation::ListRequests),
    ("reset", Method::POST, Operation::Reset),
    ("openapi.json", Method::GET, Operation::Describe),
];

#[derive(Clone, Copy)]
enum Operation {
    MintToken,
    RotateKeys,
    WithdrawKeys,
    PutFault,
    LiftFaults,
    MoveClock,
    Revoke,
    ListRequests,
    Reset,
    Describe,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    token: String,
}

/// A body without members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The path of an operation, if a request with this path is for the control API.
pub(crate) fn path_below<'a>(path: &'a str, site: &Site) -> Option<&'a str> {
    // A client need not know the path of the issuer.
    let below = site.below_issuer(path).filter(|path| path.starts_with("/_control"));
    let below = below.unwrap_or(path).strip_prefix("/_control")?;
    if below.is_empty() { Some("") } else { below.strip_prefix('/') }
}

impl Control {
    pub(crate) fn new(tenant: MockTenant) -> Self {
        let clock_at_start = tenant.clock().state();
        let origins = own_origins(&tenant);
        Self { tenant, clock_at_start, origins }
    }

    /// Answers a request to this path below `/_control/`.
    pub(crate) async fn respond(
        &self,
        path: &str,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let mut response = match self.answer(path, request).await {
            Ok(response) => response,
            Err(mistake) => mistake.answer().map(ResponseBody::from),
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    async fn answer(
        &self,
        path: &str,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, Mistake> {
        let (head, body) = request.into_parts();
        self.check_origin(&head.headers)?;
        let operation = operation_at(path, &head.method)?;
        let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Mistake::too_large())?;
        let body = body.to_bytes();
        check_media_type(&head.headers, &body)?;
        if matches!(operation, Operation::ListRequests) && accepts_events(&head.headers) {
            return self.follow_requests(&head.headers);
        }
        let answer = self.perform(operation, &body)?;
        Ok(json_answer(StatusCode::OK, &answer).map(ResponseBody::from))
    }

    fn perform(&self, operation: Operation, body: &[u8]) -> Result<Value, Mistake> {
        let tenant = &self.tenant;
        match operation {
            Operation::MintToken => Ok(json!({ "token": tokens::mint(tenant, parsed(body)?)? })),
            Operation::RotateKeys => {
                let Nothing {} = parsed(body)?;
                Ok(keys::rotate(tenant))
            }
            Operation::WithdrawKeys => keys::withdraw(tenant, parsed(body)?),
            Operation::PutFault => faults::put(tenant, parsed(body)?),
            Operation::LiftFaults => {
                let Nothing {} = parsed(body)?;
                Ok(faults::lift_all(tenant))
            }
            Operation::MoveClock => clock::change(tenant, parsed(body)?),
            Operation::Revoke => {
                let Revocation { token } = parsed(body)?;
                revoke_token(&tenant.site, &token);
                Ok(json!({}))
            }
            Operation::ListRequests => {
                let requests = tenant.site.log.latest();
                Ok(requests.iter().map(|request| request.to_json()).collect())
            }
            Operation::Reset => {
                let Nothing {} = parsed(body)?;
                self.reset();
                Ok(json!({}))
            }
            Operation::Describe => Ok(openapi::document()),
        }
    }

    /// The requests after the one that the client has seen last (HTML §9.2.3).
    fn follow_requests(&self, headers: &HeaderMap) -> Result<Response<ResponseBody>, Mistake> {
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
        let events = self.tenant.site.log.follow(last.unwrap_or(0));
        let (first, rest) = events.ok_or_else(Mistake::too_many_followers)?;
        let mut response = Response::new(ResponseBody::stream(first, rest));
        let event_stream = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(CONTENT_TYPE, event_stream);
        Ok(response)
    }

    /// Makes the tenant as it was at its start, except for its active keys.
    fn reset(&self) {
        let tenant = &self.tenant;
        for endpoint in Endpoint::ALL {
            tenant.recover(endpoint);
        }
        tenant.withdraw_former_keys();
        tenant.site.documents().metadata = None;
        tenant.introspector().forget();
        tenant.site.oauth.forget();
        tenant.clock().restore(self.clock_at_start);
        tenant.site.log.clear();
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Mistake> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let is_own = |origin: &HeaderValue| self.origins.iter().any(|own| own == origin);
        if origins.all(is_own) { Ok(()) } else { Err(Mistake::foreign_origin()) }
    }
}

fn operation_at(path: &str, method: &Method) -> Result<Operation, Mistake> {
    let mut here = OPERATIONS.iter().filter(|(name, ..)| *name == path).peekable();
    if here.peek().is_none() {
        return Err(Mistake::unknown_path(path, OPERATIONS.map(|(path, ..)| path)));
    }
    let allowed: Vec<_> = here.clone().map(|(_, method, _)| method.as_str()).collect();
    let found = here.find(|(_, allowed, _)| allowed == method).map(|(.., operation)| *operation);
    found.ok_or_else(|| Mistake::wrong_method(&allowed))
}

/// An empty body has no media type: `curl -X POST` sends none.
fn check_media_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Mistake> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let is_json = media_type.trim().eq_ignore_ascii_case("application/json");
    if is_json || body.is_empty() { Ok(()) } else { Err(Mistake::not_json_type()) }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|range| {
        let range = range.split(';').next().unwrap_or_default();
        range.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

/// An empty body is an object without members.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Mistake> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    // serde also takes arrays for structs.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Mistake::new("the body is not a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Mistake::new(format!("the body: {error}")))
}

fn own_origins(tenant: &MockTenant) -> Vec<String> {
    let issuer = tenant.issuer();
    let (scheme, rest) = issuer.split_once("://").unwrap_or(("http", issuer));
    let authority = rest.split('/').next().unwrap_or_default();
    let scheme_here = if tenant.tls.is_some() { "https" } else { "http" };
    let address = tenant.address();
    let port = address.port();
    let mut origins = vec![format!("{scheme}://{authority}"), format!("{scheme_here}://{address}")];
    let loopback = ["localhost", "127.0.0.1", "[::1]"];
    origins.extend(loopback.map(|host| format!("{scheme_here}://{host}:{port}")));
    origins
}
