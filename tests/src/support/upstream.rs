//! A tenant that publishes any document, or hangs.

use std::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{MockTenant, TokenBuilder};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use super::frozen_tenant;

/// Which of its documents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Document {
    Metadata,
    Keys,
}

/// A server in front of a mock tenant: the tenant has the keys, this one publishes.
pub struct Upstream {
    pub tenant: MockTenant,
    server: MockServer,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    metadata: Shelf,
    keys: Shelf,
    elsewhere: AtomicUsize,
    gate: Gate,
}

#[derive(Default)]
struct Shelf {
    requests: AtomicUsize,
    response: Mutex<Option<ResponseTemplate>>,
}

/// What every request to the server passes; while it is closed the server hangs.
#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Upstream {
    pub async fn start() -> Self {
        let server = MockServer::builder().disable_request_recording().start().await;
        let state = Arc::new(State::default());
        let responder = Arc::clone(&state);
        Mock::given(any())
            .respond_with(move |request: &Request| responder.respond(request))
            .mount(&server)
            .await;
        let upstream = Self { tenant: frozen_tenant().await, server, state };
        upstream.recover();
        upstream
    }

    /// Publishes the tenant's own documents.
    pub fn recover(&self) {
        let metadata = ResponseTemplate::new(200).set_body_json(self.metadata());
        self.publish(Document::Metadata, metadata);
        let keys = self.tenant.jwks();
        self.publish(Document::Keys, ResponseTemplate::new(200).set_body_json(keys));
    }

    /// Its metadata as it should be.
    pub fn metadata(&self) -> Value {
        json!({"issuer": self.issuer(), "jwks_uri": self.url("/jwks")})
    }

    /// Answers with exactly this.
    pub fn publish(&self, document: Document, response: ResponseTemplate) {
        *self.state.shelf(document).response.lock().unwrap() = Some(response);
    }

    pub fn issuer(&self) -> String {
        self.server.uri()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    pub fn requests(&self, document: Document) -> usize {
        self.state.shelf(document).requests.load(Ordering::SeqCst)
    }

    /// How many requests went to neither document.
    pub fn strays(&self) -> usize {
        self.state.elsewhere.load(Ordering::SeqCst)
    }

    pub fn protect(&self) -> ProtectApiBuilder {
        ProtectApi::builder()
            .tenant_domain(self.issuer())
            .audience(self.tenant.audience())
            .clock(self.tenant.clock().reading())
            .timer(self.tenant.clock().timer())
    }

    /// A token that this tenant issued.
    pub fn token(&self) -> TokenBuilder<'_> {
        self.tenant.token().claim("iss", self.issuer())
    }

    /// Hangs: requests are counted, and not answered before the gate opens.
    pub fn close(&self) {
        *self.state.gate.is_closed.lock().unwrap() = true;
    }

    /// Opens the gate, from wherever.
    pub fn opener(&self) -> impl Fn() + Send + Sync + 'static + use<> {
        let state = Arc::clone(&self.state);
        move || state.gate.open()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.gate.open();
    }
}

impl State {
    fn shelf(&self, document: Document) -> &Shelf {
        match document {
            Document::Metadata => &self.metadata,
            Document::Keys => &self.keys,
        }
    }

    fn respond(&self, request: &Request) -> ResponseTemplate {
        let shelf = match request.url.path() {
            "/.well-known/openid-configuration" => &self.metadata,
            "/jwks" => &self.keys,
            _ => {
                self.elsewhere.fetch_add(1, Ordering::SeqCst);
                return ResponseTemplate::new(404);
            }
        };
        shelf.requests.fetch_add(1, Ordering::SeqCst);
        self.gate.pass();
        shelf.response.lock().unwrap().clone().unwrap()
    }
}

impl Gate {
    fn open(&self) {
        *self.is_closed.lock().unwrap() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let closed = self.is_closed.lock().unwrap();
        drop(self.opened.wait_while(closed, |is_closed| *is_closed).unwrap());
    }
}
