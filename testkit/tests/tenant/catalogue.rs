use std::collections::{BTreeSet, HashSet};

use monocloud_testkit::{Algorithm, Class, Clock, Control, Endpoint, Hostile, MockTenant};
use serde_json::Value;

use crate::reader::{fetch, is_signed, segment, verify};

#[tokio::test]
async fn every_name_is_unique_and_kebab_case() {
    let tenant = MockTenant::start().await;
    let hostile = Hostile::all(&tenant).into_iter().map(|it| it.name);
    let controls = Control::all(&tenant).into_iter().map(|it| it.name);
    let mut seen = HashSet::new();
    for name in hostile.chain(controls) {
        assert!(seen.insert(name), "{name} exists twice");
        let kebab = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        assert!(name.bytes().all(kebab), "{name}");
    }
    assert!(seen.len() > 300, "{}", seen.len());
}

#[tokio::test]
async fn every_token_is_allowed_in_an_authorization_header() {
    let tenant = MockTenant::start().await;
    for hostile in Hostile::all(&tenant) {
        // RFC 6750 §2.1, `b64token`.
        let token = hostile.token.trim_end_matches('=');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        assert!(!token.is_empty(), "{}", hostile.name);
        assert!(token.bytes().all(allowed), "{}", hostile.name);
    }
}

#[tokio::test]
async fn only_tokens_about_size_are_longer_than_16_kib() {
    let tenant = MockTenant::start().await;
    for hostile in Hostile::all(&tenant) {
        let long = hostile.token.len() > 16 * 1024;
        assert_eq!(long, hostile.class == Class::Size, "{}", hostile.name);
    }
    for control in Control::all(&tenant) {
        assert!(control.token.len() <= 16 * 1024, "{}", control.name);
    }
}

#[tokio::test]
async fn controls_verify() {
    let tenant = MockTenant::builder().scope("posts:read").start().await;
    for control in Control::all(&tenant) {
        let verified = verify(&tenant, &control.token).await;
        assert!(verified.is_ok(), "{}: {verified:?}", control.name);
        assert_eq!(verified.unwrap()["scope"], "posts:read");
    }
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn there_is_a_catalogue_for_every_algorithm() {
    let rs256 = Hostile::all(&MockTenant::start().await).len();
    for algorithm in Algorithm::ALL {
        let tenant = MockTenant::builder().algorithm(algorithm).start().await;
        assert_eq!(Hostile::all(&tenant).len(), rs256);
        for hostile in Hostile::of(&tenant, Class::BadSignature) {
            let verified = verify(&tenant, &hostile.token).await;
            assert!(verified.is_err(), "{algorithm} {}", hostile.name);
        }
        for control in Control::all(&tenant) {
            let verified = verify(&tenant, &control.token).await;
            assert!(verified.is_ok(), "{algorithm} {}", control.name);
        }
    }
}

#[tokio::test]
async fn no_forged_token_is_signed_by_a_published_key() {
    let tenant = MockTenant::start().await;
    let classes = [Class::KeyConfusion, Class::BadSignature, Class::EcdsaEdge, Class::EmbeddedKey];
    for hostile in of(&tenant, &classes) {
        let by_chance = is_signed(&tenant.jwks(), &hostile.token);
        assert!(!by_chance, "{}", hostile.name);
        assert!(verify(&tenant, &hostile.token).await.is_err());
    }
}

#[tokio::test]
async fn the_canary_serves_the_attackers_keys() {
    let tenant = MockTenant::start().await;
    let forged = Hostile::of(&tenant, Class::EmbeddedKey);
    assert_eq!(tenant.requests(Endpoint::Canary), 0);

    let bait = fetch(&tenant.url(Endpoint::Canary)).await;
    assert!(forged.iter().all(|hostile| is_signed(&bait, &hostile.token)));
    assert_eq!(tenant.requests(Endpoint::Canary), 1);
}

#[tokio::test]
async fn a_verifier_that_checks_only_signatures_rejects_some_classes() {
    let tenant = MockTenant::start().await;
    let classes =
        [Class::AlgNone, Class::AlgSwap, Class::KidInjection, Class::RetiredKey, Class::Structure];
    for hostile in of(&tenant, &classes) {
        let verified = verify(&tenant, &hostile.token).await;
        assert!(verified.is_err(), "{}", hostile.name);
    }
}

#[tokio::test]
async fn one_claim_is_changed_and_the_signature_is_valid() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let classes = [
        (Class::Issuer, vec!["iss", "issuer"]),
        (Class::Audience, vec!["aud", "resource"]),
        (Class::Time, vec!["exp", "nbf", "expires_in"]),
        (Class::Subject, vec!["sub"]),
        (Class::Binding, vec!["cnf"]),
    ];
    let control = tenant.token().mint();
    for (class, claims) in classes {
        for hostile in Hostile::of(&tenant, class) {
            assert!(is_signed(&tenant.jwks(), &hostile.token), "{}", hostile.name);
            assert_eq!(segment(&hostile.token, 0), segment(&control, 0));
            let changed = changed_members(&hostile.token, &control, 1);
            let expected = changed.iter().all(|name| claims.contains(&name.as_str()));
            assert!(!changed.is_empty() && expected, "{}: {changed:?}", hostile.name);
        }
    }
}

#[tokio::test]
async fn one_header_parameter_is_changed_and_the_signature_is_valid() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let control = tenant.token().mint();
    for hostile in of(&tenant, &[Class::TokenType, Class::Crit]) {
        assert!(is_signed(&tenant.jwks(), &hostile.token), "{}", hostile.name);
        assert_eq!(changed_members(&hostile.token, &control, 1).len(), 0);
        let changed = changed_members(&hostile.token, &control, 0);
        assert!(!changed.is_empty(), "{}", hostile.name);
        let kept = ["alg", "kid"].iter().all(|name| !changed.contains(*name));
        assert!(kept, "{}: {changed:?}", hostile.name);
    }
}

#[tokio::test]
async fn unusual_json_has_valid_signatures() {
    let tenant = MockTenant::start().await;
    for hostile in Hostile::of(&tenant, Class::Json) {
        assert!(is_signed(&tenant.jwks(), &hostile.token), "{}", hostile.name);
    }
}

#[tokio::test]
async fn assertions_name_the_token() {
    let tenant = MockTenant::start().await;
    let hostile = Hostile::of(&tenant, Class::AlgNone).remove(0);
    hostile.assert_refused(401, Some(r#"Bearer realm="x", error="invalid_token""#));
    let accepted = std::panic::catch_unwind(|| hostile.assert_refused(200, None));
    let message = accepted.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains(hostile.name), "{message}");

    let control = Control::all(&tenant).remove(0);
    control.assert_accepted(204);
    assert!(std::panic::catch_unwind(|| control.assert_accepted(401)).is_err());
}

fn of(tenant: &MockTenant, classes: &[Class]) -> Vec<Hostile> {
    let all = classes.iter().map(|class| Hostile::of(tenant, *class));
    all.flatten().collect()
}

/// The members in which two tokens differ, apart from those that always do.
fn changed_members(token: &str, other: &str, index: usize) -> BTreeSet<String> {
    let [token, other] = [token, other].map(|token| members(&segment(token, index).unwrap()));
    let difference = token.symmetric_difference(&other);
    let names = difference.map(|(name, _)| name.clone());
    names.filter(|name| name != "jti").collect()
}

pub(crate) fn members(object: &Value) -> BTreeSet<(String, String)> {
    let object = object.as_object().expect("an object");
    let members = object.iter();
    members.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// Whatever the scheme and the host of the tenant are.
#[tokio::test]
async fn each_token_of_another_issuer_has_another_issuer() {
    for tenant in [
        MockTenant::builder().tls().start().await,
        MockTenant::builder().issuer("http://tenant:4444/acme").start().await,
        MockTenant::builder().issuer("http://[::1]:4444").start().await,
    ] {
        let control = tenant.token().mint();
        for hostile in Hostile::of(&tenant, Class::Issuer) {
            let changed = changed_members(&hostile.token, &control, 1);
            assert!(changed.contains("iss"), "{} of {}", hostile.name, tenant.issuer());
        }
    }
}

#[tokio::test]
async fn each_token_for_another_audience_has_another_audience() {
    for audience in ["https://api.example.com", "API-1", "42", "api-é"] {
        let tenant = MockTenant::builder().audience(audience).start().await;
        let control = tenant.token().mint();
        for hostile in Hostile::of(&tenant, Class::Audience) {
            let changed = changed_members(&hostile.token, &control, 1);
            assert!(changed.contains("aud"), "{} of {audience}", hostile.name);
        }
    }
}
