use monocloud_backend::{Bearer, DocumentError, ProtectApi, policy::AnyToken};
use poem::Route;
use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
use serde::Deserialize;

#[derive(Deserialize)]
struct Profile {
    email: String,
    plan: Option<String>,
}

struct Profiles;

#[OpenApi]
impl Profiles {
    #[oai(path = "/profile", method = "get")]
    async fn profile(&self, caller: Bearer<AnyToken, Profile>) -> PlainText<String> {
        let Profile { email, plan } = caller.claims();
        PlainText(format!("{email} has the plan {}", plan.as_deref().unwrap_or("free")))
    }
}

fn app(protect: ProtectApi) -> Result<Route, DocumentError> {
    let (service, _) = protect
        .secure(Profiles)
        .into_service(|api| OpenApiService::new(api, "Profiles", "1.0"))?;
    Ok(Route::new().nest("/", service))
}
