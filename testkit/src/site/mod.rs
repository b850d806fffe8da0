//! What the tenant serves.

mod active_fault;
mod answer;
mod authentication;
mod client;
mod client_auth;
mod ending;
mod endpoint;
mod endpoint_state;
mod entrance;
mod fault;
mod form;
mod introspection;
mod metadata;
mod mocks;
mod oauth;
mod recent;
mod refusal;
mod registration;
pub(crate) mod server;

pub use client::Client;
pub use client_auth::ClientAuth;
pub use endpoint::Endpoint;
pub use entrance::Entrance;
pub use fault::Fault;
pub use introspection::Introspection;
pub(crate) use introspection::Introspector;
pub(crate) use oauth::{is_redirect_uri, is_scope};

use std::sync::{Mutex, MutexGuard};

use http::{HeaderValue, Request, StatusCode, header::ACCESS_CONTROL_ALLOW_ORIGIN};
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::{
    Algorithm, Clock,
    lock::locked,
    site::{
        active_fault::ActiveFault,
        answer::{Answer, answer_of, empty, json_answer},
        endpoint_state::EndpointState,
        entrance::Arrival,
        metadata::discovery_document,
        mocks::Mocks,
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
    discovery: EndpointState,
    jwks: EndpointState,
    introspection: EndpointState,
    canary: EndpointState,
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
    /// A site whose paths start with `path`, at this origin and at those of other ports.
    pub(crate) fn new(
        origin: &str,
        aliases: impl IntoIterator<Item = (Entrance, String)>,
        path: String,
        clock: Clock,
        client: Client,
    ) -> Self {
        let aliases = aliases.into_iter();
        Self {
            issuer: format!("{origin}{path}"),
            aliases: aliases.map(|(alias, origin)| (alias, origin + &path)).collect(),
            path,
            documents: Mutex::default(),
            introspector: Introspector::new(clock.clone(), client),
            clock,
            mocks: Mocks::default(),
            discovery: EndpointState::default(),
            jwks: EndpointState::default(),
            introspection: EndpointState::default(),
            canary: EndpointState::default(),
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
        discovery_document(&self.issuer, &self.aliases)
    }

    pub(crate) fn endpoint(&self, endpoint: Endpoint) -> &EndpointState {
        match endpoint {
            Endpoint::Discovery => &self.discovery,
            Endpoint::Jwks => &self.jwks,
            Endpoint::Introspection => &self.introspection,
            Endpoint::Canary => &self.canary,
        }
    }

    /// The fault that the next request to this path meets.
    pub(crate) fn next_fault(&self, path: &str) -> Option<ActiveFault> {
        self.endpoint(self.endpoint_at(path)?).next_fault()
    }

    /// The right answer to a request, without faults and mocks.
    pub(crate) fn respond(&self, request: &Request<Bytes>, arrival: &Arrival) -> Answer {
        let Some(endpoint) = self.endpoint_at(request.uri().path()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let mut answer = self.own_answer(endpoint, request, arrival);
        // Last, so that a test that waits for the request finds it recorded.
        self.endpoint(endpoint).count(!arrival.certificates.is_empty());
        if endpoint != Endpoint::Introspection {
            // Swagger UI and other browser clients read the documents across origins.
            let any = HeaderValue::from_static("*");
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
        }
        answer
    }

    fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        let path = path.strip_prefix(&self.path)?;
        let mut endpoints = Endpoint::ALL.into_iter();
        endpoints.find(|endpoint| endpoint.path() == path)
    }

    fn own_answer(
        &self,
        endpoint: Endpoint,
        request: &Request<Bytes>,
        arrival: &Arrival,
    ) -> Answer {
        let document = match endpoint {
            Endpoint::Introspection => {
                return self.introspector.respond(request, &self.issuer, arrival);
            }
            Endpoint::Discovery => {
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
        };
        json_answer(StatusCode::OK, &document)
    }
}
