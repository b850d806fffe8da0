use std::time::Duration;

use monocloud_testkit::{
    ClientAuth, Clock, Control, Endpoint, Fault, Hostile, MockTenant, Signer, TokenBuilder,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    asker::{Ask, Asker, frozen_tenant},
    reader::{get, plain_client, segment, verify},
};

/// The tenant's introspection response for a token.
async fn introspect(tenant: &MockTenant, token: &str) -> Value {
    let (status, answer) = Asker::new(tenant, ClientAuth::SecretPost).ask(token).send().await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[tokio::test]
async fn the_metadata_names_the_introspection_endpoint() {
    let tenant = frozen_tenant().await;
    assert_eq!(tenant.metadata()["introspection_endpoint"], tenant.url(Endpoint::Introspection));
    assert!(tenant.url(Endpoint::Introspection).ends_with("/acme/connect/introspect"));
}

#[tokio::test]
async fn only_introspection_reveals_the_claims_of_an_opaque_token() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).scope("posts:read").start().await;
    let token = tenant
        .opaque_token()
        .subject("alice")
        .scope("posts:write")
        .group_objects([("7", "admin")])
        .claim("tier", 3)
        .without("jti")
        .mint();
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~+/".contains(&byte)));
    assert_ne!(token, tenant.opaque_token().mint());

    let mut answer = introspect(&tenant, &token).await;
    let expected = tenant.token().mint();
    let expected = segment(&expected, 1).unwrap();
    for name in ["iss", "aud", "client_id", "iat", "nbf", "exp"] {
        let said = answer.as_object_mut().unwrap().remove(name).unwrap();
        assert_eq!(said, expected[name], "{name}");
    }
    let rest = json!({
        "active": true,
        "sub": "alice",
        "scope": "posts:read posts:write",
        "groups": [{ "id": "7", "name": "admin" }],
        "tier": 3,
    });
    assert_eq!(answer, rest);
}

#[tokio::test]
async fn a_jwt_that_the_tenant_minted_can_be_introspected() {
    let tenant = frozen_tenant().await;
    let token = tenant.token().subject("alice").mint();
    let mut claims = verify(&tenant, &token).await.unwrap();
    claims["active"] = true.into();
    assert_eq!(introspect(&tenant, &token).await, claims);

    for signer in [Signer::Foreign, Signer::Retired, Signer::Unpublished] {
        let token = tenant.token().signed_by(signer).mint();
        assert_eq!(introspect(&tenant, &token).await, inactive(), "{signer:?}");
    }
    let another = MockTenant::start().await;
    assert_eq!(introspect(&another, &token).await, inactive());
}

#[tokio::test]
async fn a_token_is_active_until_it_expires_or_is_revoked() {
    let tenant = frozen_tenant().await;
    let kinds: [fn(&MockTenant) -> TokenBuilder<'_>; 2] =
        [MockTenant::token, MockTenant::opaque_token];
    for kind in kinds {
        let short = kind(&tenant).expires_in(60).mint();
        let long = kind(&tenant).claim("exp", 4_102_444_800.5_f64).mint();
        let endless = kind(&tenant).without("exp").mint();
        assert_eq!(introspect(&tenant, &short).await["active"], true);

        tenant.clock().advance(Duration::from_secs(59));
        assert_eq!(introspect(&tenant, &short).await["active"], true);
        tenant.clock().advance(Duration::from_secs(1));
        assert_eq!(introspect(&tenant, &short).await, inactive());

        for token in [long, endless] {
            assert_eq!(introspect(&tenant, &token).await["active"], true);
            tenant.revoke(&token);
            assert_eq!(introspect(&tenant, &token).await, inactive());
        }
        let expired = kind(&tenant).expires_in(-1).mint();
        assert_eq!(introspect(&tenant, &expired).await, inactive());
    }
    assert_eq!(introspect(&tenant, "unknown").await, inactive());
}

#[tokio::test]
#[should_panic(expected = "must be a JSON object")]
async fn an_opaque_token_needs_claims() {
    let tenant = MockTenant::start().await;
    let _ = tenant.opaque_token().raw_payload("[1]").mint();
}

#[tokio::test]
async fn controls_are_active_and_hostile_tokens_are_not() {
    let tenant = frozen_tenant().await;
    for control in Control::all(&tenant) {
        let expected = control.name != "exp-inside-the-tolerance";
        let answer = introspect(&tenant, &control.token).await;
        assert_eq!(answer["active"], expected, "{}", control.name);
    }
    for hostile in Hostile::all(&tenant) {
        assert_eq!(introspect(&tenant, &hostile.token).await, inactive(), "{}", hostile.name);
    }
}

#[tokio::test]
async fn a_malformed_request_is_rejected_with_a_reason() {
    let tenant = frozen_tenant().await;
    let token = tenant.opaque_token().mint();
    let asker = Asker::new(&tenant, ClientAuth::SecretPost);
    let ask = || asker.ask(&token);
    let body = |ask: Ask, body: &str| {
        let body = body.to_owned();
        async move { ask.send_body(body).await }
    };

    let mut put = ask();
    put.method = Method::PUT;
    let mut get = ask();
    get.method = Method::GET;
    let mut json = ask();
    json.content_type = "application/json";
    let answers = [
        (put.send().await, "method"),
        (get.send().await, "method"),
        (json.send().await, "content type"),
        (body(ask(), "token=a b").await, "encoded"),
        (body(ask(), "token=a&token=b").await, "twice"),
        (body(ask(), "token").await, "encoded"),
        (ask().without("token").send().await, "no token"),
        (ask().with("token", "").send().await, "no token"),
        (ask().without("token_type_hint").send().await, "token_type_hint"),
        (ask().with("token_type_hint", "refresh_token").send().await, "token_type_hint"),
    ];
    let count = answers.len();
    for ((status, answer), reason) in answers {
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")), "{reason}");
        let description = answer["error_description"].as_str().unwrap();
        assert!(description.contains(reason), "{description}");
    }
    assert_eq!(tenant.requests(Endpoint::Introspection), count);

    let mut with_charset = ask();
    with_charset.content_type = "Application/X-WWW-form-urlencoded; charset=UTF-8";
    assert_eq!(with_charset.send().await.0, 200);
}

#[tokio::test]
async fn answers_can_be_replaced_until_the_endpoint_recovers() {
    let tenant = frozen_tenant().await;
    let token = tenant.opaque_token().mint();
    let asker = Asker::new(&tenant, ClientAuth::SecretPost);
    let odd = json!({ "active": "false" });

    tenant.introspection_answer(odd.clone());
    assert_eq!(asker.ask(&token).send().await, (200, odd.clone()));
    let unauthenticated = asker.ask(&token).without("client_secret").without("client_id");
    assert_eq!(unauthenticated.send().await, (200, odd));

    tenant
        .fault(
            Endpoint::Introspection,
            Fault::Answer { status: 203, content_type: "text/html", body: "<html>".into() },
        )
        .until_recovered();
    let response = get(&tenant.url(Endpoint::Introspection)).await;
    assert_eq!(response.status(), 203);
    assert_eq!(response.headers()["content-type"], "text/html");
    assert_eq!(response.text().await.unwrap(), "<html>");

    tenant
        .fault(
            Endpoint::Introspection,
            Fault::RetryAfter { status: 429, after: Duration::from_secs(7) },
        )
        .until_recovered();
    let response = get(&tenant.url(Endpoint::Introspection)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );

    tenant.fault(Endpoint::Introspection, Fault::Status(503)).until_recovered();
    assert_eq!(asker.ask(&token).send().await.0, 503);
    tenant.recover(Endpoint::Introspection);
    assert_eq!(introspect(&tenant, &token).await["active"], true);
    assert_eq!(tenant.requests(Endpoint::Introspection), 6);
}

#[tokio::test]
async fn requests_can_be_inspected() {
    let tenant = frozen_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SecretBasic);
    asker.ask("first").send().await;
    asker.ask("second").basic("stranger", "guess").send().await;
    tenant.fault(Endpoint::Introspection, Fault::Status(503)).until_recovered();
    asker.ask("third").send().await;

    let seen = tenant.introspections();
    assert_eq!(
        seen.iter().map(|seen| &*seen.token).collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
    let basic = Some(ClientAuth::SecretBasic);
    assert_eq!(seen.iter().map(|seen| seen.client_auth).collect::<Vec<_>>(), [basic, None, basic]);
    assert!(seen[1].refusal.unwrap().contains("id"));
    assert_eq!((seen[0].refusal, seen[2].refusal), (None, None));
    for seen in seen {
        assert_eq!(seen.accept.as_deref(), Some("application/json"));
        assert_eq!(seen.content_type.as_deref(), Some("application/x-www-form-urlencoded"));
    }

    let client = plain_client();
    for _ in 0..1100 {
        client.get(tenant.url(Endpoint::Introspection)).send().await.unwrap();
    }
    assert_eq!(tenant.introspections().len(), 1000);
    assert_eq!(tenant.requests(Endpoint::Introspection), 1103);
}
