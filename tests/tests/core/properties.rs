//! Properties of every request, every token and every document of the tenant.

use std::{future::Future, sync::LazyLock, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use harness::support::request_head;
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use monocloud_backend::{
    Caller, Guard, Policy, ProtectApi, Refusal,
    dpop::DpopMode,
    http_client::{HttpClient, HttpFuture},
};
use monocloud_testkit::{Algorithm, Clock, DpopKey, MockTenant, ProofBuilder};
use proptest::{
    arbitrary::any,
    collection::{btree_map, vec},
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Map, Number, Value, json};
use tokio::runtime::Runtime;

const SKEW: f64 = 5.0;
const TOLERANCE: f64 = 60.0;

/// A tenant and an API with a stopped clock.
struct World {
    runtime: Runtime,
    tenant: MockTenant,
    protect: ProtectApi,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let tenant = MockTenant::builder().algorithm(Algorithm::EdDsa).clock(Clock::frozen());
    let tenant = runtime.block_on(tenant.start());
    for algorithm in Algorithm::ALL {
        let _ = tenant.token().algorithm(algorithm).mint();
    }
    let protect = builder(&tenant).build().unwrap();
    runtime.block_on(protect.warm_up()).unwrap();
    World { runtime, tenant, protect }
});

fn builder(tenant: &MockTenant) -> monocloud_backend::ProtectApiBuilder {
    ProtectApi::builder()
        .vars(tenant.vars())
        .clock_skew(Duration::from_secs_f64(SKEW))
        .clock_tolerance(Duration::from_secs_f64(TOLERANCE))
        .clock(tenant.clock().reading())
        .dpop(DpopMode::Allowed)
}

fn wait<F: Future>(future: F) -> F::Output {
    WORLD.runtime.block_on(future)
}

/// A guard's decision about an Authorization header; `None` if HTTP does not allow the value.
fn check_header(guard: &Guard, value: &[u8]) -> Option<Result<Caller, Refusal>> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).ok()?);
    Some(wait(guard.check(request_head(&headers))))
}

fn check(policy: Policy, token: &str) -> Result<Caller, Refusal> {
    let guard = WORLD.protect.require(policy);
    check_header(&guard, format!("Bearer {token}").as_bytes()).unwrap()
}

fn is_accepted(token: &str) -> bool {
    check(Policy::ANY_TOKEN, token).is_ok()
}

/// Whether the response to a rejected request has a status for errors of the client.
fn is_client_error(rejection: &Refusal) -> bool {
    rejection.response().status().is_client_error() && rejection.challenges().next().is_some()
}

/// JSON of any shape, not very deep, in which these words occur.
fn json(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(words).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            object(select(words).prop_map(str::to_owned).boxed(), inner.clone()),
            object("[ -~]{0,6}".boxed(), inner),
        ]
    })
}

fn object(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    btree_map(name, value, 0..5).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<u64>().prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ]
}

/// Numbers near every limit of the rules for `exp` and `nbf`, in quarters of a second, and numbers
/// of every size.
fn numeric_date() -> impl Strategy<Value = Number> {
    let now = now();
    let edges = [0.0, now, now + SKEW - TOLERANCE, now + SKEW + TOLERANCE, 253_402_300_799.0];
    let near = (select(edges.to_vec()), -8..=8).prop_map(|(edge, quarters)| {
        let seconds = edge + f64::from(quarters) / 4.0;
        match seconds.fract() == 0.0 {
            true => Number::from(seconds as i64),
            false => Number::from_f64(seconds).unwrap(),
        }
    });
    prop_oneof![4 => near, 1 => number()]
}

fn now() -> f64 {
    WORLD.tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

fn is_numeric_date(seconds: f64) -> bool {
    (0.0..=253_402_300_799.0).contains(&seconds)
}

fn segment(text: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn with_claim(name: &str, value: &Value) -> String {
    WORLD.tenant.token().claim(name, value).mint()
}

/// The URL of every request with a proof.
const PROOF_URL: &str = "https://api.example.com/";

/// A client with a key, and a token that is bound to it.
static KEY: LazyLock<DpopKey> = LazyLock::new(DpopKey::generate);
static BOUND: LazyLock<String> = LazyLock::new(|| WORLD.tenant.token().bound_to_key(&KEY).mint());

/// A proof that is valid beside that token.
fn proof() -> ProofBuilder {
    let proof = WORLD.tenant.proof(&KEY, "GET", PROOF_URL).for_token(&BOUND);
    proof.issued_ago(-(SKEW as i64))
}

/// A guard's decision about a proof; `None` if HTTP does not allow the value.
fn check_proof(token: &str, proof: &[u8]) -> Option<Result<Caller, Refusal>> {
    let mut headers = HeaderMap::new();
    headers.insert("dpop", HeaderValue::from_bytes(proof).ok()?);
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("DPoP {token}")).unwrap());
    let guard = WORLD.protect.require(Policy::ANY_TOKEN);
    Some(wait(guard.check(request_head(&headers))))
}

proptest! {
    #[test]
    fn arbitrary_bytes_in_the_authorization_header_are_a_client_error(
        scheme in select(vec!["", "Bearer ", "bearer\t", "Bearer", "Basic "]),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        let value = [scheme.as_bytes(), &bytes].concat();
        let guard = WORLD.protect.require(Policy::ANY_TOKEN);
        if let Some(outcome) = check_header(&guard, &value) {
            prop_assert!(is_client_error(&outcome.unwrap_err()));
        }
    }

    #[test]
    fn arbitrary_text_is_rejected(token in "[A-Za-z0-9._~+/=-]{1,400}") {
        prop_assert!(is_client_error(&check(Policy::ANY_TOKEN, &token).unwrap_err()));
    }

    #[test]
    fn arbitrary_segments_are_rejected(
        header in vec(any::<u8>(), 0..200),
        payload in json(&["iss", "aud", "exp"]),
        signature in vec(any::<u8>(), 0..300),
    ) {
        let payload = segment(payload.to_string());
        let token = format!("{}.{payload}.{}", segment(header), segment(&signature));
        prop_assert!(is_client_error(&check(Policy::ANY_TOKEN, &token).unwrap_err()));
        let unsecured = segment(r#"{"alg":"EdDSA"}"#);
        let token = format!("{unsecured}.{payload}.{}", segment(signature));
        prop_assert!(is_client_error(&check(Policy::ANY_TOKEN, &token).unwrap_err()));
    }

    #[test]
    fn an_arbitrary_header_or_payload_is_rejected_even_if_the_tenant_signed_it(
        header in json(&["alg", "kid", "typ", "crit", "b64", "RS256", "at+jwt"]),
        payload in json(&["iss", "aud", "exp", "sub"]),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let token = || WORLD.tenant.token();
        for token in [
            token().raw_header(header.to_string()).mint(),
            token().raw_payload(payload.to_string()).mint(),
            token().raw_payload(bytes).mint(),
        ] {
            prop_assert!(is_client_error(&check(Policy::ANY_TOKEN, &token).unwrap_err()));
        }
    }

    #[test]
    fn unknown_claims_and_header_parameters_are_passed_on_unchanged(
        claims in object("x[ -~]{0,6}".boxed(), json(&["iss", "exp"])),
        parameters in object("x[ -~]{0,6}".boxed(), json(&["alg", "crit"])),
    ) {
        let mut token = WORLD.tenant.token();
        for (name, value) in parameters.as_object().unwrap() {
            token = token.header(name, value);
        }
        for (name, value) in claims.as_object().unwrap() {
            token = token.claim(name, value);
        }
        let token = token.mint();
        let caller = check(Policy::ANY_TOKEN, &token).unwrap();
        let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let expected: Value = serde_json::from_slice(&payload).unwrap();
        prop_assert_eq!(serde_json::to_value(caller.claims().unwrap()).unwrap(), expected);
    }

    #[test]
    fn arbitrary_bytes_in_the_dpop_header_are_a_client_error(
        bytes in vec(any::<u8>(), 0..300),
        segments in vec(vec(any::<u8>(), 0..100), 1..5),
    ) {
        let jws = segments.iter().map(segment).collect::<Vec<_>>().join(".");
        for proof in [bytes.as_slice(), jws.as_bytes()] {
            if let Some(outcome) = check_proof(&BOUND, proof) {
                prop_assert!(is_client_error(&outcome.unwrap_err()));
            }
        }
    }

    #[test]
    fn an_arbitrary_header_or_payload_of_a_proof_is_rejected_even_if_the_key_signed_it(
        header in json(&["alg", "typ", "jwk", "crit", "dpop+jwt", "ES256"]),
        payload in json(&["jti", "htm", "htu", "iat", "ath", "GET", PROOF_URL]),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        for proof in [
            proof().raw_header(header.to_string()).mint(),
            proof().raw_payload(payload.to_string()).mint(),
            proof().raw_payload(bytes).mint(),
        ] {
            let outcome = check_proof(&BOUND, proof.as_bytes()).unwrap();
            prop_assert!(is_client_error(&outcome.unwrap_err()));
        }
    }

    #[test]
    fn a_claim_of_a_proof_with_another_value_is_rejected_unless_it_is_within_the_rules(
        name in select(vec!["jti", "htm", "htu", "iat", "ath"]),
        value in json(&["GET", PROOF_URL]),
    ) {
        let outcome = check_proof(&BOUND, proof().claim(name, &value).mint().as_bytes()).unwrap();
        let is_within = match name {
            "jti" => value.as_str().is_some_and(|jti| !jti.is_empty() && jti.chars().count() <= 256),
            "htm" => value == "GET",
            "htu" => value == PROOF_URL,
            "iat" => value.as_f64().is_some_and(|iat| (now() + SKEW - iat).abs() <= 60.0),
            _ => false,
        };
        // A short `jti` may come again.
        let is_replay = |refusal: &Refusal| refusal.error().reason() == "proof_replayed";
        match outcome {
            Ok(_) => prop_assert!(is_within, "{name}: {value}"),
            Err(refusal) => prop_assert!(!is_within || is_replay(&refusal), "{name}: {value}"),
        }
    }

    #[test]
    fn unknown_members_of_a_proof_are_ignored(
        claims in object("x[ -~]{0,6}".boxed(), json(&["jti", "htm"])),
        parameters in object("x[ -~]{0,6}".boxed(), json(&["jwk", "crit"])),
    ) {
        let mut proof = proof();
        for (name, value) in parameters.as_object().unwrap() {
            proof = proof.header(name, value);
        }
        for (name, value) in claims.as_object().unwrap() {
            proof = proof.claim(name, value);
        }
        let outcome = check_proof(&BOUND, proof.mint().as_bytes()).unwrap();
        prop_assert!(outcome.is_ok(), "{outcome:?}");
    }

    #[test]
    fn a_valid_proof_with_one_changed_byte_is_rejected(
        changes in vec((any::<Index>(), any::<u8>()), 8),
    ) {
        let good = proof().mint();
        for (index, byte) in changes {
            let mut changed = good.clone().into_bytes();
            let index = index.index(changed.len());
            if changed[index] == byte {
                continue;
            }
            changed[index] = byte;
            let outcome = check_proof(&BOUND, &changed);
            prop_assert!(outcome.is_none_or(|outcome| outcome.is_err()), "byte {index}: {byte}");
        }
        prop_assert!(check_proof(&BOUND, good.as_bytes()).unwrap().is_ok());
    }

    #[test]
    fn a_valid_token_with_one_changed_byte_is_rejected(
        algorithm in select(Algorithm::ALL.to_vec()),
        changes in vec((any::<Index>(), any::<u8>()), 8),
    ) {
        let token = WORLD.tenant.token().algorithm(algorithm).mint();
        prop_assert!(is_accepted(&token));
        let guard = WORLD.protect.require(Policy::ANY_TOKEN);
        for (index, byte) in changes {
            let mut changed = token.clone().into_bytes();
            let index = index.index(changed.len());
            if changed[index] == byte {
                continue;
            }
            changed[index] = byte;
            let outcome = check_header(&guard, &[b"Bearer ", changed.as_slice()].concat());
            prop_assert!(outcome.is_none_or(|outcome| outcome.is_err()), "byte {index}: {byte}");
        }
    }

    #[test]
    fn exp_is_accepted_iff_it_is_after_now_plus_skew_minus_tolerance(exp in numeric_date()) {
        let seconds = exp.as_f64().unwrap();
        let expected = is_numeric_date(seconds) && seconds > now() + SKEW - TOLERANCE;
        prop_assert_eq!(is_accepted(&with_claim("exp", &exp.into())), expected);
    }

    #[test]
    fn nbf_is_accepted_iff_it_is_not_after_now_plus_skew_plus_tolerance(nbf in numeric_date()) {
        let seconds = nbf.as_f64().unwrap();
        let expected = is_numeric_date(seconds) && seconds <= now() + SKEW + TOLERANCE;
        prop_assert_eq!(is_accepted(&with_claim("nbf", &nbf.into())), expected);
    }

    #[test]
    fn registered_claims_of_any_other_type_are_rejected(
        value in json(&["https://api.example.com", "x5t#S256", "jkt"]),
    ) {
        let tenant = &WORLD.tenant;
        let is_audience = |value: &Value| value == tenant.audience();
        let has_audience = is_audience(&value) || value.as_array().is_some_and(|list| {
            list.iter().all(Value::is_string) && list.iter().any(is_audience)
        });
        for (name, expected) in [
            ("aud", has_audience),
            ("cnf", value.is_null()),
            ("exp", value.as_f64().is_some_and(|exp| is_numeric_date(exp) && exp > now() - 55.0)),
            ("iss", value == tenant.issuer()),
            ("sub", value.is_string()),
        ] {
            prop_assert_eq!(is_accepted(&with_claim(name, &value)), expected, "{}", name);
        }
    }

    #[test]
    fn a_scope_is_one_word_of_a_string_or_one_string_of_an_array(
        scope in json(&["read", "read write", "write read", "Read", "reader"]),
    ) {
        const POLICY: Policy = Policy::ANY_TOKEN.scopes(&["read"]);
        let expected = match &scope {
            Value::String(words) => words.split_ascii_whitespace().any(|word| word == "read"),
            Value::Array(list) => list.iter().any(|entry| entry == "read"),
            _ => false,
        };
        prop_assert_eq!(check(POLICY, &with_claim("scope", &scope)).is_ok(), expected);
    }

    #[test]
    fn a_group_is_one_string_of_an_array_or_the_id_or_name_of_one_object(
        groups in json(&["admin", "id", "name"]),
    ) {
        const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
        let expected = groups.as_array().is_some_and(|list| list.iter().any(|entry| {
            entry == "admin" || entry["id"] == "admin" || entry["name"] == "admin"
        }));
        prop_assert_eq!(check(POLICY, &with_claim("groups", &groups)).is_ok(), expected);
    }

    #[test]
    fn unusable_keys_do_not_affect_a_good_one(
        odd in vec(odd_key(), 0..6),
        place in any::<Index>(),
    ) {
        let token = WORLD.tenant.token().mint();
        let mut keys = odd;
        keys.insert(place.index(keys.len() + 1), good_key());
        let jwks = json!({ "keys": keys }).to_string();
        prop_assert!(accepts(WORLD.tenant.metadata().to_string(), jwks, &token));
    }

    #[test]
    fn with_arbitrary_keys_every_token_is_rejected(
        keys in vec(odd_key(), 0..6),
        document in json(&["keys"]),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let token = WORLD.tenant.token().mint();
        let jwks = json!({ "keys": keys }).to_string();
        for jwks in [jwks.into_bytes(), document.to_string().into_bytes(), bytes] {
            prop_assert!(!accepts(WORLD.tenant.metadata().to_string(), jwks, &token));
        }
    }

    #[test]
    fn a_truncated_or_changed_key_set_never_panics(
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let token = WORLD.tenant.token().mint();
        let mut jwks = WORLD.tenant.jwks().to_string().into_bytes();
        let at = at.index(jwks.len());
        jwks[at] = byte;
        let _ = accepts(WORLD.tenant.metadata().to_string(), jwks.clone(), &token);
        jwks.truncate(at);
        prop_assert!(!accepts(WORLD.tenant.metadata().to_string(), jwks, &token));
    }

    #[test]
    fn with_arbitrary_metadata_every_token_is_rejected(
        document in json(&["issuer", "jwks_uri", "https://acme.test"]),
        jwks_uri in json(&["http://acme.test", "https://user@acme.test", "https://", "file:///"]),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let token = WORLD.tenant.token().mint();
        let mut wrong_uri = WORLD.tenant.metadata();
        wrong_uri["jwks_uri"] = jwks_uri;
        for metadata in [
            document.to_string().into_bytes(),
            wrong_uri.to_string().into_bytes(),
            bytes,
        ] {
            prop_assert!(!accepts(metadata, WORLD.tenant.jwks().to_string(), &token));
        }
    }
}

#[test]
fn the_last_character_of_a_segment_has_only_one_valid_spelling() {
    const B64TOKEN: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    for algorithm in Algorithm::ALL {
        let token = WORLD.tenant.token().algorithm(algorithm).mint();
        let dots = token.match_indices('.').map(|(index, _)| index);
        for end in dots.chain([token.len()]) {
            for byte in B64TOKEN.iter().filter(|byte| **byte != token.as_bytes()[end - 1]) {
                let mut changed = token.clone();
                changed.replace_range(end - 1..end, str::from_utf8(&[*byte]).unwrap());
                assert!(!is_accepted(&changed), "{algorithm}: {} at {end}", char::from(*byte));
            }
        }
    }
}

/// The key that signs the tokens of the tenant.
fn good_key() -> Value {
    let keys = WORLD.tenant.jwks();
    let mut keys = keys["keys"].as_array().unwrap().iter();
    keys.find(|key| key["alg"] == "EdDSA").unwrap().clone()
}

/// Keys of any shape: JSON that is not a key, and keys of the tenant with changed members. None can
/// verify a token, as the kid differs.
fn odd_key() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 12] =
        ["kid", "kty", "crv", "alg", "use", "key_ops", "n", "e", "x", "y", "d", "oth"];
    const WORDS: &[&str] =
        &["RSA", "EC", "OKP", "P-256", "Ed25519", "EdDSA", "sig", "enc", "verify", "AQAB", "AAAA"];
    let keys = WORLD.tenant.jwks()["keys"].as_array().unwrap().clone();
    let changed = (select(keys), btree_map(select(&NAMES), json(WORDS), 0..4)).prop_map(
        |(mut key, changes)| {
            key["kid"] = "odd".into();
            let members: &mut Map<String, Value> = key.as_object_mut().unwrap();
            members.extend(changes.into_iter().map(|(name, value)| (name.to_owned(), value)));
            key
        },
    );
    prop_oneof![1 => json(WORDS), 3 => changed]
}

/// A tenant that answers with these two documents.
struct Documents {
    metadata: Bytes,
    jwks: Bytes,
}

impl HttpClient for Documents {
    fn send(&self, request: Request<Bytes>, _: usize) -> HttpFuture<'_> {
        let is_discovery = request.uri().path().ends_with("/openid-configuration");
        let body = if is_discovery { &self.metadata } else { &self.jwks };
        Box::pin(std::future::ready(Ok(Response::new(body.clone()))))
    }
}

/// Whether an API accepts a token when its tenant answers with these documents.
fn accepts(metadata: impl Into<Bytes>, jwks: impl Into<Bytes>, token: &str) -> bool {
    let documents = Documents { metadata: metadata.into(), jwks: jwks.into() };
    let protect = builder(&WORLD.tenant).http_client(documents).build().unwrap();
    let guard = protect.require(Policy::ANY_TOKEN);
    check_header(&guard, format!("Bearer {token}").as_bytes()).unwrap().is_ok()
}
