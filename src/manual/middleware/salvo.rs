use monocloud_backend::{Bearer, Caller, Error, ProtectApi};
use salvo::{
    cors::{Any, Cors},
    http::{
        Method,
        header::{AUTHORIZATION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    prelude::*,
};

#[endpoint]
async fn list(caller: Bearer) -> String {
    format!("posts of {}", caller.claims().subject().unwrap_or("an application"))
}

pub fn app(protect: &ProtectApi) -> Result<Service, Box<dyn std::error::Error>> {
    let api = Router::with_path("posts").get(list);
    let document = OpenApi::new("Posts", "1.0").merge_router(&api);
    let (api, document) = protect.document(&document.to_json()?)?.routes(api)?;
    let router =
        Router::new().push(api).push(Router::with_path("openapi.json").get(document.json()));
    let cors = Cors::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers([AUTHORIZATION, HeaderName::from_static("dpop")])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, HeaderName::from_static("dpop-nonce")])
        .into_handler();
    // On the service: a preflight matches no route, so hoops of routers never see it. The first
    // hoop is the first to see a request.
    Ok(Service::new(router).hoop(log).hoop(cors))
}

#[handler]
async fn log(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    let caller = res.extensions.get::<Caller>();
    let refusal = res.extensions.get::<Error>();
    tracing::info!(
        method = %req.method(),
        path = req.uri().path(),
        status = res.status_code.map(|status| status.as_u16()),
        subject = caller.and_then(|caller| caller.claims()?.subject()),
        rejected = refusal.map(Error::reason),
        "answered"
    );
}
