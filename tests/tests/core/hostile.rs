//! Several hundred tokens that no API may accept, and the unusual ones that it must.

use harness::support::{Api, get, introspecting, protect, serve, served};
use monocloud_testkit::{
    Algorithm, Clock, Control, Endpoint, Hostile, Insufficient, MockTenant, StepUp,
};
use reqwest::header::WWW_AUTHENTICATE;

/// A tenant whose tokens have the scope that `/read` needs.
async fn tenant(algorithm: Algorithm) -> MockTenant {
    let tenant = MockTenant::builder().algorithm(algorithm).scope("posts:read");
    tenant.clock(Clock::frozen()).start().await
}

async fn assert_accepted(api: &Api, controls: &[Control]) {
    for control in controls {
        let answer = api.send(get("/read").bearer(&control.token)).await;
        control.assert_accepted(answer.status);
    }
}

async fn assert_rejected(api: &Api, path: &str, tokens: &[Hostile]) {
    for hostile in tokens {
        let answer = api.send(get(path).bearer(&hostile.token)).await;
        hostile.assert_refused(answer.status, answer.header(WWW_AUTHENTICATE));
    }
}

/// The requests to the canary, for the metadata and for the keys.
fn requests(tenant: &MockTenant) -> [usize; 3] {
    [Endpoint::Canary, Endpoint::Discovery, Endpoint::Jwks]
        .map(|endpoint| tenant.requests(endpoint))
}

#[tokio::test]
async fn every_hostile_token_is_rejected_and_every_control_is_accepted() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let tenant = tenant(algorithm).await;
        let (hostile, controls) = (Hostile::all(&tenant), Control::all(&tenant));
        assert!(hostile.len() > 200 && controls.len() > 30);
        let api = served(&tenant);
        assert_accepted(&api, &controls).await;
        assert_rejected(&api, "/read", &hostile).await;
        assert_accepted(&api, &controls).await;
        // The first fetch, and the two that unknown kids may cause while time stands still.
        assert_eq!(requests(&tenant), [0, 1, 3], "{algorithm}");
    }
}

#[tokio::test]
async fn hostile_tokens_for_one_tenant_cause_no_request_to_the_other() {
    for named in [0, 1] {
        let tenants = [tenant(Algorithm::Rs256).await, tenant(Algorithm::Rs256).await];
        let (hostile, controls) = (Hostile::all(&tenants[named]), Control::all(&tenants[named]));
        let [own, further] = tenants.each_ref().map(|of| protect(of).build().unwrap());
        let api = serve(&own.also_accept(further).unwrap());
        assert_accepted(&api, &controls).await;
        assert_rejected(&api, "/read", &hostile).await;
        let counts = tenants.each_ref().map(requests);
        // The named tenant gets the requests that it would get alone, the other none.
        assert_eq!(counts[named], [0, 1, 3]);
        assert_eq!(counts[1 - named], [0, 0, 0]);
    }
}

#[tokio::test]
async fn a_hostile_token_is_rejected_where_a_token_is_optional() {
    let tenant = tenant(Algorithm::Rs256).await;
    assert_rejected(&served(&tenant), "/optional", &Hostile::all(&tenant)).await;
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn a_weak_or_old_authentication_is_accepted_where_none_is_demanded() {
    let tenant = tenant(Algorithm::Es256).await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let demanded = StepUp::new().acr_values(["urn:example:mfa"]).max_age(300);
    for token in [tenant.token(), tenant.opaque_token()] {
        for insufficient in Insufficient::all(&token, &demanded) {
            let answer = api.send(get("/read").bearer(&insufficient.token)).await;
            assert_eq!(answer.status, 200, "{}", insufficient.name);
        }
    }
}
