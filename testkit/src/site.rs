use crate::entrance::Arrival;
use crate::introspection::Introspector;
use crate::key_ring::KeyRing;
use crate::metadata::discovery_document;
use crate::signing_key::SigningKey;
use crate::{Algorithm, Client, Clock, Endpoint, Entrance};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use tokio::sync::watch;
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
    pub(crate) jwks: Option<Value>,
}

/// What a request to one endpoint passes: it is counted, and may get an answer
/// that was set by hand.
#[derive(Debug, Default)]
struct Gate {
    requests: watch::Sender<usize>,
    requests_with_certificate: AtomicUsize,
    canned: Mutex<Option<Canned>>,
}

/// An answer set by hand, to every request.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    status: u16,
    /// Seconds, for a `Retry-After` header (RFC 9110 §10.2.3).
    retry_after: Option<u64>,
    content_type: String,
    body: Vec<u8>,
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
            introspector: Introspector::new(clock, client),
            discovery: Gate::default(),
            jwks: Gate::default(),
            introspection: Gate::default(),
            canary: Gate::default(),
        }
    }

    pub(crate) fn documents(&self) -> MutexGuard<'_, Documents> {
        locked(&self.documents)
    }

    pub(crate) fn requests(&self, endpoint: Endpoint) -> usize {
        *self.gate(endpoint).requests.borrow()
    }

    /// Ends once so many requests have arrived.
    pub(crate) async fn requested(&self, endpoint: Endpoint, at_least: usize) {
        let mut requests = self.gate(endpoint).requests.subscribe();
        // There is a sender, which is the gate's.
        let _ = requests.wait_for(|requests| *requests >= at_least).await;
    }

    pub(crate) fn requests_with_certificate(&self, endpoint: Endpoint) -> usize {
        self.gate(endpoint).requests_with_certificate.load(Ordering::Relaxed)
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

    pub(crate) fn set_answer(&self, endpoint: Endpoint, answer: Option<Canned>) {
        *locked(&self.gate(endpoint).canned) = answer;
    }

    /// Answers one request.
    pub(crate) fn respond(&self, request: &Request, arrival: &Arrival) -> ResponseTemplate {
        let Some(endpoint) = self.endpoint_at(request.url.path()) else {
            return ResponseTemplate::new(404);
        };
        let gate = self.gate(endpoint);
        let canned = locked(&gate.canned).as_ref().map(Canned::response);
        let own = self.own_answer(endpoint, request, arrival);
        if !arrival.certificates.is_empty() {
            gate.requests_with_certificate.fetch_add(1, Ordering::Relaxed);
        }
        // Last, so that whoever waits for the request finds all there is of it.
        gate.requests.send_modify(|requests| *requests += 1);
        let response = canned.unwrap_or(own);
        match endpoint {
            Endpoint::Introspection => response,
            // Swagger UI and other browser clients read the documents across origins.
            _ => response.insert_header("Access-Control-Allow-Origin", "*"),
        }
    }

    fn gate(&self, endpoint: Endpoint) -> &Gate {
        match endpoint {
            Endpoint::Discovery => &self.discovery,
            Endpoint::Jwks => &self.jwks,
            Endpoint::Introspection => &self.introspection,
            Endpoint::Canary => &self.canary,
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
                let by_hand = documents.jwks.clone();
                by_hand.unwrap_or_else(|| documents.keys.jwks())
            }
            Endpoint::Canary => {
                let key = SigningKey::foreign(Algorithm::Rs256, "attacker".into());
                json!({ "keys": [key.jwk()] })
            }
        };
        ResponseTemplate::new(200).set_body_json(document)
    }
}

impl Canned {
    pub(crate) fn failure(status: u16, retry_after: Option<u64>) -> Self {
        let body = json!({ "error": "the test told this endpoint to fail" });
        let answer = Self::new(status, "application/json", body.to_string().into());
        Self { retry_after, ..answer }
    }

    pub(crate) fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, retry_after: None, content_type: content_type.into(), body }
    }

    fn response(&self) -> ResponseTemplate {
        let response =
            ResponseTemplate::new(self.status).set_body_raw(self.body.clone(), &self.content_type);
        match self.retry_after {
            Some(seconds) => response.insert_header("Retry-After", seconds.to_string()),
            None => response,
        }
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the tenant's state panics")
}
