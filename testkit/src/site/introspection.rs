//! The introspection endpoint (RFC 7662).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    Client, ClientAuth, Clock, Entrance,
    clock::unix_seconds,
    lock::locked,
    site::{
        Site,
        answer::{Answer, json_answer},
        authentication::{Credentials, Identity as _},
        entrance::Arrival,
        form,
        oauth::Confidential,
        recent::Recent,
        refusal::Refusal,
    },
    tls::thumbprint,
};

/// The number of tokens that introspection remembers.
const ISSUED: usize = 50_000;

/// The number of requests that it remembers.
const RECEIVED: usize = 1000;

/// A request to the introspection endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Introspection {
    /// The token to introspect; empty if the request named none.
    pub token: String,
    /// The port that it arrived at.
    pub entrance: Entrance,
    /// The [thumbprint](crate::Certificate::thumbprint) of the client certificate on its
    /// connection, if any.
    pub certificate: Option<String>,
    /// How the client authenticated; `None` if it failed to.
    pub client_auth: Option<ClientAuth>,
    /// Why the tenant rejected the request with 400 or 401, or would have rejected it without a
    /// fault or a mock.
    pub refusal: Option<&'static str>,
    /// The `Accept` header.
    pub accept: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
}

/// The state of the introspection endpoint.
#[derive(Debug)]
pub(crate) struct Introspector {
    clock: Clock,
    client: Client,
    /// Each token that was issued and not revoked.
    issued: Mutex<Recent<Issued>>,
    /// The grants whose tokens are all revoked.
    revoked: Mutex<Recent<()>>,
    received: Mutex<VecDeque<Introspection>>,
}

#[derive(Debug)]
struct Issued {
    payload: Vec<u8>,
    /// The id of the grant that it belongs to.
    grant: Option<String>,
}

/// Why a request is rejected.
enum Rejection {
    Request(Refusal),
    Client(Refusal),
}

impl Introspector {
    pub(crate) fn new(clock: Clock, client: Client) -> Self {
        let issued = Mutex::new(Recent::new(ISSUED));
        let revoked = Mutex::new(Recent::new(ISSUED));
        Self { clock, client, issued, revoked, received: Mutex::default() }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Remembers a token, which is active from now on.
    pub(crate) fn issue(&self, token: &str, payload: Vec<u8>) {
        self.issue_under(token, payload, None);
    }

    /// Remembers a token that is active until its grant is revoked.
    pub(crate) fn issue_under(&self, token: &str, payload: Vec<u8>, grant: Option<&str>) {
        let grant = grant.map(str::to_owned);
        locked(&self.issued).insert(token, Issued { payload, grant });
    }

    /// Revokes all tokens of a grant, present and future ones.
    pub(crate) fn revoke_grant(&self, grant: &str) {
        locked(&self.revoked).insert(grant, ());
    }

    /// Whether all tokens of a grant are revoked.
    pub(crate) fn is_revoked(&self, grant: &str) -> bool {
        locked(&self.revoked).get(grant).is_some()
    }

    /// The claims of a token, if it is active.
    pub(crate) fn claims(&self, token: &str) -> Option<Map<String, Value>> {
        let issued = locked(&self.issued);
        let issued = issued.get(token)?;
        if issued.grant.as_ref().is_some_and(|grant| self.is_revoked(grant)) {
            return None;
        }
        let claims: Map<String, Value> = serde_json::from_slice(&issued.payload).ok()?;
        (!self.has_expired(&claims)).then_some(claims)
    }

    pub(crate) fn revoke(&self, token: &str) {
        locked(&self.issued).remove(token);
    }

    /// Forgets all tokens: they are inactive from now on.
    pub(crate) fn forget(&self) {
        *locked(&self.issued) = Recent::new(ISSUED);
    }

    /// The latest requests, the oldest of them first.
    pub(crate) fn received(&self) -> Vec<Introspection> {
        locked(&self.received).iter().cloned().collect()
    }

    /// Answers one request and records it.
    pub(crate) fn respond(
        &self,
        request: &Request<Bytes>,
        site: &Site,
        arrival: &Arrival,
    ) -> Answer {
        let form = form::fields(request.body());
        let token = form.as_ref().and_then(|form| form.get("token")).cloned();
        let mut seen = Introspection {
            token: token.unwrap_or_default(),
            entrance: arrival.entrance.clone(),
            certificate: arrival.certificates.first().map(|certificate| thumbprint(certificate)),
            client_auth: None,
            refusal: None,
            accept: text(request, &ACCEPT),
            content_type: text(request, &CONTENT_TYPE),
        };
        let response = match self.check(request, form, site, arrival, &mut seen) {
            Ok(()) => json_answer(StatusCode::OK, &self.answer(&seen.token)),
            Err(rejection) => {
                seen.refusal = Some(rejection.reason());
                rejection.response()
            }
        };
        self.keep(seen);
        response
    }

    /// RFC 7662 §2.1.
    fn check(
        &self,
        request: &Request<Bytes>,
        form: Option<BTreeMap<String, String>>,
        site: &Site,
        arrival: &Arrival,
        seen: &mut Introspection,
    ) -> Result<(), Rejection> {
        let content_type = seen.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if request.method() != Method::POST {
            return Err(Rejection::Request("the method is not POST"));
        }
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Rejection::Request("the content type is not that of a form"));
        }
        let form =
            form.ok_or(Rejection::Request("the form is not encoded, or has a field twice"))?;

        let authorization = request.headers().get_all(AUTHORIZATION).iter();
        let authorization: Vec<_> =
            authorization.map(|value| value.to_str().unwrap_or_default()).collect();
        let now = unix_seconds(self.clock.now());
        let issuer = &site.issuer;
        let credentials =
            Credentials { authorization: &authorization, form: &form, issuer, arrival, now };
        // The client under test, or else one of the authorization server's.
        let other = site.oauth.confidential_client(&authorization, &form);
        let other = other.filter(|client| client.id != self.client.id());
        let authenticated = match &other {
            Some(client) => Confidential { client, oauth: &site.oauth }.authenticate(credentials),
            None => self.client.authenticate(credentials),
        };
        seen.client_auth = Some(authenticated.map_err(Rejection::Client)?);

        if seen.token.is_empty() {
            return Err(Rejection::Request("there is no token"));
        }
        match form.get("token_type_hint").map(String::as_str) {
            Some("access_token") => Ok(()),
            // The hint is optional (RFC 7662 §2.1), but MonoCloud's clients send it.
            _ if other.is_some() => Ok(()),
            _ => Err(Rejection::Request("the token_type_hint is not access_token")),
        }
    }

    /// RFC 7662 §2.2: the claims of an active token, and no information about an inactive one.
    fn answer(&self, token: &str) -> Value {
        match self.claims(token) {
            Some(mut answer) => {
                answer.insert("active".to_owned(), true.into());
                answer.into()
            }
            None => json!({ "active": false }),
        }
    }

    fn has_expired(&self, claims: &Map<String, Value>) -> bool {
        let exp = claims.get("exp").and_then(Value::as_f64);
        exp.is_some_and(|exp| exp <= unix_seconds(self.clock.now()) as f64)
    }

    fn keep(&self, seen: Introspection) {
        let mut received = locked(&self.received);
        if received.len() == RECEIVED {
            received.pop_front();
        }
        received.push_back(seen);
    }
}

impl Rejection {
    const fn reason(&self) -> Refusal {
        match self {
            Self::Request(reason) | Self::Client(reason) => reason,
        }
    }

    /// RFC 6749 §5.2.
    fn response(&self) -> Answer {
        let (status, error) = match self {
            Self::Request(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Client(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
        };
        let body = json!({ "error": error, "error_description": self.reason() });
        let mut answer = json_answer(status, &body);
        if let Self::Client(_) = self {
            let challenge = HeaderValue::from_static(r#"Basic realm="tenant""#);
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

fn text(request: &Request<Bytes>, name: &HeaderName) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
