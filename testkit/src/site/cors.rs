//! What browsers need to call the tenant from another origin (Fetch §3.3).

use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    },
};

use crate::{
    Endpoint,
    site::answer::{Answer, empty},
};

/// The headers of an answer that a browser's script may read it by.
pub(crate) const OPEN: [(HeaderName, HeaderValue); 2] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("DPoP-Nonce, WWW-Authenticate")),
];

/// Whether scripts of other origins may use the endpoint: a login is a page, not a call.
pub(crate) fn is_open(endpoint: Endpoint) -> bool {
    endpoint != Endpoint::Authorize
}

pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight.
pub(crate) fn preflight(endpoint: Endpoint) -> Answer {
    let mut answer = empty(StatusCode::NO_CONTENT);
    if is_open(endpoint) {
        answer.headers_mut().extend(OPEN);
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "content-type, x-requested-with, authorization, dpop"),
            (ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        let allowed = allowed.map(|(name, value)| (name, HeaderValue::from_static(value)));
        answer.headers_mut().extend(allowed);
    }
    answer
}
