//! What the doctor reports about a token: the API's decision, and why.

use harness::support::{frozen_tenant, get, introspecting, protect, serve};
use monocloud_backend::{
    certificate::CertificateBinding,
    diagnosis::{FindingKind, Severity},
};
use monocloud_testkit::{ClientAuth, Control, Endpoint, Fault, Hostile, MockTenant, Signer};
use serde_json::json;

use crate::diagnosis::problems;

async fn report_on(tenant: &MockTenant, token: &str) -> String {
    problems(tenant, protect(tenant), Some(token)).await
}

#[tokio::test]
async fn a_wrong_issuer_or_audience_is_reported_with_the_expected_and_the_actual_value() {
    let tenant = frozen_tenant().await;
    let token = tenant
        .token()
        .claim("iss", format!("{}/", tenant.issuer()))
        .claim("aud", ["https://api.example.com/", "other"])
        .expires_in(-7_200)
        .mint();
    insta::assert_snapshot!(report_on(&tenant, &token).await, @r#"
    error token-issuer the token was issued by "https://acme.test/"; "https://acme.test" is configured, compared byte for byte
    → they differ in form alone, and no value of MONOCLOUD_BACKEND_TENANT_DOMAIN can say "https://acme.test/": have the tenant call itself https://acme.test
    error token-audience the token is for "https://api.example.com/", "other"; "https://api.example.com" is configured, compared byte for byte
    → they differ in a slash at the end: set MONOCLOUD_BACKEND_AUDIENCE to "https://api.example.com/", or ask for "https://api.example.com"
    error token-expired the token expired 2 hours ago; 60 seconds are tolerated
    → request a new one; if it was just issued, check this machine's clock
    "#);
    let token = tenant.token().claim("iss", "https://login.example.com").claim("aud", "web").mint();
    insta::assert_snapshot!(report_on(&tenant, &token).await, @r#"
    error token-issuer the token was issued by "https://login.example.com"; "https://acme.test" is configured, compared byte for byte
    → if that is your tenant, set MONOCLOUD_BACKEND_TENANT_DOMAIN=https://login.example.com
    error token-audience the token is for "web"; "https://api.example.com" is configured, compared byte for byte
    → have the client ask for a token for this API, or set MONOCLOUD_BACKEND_AUDIENCE to what is yours
    "#);
}

#[tokio::test]
async fn an_ignored_key_is_named_with_the_reason() {
    let tenant = frozen_tenant().await;
    let token = tenant.token().mint();
    let mut jwks = tenant.jwks();
    let keys = jwks["keys"].as_array_mut().unwrap();
    keys.truncate(1);
    let kid = keys[0]["kid"].clone();
    let mut good = keys[0].clone();
    good["kid"] = json!("good");
    keys[0]["d"] = json!("canary");
    keys.push(json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AQAB"}));
    keys.push(good);
    tenant.publish(jwks);
    let diagnosis = protect(&tenant).build().unwrap().diagnose(Some(&token)).await.to_string();
    for line in [
        format!(
            "one key verifies JWTs: \"good\" (RS256); ignored: {kid} (it is private or symmetric), \
             a key without kid (its kty is not RSA, EC or OKP)"
        ),
        format!("token-key the tenant's key {kid} is ignored: it is private or symmetric"),
    ] {
        let has = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(has(&diagnosis).contains(&has(&line)), "{line} is not in\n{diagnosis}");
    }
    assert!(!diagnosis.contains("canary"), "{diagnosis}");
}

#[tokio::test]
async fn each_reason_has_its_own_message() {
    let tenant = frozen_tenant().await;
    let now = tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = || tenant.token();
    let good = token().mint();
    let cases = [
        (token().header("alg", "HS256").mint(), "token-algorithm the token's alg is \"HS256\""),
        (token().header("alg", "none").mint(), "token-algorithm the token's alg is \"none\""),
        (token().header("typ", "dpop+jwt").mint(), "token-type the token's typ is \"dpop+jwt\""),
        (token().header("crit", ["exp"]).mint(), "token-extension"),
        (token().header("kid", "gone").mint(), "its kid is \"gone\" and its alg \"RS256\""),
        (token().signed_by(Signer::Foreign).mint(), "token-signature the signature does not"),
        (token().claim("nbf", now + 600).mint(), "valid only in 10 minutes; 60 seconds are"),
        (token().claim("exp", "soon").mint(), "token-claim the token's exp is \"soon\""),
        (token().claim("sub", json!({"a": 1})).mint(), "token's sub is {\"a\":1}, which"),
        (token().without("exp").mint(), "token-claim the token's exp is missing"),
        (token().claim("cnf", json!({"jkt": "x"})).mint(), "bound by {\"jkt\":\"x\"}"),
        (token().claim("aud", json!([])).mint(), "token-audience the token is for an empty list"),
        (format!("{good}.a.b"), "token-encrypted"),
        (
            "a.b.c".to_owned(),
            "token-malformed the token has three parts like a JWT, but is not one",
        ),
        ("opaque".to_owned(), "token-opaque the token is opaque, and no client"),
        (format!("Bearer {good}"), "leave out the `Bearer`"),
        (format!("dpop {good}"), "leave out the `DPoP`"),
        (format!("{good}\n"), "there is white space around it"),
        (String::new(), "it is empty"),
        (good.repeat(40), "20"),
    ];
    for (token, words) in cases {
        let report = report_on(&tenant, &token).await;
        assert!(report.starts_with("error token-") && report.contains(words), "{words}: {report}");
    }
    assert_eq!(report_on(&tenant, &good).await, "");
}

#[tokio::test]
async fn a_bound_token_is_reported_as_valid_only_with_its_certificate() {
    let tenant = frozen_tenant().await;
    let bound = tenant.token().bound_to(&tenant.client_certificate("alice")).mint();
    insta::assert_snapshot!(report_on(&tenant, &bound).await, @r#"
    warning token-binding the token is bound to a certificate, and good only beside it
    → requests must come by TLS with that certificate; where a proxy ends TLS, set MONOCLOUD_BACKEND_CLIENT_CERTIFICATE_HEADER
    "#);
    let required = || protect(&tenant).certificate_binding(CertificateBinding::Required);
    let unbound = problems(&tenant, required(), Some(&tenant.token().mint())).await;
    assert!(unbound.contains("bound to no certificate, and every one must be"), "{unbound}");
    let proxied = required().client_certificate_header("X-Client-Cert");
    let report = problems(&tenant, proxied, Some(&bound)).await;
    assert!(report.contains("in the header x-client-cert"), "{report}");
}

#[tokio::test]
async fn an_opaque_token_is_introspected() {
    let tenant = frozen_tenant().await;
    let ask = async |token: &str| problems(&tenant, introspecting(&tenant), Some(token)).await;
    assert_eq!(ask(&tenant.opaque_token().mint()).await, "");
    assert!(ask("never-issued").await.starts_with("error token-inactive"));
    let other = ask(&tenant.opaque_token().claim("aud", "web").mint()).await;
    assert!(other.starts_with("error token-audience the token is for \"web\""), "{other}");
    let jwt = tenant.token().mint();
    tenant.revoke(&jwt);
    assert_eq!(ask(&jwt).await, "");
    let asking = introspecting(&tenant).introspect_jwt_tokens(true);
    let revoked = problems(&tenant, asking, Some(&jwt)).await;
    assert!(revoked.starts_with("error token-inactive"), "{revoked}");
    let seen: Vec<_> = tenant.introspections().into_iter().map(|seen| seen.token).collect();
    assert_eq!(seen.last(), Some(&jwt));
}

#[tokio::test]
async fn a_jwt_is_not_sent_to_the_tenant_unless_jwts_are_introspected() {
    let tenant = frozen_tenant().await;
    let jwt = tenant.token().mint();
    problems(&tenant, introspecting(&tenant), Some(&jwt)).await;
    let seen = tenant.introspections().pop().unwrap();
    assert!(seen.token.len() == 43 && seen.refusal.is_none(), "{seen:?}");
}

#[tokio::test]
async fn without_the_tenant_all_local_checks_are_still_made() {
    let tenant = frozen_tenant().await;
    tenant.fault(Endpoint::Jwks, Fault::Status(500)).until_recovered();
    let report = report_on(&tenant, &tenant.token().claim("aud", "web").mint()).await;
    assert!(report.contains("error token-audience") && report.contains("warning token-unverified"));
    tenant.fault(Endpoint::Introspection, Fault::Status(500)).until_recovered();
    let report = problems(&tenant, introspecting(&tenant), Some("opaque")).await;
    assert!(report.contains("warning token-unverified"), "{report}");
}

#[tokio::test]
async fn a_token_echoed_by_the_tenant_is_not_shown() {
    let tenant = frozen_tenant().await;
    let token = "opaque-canary-opaque-canary";
    tenant.introspection_answer(json!({
        "active": true, "iss": token, "aud": [token], "sub": format!("so {token}"), "nbf": token,
    }));
    let report = problems(&tenant, introspecting(&tenant), Some(token)).await;
    assert!(report.contains("[not shown]") && !report.contains("canary"), "{report}");
}

#[tokio::test]
async fn the_doctor_never_contradicts_the_api() {
    // The clock runs: with a stopped one, the doctor would report it as slow after so many tokens.
    let tenant = MockTenant::start().await;
    let api = protect(&tenant).vars(tenant.vars_for(ClientAuth::SecretPost)).build().unwrap();
    let served = serve(&api);
    let hostile = Hostile::all(&tenant).into_iter().map(|attack| attack.token);
    let control = Control::all(&tenant).into_iter().map(|control| control.token);
    let mut accepted = 0;
    for token in control.chain(hostile) {
        let status = served.send(get("/any").bearer(&token)).await.status;
        let diagnosis = api.diagnose(Some(&token)).await;
        let has = |kind, severity| {
            let mut findings = diagnosis.findings().iter();
            findings.any(|finding| (finding.kind, finding.severity) == (kind, severity))
        };
        let accepts = has(FindingKind::TokenAccepted, Severity::Note);
        // The calls above present no certificate.
        let needs_certificate = has(FindingKind::TokenBinding, Severity::Warning);
        assert_eq!(accepts && !needs_certificate, status == 200, "{token} {status}\n{diagnosis}");
        assert_eq!(diagnosis.is_healthy(), accepts, "{token} {status}\n{diagnosis}");
        accepted += usize::from(accepts);
    }
    assert!(accepted > 5, "{accepted}");
}

#[tokio::test]
async fn every_tenant_is_examined_and_a_token_is_validated_by_the_one_it_names() {
    let (own, partner) = (frozen_tenant().await, frozen_tenant().await);
    let partners = protect(&partner).audience("elsewhere").build().unwrap();
    let both = protect(&own).build().unwrap().also_accept(partners).unwrap();
    let token = partner.token().claim("aud", "nowhere").mint();
    let findings = both.diagnose(Some(&token)).await.findings().to_vec();
    let of = |kind| -> Vec<_> {
        let found = findings.iter().filter(|finding| finding.kind == kind);
        found.map(|finding| finding.tenant.as_deref().unwrap()).collect()
    };
    assert_eq!(of(FindingKind::Keys), [own.issuer(), partner.issuer()]);
    assert_eq!(of(FindingKind::TokenAudience), [partner.issuer()]);
    let shown = both.diagnose(Some(&token)).await.to_string();
    assert!(shown.contains(&format!("token-audience  {}: the token is for", partner.issuer())));
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        assert_eq!((own.requests(endpoint), partner.requests(endpoint)), (2, 2));
    }
}
