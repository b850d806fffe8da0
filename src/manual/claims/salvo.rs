use std::error::Error;

use monocloud_backend::{Bearer, ProtectApi, policy::AnyToken};
use salvo::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Profile {
    email: String,
    plan: Option<String>,
}

#[endpoint]
async fn profile(caller: Bearer<AnyToken, Profile>) -> String {
    let Profile { email, plan } = caller.claims();
    format!("{email} has the plan {}", plan.as_deref().unwrap_or("free"))
}

fn app(protect: ProtectApi) -> Result<Router, Box<dyn Error>> {
    let api = Router::with_path("profile").get(profile);
    let document = OpenApi::new("Profiles", "1.0").merge_router(&api).to_json()?;
    let (api, _) = protect.document(&document)?.routes(api)?;
    Ok(Router::new().push(api))
}
