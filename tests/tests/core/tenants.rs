//! An API with several tenants: each token is validated by its own tenant, and no other sees it.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::support::{
    Call, Log, get, internal, introspecting, invalid_token, missing, missing_group, ok, protect,
    says, serve, unavailable,
};
use monocloud_backend::{
    ProtectApi, ProtectApiBuilder,
    certificate::CertificateBinding,
    error::InvalidToken::{
        self, Audience, Binding, Claim, Expired, Inactive, Issuer, Signature, UnknownKey,
    },
    token::AccessToken,
};
use monocloud_testkit::{Algorithm, Certificate, Clock, Endpoint, Fault, MockTenant, TokenBuilder};
use serde_json::{Value, json};
use tracing::Level;

use crate::introspection_cache::Store;

/// The API's own tenant and a partner's, with the same clock.
async fn two() -> [MockTenant; 2] {
    let clock = Clock::frozen();
    let start = || MockTenant::builder().algorithm(Algorithm::EdDsa).clock(clock.clone()).start();
    [start().await, start().await]
}

/// The API of the first tenant, which also accepts the second's tokens.
fn both(own: ProtectApiBuilder, partner: ProtectApiBuilder) -> ProtectApi {
    own.build().unwrap().also_accept(partner.build().unwrap()).unwrap()
}

/// Both tenants introspect the tokens that the request attributes to them.
fn both_introspecting(own: &MockTenant, partner: &MockTenant) -> ProtectApi {
    by_header(both(introspecting(own), introspecting(partner)))
}

/// Requests name the issuer of an opaque token in a header.
fn by_header(protect: ProtectApi) -> ProtectApi {
    protect.issuer_resolver(|headers| {
        headers.get("x-issuer").map(|issuer| issuer.to_str().unwrap().to_owned())
    })
}

fn opaque(token: &str, issuer: &str) -> Call {
    get("/any").bearer(token).header("x-issuer", issuer)
}

/// The number of requests to each tenant.
fn requests(tenants: &[MockTenant; 2]) -> [usize; 2] {
    let endpoints = [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Introspection];
    tenants
        .each_ref()
        .map(|tenant| endpoints.map(|endpoint| tenant.requests(endpoint)).iter().sum())
}

fn requests_to(tenants: &[MockTenant; 2], endpoint: Endpoint) -> [usize; 2] {
    tenants.each_ref().map(|tenant| tenant.requests(endpoint))
}

#[tokio::test]
async fn each_token_is_verified_with_the_keys_of_its_tenant() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both(protect(own), protect(partner)));
    api.check("the partner's", get("/any").bearer(&partner.token().mint()), &ok()).await;
    assert_eq!(requests(&tenants), [0, 2]);
    api.check("our own", get("/any").bearer(&own.token().mint()), &ok()).await;
    assert_eq!(requests(&tenants), [2, 2]);
    let call = get("/optional").bearer(&partner.token().subject("bob").mint());
    api.check("where a token is optional", call, &says("bob")).await;
    api.check("none", get("/optional"), &says("anonymous")).await;
    api.check("none where one is needed", get("/any"), &missing()).await;
    partner.rotate_keys();
    api.check("a rotated key", get("/any").bearer(&partner.token().mint()), &ok()).await;
    assert_eq!(requests(&tenants), [2, 3]);
}

#[tokio::test]
async fn an_issuer_that_is_not_accepted_byte_for_byte_causes_no_request() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let stranger = MockTenant::start().await;
    let api = serve(&both(protect(own), protect(partner)));
    let by_partner = |issuer: Value| partner.token().claim("iss", issuer).mint();
    let issuer = partner.issuer();
    for (case, token, reason) in [
        ("a stranger's", stranger.token().mint(), Issuer),
        ("a trailing slash", by_partner(json!(format!("{issuer}/"))), Issuer),
        ("upper case", by_partner(json!(issuer.to_uppercase())), Issuer),
        ("another scheme", by_partner(json!(issuer.replace("http:", "https:"))), Issuer),
        ("another name", by_partner(json!(issuer.replace("127.0.0.1", "localhost"))), Issuer),
        ("a trailing space", by_partner(json!(format!("{issuer} "))), Issuer),
        ("shortened", by_partner(json!(issuer[..issuer.len() - 1])), Issuer),
        ("empty", by_partner(json!("")), Issuer),
        ("both", by_partner(json!([own.issuer(), issuer])), Claim("iss")),
        ("a number", by_partner(json!(1)), Claim("iss")),
        ("none", partner.token().without("iss").mint(), Claim("iss")),
    ] {
        for path in ["/any", "/optional"] {
            api.check(case, get(path).bearer(&token), &invalid_token(reason)).await;
        }
    }
    assert_eq!(requests(&tenants), [0, 0]);
}

#[tokio::test]
async fn malformed_tokens_are_reported_as_malformed_and_cause_no_request() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both(protect(own), protect(partner)));
    let token = || partner.token();
    for (case, token, reason) in [
        ("not JSON", token().raw_payload("text").mint(), InvalidToken::Malformed),
        ("not base64url", token().mint() + "=", InvalidToken::Malformed),
        ("alg none", token().header("alg", "none").mint(), InvalidToken::Algorithm),
        ("crit", token().header("crit", ["exp"]).mint(), InvalidToken::Critical),
        ("an ID token", token().header("typ", "id+jwt").mint(), InvalidToken::Type),
        ("a number as kid", token().header("kid", 7).mint(), InvalidToken::Malformed),
        ("encrypted", "a.b.c.d.e".to_owned(), InvalidToken::Encrypted),
        ("too long", "a".repeat(16 * 1024 + 1), InvalidToken::Oversized),
    ] {
        api.check(case, get("/any").bearer(&token), &invalid_token(reason)).await;
    }
    assert_eq!(requests(&tenants), [0, 0]);
}

#[tokio::test]
async fn a_token_that_names_another_tenant_as_its_issuer_does_not_verify() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both(protect(own), protect(partner)));
    let forged = || own.token().claim("iss", partner.issuer());
    let kid = partner.jwks()["keys"][0]["kid"].clone();
    for (case, token, reason) in [
        ("a kid of our own", forged().mint(), UnknownKey),
        ("the partner's kid", forged().header("kid", kid).mint(), Signature),
        ("no kid", forged().without_header("kid").mint(), Signature),
    ] {
        api.check(case, get("/any").bearer(&token), &invalid_token(reason)).await;
    }
    // The first fetch also counted for the unknown kid.
    assert_eq!(requests(&tenants), [0, 2]);
}

/// The name of a change to a token, the change, and the reason for rejecting it.
type Case = (&'static str, fn(TokenBuilder<'_>) -> TokenBuilder<'_>, InvalidToken);

#[tokio::test]
async fn tokens_are_validated_only_by_the_configuration_of_their_tenant() {
    let strict: [Case; 5] = [
        ("the API's audience", |token| token.claim("aud", "https://api.example.com"), Audience),
        ("expired only for the partner", |token| token.expires_in(-30), Expired),
        ("not an access token by its typ", |token| token.header("typ", "JWT"), InvalidToken::Type),
        ("no jti", |token| token.without("jti"), Claim("jti")),
        ("not bound", |token| token, InvalidToken::Unbound),
    ];
    let [own, partner] = &two().await;
    let audience = "https://api.partner.example.com";
    let api = serve(&both(
        protect(own),
        protect(partner)
            .audience(audience)
            .clock_tolerance(Duration::ZERO)
            .certificate_binding(CertificateBinding::Required)
            .require_rfc9068(),
    ));
    for (case, change, reason) in strict {
        let token = change(partner.token().claim("aud", audience)).mint();
        api.check(case, get("/any").bearer(&token), &invalid_token(reason)).await;
        let token = change(own.token()).mint();
        api.check(&format!("{case}, of our own"), get("/any").bearer(&token), &ok()).await;
    }
    let token = own.token().claim("aud", audience).mint();
    let call = get("/any").bearer(&token);
    api.check("the partner's audience", call, &invalid_token(Audience)).await;
}

#[tokio::test]
async fn the_apis_own_configuration_determines_where_the_certificate_is() {
    let certificate = Certificate::self_signed("bob");
    let shown = BASE64_STANDARD.encode(certificate.der());
    let [own, partner] = &two().await;
    let behind = |tenant: &MockTenant| protect(tenant).client_certificate_header("client-cert");
    let token = partner.token().bound_to(&certificate).mint();
    for (case, protect, expected) in [
        ("our proxy", both(behind(own), protect(partner)), ok()),
        ("a proxy we do not have", both(protect(own), behind(partner)), invalid_token(Binding)),
    ] {
        let call = get("/any").bearer(&token).header("client-cert", &shown);
        serve(&protect).check(case, call, &expected).await;
    }
}

#[tokio::test]
async fn groups_are_those_of_the_tenant_that_issued_the_token() {
    let [own, partner] = &two().await;
    let api =
        serve(&both(protect(own), protect(partner).groups_claim("roles").groups_match_all(true)));
    let rejected = missing_group();
    for (case, tenant, claim, groups, path, expected) in [
        ("our admin", own, "groups", json!(["admin"]), "/admin", says("admin")),
        ("the partner's admin", partner, "roles", json!(["admin"]), "/admin", says("admin")),
        (
            "an admin by the partner's claim",
            own,
            "roles",
            json!(["admin"]),
            "/admin",
            rejected.clone(),
        ),
        ("an admin by our claim", partner, "groups", json!(["admin"]), "/admin", rejected.clone()),
        ("one of two", own, "groups", json!(["a"]), "/groups", says("groups")),
        (
            "one of two of the partner's",
            partner,
            "roles",
            json!(["a"]),
            "/groups",
            rejected.clone(),
        ),
        (
            "two of two of the partner's",
            partner,
            "roles",
            json!(["a", "b"]),
            "/groups",
            says("groups"),
        ),
    ] {
        let token = tenant.token().claim(claim, groups).mint();
        api.check(case, get(path).bearer(&token), &expected).await;
    }
}

#[tokio::test]
async fn an_opaque_token_is_sent_only_to_the_named_tenant() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both_introspecting(own, partner));
    let token = partner.opaque_token().subject("bob").mint();
    for (case, call, expected, calls) in [
        ("unnamed", get("/any").bearer(&token), invalid_token(Issuer), [0, 0]),
        ("an empty name", opaque(&token, ""), invalid_token(Issuer), [0, 0]),
        ("a stranger's name", opaque(&token, "https://evil.test"), invalid_token(Issuer), [0, 0]),
        (
            "a trailing slash",
            opaque(&token, &format!("{}/", partner.issuer())),
            invalid_token(Issuer),
            [0, 0],
        ),
        (
            "upper case",
            opaque(&token, &partner.issuer().to_uppercase()),
            invalid_token(Issuer),
            [0, 0],
        ),
        ("its own tenant's", opaque(&token, partner.issuer()), ok(), [0, 1]),
        ("the other's", opaque(&token, own.issuer()), invalid_token(Inactive), [1, 1]),
        ("its own tenant's again", opaque(&token, partner.issuer()), ok(), [1, 2]),
    ] {
        api.check(case, call, &expected).await;
        let seen = requests_to(&tenants, Endpoint::Introspection);
        assert_eq!(seen, calls, "{case}");
    }
    // A JWT names its issuer itself.
    let call = opaque(&partner.token().mint(), own.issuer());
    api.check("a JWT", call, &ok()).await;
    assert_eq!(requests_to(&tenants, Endpoint::Jwks), [0, 1]);
}

#[tokio::test]
async fn without_an_issuer_resolver_opaque_tokens_are_rejected_with_a_warning() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both(introspecting(own), introspecting(partner)));
    let log = Log::capture();
    let rejected = invalid_token(InvalidToken::Unsupported);
    for token in [own.opaque_token().mint(), partner.opaque_token().mint()] {
        api.check("opaque", get("/any").bearer(&token), &rejected).await;
    }
    assert_eq!(requests(&tenants), [0, 0]);
    let warned = log.lines(Level::WARN);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("issuer_resolver"), "{warned:?}");
}

#[tokio::test]
async fn an_issuer_resolver_also_applies_to_a_single_tenant() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&by_header(introspecting(own).build().unwrap()));
    let token = own.opaque_token().mint();
    let call = opaque(&token, partner.issuer());
    api.check("another's name", call, &invalid_token(Issuer)).await;
    api.check("unnamed", get("/any").bearer(&token), &invalid_token(Issuer)).await;
    assert_eq!(requests(&tenants), [0, 0]);
    api.check("its name", opaque(&token, own.issuer()), &ok()).await;
}

#[tokio::test]
async fn opaque_tokens_need_introspection_at_the_tenant_that_issued_them() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&by_header(both(introspecting(own), protect(partner))));
    let call = opaque(&partner.opaque_token().mint(), partner.issuer());
    api.check("opaque", call, &invalid_token(InvalidToken::Unsupported)).await;
    assert_eq!(requests(&tenants), [0, 0]);
}

#[tokio::test]
async fn results_for_the_same_opaque_token_are_separate_for_each_tenant() {
    let in_memory = |builder: ProtectApiBuilder| builder.introspection_cache_in_memory();
    assert_kept_apart(in_memory).await;
    let store = Store::default();
    assert_kept_apart(|builder| builder.introspection_cache(store.clone())).await;
}

async fn assert_kept_apart(cached: impl Fn(ProtectApiBuilder) -> ProtectApiBuilder) {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let protect = by_header(both(cached(introspecting(own)), cached(introspecting(partner))));
    let api = serve(&protect);
    let token = "known-to-both";
    for (tenant, subject) in [(own, "alice"), (partner, "bob")] {
        let (issuer, audience) = (tenant.issuer(), tenant.audience());
        tenant.introspection_answer(
            json!({"active": true, "iss": issuer, "aud": audience, "sub": subject}),
        );
    }
    for round in 0..3 {
        for (tenant, subject) in [(own, "alice"), (partner, "bob")] {
            let answer = api.send(opaque(token, tenant.issuer())).await;
            let claims: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(claims["sub"], subject, "{round}: {claims}");
        }
    }
    assert_eq!(requests_to(&tenants, Endpoint::Introspection), [1, 1]);
    // Forgetting a token applies to all tenants.
    protect.forget(&AccessToken::new(token).unwrap()).await.unwrap();
    let inactive = invalid_token(Inactive);
    for tenant in [own, partner] {
        tenant.introspection_answer(json!({"active": false}));
        api.check("forgotten", opaque(token, tenant.issuer()), &inactive).await;
    }
    // A rejection is cached, and does not reject another tenant's token.
    partner.recover(Endpoint::Introspection);
    let token = partner.opaque_token().mint();
    api.check("with our issuer", opaque(&token, own.issuer()), &inactive).await;
    api.check("with the partner's issuer", opaque(&token, partner.issuer()), &ok()).await;
}

#[tokio::test]
async fn an_introspection_response_for_another_issuer_is_rejected() {
    let [own, partner] = &two().await;
    let api = serve(&both_introspecting(own, partner));
    let (issuer, audience) = (own.issuer(), own.audience());
    partner.introspection_answer(json!({"active": true, "iss": issuer, "aud": audience}));
    let call = opaque("any", partner.issuer());
    api.check("with our issuer", call, &invalid_token(Issuer)).await;
}

#[tokio::test]
async fn a_flood_of_tokens_for_one_tenant_does_not_use_up_the_budget_of_the_other() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both(protect(own), protect(partner)));
    for tenant in &tenants {
        api.check("warm", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    }
    for number in 0..100 {
        let token = own.token().header("kid", format!("made-up-{number}")).mint();
        api.check("made up", get("/any").bearer(&token), &invalid_token(UnknownKey)).await;
    }
    assert_eq!(requests_to(&tenants, Endpoint::Jwks), [3, 1]);
    for fetched in [2, 3] {
        partner.rotate_keys();
        api.check("rotated", get("/any").bearer(&partner.token().mint()), &ok()).await;
        assert_eq!(requests_to(&tenants, Endpoint::Jwks), [3, fetched]);
    }
}

#[tokio::test]
async fn an_outage_of_one_tenant_does_not_affect_the_other() {
    let [own, partner] = &two().await;
    own.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    let protect = both_introspecting(own, partner);
    let api = serve(&protect);
    let down = || get("/any").bearer(&own.token().mint()).header("x-issuer", own.issuer());
    api.check("down", down(), &unavailable()).await;
    api.check("the partner's", get("/any").bearer(&partner.token().mint()), &ok()).await;
    let call = opaque(&partner.opaque_token().mint(), partner.issuer());
    api.check("the partner's, opaque", call, &ok()).await;
    api.check("still down", down(), &unavailable()).await;
}

#[tokio::test]
async fn a_pause_requested_by_one_tenant_does_not_affect_the_other() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let api = serve(&both_introspecting(own, partner));
    own.fault(
        Endpoint::Introspection,
        Fault::RetryAfter { status: 429, after: Duration::from_secs(30) },
    )
    .until_recovered();
    for calls in [[1, 1], [1, 2]] {
        let call = opaque(&own.opaque_token().mint(), own.issuer());
        api.check("paused", call, &unavailable()).await;
        let call = opaque(&partner.opaque_token().mint(), partner.issuer());
        api.check("the partner's", call, &ok()).await;
        assert_eq!(requests_to(&tenants, Endpoint::Introspection), calls);
    }
}

#[tokio::test]
async fn jwts_are_introspected_only_at_tenants_configured_for_it() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let introspecting_partner = introspecting(partner).introspect_jwt_tokens(true);
    let api = serve(&both(introspecting(own), introspecting_partner));
    let (own_token, partner_token) = (own.token().mint(), partner.token().mint());
    own.revoke(&own_token);
    api.check("our own, revoked", get("/any").bearer(&own_token), &ok()).await;
    api.check("the partner's", get("/any").bearer(&partner_token), &ok()).await;
    partner.revoke(&partner_token);
    let rejected = invalid_token(Inactive);
    api.check("the partner's, revoked", get("/any").bearer(&partner_token), &rejected).await;
    assert_eq!(requests_to(&tenants, Endpoint::Introspection), [0, 2]);
    assert_eq!(requests_to(&tenants, Endpoint::Jwks), [1, 0]);
    // Once its tenant is known, the rest of the token is left to introspection.
    for (case, token, reason, calls) in [
        ("not a JWT", "a.b.c".to_owned(), InvalidToken::Malformed, [0, 2]),
        ("a stranger's", own.token().claim("iss", "https://evil.test").mint(), Issuer, [0, 2]),
        ("no issuer", partner.token().without("iss").mint(), Claim("iss"), [0, 2]),
        ("alg none", partner.token().header("alg", "none").mint(), Inactive, [0, 3]),
    ] {
        partner.revoke(&token);
        api.check(case, get("/any").bearer(&token), &invalid_token(reason)).await;
        let seen = requests_to(&tenants, Endpoint::Introspection);
        assert_eq!(seen, calls, "{case}");
    }
}

#[tokio::test]
async fn the_apis_own_configuration_finds_the_token_and_writes_the_rejection() {
    let [own, partner] = &two().await;
    let in_cookie = |builder: ProtectApiBuilder, name: &'static str| {
        builder.token_resolver(move |headers| match headers.get(name) {
            Some(token) => Ok(Some(token.to_str()?.to_owned())),
            None => Ok(None),
        })
    };
    let own_finds = in_cookie(protect(own), "x-token");
    let partner_finds = in_cookie(protect(partner), "x-other-token");
    let partner_finds = partner_finds.realm("elsewhere").max_token_length(1);
    let api = serve(&both(own_finds, partner_finds));
    let token = partner.token().mint();
    api.check("found", get("/any").header("x-token", &token), &ok()).await;
    api.check("not found", get("/any").header("x-other-token", &token), &missing()).await;
    let token = partner.token().expires_in(-3600).mint();
    let call = get("/any").header("x-token", &token);
    api.check("the realm", call, &invalid_token(Expired)).await;
}

#[tokio::test]
async fn tenants_that_a_partner_accepts_are_accepted_too() {
    let [own, partner] = &two().await;
    let third = MockTenant::builder().clock(own.clock().clone()).start().await;
    let partners = both(protect(partner), protect(&third));
    let protect = protect(own).build().unwrap();
    let alone = serve(&protect.clone());
    let api = serve(&protect.also_accept(partners).unwrap());
    let token = third.token().mint();
    api.check("a third's", get("/any").bearer(&token), &ok()).await;
    // An earlier clone is not affected.
    alone.check("alone", get("/any").bearer(&token), &invalid_token(UnknownKey)).await;
}

#[tokio::test]
async fn an_issuer_can_be_accepted_only_once_even_for_different_audiences() {
    let [own, partner] = &two().await;
    let accept = |first: ProtectApi, then: ProtectApiBuilder| {
        first.also_accept(then.build().unwrap()).map(drop).unwrap_err().to_string()
    };
    let twice = |issuer: &str| {
        format!("invalid configuration:\nalso_accept: the issuer {issuer} is accepted already")
    };
    let alone = || protect(own).build().unwrap();
    assert_eq!(accept(alone(), protect(own)), twice(own.issuer()));
    assert_eq!(accept(alone(), protect(own).audience("other")), twice(own.issuer()));
    let two = || both(protect(own), protect(partner));
    assert_eq!(accept(two(), protect(partner).audience("other")), twice(partner.issuer()));
    let again = two().also_accept(two()).map(drop).unwrap_err().to_string();
    assert_eq!(again, twice(own.issuer()));
}

#[tokio::test]
async fn warming_up_tries_every_tenant_and_returns_the_first_failure() {
    let tenants = two().await;
    let [own, partner] = &tenants;
    let status = |tenant: usize, status| {
        tenants[tenant].fault(Endpoint::Discovery, Fault::Status(status)).until_recovered()
    };
    for (failing, expected) in [
        (&[][..], None),
        (&[(0, 503)], Some(unavailable())),
        (&[(1, 404)], Some(internal())),
        (&[(0, 503), (1, 404)], Some(unavailable())),
        (&[(0, 404), (1, 503)], Some(internal())),
    ] {
        let before = requests(&tenants);
        tenants.iter().for_each(|tenant| tenant.recover(Endpoint::Discovery));
        failing.iter().for_each(|(tenant, code)| status(*tenant, *code));
        let outcome = both(protect(own), protect(partner)).warm_up().await;
        let failure = outcome.err().map(|error| match error {
            monocloud_backend::Error::Unavailable { .. } => unavailable(),
            _ => internal(),
        });
        assert_eq!(failure, expected, "{failing:?}");
        let after = requests(&tenants);
        assert!(after[0] > before[0] && after[1] > before[1], "{failing:?}: {after:?}");
    }
}
