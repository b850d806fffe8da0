//! Claims in a type of the application's: which tokens fit, and what is said of those that do not.

use harness::support::{
    Expected, Log, Profile, READ, frozen_tenant, get, introspecting, invalid_token, protect,
    request_head, says, serve,
};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use monocloud_backend::{
    Authenticated, Bearer, Claims, Error, error::InvalidToken, policy::AnyToken,
};
use monocloud_testkit::MockTenant;
use serde_json::{Value, json};
use tracing::Level;

fn unfit() -> Expected {
    invalid_token(InvalidToken::TypedClaims)
}

/// A JWT and an opaque token with these claims.
fn tokens(tenant: &MockTenant, claims: &Value) -> [String; 2] {
    let (mut jwt, mut opaque) = (tenant.token(), tenant.opaque_token());
    for (name, value) in claims.as_object().unwrap() {
        jwt = jwt.claim(name, value.clone());
        opaque = opaque.claim(name, value.clone());
    }
    [jwt.subject("alice").mint(), opaque.subject("alice").mint()]
}

#[tokio::test]
async fn a_token_fits_if_each_claim_of_the_type_has_its_type_and_none_is_missing() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    for (case, claims, expected) in [
        ("all", json!({"email": "a@b.example", "plan": "pro"}), says("alice a@b.example pro")),
        ("an optional one is absent", json!({"email": "a@b.example"}), says("alice a@b.example -")),
        ("others are ignored", json!({"email": "", "age": [1]}), says("alice  -")),
        ("one is missing", json!({"plan": "pro"}), unfit()),
        ("one is of another type", json!({"email": 7}), unfit()),
        ("an optional one is of another type", json!({"email": "", "plan": ["pro"]}), unfit()),
    ] {
        for token in tokens(&tenant, &claims) {
            // The second request for an opaque token is answered from the cache.
            for _ in 0..2 {
                api.check(case, get("/profile").bearer(&token), &expected).await;
            }
        }
    }
}

#[tokio::test]
async fn the_log_names_the_path_and_the_type_and_never_the_value() {
    let tenant = frozen_tenant().await;
    let (api, log) = (serve(&introspecting(&tenant).build().unwrap()), Log::capture());
    for (claims, path) in [
        (json!({"plan": "canary"}), "email"),
        (json!({"email": ["canary"]}), "email"),
        (json!({"email": "canary", "plan": {"canary": "canary"}}), "plan"),
    ] {
        for token in tokens(&tenant, &claims) {
            let before = log.lines(Level::DEBUG).len();
            api.check(path, get("/profile").bearer(&token), &unfit()).await;
            let lines = log.lines(Level::DEBUG).split_off(before);
            let found = lines.iter().filter(|line| {
                line.contains(&format!("path=\"{path}\"")) && line.contains("Profile")
            });
            assert_eq!(found.count(), 1, "{path}: {lines:?}");
        }
    }
    assert_eq!(log.count("canary"), 0);
}

#[tokio::test]
async fn the_refusal_has_the_realm_the_scope_the_metadata_and_the_body_of_the_api() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).realm("posts").problem_details().build().unwrap();
    let _ = protect.serve_resource_metadata().unwrap();
    let token = format!("Bearer {}", tenant.token().scope("posts:read").mint());
    let headers = [(AUTHORIZATION, token.parse().unwrap())].into_iter().collect();
    let caller = protect.require(READ).check(request_head(&headers)).await.unwrap();
    let refusal = caller.require().unwrap().typed::<Profile>().unwrap_err();
    let answer = refusal.response();
    let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    let start = r#"Bearer realm="posts", error="invalid_token", error_description="a claim of the token is missing or malformed", scope="posts:read", resource_metadata=""#;
    assert!(challenge.starts_with(start), "{challenge}");
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((answer.status().as_u16(), &body["code"]), (401, &json!("typed_claims")));
}

#[tokio::test]
async fn the_doctor_says_which_path_of_a_token_does_not_fit() {
    let tenant = frozen_tenant().await;
    let protect = introspecting(&tenant).build().unwrap();
    for token in tokens(&tenant, &json!({"email": {"a": "canary"}})) {
        let diagnosis = protect.diagnose_as::<Profile>(&token).await;
        let report = diagnosis.to_string();
        let expected = "do not fit harness::support::guards::Profile at \"email\"";
        assert!(report.contains("token-claim") && report.contains(expected), "{report}");
        assert!(!diagnosis.is_healthy() && !report.contains("canary"), "{report}");
        assert!(!report.contains("accepts the token"), "{report}");
        // It cannot know the type by itself.
        assert!(protect.diagnose(Some(&token)).await.is_healthy());
    }
    for token in tokens(&tenant, &json!({"email": "a@b.example"})) {
        let diagnosis = protect.diagnose_as::<Profile>(&token).await;
        assert!(diagnosis.is_healthy(), "{diagnosis}");
        assert!(diagnosis.to_string().contains("accepts the token"), "{diagnosis}");
    }
}

#[test]
fn a_handler_with_a_typed_caller_is_tested_alone() {
    fn handler(caller: &Bearer<AnyToken, Profile>) -> String {
        caller.claims().text(caller.token_claims())
    }
    let caller = |claims| Authenticated::for_tests(Claims::for_tests(claims)).typed();
    let alice = caller(json!({"sub": "alice", "email": "a@b.example"})).unwrap();
    assert_eq!(handler(&Bearer::for_tests(alice)), "alice a@b.example -");
    let refusal = caller(json!({"sub": "alice"})).unwrap_err();
    assert!(matches!(refusal.error(), Error::InvalidToken(InvalidToken::TypedClaims)));
}
