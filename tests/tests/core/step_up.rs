//! Operations that need more than a valid token with scopes: how and when the user authenticated,
//! implied scopes, alternatives, claims, groups from configuration, a sender constraint.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::support::{frozen_tenant, introspecting, protect, request_head};
use monocloud_backend::{
    Guard, Policy, ProtectApi, RequestHead,
    certificate::{CertificateBinding, PeerCertificate},
    policy::PolicyBuf,
};
use monocloud_testkit::{Certificate, Endpoint, Insufficient, MockTenant, StepUp, TokenBuilder};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};

const MFA: &str = "urn:example:mfa";
const PASSKEY: &str = "urn:example:passkey";

const ANY: Policy = Policy::ANY_TOKEN;
const STRONG: Policy = ANY.acr_values(&[MFA, PASSKEY]);
const RECENT: Policy = ANY.max_age(Duration::from_secs(300));
const STRONG_AND_RECENT: Policy = STRONG.max_age(Duration::from_secs(300));
const STRONG_WRITE: Policy = STRONG_AND_RECENT.scopes(&["posts:read", "posts:write"]);

/// The status, and the challenge after the realm.
async fn answer(guard: &Guard, token: &str) -> (u16, String) {
    answer_to(guard, request_head(&bearer(token))).await
}

async fn answer_to(guard: &Guard, head: RequestHead<'_>) -> (u16, String) {
    match guard.check(head).await {
        Ok(_) => (200, String::new()),
        Err(refusal) => {
            let challenge = refusal.challenges().next().expect("the caller is told");
            let challenge = challenge.to_str().unwrap();
            let parameters = challenge.strip_prefix(r#"Bearer realm="https://api.example.com""#);
            (refusal.status().as_u16(), parameters.expect(challenge).to_owned())
        }
    }
}

fn bearer(token: &str) -> HeaderMap {
    match token {
        "" => HeaderMap::new(),
        token => {
            HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
        }
    }
}

/// A JWT and an opaque token, which are to be treated alike.
fn both_kinds(tenant: &MockTenant) -> [TokenBuilder<'_>; 2] {
    [tenant.token(), tenant.opaque_token()]
}

fn accepted() -> (u16, String) {
    (200, String::new())
}

fn forbidden(parameters: &str) -> (u16, String) {
    (403, format!(r#", error="insufficient_scope"{parameters}"#))
}

fn api(tenant: &MockTenant) -> ProtectApi {
    introspecting(tenant).introspection_cache_in_memory().build().unwrap()
}

#[tokio::test]
async fn every_insufficient_token_of_the_catalogue_is_refused_and_its_controls_are_accepted() {
    let tenant = frozen_tenant().await;
    let protect = api(&tenant);
    let (strong, recent) = (StepUp::new().acr_values([MFA, PASSKEY]), StepUp::new().max_age(300));
    for (policy, demanded) in [
        (STRONG, strong.clone()),
        (RECENT, recent),
        (STRONG_AND_RECENT, strong.clone().max_age(300)),
        (STRONG_WRITE, strong.max_age(300)),
        (ANY.max_age(Duration::ZERO), StepUp::new().max_age(0)),
    ] {
        let guard = protect.require(policy);
        for token in both_kinds(&tenant) {
            let token = token.scope("posts:read posts:write");
            // Twice, so that an opaque token's result comes from the cache.
            for _ in 0..2 {
                for insufficient in Insufficient::all(&token, &demanded) {
                    let (status, challenge) = answer(&guard, &insufficient.token).await;
                    insufficient.assert_refused(status, Some(&challenge));
                }
                for control in demanded.controls(&token) {
                    let answer = answer(&guard, &control.token).await;
                    assert_eq!(answer, accepted(), "{} {policy:?}", control.name);
                }
            }
        }
    }
    // They are valid tokens: an operation that demands nothing accepts them.
    let guard = protect.require(ANY);
    for token in both_kinds(&tenant) {
        for insufficient in Insufficient::all(&token, &StepUp::new().acr_values([MFA]).max_age(300))
        {
            let answer = answer(&guard, &insufficient.token).await;
            assert_eq!(answer, accepted(), "{}", insufficient.name);
        }
    }
}

#[tokio::test]
async fn the_challenge_says_how_to_authenticate_and_names_scopes_only_if_they_are_missing_too() {
    const ACR: &str = r#", error="insufficient_user_authentication", error_description="the operation needs another kind of authentication""#;
    const AGE: &str = r#", error="insufficient_user_authentication", error_description="the operation needs a more recent authentication""#;
    const VALUES: &str = r#", acr_values="urn:example:mfa urn:example:passkey""#;
    const MAX_AGE: &str = r#", max_age="300""#;
    const SCOPE: &str = r#", scope="posts:read posts:write""#;
    let tenant = frozen_tenant().await;
    let protect = api(&tenant);
    for token in both_kinds(&tenant) {
        let token = || token.clone();
        let writer = || token().scope("posts:write posts:read");
        for (policy, token, expected) in [
            (STRONG, token(), format!("{ACR}{VALUES}")),
            (RECENT, token(), format!("{AGE}{MAX_AGE}")),
            (STRONG_AND_RECENT, token(), format!("{ACR}{VALUES}{MAX_AGE}")),
            (STRONG_AND_RECENT, token().acr(MFA), format!("{AGE}{VALUES}{MAX_AGE}")),
            (STRONG_AND_RECENT, token().authenticated_ago(0), format!("{ACR}{VALUES}{MAX_AGE}")),
            (STRONG_WRITE, token(), format!("{ACR}{VALUES}{MAX_AGE}{SCOPE}")),
            (STRONG_WRITE, token().scope("posts:read"), format!("{ACR}{VALUES}{MAX_AGE}{SCOPE}")),
            (STRONG_WRITE, writer(), format!("{ACR}{VALUES}{MAX_AGE}")),
            (STRONG_WRITE, writer().acr(PASSKEY), format!("{AGE}{VALUES}{MAX_AGE}")),
        ] {
            let answer = answer(&protect.require(policy), &token.mint()).await;
            assert_eq!(answer, (401, expected), "{policy:?}");
        }
        // Whoever authenticated well, and lacks a scope, need not authenticate again.
        let strong = token().acr(MFA).authenticated_ago(0).scope("posts:read").mint();
        let answer = answer(&protect.require(STRONG_WRITE), &strong).await;
        assert_eq!(answer, forbidden(SCOPE));
    }
}

#[tokio::test]
async fn a_cached_authentication_grows_old() {
    let tenant = frozen_tenant().await;
    let protect = introspecting(&tenant)
        .introspection_cache_in_memory()
        .introspection_cache_duration(Duration::from_secs(3600))
        .build()
        .unwrap();
    let guard = protect.require(RECENT);
    let token = tenant.opaque_token().authenticated_ago(0).expires_in(7200).mint();
    for advanced in [0, 300, 60] {
        tenant.clock().advance(Duration::from_secs(advanced));
        assert_eq!(answer(&guard, &token).await, accepted(), "{advanced}");
    }
    tenant.clock().advance(Duration::from_secs(1));
    let (status, challenge) = answer(&guard, &token).await;
    assert_eq!(status, 401);
    assert!(challenge.contains("a more recent authentication"), "{challenge}");
    assert_eq!(tenant.requests(Endpoint::Introspection), 1);
}

#[tokio::test]
async fn skew_and_tolerance_count_for_the_age_of_an_authentication() {
    let tenant = frozen_tenant().await;
    // By age: `now + skew - auth_time` is between `-tolerance` and `max_age + tolerance`.
    for (skew, tolerance, oldest, newest) in
        [(0, 60, 360, -60), (10, 60, 350, -70), (10, 5, 295, -15), (0, 0, 300, 0)]
    {
        let vars = [
            ("MONOCLOUD_BACKEND_CLOCK_SKEW", skew.to_string()),
            ("MONOCLOUD_BACKEND_CLOCK_TOLERANCE", tolerance.to_string()),
        ];
        let protect = introspecting(&tenant).vars(vars).build().unwrap();
        let guard = protect.require(RECENT);
        for token in both_kinds(&tenant) {
            for (age, status) in
                [(oldest, 200), (oldest + 1, 401), (newest, 200), (newest - 1, 401)]
            {
                let token = token.clone().authenticated_ago(age).mint();
                let (answered, _) = answer(&guard, &token).await;
                assert_eq!(answered, status, "skew {skew}, tolerance {tolerance}, age {age}");
            }
        }
    }
}

#[tokio::test]
async fn a_scope_implies_others_in_one_direction_and_the_challenge_names_what_is_declared() {
    const READ: Policy = ANY.scopes(&["posts:read"]);
    const PURGE: Policy = ANY.scopes(&["posts:purge"]);
    let tenant = frozen_tenant().await;
    let protect = api(&tenant)
        .implies("posts:write", &["posts:read"])
        .implies("posts:admin", &["posts:write", "posts:purge"]);
    let lacks = |scope: &str| forbidden(&format!(r#", scope="{scope}""#));
    for token in both_kinds(&tenant) {
        for (policy, scope, expected) in [
            (READ, "posts:admin", accepted()),
            (READ, "posts:write", accepted()),
            (READ, "posts:purge", lacks("posts:read")),
            (PURGE, "posts:admin", accepted()),
            (PURGE, "posts:write posts:read", lacks("posts:purge")),
            (STRONG_WRITE, "posts:admin", accepted()),
        ] {
            let token = token.clone().scope(scope).acr(MFA).authenticated_ago(0).mint();
            let answer = answer(&protect.require(policy), &token).await;
            assert_eq!(answer, expected, "{scope}");
        }
        // Implied scopes are not missing, and the challenge does not ask for them.
        let weak = token.scope("posts:admin").mint();
        let (status, challenge) = answer(&protect.require(STRONG_WRITE), &weak).await;
        assert_eq!(status, 401);
        assert!(!challenge.contains("scope"), "{challenge}");
    }
}

#[tokio::test]
async fn one_alternative_is_enough_and_the_challenge_is_that_of_the_nearest() {
    const EITHER: Policy = Policy::any_of(&[
        ANY.scopes(&["posts:read", "posts:write"]),
        ANY.any_group(&["admin"]).claim("plan", "pro"),
        ANY.scopes(&["emergency"]).acr_values(&[MFA]),
    ]);
    let tenant = frozen_tenant().await;
    let guard = api(&tenant).require(EITHER);
    let first = r#", scope="posts:read posts:write""#;
    let (status, challenge) = answer(&guard, "").await;
    assert_eq!((status, &*challenge), (401, first), "without a token, the first");
    let (status, challenge) = answer(&guard, "no.such.token").await;
    assert_eq!(status, 401);
    assert!(challenge.ends_with(first), "{challenge}");
    for token in both_kinds(&tenant) {
        let token = || token.clone();
        for (token, expected) in [
            (token().scope("posts:read posts:write"), accepted()),
            (token().groups(["admin"]).claim("plan", "pro"), accepted()),
            (token().scope("emergency").acr(MFA), accepted()),
            // Two are missing of each: the first.
            (token(), forbidden(first)),
            // One is missing of the second and of the third.
            (token().groups(["admin"]), forbidden("")),
            (token().scope("emergency").groups(["admin"]), forbidden("")),
            // One is missing of the first and of the second.
            (token().scope("posts:read").groups(["admin"]), forbidden(first)),
            (token().acr(MFA), forbidden(r#", scope="emergency""#)),
            (
                token().scope("emergency"),
                (
                    401,
                    r#", error="insufficient_user_authentication", error_description="the operation needs another kind of authentication", acr_values="urn:example:mfa""#.to_owned(),
                ),
            ),
            // Parts of several do not add up.
            (token().scope("posts:read emergency").claim("plan", "pro"), forbidden(first)),
        ] {
            let minted = token.mint();
            assert_eq!(answer(&guard, &minted).await, expected);
        }
    }
}

#[tokio::test]
async fn claims_are_required_by_value() {
    let tenant = frozen_tenant().await;
    let policy = PolicyBuf::any_token().claim("plan", "pro").unwrap();
    let policy = policy.claim("level", 3).unwrap().claim("verified", true).unwrap();
    let guard = api(&tenant).require(policy);
    let fitting = json!({ "plan": "pro", "level": 3, "verified": true });
    let with = |name: &str, value: Value| {
        let mut claims = fitting.clone();
        claims[name] = value;
        claims
    };
    for token in both_kinds(&tenant) {
        for (claims, expected) in [
            (fitting.clone(), accepted()),
            (with("plan", json!(["free", "pro"])), accepted()),
            (with("level", json!([3])), accepted()),
            (with("plan", json!("PRO")), forbidden("")),
            (with("plan", json!("pro free")), forbidden("")),
            (with("plan", json!(null)), forbidden("")),
            (with("level", json!("3")), forbidden("")),
            (with("level", json!(4)), forbidden("")),
            (with("verified", json!("true")), forbidden("")),
            (with("verified", json!(false)), forbidden("")),
            (json!({ "plan": "pro", "level": 3 }), forbidden("")),
        ] {
            let mut token = token.clone();
            for (name, value) in claims.as_object().unwrap() {
                token = token.claim(name, value);
            }
            let minted = token.mint();
            assert_eq!(answer(&guard, &minted).await, expected, "{claims}");
        }
    }
}

#[tokio::test]
async fn groups_may_come_from_configuration_at_run_time() {
    let tenant = frozen_tenant().await;
    let configured = String::from("ops on-call");
    let groups = || configured.split(' ');
    let any = PolicyBuf::any_token().any_group(groups()).unwrap();
    let all = PolicyBuf::any_token().all_groups(groups()).unwrap();
    let protect = api(&tenant);
    for token in both_kinds(&tenant) {
        for (groups, of_any, of_all) in
            [(&["ops"][..], 200, 403), (&["on-call", "ops"], 200, 200), (&["dev"], 403, 403)]
        {
            let minted = token.clone().groups(groups.iter().copied()).mint();
            for (policy, expected) in [(&any, of_any), (&all, of_all)] {
                let (status, _) = answer(&protect.require(policy.clone()), &minted).await;
                assert_eq!(status, expected, "{groups:?} {policy:?}");
            }
        }
    }
}

const UNBOUND: &str = r#", error="invalid_token", error_description="the token is not bound to its sender", scope="posts:read""#;

#[tokio::test]
async fn a_sender_constrained_operation_needs_a_bound_token_and_its_certificate() {
    const BOUND: Policy = ANY.scopes(&["posts:read"]).sender_constrained();
    let tenant = frozen_tenant().await;
    let own = Certificate::self_signed("own");
    let peer = PeerCertificate::from_der(own.der().to_vec()).unwrap();
    let of_connection = api(&tenant).require(BOUND);
    let behind_proxy = introspecting(&tenant).client_certificate_header("client-cert");
    let behind_proxy = behind_proxy.build().unwrap().require(BOUND);
    for token in both_kinds(&tenant) {
        let bound = token.clone().scope("posts:read").bound_to(&own).mint();
        let unbound = token.clone().scope("posts:read").mint();
        let no_scope = token.bound_to(&own).mint();
        for (token, expected) in [
            (&bound, accepted()),
            (&unbound, (401, UNBOUND.to_owned())),
            (&no_scope, forbidden(r#", scope="posts:read""#)),
        ] {
            let headers = bearer(token);
            let head = request_head(&headers).peer(Some(&peer));
            assert_eq!(answer_to(&of_connection, head).await, expected);
            let mut headers = bearer(token);
            let certificate = format!(":{}:", BASE64_STANDARD.encode(own.der()));
            headers.insert("client-cert", certificate.parse().unwrap());
            assert_eq!(answer_to(&behind_proxy, request_head(&headers)).await, expected);
        }
        // Without the certificate, a bound token is rejected before the policy is looked at.
        let (status, challenge) = answer(&of_connection, &bound).await;
        assert_eq!(status, 401);
        assert_ne!(challenge, UNBOUND);
    }
}

#[tokio::test]
async fn where_certificates_are_ignored_a_bound_token_is_not_sender_constrained() {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).certificate_binding(CertificateBinding::DangerouslyIgnore);
    let guard = builder.build().unwrap().require(ANY.scopes(&["posts:read"]).sender_constrained());
    let own = Certificate::self_signed("own");
    let peer = PeerCertificate::from_der(own.der().to_vec()).unwrap();
    let headers = bearer(&tenant.token().scope("posts:read").bound_to(&own).mint());
    let answer = answer_to(&guard, request_head(&headers).peer(Some(&peer))).await;
    assert_eq!(answer, (401, UNBOUND.to_owned()));
}
