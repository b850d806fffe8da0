use axum::{Router, routing::get};
use monocloud_backend::{Authenticated, Policy, ProtectApi};
use serde::Deserialize;

#[derive(Deserialize)]
struct Profile {
    email: String,
    plan: Option<String>,
}

async fn profile(caller: Authenticated<Profile>) -> String {
    let Profile { email, plan } = caller.claims();
    format!("{email} has the plan {}", plan.as_deref().unwrap_or("free"))
}

fn app(protect: ProtectApi) -> Result<Router, std::convert::Infallible> {
    let guard = protect.require(Policy::ANY_TOKEN);
    Ok(Router::new().route("/profile", get(profile).route_layer(guard)))
}
