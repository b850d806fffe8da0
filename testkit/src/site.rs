use crate::key_ring::KeyRing;
use crate::metadata::discovery_document;
use crate::signing_key::SigningKey;
use crate::{Algorithm, Endpoint};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use wiremock::{Request, ResponseTemplate};

/// What the tenant has on the web: its documents, as they are at this moment,
/// and how its endpoints fare.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) issuer: String,
    /// The issuer's path: blank, or like `/acme`.
    path: String,
    documents: Mutex<Documents>,
    discovery: Gate,
    jwks: Gate,
    canary: Gate,
}

/// The documents; one set by hand takes the place of the tenant's own.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) keys: KeyRing,
    pub(crate) metadata: Option<Value>,
    pub(crate) jwks: Option<Value>,
}

/// What a request to one endpoint passes: it is counted, and may be turned away.
#[derive(Debug, Default)]
struct Gate {
    requests: AtomicUsize,
    failure: Mutex<Option<Failure>>,
}

/// How an endpoint fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// Seconds, for a `Retry-After` header (RFC 9110 §10.2.3).
    pub(crate) retry_after: Option<u64>,
}

impl Site {
    pub(crate) fn new(issuer: String, path: String) -> Self {
        Self {
            issuer,
            path,
            documents: Mutex::default(),
            discovery: Gate::default(),
            jwks: Gate::default(),
            canary: Gate::default(),
        }
    }

    pub(crate) fn documents(&self) -> MutexGuard<'_, Documents> {
        locked(&self.documents)
    }

    pub(crate) fn requests(&self, endpoint: Endpoint) -> usize {
        self.gate(endpoint).requests.load(Ordering::Relaxed)
    }

    pub(crate) fn set_failure(&self, endpoint: Endpoint, failure: Option<Failure>) {
        *locked(&self.gate(endpoint).failure) = failure;
    }

    /// Answers one request.
    pub(crate) fn respond(&self, request: &Request) -> ResponseTemplate {
        let Some(endpoint) = self.endpoint_at(request.url.path()) else {
            return ResponseTemplate::new(404);
        };
        let gate = self.gate(endpoint);
        gate.requests.fetch_add(1, Ordering::Relaxed);
        let failure = *locked(&gate.failure);

        // Swagger UI and other browser clients read these documents across origins.
        let response = match failure {
            Some(failure) => failure.response(),
            None => ResponseTemplate::new(200).set_body_json(self.document(endpoint)),
        };
        response.insert_header("Access-Control-Allow-Origin", "*")
    }

    fn gate(&self, endpoint: Endpoint) -> &Gate {
        match endpoint {
            Endpoint::Discovery => &self.discovery,
            Endpoint::Jwks => &self.jwks,
            Endpoint::Canary => &self.canary,
        }
    }

    fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        let path = path.strip_prefix(&self.path)?;
        let mut endpoints = Endpoint::ALL.into_iter();
        endpoints.find(|endpoint| endpoint.path() == path)
    }

    fn document(&self, endpoint: Endpoint) -> Value {
        let documents = self.documents();
        match endpoint {
            Endpoint::Discovery => {
                let by_hand = documents.metadata.clone();
                by_hand.unwrap_or_else(|| discovery_document(&self.issuer))
            }
            Endpoint::Jwks => {
                let by_hand = documents.jwks.clone();
                by_hand.unwrap_or_else(|| documents.keys.jwks())
            }
            Endpoint::Canary => {
                let key = SigningKey::foreign(Algorithm::Rs256, "attacker".into());
                json!({ "keys": [key.jwk()] })
            }
        }
    }
}

impl Failure {
    fn response(self) -> ResponseTemplate {
        let response = ResponseTemplate::new(self.status)
            .set_body_json(json!({ "error": "the test told this endpoint to fail" }));
        match self.retry_after {
            Some(seconds) => response.insert_header("Retry-After", seconds.to_string()),
            None => response,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the tenant's state panics")
}
