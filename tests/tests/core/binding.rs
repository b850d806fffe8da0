//! Tokens bound to a certificate or a key that is not presented.

use harness::support::{
    Expected, frozen_tenant, get, invalid_token, missing_scope, ok, protect, serve,
};
use monocloud_backend::{certificate::CertificateBinding, error::InvalidToken};
use serde_json::{Value, json};

async fn assert_mode(mode: CertificateBinding, cases: &[(Value, Expected)]) {
    let tenant = frozen_tenant().await;
    let api = serve(&protect(&tenant).certificate_binding(mode).build().unwrap());
    for (cnf, expected) in cases {
        let token = tenant.token().claim("cnf", cnf).mint();
        let case = format!("{mode:?} with cnf: {cnf}");
        api.check(&case, get("/any").bearer(&token), expected).await;
    }
}

#[tokio::test]
async fn a_bound_token_without_its_certificate_is_rejected() {
    let bound = || invalid_token(InvalidToken::Binding);
    let mut cases = vec![(json!(null), ok())];
    for cnf in [
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({"x5t#S256": ""}),
        json!({"x5t#S256": null}),
        json!({"x5t#sha256": "x"}),
        json!({"jwk": {}}),
        json!({"kid": "x"}),
        json!({}),
        json!([]),
        json!("{}"),
        json!(""),
        json!(false),
        json!(0),
    ] {
        cases.push((cnf, bound()));
    }
    let jkt = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    cases.push((jkt, invalid_token(InvalidToken::KeyBinding)));
    assert_mode(CertificateBinding::WhenPresent, &cases).await;
}

#[tokio::test]
async fn every_token_must_be_bound_if_binding_is_required() {
    assert_mode(
        CertificateBinding::Required,
        &[
            (json!(null), invalid_token(InvalidToken::Unbound)),
            (json!({}), invalid_token(InvalidToken::Binding)),
            (json!({"x5t#S256": "x"}), invalid_token(InvalidToken::Binding)),
            (json!({"jkt": "x"}), invalid_token(InvalidToken::KeyBinding)),
        ],
    )
    .await;
}

#[tokio::test]
async fn binding_to_a_certificate_can_be_ignored_but_binding_to_a_dpop_key_cannot() {
    assert_mode(
        CertificateBinding::DangerouslyIgnore,
        &[
            (json!(null), ok()),
            (json!({"x5t#S256": "x"}), ok()),
            (json!("odd"), ok()),
            (json!({"jkt": "x"}), invalid_token(InvalidToken::KeyBinding)),
            (json!({"jkt": null}), invalid_token(InvalidToken::KeyBinding)),
            (json!({"x5t#S256": "x", "jkt": "x"}), invalid_token(InvalidToken::KeyBinding)),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_binding_is_checked_after_the_claims_and_before_the_scopes() {
    let tenant = frozen_tenant().await;
    let api = serve(&protect(&tenant).build().unwrap());
    let bound = || tenant.token().claim("cnf", json!({"x5t#S256": "x"}));
    let invalid = |reason| invalid_token(reason).naming("posts:read");
    for (case, token, expected) in [
        ("bound, and no scope", bound(), invalid(InvalidToken::Binding)),
        ("bound, and expired", bound().expires_in(-61), invalid(InvalidToken::Expired)),
        ("bound, and no subject", bound().claim("sub", 1), invalid(InvalidToken::Claim("sub"))),
        ("not bound, and no scope", tenant.token(), missing_scope("posts:read")),
    ] {
        api.check(case, get("/read").bearer(&token.mint()), &expected).await;
    }
}

/// Any client can send these headers, so they prove nothing.
#[tokio::test]
async fn certificate_headers_are_ignored_unless_configured() {
    let tenant = frozen_tenant().await;
    let api = serve(&protect(&tenant).build().unwrap());
    let token = tenant.token().claim("cnf", json!({"x5t#S256": "x"})).mint();
    for header in ["client-cert", "x-forwarded-client-cert", "ssl-client-cert", "x-client-cert"] {
        let call = get("/any").bearer(&token).header(header, ":AAAA:");
        api.check(header, call, &invalid_token(InvalidToken::Binding)).await;
    }
}
