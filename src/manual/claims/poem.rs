use monocloud_backend::{Authenticated, Policy, ProtectApi};
use poem::{EndpointExt, Route, get, handler};
use serde::Deserialize;

#[derive(Deserialize)]
struct Profile {
    email: String,
    plan: Option<String>,
}

#[handler]
fn profile(caller: Authenticated<Profile>) -> String {
    let Profile { email, plan } = caller.claims();
    format!("{email} has the plan {}", plan.as_deref().unwrap_or("free"))
}

fn app(protect: ProtectApi) -> Result<Route, std::convert::Infallible> {
    let guard = protect.require(Policy::ANY_TOKEN);
    Ok(Route::new().at("/profile", get(profile.with(guard))))
}
