use monocloud_backend::{Authenticated, Policy, ProtectApi};
use monocloud_testkit::{Hostile, MockTenant};
use poem::{EndpointExt, Route, get, handler, http::StatusCode, test::TestClient};

#[handler]
fn me(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

fn app(protect: &ProtectApi) -> Route {
    Route::new().at("/me", get(me.with(protect.require(Policy::ANY_TOKEN))))
}

async fn accepts_its_tenant_and_rejects_attacks() {
    let tenant = MockTenant::start().await;
    let api = TestClient::new(app(&ProtectApi::from_vars(tenant.vars()).unwrap()));
    let get = |token: &str| api.get("/me").header("Authorization", format!("Bearer {token}")).send();

    let response = get(&tenant.token().subject("alice").mint()).await;
    response.assert_status(StatusCode::OK);
    response.assert_text("alice").await;

    for attack in Hostile::all(&tenant) {
        let response = get(&attack.token).await.0;
        attack.assert_refused(response.status().as_u16(), response.header("WWW-Authenticate"));
    }
}
