//! What the doctor reports about the tenant, the client and the clock.

use std::{fs, time::Duration};

use harness::support::{Http2, at_once, frozen_tenant, introspecting, protect};
use monocloud_backend::{
    ProtectApi, ProtectApiBuilder,
    config::ClientAuthMethod,
    diagnosis::{Diagnosis, FindingKind, Severity},
    http_client::{HttpClient, HttpFuture},
};
use monocloud_testkit::{ClientAuth, Clock, Endpoint, Fault, MockTenant, ServerCertificate};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The printed report, with the names of this run replaced, after a check that it has no secrets.
pub(crate) async fn report(
    tenant: &MockTenant,
    protect: ProtectApiBuilder,
    token: Option<&str>,
) -> String {
    let diagnosis = protect.build().unwrap().diagnose(token).await;
    assert_no_secrets(tenant, &diagnosis, token);
    let jwks = tenant.jwks();
    let kid = jwks["keys"][0]["kid"].as_str().unwrap();
    let text = diagnosis.to_string().replace(tenant.issuer(), "https://acme.test");
    text.replace(kid, "key-1").replace(tenant.client().id(), "my-api")
}

/// The lines of a report that are not notes.
pub(crate) async fn problems(
    tenant: &MockTenant,
    protect: ProtectApiBuilder,
    token: Option<&str>,
) -> String {
    let report = report(tenant, protect, token).await;
    let mut is_note = false;
    let lines = report.lines().filter(|line| {
        is_note = line.starts_with("note") || (is_note && line.starts_with(' '));
        !is_note
    });
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join("\n")
}

/// Checks that a report has no secret, no token and no control characters, and is sorted.
fn assert_no_secrets(tenant: &MockTenant, diagnosis: &Diagnosis, token: Option<&str>) {
    let json = serde_json::to_string(diagnosis).unwrap();
    for text in [diagnosis.to_string(), format!("{diagnosis:?}"), json] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.contains(tenant.client().secret()), "{text}");
        let signature = token.and_then(|token| token.rsplit('.').next());
        for secret in [token, signature].into_iter().flatten().filter(|it| it.len() > 20) {
            assert!(!text.contains(secret), "{text}");
        }
    }
    for finding in diagnosis.findings() {
        assert!(finding.message.lines().count() <= 1, "{finding:?}");
        assert!(finding.message.len() < 10_000, "{finding:?}");
    }
    let severities = diagnosis.findings().iter().map(|finding| finding.severity);
    assert!(severities.rev().is_sorted(), "{diagnosis}");
    let warnings = diagnosis.clone().at_least(Severity::Warning);
    assert!(warnings.findings().iter().all(|finding| finding.severity != Severity::Note));
    assert!(diagnosis.findings().starts_with(warnings.findings()), "{diagnosis}");
    let has_errors = diagnosis.to_string().starts_with("error");
    assert_eq!(diagnosis.is_healthy(), !has_errors, "{diagnosis}");
}

#[tokio::test]
async fn a_healthy_deployment_gets_only_notes() {
    let tenant = frozen_tenant().await;
    tenant.publish(json!({ "keys": [tenant.jwks()["keys"][0]] }));
    let mut metadata = tenant.metadata();
    metadata["dpop_signing_alg_values_supported"] = json!(null);
    tenant.serve_metadata(metadata);
    let token = tenant.token().subject("alice").scope("posts:read").mint();
    insta::assert_snapshot!(report(&tenant, introspecting(&tenant), Some(&token)).await, @r#"
    note     metadata        tenant https://acme.test is reachable
    note     clock           this machine's clock is within tolerance
    note     keys            one key verifies JWTs: "key-1" (RS256)
    note     introspection   the tenant answers the client "my-api" by client_secret_post
    note     token-accepted  this API accepts the token: sub "alice", client_id "test-client", scope "posts:read", good for 60 minutes
    "#);
    insta::assert_snapshot!(report(&tenant, protect(&tenant), None).await, @r#"
    note     metadata       tenant https://acme.test is reachable
    note     clock          this machine's clock is within tolerance
    note     keys           one key verifies JWTs: "key-1" (RS256)
    note     introspection  no client is configured: opaque tokens are rejected
                            → if there are any, set MONOCLOUD_BACKEND_CLIENT_ID and MONOCLOUD_BACKEND_CLIENT_SECRET
    "#);
}

#[tokio::test]
async fn every_authentication_method_is_healthy() {
    let tenant = MockTenant::builder().mutual_tls().start().await;
    for method in [
        ClientAuth::SecretBasic,
        ClientAuth::SecretJwt,
        ClientAuth::SpiffeJwt,
        ClientAuth::Tls,
        ClientAuth::SpiffeX509,
    ] {
        let protect = ProtectApi::builder().vars(tenant.vars_for(method));
        let report = report(&tenant, protect, None).await;
        assert!(report.contains(&format!("\"my-api\" by {}", method.as_str())), "{report}");
        let is_note = |line: &str| line.starts_with("note") || line.starts_with(' ');
        assert!(report.lines().all(is_note), "{report}");
    }
}

#[tokio::test]
async fn a_report_can_be_serialized_as_json() {
    let tenant = frozen_tenant().await;
    tenant.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
    let diagnosis = protect(&tenant).build().unwrap().diagnose(None).await;
    assert!(!diagnosis.is_healthy());
    let first = &diagnosis.findings()[0];
    assert_eq!((first.severity, first.kind), (Severity::Error, FindingKind::TenantStatus));
    let json = serde_json::to_value(&diagnosis).unwrap();
    let first = json!({
        "severity": "error",
        "kind": "tenant-status",
        "message": format!("{} answered with status 503: there is no key set", tenant.url(Endpoint::Jwks)),
        "advice": "the tenant, or a proxy before it, is in trouble: wait, and ask again",
    });
    assert_eq!(json["findings"][0], first);
    assert_eq!(json["findings"][1]["kind"], "metadata", "{json}");
    assert_eq!(json["findings"][1]["advice"], json!(null), "{json}");
}

#[tokio::test]
async fn a_tenant_that_does_not_answer_is_reported_with_the_likely_cause() {
    let tenant = MockTenant::builder().tls().start().await;
    let untrusting = ProtectApi::builder().tenant_domain(tenant.issuer()).audience("api");
    insta::assert_snapshot!(problems(&tenant, untrusting, None).await, @r#"
    error tenant-untrusted could not fetch the metadata from https://acme.test/.well-known/openid-configuration: invalid peer certificate: UnknownIssuer
    → if a proxy or a private authority vouches for it, set MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE to a PEM file with that authority
    "#);
    let trusting = || ProtectApi::builder().vars(tenant.vars());
    tenant.serve_certificate(ServerCertificate::Expired);
    let expired = problems(&tenant, trusting(), None).await;
    assert!(expired.contains("check this machine's clock"), "{expired}");

    let gone = MockTenant::start().await;
    let unreachable = protect(&gone);
    let (issuer, other) = (gone.issuer().to_owned(), frozen_tenant().await);
    drop(gone);
    let report = problems(&other, unreachable, None).await.replace(&issuer, "https://acme.test");
    insta::assert_snapshot!(report, @r#"
    error tenant-unreachable could not fetch the metadata from https://acme.test/.well-known/openid-configuration: Connection refused (os error 111)
    → nothing listens there: check host and port in MONOCLOUD_BACKEND_TENANT_DOMAIN
    "#);
}

#[tokio::test]
async fn a_tenant_that_never_answers_is_reported_as_a_timeout() {
    let tenant = frozen_tenant().await;
    let _fault = tenant.fault(Endpoint::Discovery, Fault::NeverAnswer);
    let time = async {
        at_once(tenant.requested(Endpoint::Discovery, 1)).await;
        tenant.clock().advance(Duration::from_secs(10));
    };
    let (report, ()) = tokio::join!(problems(&tenant, protect(&tenant), None), time);
    insta::assert_snapshot!(report, @r#"
    error tenant-timeout the metadata did not come in time from https://acme.test/.well-known/openid-configuration
    → check whether a firewall drops the connection, or HTTPS_PROXY and NO_PROXY name the wrong way; a slow tenant needs a greater MONOCLOUD_BACKEND_RESPONSE_TIMEOUT, in milliseconds
    "#);
}

#[tokio::test]
async fn a_host_without_an_address_is_distinguished_from_other_failures() {
    /// Fails as the built-in client does.
    struct Nowhere(&'static str);
    impl HttpClient for Nowhere {
        fn send(&self, _: http::Request<bytes::Bytes>, _: usize) -> HttpFuture<'_> {
            Box::pin(async { Err(self.0.into()) })
        }
    }
    let tenant = frozen_tenant().await;
    for (words, advice) in [
        ("dns error", "no such host: check that MONOCLOUD_BACKEND_TENANT_DOMAIN is correct"),
        ("tunnel error", "the proxy rejects this"),
        ("\u{1b}[31mred", "check HTTPS_PROXY, NO_PROXY and the firewall"),
    ] {
        let report = problems(&tenant, protect(&tenant).http_client(Nowhere(words)), None).await;
        assert!(
            report.starts_with("error tenant-unreachable could not fetch the metadata"),
            "{report}"
        );
        assert!(report.contains(advice), "{report}");
    }
}

#[tokio::test]
async fn a_status_comes_with_advice_about_the_domain() {
    let tenant = MockTenant::builder().path("/one").start().await;
    for (status, advice) in [
        (302, "redirects are not followed"),
        (403, "whether a firewall answers instead"),
        (404, "includes the path /one"),
        (429, "the tenant asks for a pause"),
        (500, "is in trouble"),
    ] {
        tenant.fault(Endpoint::Discovery, Fault::Status(status)).until_recovered();
        let report = problems(&tenant, protect(&tenant), None).await;
        let expected = format!(
            "error tenant-status https://acme.test/.well-known/openid-configuration answered with \
             status {status}: there is no metadata\n"
        );
        assert!(report.starts_with(&expected) && report.contains(advice), "{report}");
    }
}

#[tokio::test]
async fn a_wrong_issuer_is_reported_with_its_setting() {
    let tenant = frozen_tenant().await;
    let named = async |issuer: Value| {
        let mut metadata = tenant.metadata();
        metadata["issuer"] = issuer;
        tenant.serve_metadata(metadata);
        problems(&tenant, protect(&tenant), None).await
    };
    insta::assert_snapshot!(named(json!(format!("{}/", tenant.issuer()))).await, @r#"
    error issuer the metadata names the issuer "https://acme.test/"; "https://acme.test" is configured, compared byte for byte
    → they differ in form alone, and no value of MONOCLOUD_BACKEND_TENANT_DOMAIN can say "https://acme.test/": have the tenant call itself https://acme.test
    "#);
    insta::assert_snapshot!(named(json!("https://login.example.com")).await, @r#"
    error issuer the metadata names the issuer "https://login.example.com"; "https://acme.test" is configured, compared byte for byte
    → if that is your tenant, set MONOCLOUD_BACKEND_TENANT_DOMAIN=https://login.example.com
    "#);
    insta::assert_snapshot!(named(json!(null)).await, @r#"
    error issuer the metadata names no issuer; https://acme.test is configured
    → set MONOCLOUD_BACKEND_TENANT_DOMAIN to your tenant's own domain, as its console shows it
    "#);
    let pasted = named(json!("https://login.example.com/$(reboot)")).await;
    assert!(!pasted.contains("DOMAIN=https://login"), "{pasted}");
}

#[tokio::test]
async fn endpoints_on_another_host_are_a_warning_and_unusable_ones_are_reported() {
    let tenant = frozen_tenant().await;
    let with = async |members: Value| {
        let mut metadata = tenant.metadata();
        for (name, value) in members.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        tenant.serve_metadata(metadata);
        problems(&tenant, introspecting(&tenant), None).await
    };
    let elsewhere = json!({
        "authorization_endpoint": "https://login.example.com/authorize",
        "token_endpoint": "http://acme.test/token",
        "device_authorization_endpoint": "https://devices.example.com/start",
    });
    insta::assert_snapshot!(with(elsewhere).await, @r#"
    warning endpoint-elsewhere authorization_endpoint is at login.example.com, and the tenant at 127.0.0.1
    → fine if both are the tenant's, as with a custom domain; otherwise look at what MONOCLOUD_BACKEND_TENANT_DOMAIN names
    warning endpoint-unusable the tenant's metadata has no usable token_endpoint: it is not an https URL: "http://acme.test/token"
    → documents of this API show no login with it; correct it at the tenant, or at the proxy before it
    warning endpoint-elsewhere device_authorization_endpoint is at devices.example.com, and the tenant at 127.0.0.1
    → fine if both are the tenant's, as with a custom domain; otherwise look at what MONOCLOUD_BACKEND_TENANT_DOMAIN names
    "#);
    let unusable = json!({"jwks_uri": "http://acme.test/jwks"});
    let report = with(unusable).await;
    let expected = "error endpoint-unusable the tenant's metadata has no usable jwks_uri: it is not \
                    an https URL\n";
    assert!(report.starts_with(expected), "{report}");
}

#[tokio::test]
async fn keys_that_verify_nothing_are_an_error() {
    let tenant = frozen_tenant().await;
    let kid = tenant.jwks()["keys"][0]["kid"].clone();
    for (jwks, words) in [
        (json!({"keys": []}), "is unusable: it holds no key"),
        (json!([]), "is unusable: it is not a JSON object with an array of keys"),
        (json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": kid}]}), "holds no key for any"),
    ] {
        tenant.publish(jwks);
        let report = problems(&tenant, protect(&tenant), None).await;
        assert!(
            report.starts_with("error keys the key set at") && report.contains(words),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_wrong_clock_is_reported_with_the_difference_and_the_setting() {
    let tenant = MockTenant::start().await;
    let shifted = async |by: i64, skew: u64, tolerance: u64| {
        let clock = Clock::system();
        clock.shift_wall(by);
        let protect = ProtectApi::builder().vars(tenant.vars()).clock(clock.reading());
        let protect = protect
            .clock_skew(Duration::from_secs(skew))
            .clock_tolerance(Duration::from_secs(tolerance));
        problems(&tenant, protect, None).await
    };
    let behind = shifted(-600, 0, 60).await.replace("=599", "=600").replace("=601", "=600");
    insta::assert_snapshot!(behind, @r#"
    error clock this machine's clock is 10 minutes behind the tenant's; 60 seconds are tolerated
    → set the clock, by NTP for one; until then, set MONOCLOUD_BACKEND_CLOCK_SKEW=600
    "#);
    let ahead = shifted(7_200_000, 0, 60).await;
    insta::assert_snapshot!(ahead, @r#"
    error clock this machine's clock is 83 days ahead of the tenant's; 60 seconds are tolerated
    → set the clock, by NTP for one
    "#);
    let tolerated = shifted(600, 0, 3_600).await;
    assert!(
        tolerated.starts_with("warning clock this machine's clock is 10 minutes ahead of"),
        "{tolerated}"
    );
    let skewed = shifted(0, 600, 60).await;
    assert!(skewed.contains("600 seconds of MONOCLOUD_BACKEND_CLOCK_SKEW included"), "{skewed}");
    for (by, skew) in [(-600, 600), (30, 0), (-30, 0)] {
        assert_eq!(shifted(by, skew, 60).await, "", "{by} {skew}");
    }
}

#[tokio::test]
async fn a_rejected_client_is_reported_with_what_to_check() {
    let tenant = frozen_tenant().await;
    let wrong = introspecting(&tenant).client(tenant.client().id(), "a-wrong-canary");
    let report = problems(&tenant, wrong, None).await;
    assert!(!report.contains("canary"), "{report}");
    insta::assert_snapshot!(report, @r#"
    error client-credentials the tenant does not answer the client "my-api" about tokens: status 401 (invalid_client) by client_secret_post; token_endpoint_auth_methods_supported: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, spiffe_jwt, none
    → check MONOCLOUD_BACKEND_CLIENT_ID, MONOCLOUD_BACKEND_CLIENT_SECRET, MONOCLOUD_BACKEND_CLIENT_AUTH_METHOD
    "#);
    tenant.fault(Endpoint::Introspection, Fault::Status(403)).until_recovered();
    let report = problems(&tenant, introspecting(&tenant), None).await;
    assert!(report.contains("this client may lack the right to ask"), "{report}");
    tenant.fault(Endpoint::Introspection, Fault::Status(503)).until_recovered();
    let report = problems(&tenant, introspecting(&tenant), None).await;
    assert!(report.contains("status 503 ("), "{report}");
    assert!(report.contains("): there is no introspection answer"), "{report}");
    tenant
        .fault(
            Endpoint::Introspection,
            Fault::Answer { status: 200, content_type: "text/html", body: "<html>".into() },
        )
        .until_recovered();
    let report = problems(&tenant, introspecting(&tenant), None).await;
    assert!(
        report.starts_with("error introspection the tenant's introspection answer is"),
        "{report}"
    );
    tenant.introspection_answer(json!({"active": true}));
    let report = problems(&tenant, introspecting(&tenant), None).await;
    assert!(report.contains("active that was made up just now"), "{report}");
}

#[tokio::test]
async fn missing_credentials_are_reported_with_their_file() {
    let tenant = frozen_tenant().await;
    let api = protect(&tenant).svid_provider(async || Err("the agent is away".into()));
    let api = api.client_id(tenant.client().id()).client_auth_method(ClientAuthMethod::SpiffeJwt);
    let report = problems(&tenant, api, None).await;
    let expected = "error client-credentials client credentials are unavailable: the agent \
                    is away\n→ check MONOCLOUD_BACKEND_CLIENT_ASSERTION_FILE";
    assert!(report.starts_with(expected), "{report}");
}

#[tokio::test]
async fn a_missing_endpoint_for_the_client_is_reported_by_name() {
    let tenant = MockTenant::builder().trust_store("eu").start().await;
    let presenting = || ProtectApi::builder().vars(tenant.vars_for(ClientAuth::Tls));
    let report = problems(&tenant, presenting().trust_store_id("us"), None).await;
    insta::assert_snapshot!(report, @r#"
    error endpoint-unusable the tenant's metadata has no usable mtls_additional_endpoint_aliases["us"].introspection_endpoint: there is none
    → the metadata has "eu": check MONOCLOUD_BACKEND_TRUST_STORE_ID
    "#);
    let mut metadata = tenant.metadata();
    metadata["mtls_endpoint_aliases"] = json!(null);
    tenant.serve_metadata(metadata);
    let report = problems(&tenant, presenting(), None).await;
    assert!(report.contains("the tenant has no endpoint for certificates"), "{report}");
}

#[tokio::test]
async fn control_characters_from_the_tenant_do_not_reach_the_terminal() {
    let tenant = frozen_tenant().await;
    let escape = "\u{1b}]0;canary\u{7}\r\n\u{9b}2J".repeat(500);
    for member in [
        "issuer",
        "jwks_uri",
        "token_endpoint",
        "introspection_endpoint",
        "token_endpoint_auth_methods_supported",
    ] {
        let mut metadata = tenant.metadata();
        metadata[member] = match member {
            "token_endpoint_auth_methods_supported" => json!([escape, escape]),
            "introspection_endpoint" => json!(format!("https://{escape}")),
            _ => json!(escape),
        };
        tenant.serve_metadata(metadata);
        tenant.fault(Endpoint::Introspection, Fault::Status(401)).until_recovered();
        let report = problems(&tenant, introspecting(&tenant), None).await;
        assert!(report.starts_with("error") || report.starts_with("warning"), "{member}: {report}");
    }
    let mut keys = tenant.jwks();
    keys["keys"][0]["kid"] = json!(escape);
    tenant.publish(keys);
    tenant.serve_metadata(tenant.metadata());
    assert!(report(&tenant, protect(&tenant), None).await.contains("canary"));
}

#[tokio::test]
async fn each_endpoint_is_called_once_and_nothing_is_cached() {
    let tenant = frozen_tenant().await;
    let protect = introspecting(&tenant).introspection_cache_in_memory().build().unwrap();
    let token = tenant.opaque_token().mint();
    for round in 1..=3 {
        protect.diagnose(Some(&token)).await;
        for endpoint in [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Introspection] {
            assert_eq!(tenant.requests(endpoint), round, "{endpoint:?}");
        }
        assert_eq!(tenant.introspections().pop().unwrap().token, token);
    }
    protect.warm_up().await.unwrap();
    assert_eq!(tenant.requests(Endpoint::Jwks), 4);
}

#[tokio::test]
async fn a_server_that_presents_a_ca_certificate_is_reported_with_the_remedy() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    let folder = TempDir::new().unwrap();
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, &pem).unwrap();
    let server = Http2::start(&pem, &key.serialize_pem(), |_| "{}".to_owned()).await;
    let protect = ProtectApi::builder().tenant_domain(server.origin()).audience("api");
    let diagnosis = protect.ca_certificate_file(&ca_file).build().unwrap().diagnose(None).await;
    let first = &diagnosis.findings()[0];
    assert_eq!((first.severity, first.kind), (Severity::Error, FindingKind::TenantUntrusted));
    let advice = first.advice.as_deref().unwrap();
    assert!(advice.contains("basicConstraints=critical,CA:FALSE"), "{advice}");
}

#[tokio::test]
async fn the_tenants_oauth_error_and_token_type_are_reported() {
    let tenant = frozen_tenant().await;
    tenant
        .fault(
            Endpoint::Introspection,
            Fault::Answer {
                status: 401,
                content_type: "application/json",
                body: r#"{"error":"invalid_client"}"#.into(),
            },
        )
        .until_recovered();
    let report = problems(&tenant, introspecting(&tenant), None).await;
    assert!(report.contains("status 401 (invalid_client) by client_secret_post"), "{report}");
    tenant.recover(Endpoint::Introspection);
    let token = tenant.opaque_token().claim("token_type", "refresh_token").mint();
    let report = problems(&tenant, introspecting(&tenant), Some(&token)).await;
    assert!(report.contains(r#"token_type is "refresh_token""#), "{report}");
    let token =
        tenant.opaque_token().claim("token_type", "Bearer").claim("cnf", json!({"jkt": "x"}));
    let report = problems(&tenant, introspecting(&tenant), Some(&token.mint())).await;
    assert_eq!(report.matches("error token-binding").count(), 1, "{report}");
}
