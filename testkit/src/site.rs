use crate::entrance::Arrival;
use crate::gate::{Gate, Met};
use crate::introspection::Introspector;
use crate::key_ring::KeyRing;
use crate::metadata::discovery_document;
use crate::signing_key::SigningKey;
use crate::{Algorithm, Client, Clock, Endpoint, Entrance};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard};
use wiremock::{Request, ResponseTemplate};

/// What the tenant has on the web: its documents, as they are at this moment,
/// and how its endpoints fare.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) issuer: String,
    /// The entrances beside the issuer's own, in their order, and what their URLs
    /// begin with.
    aliases: Vec<(Entrance, String)>,
    /// The issuer's path: blank, or like `/acme`.
    path: String,
    documents: Mutex<Documents>,
    pub(crate) clock: Clock,
    pub(crate) introspector: Introspector,
    discovery: Gate,
    jwks: Gate,
    introspection: Gate,
    canary: Gate,
}

/// The documents; one set by hand takes the place of the tenant's own.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) keys: KeyRing,
    pub(crate) metadata: Option<Value>,
    /// Any text.
    pub(crate) jwks: Option<String>,
}

impl Site {
    /// A site whose paths begin with `path`, at this origin and those of further
    /// entrances.
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
            discovery: Gate::default(),
            jwks: Gate::default(),
            introspection: Gate::default(),
            canary: Gate::default(),
        }
    }

    pub(crate) fn documents(&self) -> MutexGuard<'_, Documents> {
        locked(&self.documents)
    }

    /// What the URLs of this entrance begin with, if there is one.
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

    pub(crate) fn gate(&self, endpoint: Endpoint) -> &Gate {
        match endpoint {
            Endpoint::Discovery => &self.discovery,
            Endpoint::Jwks => &self.jwks,
            Endpoint::Introspection => &self.introspection,
            Endpoint::Canary => &self.canary,
        }
    }

    /// What a request to this path meets.
    pub(crate) fn meet(&self, path: &str) -> Option<Met> {
        self.gate(self.endpoint_at(path)?).meet()
    }

    /// Answers one request, as is right.
    pub(crate) fn respond(&self, request: &Request, arrival: &Arrival) -> ResponseTemplate {
        let Some(endpoint) = self.endpoint_at(request.url.path()) else {
            return ResponseTemplate::new(404);
        };
        let response = self.own_answer(endpoint, request, arrival);
        // Last, so that whoever waits for the request finds all there is of it.
        self.gate(endpoint).count(!arrival.certificates.is_empty());
        match endpoint {
            Endpoint::Introspection => response,
            // Swagger UI and other browser clients read the documents across origins.
            _ => response.insert_header("Access-Control-Allow-Origin", "*"),
        }
    }

    fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        let path = path.strip_prefix(&self.path)?;
        let mut endpoints = Endpoint::ALL.into_iter();
        endpoints.find(|endpoint| endpoint.path() == path)
    }

    fn own_answer(
        &self,
        endpoint: Endpoint,
        request: &Request,
        arrival: &Arrival,
    ) -> ResponseTemplate {
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
                    let by_hand = by_hand.as_bytes();
                    return ResponseTemplate::new(200).set_body_raw(by_hand, "application/json");
                }
                documents.keys.jwks()
            }
            Endpoint::Canary => {
                let key = SigningKey::foreign(Algorithm::Rs256, "attacker".into());
                json!({ "keys": [key.jwk()] })
            }
        };
        ResponseTemplate::new(200).set_body_json(document)
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the tenant's state panics")
}
