use monocloud_backend::{Bearer, Caller, DocumentError, Error, ProtectApi};
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Result, Route,
    http::{
        Method,
        header::{AUTHORIZATION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Cors,
};
use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};

struct Posts;

#[OpenApi]
impl Posts {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, caller: Bearer) -> PlainText<String> {
        let subject = caller.claims().subject().unwrap_or("an application");
        PlainText(format!("posts of {subject}"))
    }
}

pub fn app(
    protect: &ProtectApi,
) -> Result<impl Endpoint<Output = Response> + 'static, DocumentError> {
    let (service, document) =
        protect.secure(Posts).into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    let cors = Cors::new()
        .allow_methods([Method::GET])
        .allow_headers([AUTHORIZATION, HeaderName::from_static("dpop")])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, HeaderName::from_static("dpop-nonce")]);
    let app = Route::new().nest("/", service).at("/openapi.json", document.json());
    // The last middleware is the first to see a request.
    Ok(app.with(cors).around(log))
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
