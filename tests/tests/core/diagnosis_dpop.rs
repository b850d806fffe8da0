//! What the doctor reports about tokens that are bound to a key (DPoP, RFC 9449).

use std::time::Duration;

use harness::support::{FLEET_KEY, frozen_tenant, introspecting, protect};
use monocloud_backend::{
    ProtectApiBuilder,
    certificate::CertificateBinding,
    dpop::{DpopMode, ReplayFuture, ReplayKey, ReplayStore},
};
use monocloud_testkit::MockTenant;
use serde_json::{Value, json};

use crate::diagnosis::{problems, report};

/// The lines of a report about DPoP and what a token is bound to.
async fn lines(tenant: &MockTenant, protect: ProtectApiBuilder, token: Option<&str>) -> String {
    let report = report(tenant, protect, token).await;
    let mut is_meant = false;
    let lines = report.lines().filter(|line| {
        is_meant = match line.starts_with(' ') {
            true => is_meant,
            false => line.contains(" dpop") || line.contains(" token-"),
        };
        is_meant
    });
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join("\n")
}

/// A tenant that says this of the algorithms of proofs.
async fn supporting(algorithms: Value) -> MockTenant {
    let tenant = frozen_tenant().await;
    let mut metadata = tenant.metadata();
    metadata["dpop_signing_alg_values_supported"] = algorithms;
    tenant.serve_metadata(metadata);
    tenant
}

#[tokio::test]
async fn a_tenant_that_binds_tokens_is_noted_where_they_are_rejected() {
    let tenant = supporting(json!(["ES256"])).await;
    insta::assert_snapshot!(lines(&tenant, protect(&tenant), None).await, @r#"
    note dpop the tenant supports DPoP, and MONOCLOUD_BACKEND_DPOP is `disabled`: tokens that are bound to a key are rejected
    → if clients ask for them, set MONOCLOUD_BACKEND_DPOP to `allowed`
    "#);
    for nothing in [json!(null), json!([]), json!("ES256"), json!([1])] {
        let tenant = supporting(nothing).await;
        assert_eq!(lines(&tenant, protect(&tenant), None).await, "");
    }
}

#[tokio::test]
async fn a_tenant_that_binds_no_tokens_is_a_problem_where_bound_ones_are_expected() {
    let with = async |algorithms: Value, dpop: DpopMode| {
        let tenant = supporting(algorithms).await;
        problems(&tenant, protect(&tenant).dpop(dpop), None).await
    };
    insta::assert_snapshot!(with(json!(null), DpopMode::Allowed).await, @r#"
    warning dpop the tenant's metadata has no dpop_signing_alg_values_supported, so it may bind no tokens to a key
    → have the tenant support DPoP with one of ES256 ES384 ES512 EdDSA PS256 PS384 PS512 RS256 RS384 RS512
    "#);
    insta::assert_snapshot!(with(json!(null), DpopMode::Required).await, @r#"
    error dpop the tenant's metadata has no dpop_signing_alg_values_supported, so it may bind no tokens to a key
    → have the tenant support DPoP with one of ES256 ES384 ES512 EdDSA PS256 PS384 PS512 RS256 RS384 RS512, or set MONOCLOUD_BACKEND_DPOP to `allowed`
    "#);
    insta::assert_snapshot!(with(json!(["HS256", "none"]), DpopMode::Allowed).await, @r#"
    warning dpop of the tenant's dpop_signing_alg_values_supported, "HS256", "none", none is accepted here
    → have the tenant support DPoP with one of ES256 ES384 ES512 EdDSA PS256 PS384 PS512 RS256 RS384 RS512
    "#);
    insta::assert_snapshot!(with(json!(["HS256", "none"]), DpopMode::Required).await, @r#"
    error dpop of the tenant's dpop_signing_alg_values_supported, "HS256", "none", none is accepted here
    → have the tenant support DPoP with one of ES256 ES384 ES512 EdDSA PS256 PS384 PS512 RS256 RS384 RS512, or set MONOCLOUD_BACKEND_DPOP to `allowed`
    "#);
}

#[tokio::test]
async fn what_is_agreed_and_what_instances_do_not_share_are_notes() {
    let tenant = supporting(json!(["HS256", "RS256", "Ed25519", "ES256"])).await;
    let api = || protect(&tenant).dpop(DpopMode::Allowed);
    insta::assert_snapshot!(lines(&tenant, api().dpop_nonce(true), None).await, @r#"
    note dpop the tenant supports DPoP with ES256 EdDSA RS256
    note dpop-nonce nonces for DPoP proofs are known to this process only
    → where several instances serve this API, set MONOCLOUD_BACKEND_FLEET_KEY
    note dpop-replay each DPoP proof is accepted once by each process
    → where several instances serve this API, set MONOCLOUD_BACKEND_DPOP_REPLAY_CACHE and MONOCLOUD_BACKEND_FLEET_KEY
    "#);
    let shared = api().dpop_nonce(true).fleet_key(FLEET_KEY);
    insta::assert_snapshot!(lines(&tenant, shared, None).await, @r#"
    note dpop the tenant supports DPoP with ES256 EdDSA RS256
    note dpop-replay each DPoP proof is accepted once by each process
    → where several instances serve this API, set MONOCLOUD_BACKEND_DPOP_REPLAY_CACHE and MONOCLOUD_BACKEND_FLEET_KEY
    "#);
}

/// A store that answers in one way.
struct Store(Result<bool, &'static str>);

impl ReplayStore for Store {
    fn record(&self, _: ReplayKey, lifetime: Duration) -> ReplayFuture<'_> {
        // Nothing of a diagnosis is kept for longer.
        assert_eq!(lifetime, Duration::from_secs(1));
        Box::pin(async { self.0.map_err(Into::into) })
    }
}

#[tokio::test]
async fn a_record_of_proofs_is_tried() {
    let tenant = supporting(json!(["ES256"])).await;
    let with = async |store: Store| {
        let api = protect(&tenant).dpop(DpopMode::Allowed).fleet_key(FLEET_KEY);
        lines(&tenant, api.dpop_replay_store(store), None).await
    };
    insta::assert_snapshot!(with(Store(Ok(true))).await, @r#"
    note dpop the tenant supports DPoP with ES256
    note dpop-replay each DPoP proof is accepted once: the shared record answers
    "#);
    insta::assert_snapshot!(with(Store(Err("no route"))).await, @r#"
    error dpop-replay DPoP proofs cannot be recorded, so requests with them are rejected: the replay store failed: no route
    → check MONOCLOUD_BACKEND_DPOP_REPLAY_CACHE, or `dpop_replay_store`, and the store itself
    note dpop the tenant supports DPoP with ES256
    "#);
    insta::assert_snapshot!(with(Store(Ok(false))).await, @r#"
    error dpop-replay DPoP proofs cannot be recorded, so requests with them are rejected: the replay store failed: it holds what was not recorded
    → check MONOCLOUD_BACKEND_DPOP_REPLAY_CACHE, or `dpop_replay_store`, and the store itself
    note dpop the tenant supports DPoP with ES256
    "#);
}

#[tokio::test]
async fn what_concerns_the_api_is_reported_once_for_several_tenants() {
    let [own, partner] = [supporting(json!(["ES256"])).await, supporting(json!(null)).await];
    let partners = protect(&partner).audience("elsewhere").build().unwrap();
    let api = protect(&own).dpop(DpopMode::Allowed).build().unwrap();
    let diagnosis = api.also_accept(partners).unwrap().diagnose(None).await;
    let found: Vec<_> = diagnosis
        .findings()
        .iter()
        .filter(|it| it.kind.name().starts_with("dpop"))
        .map(|it| (it.severity.name(), it.kind.name(), it.tenant.as_deref()))
        .collect();
    let expected = [
        ("warning", "dpop", Some(partner.issuer())),
        ("note", "dpop", Some(own.issuer())),
        ("note", "dpop-replay", None),
    ];
    assert_eq!(found, expected, "{diagnosis}");
}

#[tokio::test]
async fn a_token_is_reported_by_what_it_is_bound_to() {
    let tenant = supporting(json!(["ES256"])).await;
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let bound = tenant.token().claim("cnf", json!({ "jkt": thumbprint })).mint();
    let unbound = tenant.token().mint();
    let to_certificate = tenant.token().bound_to(&tenant.client_certificate("alice")).mint();
    let with = async |dpop: DpopMode, token: &str| {
        problems(&tenant, protect(&tenant).dpop(dpop), Some(token)).await
    };
    assert_eq!(with(DpopMode::Disabled, &unbound).await, "");
    assert_eq!(with(DpopMode::Allowed, &unbound).await, "");
    insta::assert_snapshot!(with(DpopMode::Disabled, &bound).await, @r#"
    error token-binding the token is bound by {"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, which needs DPoP, and MONOCLOUD_BACKEND_DPOP is `disabled`
    → set MONOCLOUD_BACKEND_DPOP to `allowed`, or have the client ask for a token that is not bound to a key
    "#);
    insta::assert_snapshot!(with(DpopMode::Allowed, &bound).await, @r#"
    warning token-binding the token is bound to a key, and good only beside a proof by it
    → requests must carry the token as `Authorization: DPoP …`, and the proof in the header `DPoP` (RFC 9449 §7.1)
    "#);
    insta::assert_snapshot!(with(DpopMode::Required, &unbound).await, @r#"
    error token-binding the token is not bound to a key, and MONOCLOUD_BACKEND_DPOP is `required`
    → have the client ask for a token by DPoP (RFC 9449 §5), or set MONOCLOUD_BACKEND_DPOP to `allowed`
    "#);
    let needs_proof = with(DpopMode::Allowed, &bound).await;
    assert_eq!(with(DpopMode::Required, &bound).await, needs_proof);
    insta::assert_snapshot!(with(DpopMode::Required, &to_certificate).await, @r#"
    error token-binding the token is not bound to a key, and MONOCLOUD_BACKEND_DPOP is `required`
    → have the client ask for a token by DPoP (RFC 9449 §5), or set MONOCLOUD_BACKEND_DPOP to `allowed`
    warning token-binding the token is bound to a certificate, and good only beside it
    → requests must come by TLS with that certificate; where a proxy ends TLS, set MONOCLOUD_BACKEND_CLIENT_CERTIFICATE_HEADER
    "#);

    let api = || protect(&tenant).dpop(DpopMode::Required);
    let accepted = lines(&tenant, api(), Some(&bound)).await;
    assert!(
        accepted.contains("this API accepts the token beside a proof by its key:"),
        "{accepted}"
    );
    let both = api().certificate_binding(CertificateBinding::Required);
    insta::assert_snapshot!(problems(&tenant, both, Some(&bound)).await, @r#"
    error token-binding the token is bound to no certificate, and every one must be
    → have the client ask for a bound one, or check MONOCLOUD_BACKEND_VALIDATE_CERTIFICATE_BINDING
    warning token-binding the token is bound to a key, and good only beside a proof by it
    → requests must carry the token as `Authorization: DPoP …`, and the proof in the header `DPoP` (RFC 9449 §7.1)
    "#);
}

#[tokio::test]
async fn what_the_tenant_says_of_an_opaque_token_must_agree_with_its_binding() {
    let tenant = supporting(json!(["ES256"])).await;
    let with = async |token_type: &str, cnf: Value| {
        let token = tenant.opaque_token().claim("token_type", token_type).claim("cnf", cnf).mint();
        problems(&tenant, introspecting(&tenant).dpop(DpopMode::Allowed), Some(&token)).await
    };
    insta::assert_snapshot!(with("Bearer", json!({ "jkt": "x" })).await, @r#"
    error token-binding the tenant says that the token's token_type is "Bearer", and that it is bound by {"jkt":"x"}
    → have the tenant call it DPoP (RFC 9449 §6.2)
    warning token-binding the token is bound to a key, and good only beside a proof by it
    → requests must carry the token as `Authorization: DPoP …`, and the proof in the header `DPoP` (RFC 9449 §7.1)
    "#);
    insta::assert_snapshot!(with("DPoP", json!(null)).await, @r#"
    error token-claim the token's cnf is missing, which it must not be
    → have the tenant write it as RFC 7519 §4.1, RFC 9068 §2.2 and RFC 9449 §6 say
    "#);
}
