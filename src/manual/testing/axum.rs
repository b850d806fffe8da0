use axum::{Router, body::Body, http::Request, routing::get};
use monocloud_backend::{Authenticated, Policy, ProtectApi};
use monocloud_testkit::{Hostile, MockTenant};
use tower::ServiceExt;

async fn me(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

fn app(protect: &ProtectApi) -> Router {
    Router::new().route("/me", get(me).route_layer(protect.require(Policy::ANY_TOKEN)))
}

async fn accepts_its_tenant_and_rejects_attacks() {
    let tenant = MockTenant::start().await;
    let api = app(&ProtectApi::from_vars(tenant.vars()).unwrap());
    let get = async |token: &str| {
        let request = Request::get("/me").header("Authorization", format!("Bearer {token}"));
        api.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };

    assert_eq!(get(&tenant.token().mint()).await.status(), 200);

    for attack in Hostile::all(&tenant) {
        let response = get(&attack.token).await;
        let challenge = response.headers().get("WWW-Authenticate");
        let challenge = challenge.and_then(|challenge| challenge.to_str().ok());
        attack.assert_refused(response.status().as_u16(), challenge);
    }
}
