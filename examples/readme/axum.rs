use axum::{Router, routing::get};
use monocloud_backend::{Authenticated, ProtectApi};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(list))]
struct Posts;
#[utoipa::path(get, path = "/posts", security(("MonoCloud" = ["posts:read"])), responses((status = 200)))]
async fn list(caller: Authenticated) -> String {
    format!("posts of {:?}", caller.claims().subject())
}

fn app(protect: ProtectApi) -> Result<Router, Box<dyn std::error::Error>> {
    let protect = protect.describe_scope("posts:read", "Read posts");
    let document = protect.document(&Posts::openapi().to_json()?)?;
    let (api, document) = document.routes(Router::new().route("/posts", get(list)))?;
    Ok(api.route("/openapi.json", get(document.json())))
}

#[tokio::test]
async fn the_api_does_what_its_document_says() {
    let tenant = monocloud_testkit::MockTenant::start().await;
    let app = app(ProtectApi::from_vars(tenant.vars()).unwrap()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    let openapi = std::fs::read("openapi.json").unwrap();
    monocloud_testkit::Audit::of(openapi).against(base_url).run(&tenant).await.assert_passed();
}
