use monocloud_backend::{Authenticated, Caller, Error, Policy, ProtectApi};
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Result, Route, get, handler,
    http::{
        Method,
        header::{AUTHORIZATION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Cors,
};

#[handler]
fn list(caller: Authenticated) -> String {
    format!("posts of {}", caller.claims().subject().unwrap_or("an application"))
}

pub fn app(protect: &ProtectApi) -> impl Endpoint<Output = Response> + 'static {
    let api = Route::new().at("/posts", get(list.with(protect.require(Policy::ANY_TOKEN))));
    let cors = Cors::new()
        .allow_methods([Method::GET])
        .allow_headers([AUTHORIZATION, HeaderName::from_static("dpop")])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, HeaderName::from_static("dpop-nonce")]);
    // The last middleware is the first to see a request.
    api.with(cors).around(log)
}

async fn log<E: Endpoint>(endpoint: std::sync::Arc<E>, request: Request) -> Result<Response> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // A refusal is an error; what is logged is the response that it becomes.
    let response = match endpoint.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => error.into_response(),
    };
    let caller = response.extensions().get::<Caller>();
    let refusal = response.extensions().get::<Error>();
    tracing::info!(
        %method,
        path,
        status = response.status().as_u16(),
        subject = caller.and_then(|caller| caller.claims()?.subject()),
        rejected = refusal.map(Error::reason),
        "answered"
    );
    Ok(response)
}
