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
