//! Which claims a token must have, with a stopped clock that is moved to the limits.

use std::time::UNIX_EPOCH;

use harness::support::{Expected, frozen_tenant, get, invalid_token, ok, protect, serve, served};
use monocloud_backend::error::InvalidToken::{
    self, Audience, Claim, Expired, Issuer, NotYetValid, Signature,
};
use monocloud_testkit::{MockTenant, Signer};
use serde_json::{Value, json};

fn now(tenant: &MockTenant) -> u64 {
    tenant.clock().now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn expected(rejection: Option<InvalidToken>) -> Expected {
    rejection.map_or_else(ok, invalid_token)
}

/// Checks tokens in which one claim is replaced.
async fn assert_claim(name: &str, cases: &[(Value, Option<InvalidToken>)]) {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    for (value, rejection) in cases {
        let token = tenant.token().claim(name, value).mint();
        let case = format!("{name}: {value}");
        api.check(&case, get("/any").bearer(&token), &expected(*rejection)).await;
    }
}

#[tokio::test]
async fn exp_and_nbf_are_exact_to_the_second_with_skew_and_tolerance() {
    // Skew and tolerance; then offsets of exp and nbf that are just accepted and just rejected.
    for (skew, tolerance, [live, dead], [valid, early]) in [
        (0, 0, [1.0, 0.0], [0.0, 1.0]),
        (0, 60, [-59.0, -60.0], [60.0, 61.0]),
        (0, 60, [-59.5, -60.5], [59.5, 60.5]),
        (5, 0, [6.0, 5.0], [5.0, 6.0]),
        (5, 10, [-4.0, -5.0], [15.0, 16.0]),
        (3600, 3600, [0.5, 0.0], [7200.0, 7200.5]),
        (0, 3600, [-3599.0, -3600.0], [3600.0, 3601.0]),
        (3600, 0, [3601.0, 3600.0], [3600.0, 3601.0]),
    ] {
        let tenant = frozen_tenant().await;
        let seconds =
            |name: &str, value: u64| (format!("MONOCLOUD_BACKEND_CLOCK_{name}"), value.to_string());
        let times = [seconds("SKEW", skew), seconds("TOLERANCE", tolerance)];
        let api = serve(&protect(&tenant).vars(times).build().unwrap());
        let base = now(&tenant) as f64;
        for (claim, offset, rejection) in [
            ("exp", live, None),
            ("exp", dead, Some(Expired)),
            ("nbf", valid, None),
            ("nbf", early, Some(NotYetValid)),
        ] {
            let token = tenant.token().expires_in(9000).claim(claim, base + offset).mint();
            let case = format!("{claim} {offset}, skew {skew}, tolerance {tolerance}");
            api.check(&case, get("/any").bearer(&token), &expected(rejection)).await;
        }
    }
}

#[tokio::test]
async fn a_token_expires_while_it_is_in_use() {
    let tenant = frozen_tenant().await;
    let (api, token) = (served(&tenant), tenant.token().expires_in(10).mint());
    let one_second = std::time::Duration::from_secs(1);
    api.check("fresh", get("/any").bearer(&token), &ok()).await;
    tenant.clock().advance(69 * one_second);
    api.check("at its last second", get("/any").bearer(&token), &ok()).await;
    tenant.clock().advance(one_second);
    api.check("expired", get("/any").bearer(&token), &invalid_token(Expired)).await;
    tenant.clock().shift_wall(-1);
    api.check("the wall clock corrected", get("/any").bearer(&token), &ok()).await;
}

#[tokio::test]
async fn exp_is_a_time_between_1970_and_9999() {
    let latest = 253_402_300_799_u64;
    let mut cases =
        vec![(json!(latest), None), (json!(0), Some(Expired)), (json!(1), Some(Expired))];
    for odd in [
        json!(null),
        json!("4102444800"),
        json!(""),
        json!(true),
        json!([4_102_444_800_u64]),
        json!({}),
        json!(-1),
        json!(-0.5),
        json!(latest + 1),
        json!(u64::MAX),
        json!(1e300),
        json!(i64::MIN),
    ] {
        cases.push((odd, Some(Claim("exp"))));
    }
    assert_claim("exp", &cases).await;
}

#[tokio::test]
async fn nbf_if_present_is_a_time_between_1970_and_9999() {
    let latest = 253_402_300_799_u64;
    let mut cases = vec![(json!(0), None), (json!(0.5), None), (json!(latest), Some(NotYetValid))];
    for odd in [
        json!(null),
        json!("0"),
        json!(false),
        json!([0]),
        json!({}),
        json!(-1),
        json!(latest + 1),
        json!(1e300),
    ] {
        cases.push((odd, Some(Claim("nbf"))));
    }
    assert_claim("nbf", &cases).await;
}

#[tokio::test]
async fn iat_and_jti_are_not_validated_and_sub_is_a_string() {
    for (name, rejection) in [("iat", None), ("jti", None), ("sub", Some(Claim("sub")))] {
        let odd = [json!(null), json!(7), json!([]), json!({"a": 1}), json!(true)];
        let mut cases = odd.map(|odd| (odd, rejection)).to_vec();
        cases.push((json!(""), None));
        assert_claim(name, &cases).await;
    }
}

#[tokio::test]
async fn iss_equals_the_issuer_byte_for_byte() {
    let tenant = MockTenant::builder().path("/acme").start().await;
    let (api, issuer) = (served(&tenant), tenant.issuer().to_owned());
    for (iss, rejection) in [
        (json!(issuer), None),
        (json!(format!("{issuer}/")), Some(Issuer)),
        (json!(format!("{issuer}/evil")), Some(Issuer)),
        (json!(format!("{issuer}.evil.test")), Some(Issuer)),
        (json!(format!(" {issuer}")), Some(Issuer)),
        (json!(format!("{issuer}\0")), Some(Issuer)),
        (json!(issuer.replace("/acme", "/ACME")), Some(Issuer)),
        (json!(issuer.replace("/acme", "")), Some(Issuer)),
        (json!(issuer.replace("http:", "HTTP:")), Some(Issuer)),
        (json!(issuer.replace("http:", "https:")), Some(Issuer)),
        (json!(issuer.replace("127.0.0.1", "localhost")), Some(Issuer)),
        (json!(""), Some(Issuer)),
        (json!(null), Some(Claim("iss"))),
        (json!([issuer]), Some(Claim("iss"))),
        (json!({"iss": issuer}), Some(Claim("iss"))),
        (json!(1), Some(Claim("iss"))),
    ] {
        let token = tenant.token().claim("iss", &iss).mint();
        api.check(&iss.to_string(), get("/any").bearer(&token), &expected(rejection)).await;
    }
}

#[tokio::test]
async fn aud_is_a_string_or_an_array_of_strings_that_contains_the_audience() {
    let audience = "https://api.example.com";
    assert_claim(
        "aud",
        &[
            (json!(audience), None),
            (json!([audience]), None),
            (json!(["other", audience]), None),
            (json!([audience, audience]), None),
            (json!("https://api.example.com/"), Some(Audience)),
            (json!("https://API.example.com"), Some(Audience)),
            (json!("https://api.example.com.evil.test"), Some(Audience)),
            (json!("https://api.example.com https://b.test"), Some(Audience)),
            (json!("api.example.com"), Some(Audience)),
            (json!(""), Some(Audience)),
            (json!([]), Some(Audience)),
            (json!(["https://api", ".example.com"]), Some(Audience)),
            (json!(null), Some(Claim("aud"))),
            (json!([audience, null]), Some(Claim("aud"))),
            (json!([audience, 7]), Some(Claim("aud"))),
            (json!([[audience]]), Some(Claim("aud"))),
            (json!({"0": audience}), Some(Claim("aud"))),
            (json!({audience: true}), Some(Claim("aud"))),
        ],
    )
    .await;
}

#[tokio::test]
async fn only_iss_aud_and_exp_are_required() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    for claim in ["iss", "aud", "exp"] {
        let token = tenant.token().without(claim).mint();
        let rejection = invalid_token(Claim(claim));
        api.check(&format!("without {claim}"), get("/any").bearer(&token), &rejection).await;
    }
    for claim in ["nbf", "iat", "sub", "jti", "client_id"] {
        let token = tenant.token().without(claim).mint();
        api.check(&format!("without {claim}"), get("/any").bearer(&token), &ok()).await;
    }
}

/// Each token has one fault less than the previous one, and the answer names the first of the rest.
#[tokio::test]
async fn the_signature_is_checked_first_then_iss_aud_exp_nbf_and_sub() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let faults = [
        ("iss", json!("x")),
        ("aud", json!("x")),
        ("exp", json!(1)),
        ("nbf", json!(9e10)),
        ("sub", json!(1)),
    ];
    let with_faults_from = |first: usize| {
        let faulty = faults[first..].iter();
        faulty.fold(tenant.token(), |token, (name, value)| token.claim(name, value))
    };
    let forged = with_faults_from(0).signed_by(Signer::Foreign).mint();
    api.check("forged", get("/any").bearer(&forged), &invalid_token(Signature)).await;
    for (first, rejection) in
        [Issuer, Audience, Expired, NotYetValid, Claim("sub")].into_iter().enumerate()
    {
        let token = with_faults_from(first).mint();
        api.check(faults[first].0, get("/any").bearer(&token), &invalid_token(rejection)).await;
    }
}
