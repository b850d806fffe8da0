//! What the tenant serves.

mod active_fault;
pub(crate) mod answer;
mod authentication;
pub(crate) mod body;
mod client;
mod client_auth;
mod cors;
mod ending;
mod endpoint;
mod endpoint_state;
mod entrance;
mod fault;
mod form;
mod introspection;
pub(crate) mod log;
mod metadata;
mod mocks;
pub(crate) mod oauth;
pub(crate) mod pages;
mod recent;
mod refusal;
mod registration;
pub(crate) mod server;

pub use client::Client;
pub use client_auth::ClientAuth;
pub use endpoint::Endpoint;
pub(crate) use entrance::Arrival;
pub use entrance::Entrance;
pub use fault::Fault;
pub use introspection::Introspection;
pub(crate) use introspection::Introspector;
pub(crate) use oauth::{OAuth, is_redirect_uri, is_scope};

use std::sync::{Mutex, MutexGuard};

use http::{HeaderValue, Request, StatusCode};
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::{
    Algorithm, Clock,
    lock::locked,
    site::{
        answer::{Answer, answer_of, empty, json_answer},
        endpoint_state::EndpointState,
        log::RequestLog,
        metadata::discovery_document,
        mocks::Mocks,
        oauth::Call,
    },
    token::{KeyRing, SigningKey},
};

/// The documents of the tenant, and the state of its endpoints.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) issuer: String,
    /// The ports other than the issuer's, in order, with the base of their URLs.
    aliases: Vec<(Entrance, String)>,
    /// The path of the issuer: empty, or for example `/acme`.
    path: String,
    documents: Mutex<Documents>,
    pub(crate) clock: Clock,
    pub(crate) introspector: Introspector,
    pub(crate) mocks: Mocks,
    pub(crate) log: RequestLog,
    pub(crate) oauth: OAuth,
    /// In the order of [`Endpoint::ALL`].
    endpoints: [EndpointState; Endpoint::ALL.len()],
}

/// The documents. One that a test has set replaces the tenant's own.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) keys: KeyRing,
    pub(crate) metadata: Option<Value>,
    /// Text that need not be JSON.
    pub(crate) jwks: Option<String>,
}

impl Site {
    /// A site whose paths start with that of the issuer, which has no trailing slash. Other ports
    /// serve the same paths at their origins.
    pub(crate) fn new(
        issuer: String,
        aliases: impl IntoIterator<Item = (Entrance, String)>,
        clock: Clock,
        client: Client,
        oauth: OAuth,
    ) -> Self {
        let path = path_of(&issuer).to_owned();
        let aliases = aliases.into_iter();
        Self {
            issuer,
            aliases: aliases.map(|(alias, origin)| (alias, origin + &path)).collect(),
            path,
            documents: Mutex::default(),
            introspector: Introspector::new(clock.clone(), client),
            clock,
            mocks: Mocks::default(),
            log: RequestLog::default(),
            oauth,
            endpoints: Default::default(),
        }
    }

    pub(crate) fn documents(&self) -> MutexGuard<'_, Documents> {
        locked(&self.documents)
    }

    /// The base of the URLs at this port, if it exists.
    pub(crate) fn base(&self, entrance: &Entrance) -> Option<&str> {
        if *entrance == Entrance::Issuer {
            return Some(&self.issuer);
        }
        let alias = self.aliases.iter().find(|(alias, _)| alias == entrance);
        alias.map(|(_, base)| base.as_str())
    }

    /// The tenant's own discovery document.
    pub(crate) fn discovery_document(&self) -> Value {
        discovery_document(&self.issuer, &self.aliases, &self.oauth.config)
    }

    #[expect(clippy::indexing_slicing, reason = "there is a state for each endpoint")]
    pub(crate) fn endpoint(&self, endpoint: Endpoint) -> &EndpointState {
        &self.endpoints[endpoint as usize]
    }

    /// The endpoint that a request is counted at.
    pub(crate) fn endpoint_of<B>(&self, request: &Request<B>) -> Option<Endpoint> {
        let endpoint = Endpoint::at(request.uri().path(), &self.path)?;
        (!cors::is_preflight(request)).then_some(endpoint)
    }

    /// The right answer to a request, without faults and mocks.
    pub(crate) fn respond(&self, request: &Request<Bytes>, arrival: &Arrival) -> Answer {
        let Some(endpoint) = Endpoint::at(request.uri().path(), &self.path) else {
            return empty(StatusCode::NOT_FOUND);
        };
        if cors::is_preflight(request) {
            return cors::preflight(endpoint);
        }
        let mut answer = self.own_answer(endpoint, request, arrival);
        // Last, so that a test that waits for the request finds it recorded.
        self.endpoint(endpoint).count(!arrival.certificates.is_empty());
        if cors::is_open(endpoint) {
            answer.headers_mut().extend(cors::OPEN);
        }
        answer
    }

    /// The path of a resource below the issuer, such as `/connect/token`.
    pub(crate) fn below_issuer<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.path)
    }

    /// Whether the path is that of the issuer. A browser need not know it.
    #[cfg(feature = "pages")]
    pub(crate) fn is_root(&self, path: &str) -> bool {
        path == "/" || path == self.path || self.below_issuer(path) == Some("/")
    }

    fn own_answer(
        &self,
        endpoint: Endpoint,
        request: &Request<Bytes>,
        arrival: &Arrival,
    ) -> Answer {
        if request.body().len() > endpoint.largest_body() {
            let description = "the body is too large";
            let body = json!({ "error": "invalid_request", "error_description": description });
            return json_answer(StatusCode::PAYLOAD_TOO_LARGE, &body);
        }
        let document = match endpoint {
            Endpoint::Introspection => {
                return self.introspector.respond(request, self, arrival);
            }
            Endpoint::Discovery | Endpoint::AuthorizationServer => {
                let by_hand = self.documents().metadata.clone();
                by_hand.unwrap_or_else(|| self.discovery_document())
            }
            Endpoint::Jwks => {
                let documents = self.documents();
                if let Some(by_hand) = &documents.jwks {
                    let json = HeaderValue::from_static("application/json");
                    return answer_of(StatusCode::OK, json, by_hand.clone());
                }
                documents.keys.jwks()
            }
            Endpoint::Canary => {
                let key = SigningKey::foreign(Algorithm::Rs256, "attacker".to_owned());
                json!({ "keys": [key.jwk()] })
            }
            _ => return oauth::respond(&Call::new(self, endpoint, request, arrival)),
        };
        json_answer(StatusCode::OK, &document)
    }
}

/// The path of a URL without query and fragment; empty, or without a trailing slash.
fn path_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.find('/').map_or("", |start| authority.split_at(start).1)
}
