use axum::{
    Router,
    extract::Request,
    http::{
        Method, Response,
        header::{AUTHORIZATION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    routing::get,
};
use monocloud_backend::{Authenticated, Caller, Error, ProtectApi};
use tower_http::{
    cors::{Any, CorsLayer},
    trace::TraceLayer,
};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(list))]
struct Posts;

#[utoipa::path(get, path = "/posts", security(("MonoCloud" = [])), responses((status = 200)))]
async fn list(caller: Authenticated) -> String {
    format!("posts of {}", caller.claims().subject().unwrap_or("an application"))
}

pub fn app(protect: &ProtectApi) -> Result<Router, Box<dyn std::error::Error>> {
    let router = Router::new().route("/posts", get(list));
    let (api, document) = protect.document(&Posts::openapi().to_json()?)?.routes(router)?;
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers([AUTHORIZATION, HeaderName::from_static("dpop")])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, HeaderName::from_static("dpop-nonce")]);
    let log = TraceLayer::new_for_http()
        .make_span_with(|request: &Request| {
            tracing::info_span!("request", method = %request.method(), path = request.uri().path())
        })
        .on_response(|response: &Response<_>, _latency, _span: &tracing::Span| {
            let caller = response.extensions().get::<Caller>();
            let refusal = response.extensions().get::<Error>();
            tracing::info!(
                status = response.status().as_u16(),
                subject = caller.and_then(|caller| caller.claims()?.subject()),
                rejected = refusal.map(Error::reason),
                "answered"
            );
        });
    // On the router that `routes` returns: the last layer is the first to see a request.
    Ok(api.route("/openapi.json", get(document.json())).layer(cors).layer(log))
}
