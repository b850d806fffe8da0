//! Which JWT headers and algorithms are accepted.

use harness::support::{get, invalid_token, ok, protect, serve, served};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::{Algorithm, Endpoint, MockTenant, TokenBuilder};
use serde_json::{Value, json};

/// Checks that tokens are rejected for this reason, without a request to the tenant.
pub(crate) async fn assert_rejected_locally(
    tenant: &MockTenant,
    cases: &[(&str, String)],
    reason: InvalidToken,
) {
    let api = served(tenant);
    for (case, token) in cases {
        api.check(case, get("/any").bearer(token), &invalid_token(reason)).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
    assert_eq!(tenant.requests(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn all_ten_algorithms_are_accepted_and_ed25519_under_both_names() {
    let tenant = MockTenant::start().await;
    let mut tokens = Algorithm::ALL
        .map(|algorithm| (algorithm.as_str(), tenant.token().algorithm(algorithm).mint()))
        .to_vec();
    let ed25519 = tenant.token().algorithm(Algorithm::EdDsa).header("alg", "Ed25519");
    tokens.push(("Ed25519", ed25519.mint()));
    let api = served(&tenant);
    for (name, token) in &tokens {
        api.check(name, get("/any").bearer(token), &ok()).await;
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 1);
}

#[tokio::test]
async fn other_algorithm_names_are_rejected() {
    let tenant = MockTenant::start().await;
    let mut cases = Vec::new();
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS256",
        "HS384",
        "HS512",
        "hs256",
        "rs256",
        "RS256 ",
        "RS1",
        "RS257",
        "ES256K",
        "Ed448",
        "EDDSA",
        "ML-DSA-44",
        "RSA-OAEP",
        "A128KW",
        "dir",
    ] {
        cases.push((name, tenant.token().header("alg", name).mint()));
    }
    for (case, odd) in [
        ("null", json!(null)),
        ("a number", json!(256)),
        ("an array", json!(["RS256"])),
        ("an object", json!({"alg": "RS256"})),
    ] {
        cases.push((case, tenant.token().header("alg", odd).mint()));
    }
    cases.push(("absent", tenant.token().without_header("alg").mint()));
    assert_rejected_locally(&tenant, &cases, InvalidToken::Algorithm).await;
}

#[tokio::test]
async fn typ_may_be_absent_or_any_spelling_of_an_access_tokens_type() {
    let tenant = MockTenant::start().await;
    let api = served(&tenant);
    for typ in [
        "application/jwt",
        "Application/JWT",
        "JWT",
        "jwt",
        "Jwt",
        "at+jwt",
        "AT+JWT",
        "At+jwt",
        "application/at+jwt",
        "APPLICATION/at+JWT",
    ] {
        let token = tenant.token().header("typ", typ).mint();
        api.check(typ, get("/any").bearer(&token), &ok()).await;
    }
    let token = tenant.token().without_header("typ").mint();
    api.check("absent", get("/any").bearer(&token), &ok()).await;
}

#[tokio::test]
async fn a_token_of_another_typ_is_rejected() {
    let tenant = MockTenant::start().await;
    let typ = |typ: Value| tenant.token().header("typ", typ).mint();
    let mut cases: Vec<_> = [
        "",
        " ",
        "at+jwt ",
        "at",
        "at-jwt",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "text/jwt",
        "jwt; a=b",
        "text/at+jwt",
        "application/application/at+jwt",
        "JWE",
        "JOSE",
    ]
    .map(|text| (text, typ(json!(text))))
    .to_vec();
    for (case, odd) in
        [("null", json!(null)), ("a number", json!(1)), ("an array", json!(["at+jwt"]))]
    {
        cases.push((case, typ(odd)));
    }
    assert_rejected_locally(&tenant, &cases, InvalidToken::Type).await;
}

#[tokio::test]
async fn strict_mode_accepts_only_tokens_typed_as_access_tokens() {
    let tenant = MockTenant::start().await;
    let api = serve(&protect(&tenant).require_rfc9068().build().unwrap());
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let token = tenant.token().header("typ", typ).mint();
        api.check(typ, get("/any").bearer(&token), &ok()).await;
    }
    let absent = tenant.token().without_header("typ").mint();
    let jwt = tenant.token().header("typ", "JWT").mint();
    let prefixed = tenant.token().header("typ", "application/jwt").mint();
    for (case, token) in [("absent", absent), ("JWT", jwt), ("application/jwt", prefixed)] {
        api.check(case, get("/any").bearer(&token), &invalid_token(InvalidToken::Type)).await;
    }
    for claim in ["sub", "client_id", "jti", "iat"] {
        let missing = invalid_token(InvalidToken::Claim(claim));
        let without = tenant.token().without(claim).mint();
        api.check(claim, get("/any").bearer(&without), &missing).await;
        let odd = tenant.token().claim(claim, json!([1])).mint();
        api.check(claim, get("/any").bearer(&odd), &missing).await;
    }
}

#[tokio::test]
async fn a_token_that_needs_an_extension_is_rejected() {
    let tenant = MockTenant::start().await;
    let header = |name, value: Value| tenant.token().header(name, value).mint();
    let cases = [
        ("crit with a claim", header("crit", json!(["exp"]))),
        ("an empty crit", header("crit", json!([]))),
        ("crit null", header("crit", json!(null))),
        ("a string as crit", header("crit", json!("b64"))),
        ("b64 false", header("b64", json!(false))),
        ("b64 true", header("b64", json!(true))),
        ("both", tenant.token().header("crit", json!(["b64"])).header("b64", false).mint()),
    ];
    assert_rejected_locally(&tenant, &cases, InvalidToken::Critical).await;
}

#[tokio::test]
async fn keys_that_a_token_contains_or_names_are_never_used() {
    let tenant = MockTenant::start().await;
    let api = served(&tenant);
    let (url, jwk) = (tenant.url(Endpoint::Canary), tenant.jwks()["keys"][0].clone());
    let with_keys = |token: TokenBuilder<'_>| {
        let token = token.header("jwk", &jwk).header("jku", &url).header("x5u", &url);
        token.header("x5c", ["AAAA"]).header("x5t", "AAAA").header("x5t#S256", "AAAA").mint()
    };
    let own = with_keys(tenant.token());
    api.check("beside a good kid", get("/any").bearer(&own), &ok()).await;
    let other = with_keys(tenant.token().header("kid", "other"));
    let unknown = invalid_token(InvalidToken::UnknownKey);
    api.check("beside an unknown kid", get("/any").bearer(&other), &unknown).await;
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}
