use monocloud_backend::{Authenticated, ProtectApi};
use salvo::prelude::*;

#[endpoint(security(("MonoCloud" = ["posts:read"])))]
async fn list(caller: Authenticated) -> String {
    format!("posts of {:?}", caller.claims().subject())
}

fn app(protect: ProtectApi) -> Result<Router, Box<dyn std::error::Error>> {
    let protect = protect.describe_scope("posts:read", "Read posts");
    let api = Router::with_path("posts").get(list);
    let document = OpenApi::new("Posts", "1.0").merge_router(&api).to_json()?;
    let (api, document) = protect.document(&document)?.routes(api)?;
    Ok(Router::new().push(api).push(Router::with_path("openapi.json").get(document.json())))
}
