//! salvo: [`Guard`] is a hoop, [`Authenticated`] and [`Caller`] are extractors.
//!
//! Put the guard where the handler is: then unknown paths stay 404 and other methods 405. CORS and
//! logs belong on the service, `Service::new(router).hoop(cors)`, as a preflight matches no route. The
//! manual has an [example](https://docs.rs/monocloud-backend/latest/monocloud_backend/manual/middleware/).
//!
//! ```
//! use monocloud_backend::{Authenticated, Policy, ProtectApi};
//! use salvo::prelude::*;
//!
//! const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
//!
//! #[handler]
//! async fn list(caller: Authenticated) -> String {
//!     format!("posts of {}", caller.claims().subject().unwrap_or("nobody"))
//! }
//!
//! fn app(protect: &ProtectApi) -> Router {
//!     Router::new().push(Router::with_path("posts").hoop(protect.require(READ)).get(list))
//! }
//! ```
//!
//! # The document is the policy
//!
//! An endpoint says what it needs once, in the words of salvo's OpenAPI support or by the type of an
//! argument, [`Bearer`]; the document shows it, and a guard before the endpoint enforces it.
//!
//! ```
//! use monocloud_backend::{Authenticated, Bearer, Policy, ProtectApi, Require};
//! use salvo::prelude::*;
//!
//! struct Admins;
//!
//! impl Require for Admins {
//!     const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
//! }
//!
//! #[endpoint(security(("MonoCloud" = ["posts:read"])))]
//! async fn list(caller: Authenticated) -> String {
//!     format!("posts of {}", caller.claims().subject().unwrap_or("nobody"))
//! }
//!
//! #[endpoint]
//! async fn clear(_caller: Bearer<Admins>) {}
//!
//! fn app(protect: ProtectApi) -> Result<Router, Box<dyn std::error::Error>> {
//!     let api = Router::with_path("posts").get(list).delete(clear);
//!     let document = OpenApi::new("Posts", "1.0").merge_router(&api);
//!     let protect = protect.describe_scope("posts:read", "Read posts");
//!     let (api, document) = protect
//!         .document(&document.to_json()?)?
//!         .by_default(Policy::ANY_TOKEN)
//!         .routes(api)?;
//!     Ok(Router::new()
//!         .push(api)
//!         .push(Router::with_path("openapi.json").get(document.json())))
//! }
//! # let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"), ("MONOCLOUD_BACKEND_AUDIENCE", "api")];
//! # app(ProtectApi::from_vars(vars).unwrap()).unwrap();
//! ```
//!
//! Every endpoint is compared with the document, however deep it is nested, and those that differ
//! are an error at start. What is added to the router that is returned is not guarded.
//!
//! - salvo's document shows endpoints that are routed as they are; one that is shared (`arc`) or
//!   hooped (`list.hoop(…)`) is not in it, and the API does not start.
//! - What answers GET answers HEAD too, unless that is routed by itself. An endpoint for both stands
//!   in salvo's document twice with one `operationId`, which OpenAPI forbids.
//! - The guard is the first hoop of the router that has the endpoint. Hoops of the routers above run
//!   before it and see its refusals. One that asks for the caller belongs to the router of the
//!   endpoint: `Router::with_filter(filters::get()).hoop(audit).goal(list)`.
//!
//! The document and its page are handlers: `Router::with_path("docs/{**rest}")` is where
//! `get(document.swagger_ui("/openapi.json"))` goes, with the feature `swagger-ui`.
//!
//! # A refusal in your own words
//!
//! [`problem_details`](crate::ProtectApiBuilder::problem_details) and
//! [`error_body`](crate::ProtectApiBuilder::error_body) choose the body, in the document too. A refusal
//! has its [`Error`](crate::Error) in the response's extensions, so a hoop above can change it as well, unknown to the
//! document.
//!
//! ```
//! # use monocloud_backend::Error;
//! # use salvo::prelude::*;
//! #[handler]
//! async fn branded(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
//!     ctrl.call_next(req, depot, res).await;
//!     if res.extensions.get::<Error>().is_some() {
//!         res.body("please log in");
//!     }
//! }
//! ```
//!
//! # TLS
//!
//! With the feature `tls` salvo's own listener serves with a `ServerTls`, and a token that is bound
//! to a certificate is validated against that of its connection:
//! `TcpListener::new("0.0.0.0:8443").rustls(ServerTls::new("api.pem", "api-key.pem")).bind().await`.
//!
//! [`Authenticated`]: crate::Authenticated
//! [`Caller`]: crate::Caller
//! [`Bearer`]: crate::Bearer

mod bearer;
mod endpoint;
mod extract;
#[cfg(feature = "mcp")]
mod mcp;
mod router;
mod template;
#[cfg(feature = "tls")]
mod tls;

use ::salvo_core::{
    Depot, FlowCtrl, Handler, Request, Response, Scribe, async_trait, http::ResBody,
};

use crate::{
    certificate::PeerCertificate,
    protect::{Caller, Guard, RequestHead, bearer::Accepted, refusal::Refusal},
};

#[async_trait]
impl Handler for Guard {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let peer = peer_certificate(request);
        let head = RequestHead::new(request.method(), request.uri(), request.headers())
            .peer(peer.as_ref());
        let caller = match self.check(head).await {
            Ok(caller) => caller,
            Err(refusal) => {
                response.render(refusal);
                return ctrl.skip_rest();
            }
        };
        let accepted = Accepted { guard: self.clone(), caller: caller.clone() };
        request.extensions_mut().insert(accepted);
        ctrl.call_next(request, depot, response).await;
        complete(caller, response);
    }
}

/// Adds to the response of a handler what belongs to its caller.
fn complete(caller: Caller, response: &mut Response) {
    let status = response.status_code.unwrap_or_default();
    let error = response.extensions.get().cloned();
    caller.complete_headers(status, error.as_ref(), response.headers_mut());
    response.extensions.insert(caller);
}

impl Scribe for Refusal {
    fn render(self, response: &mut Response) {
        write(self.response(), response);
    }
}

/// The certificate that the caller of a request has proved to have: from the request's extensions,
/// or from its connection if salvo's own rustls listener has accepted it.
#[must_use]
pub fn peer_certificate(request: &Request) -> Option<PeerCertificate> {
    let given = request.extensions().get::<PeerCertificate>().cloned();
    given.or_else(|| {
        let end_entity = request.tls_info()?.peer_certificates().first()?;
        Some(PeerCertificate::of_connection(end_entity.clone()))
    })
}

/// Writes an answer and leaves what others have said in headers, such as CORS.
fn write(answer: ::http::Response<impl Into<ResBody>>, response: &mut Response) {
    let (parts, body) = answer.into_parts();
    response.status_code(parts.status);
    response.headers_mut().extend(parts.headers);
    response.extensions.extend(parts.extensions);
    response.body(body);
}
