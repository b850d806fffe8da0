//! The catalogue of hostile proofs, read by independent code.

use std::collections::{BTreeSet, HashSet};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue};
use monocloud_testkit::{
    Algorithm, Clock, Control, DpopKey, DpopRequest, Endpoint, Hostile, HostileProof, Insufficient,
    MockTenant, ProofClass, ProofControl, StepUp,
};
use serde_json::json;

use crate::{
    api::Api,
    catalogue::members,
    reader::{is_signed_by, segment, verify},
};

const URL: &str = "https://api.example.com/posts/~alice%2Fold";

async fn frozen_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

fn request(tenant: &MockTenant) -> DpopRequest<'_> {
    DpopRequest::new(tenant.token().scope("posts:read"), "GET", URL)
        .nonce("kT7xVn2p")
        .stale_nonce("old")
}

fn values(headers: &[(HeaderName, HeaderValue)], name: &str) -> Vec<String> {
    let values = headers.iter().filter(|(present, _)| present == name);
    values.map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
}

/// The scheme and the token, and the proof, of a request with one of each.
fn parts(headers: &[(HeaderName, HeaderValue)]) -> (String, String, String) {
    let [authorization]: [_; 1] = values(headers, "authorization").try_into().unwrap();
    let [proof]: [_; 1] = values(headers, "dpop").try_into().unwrap();
    let (scheme, token) = authorization.split_once(' ').unwrap();
    (scheme.to_owned(), token.to_owned(), proof)
}

fn proof_of(headers: &[(HeaderName, HeaderValue)]) -> String {
    parts(headers).2
}

/// Whether the key in the proof's header signed it, with the algorithm in its header.
fn is_good(proof: &str) -> bool {
    let header = segment(proof, 0).unwrap();
    is_signed_by(&header["jwk"], header["alg"].as_str().unwrap(), proof).unwrap()
}

/// The members of the header (0) or the payload (1) in which the proofs differ.
fn changed(proof: &str, other: &str, index: usize) -> BTreeSet<String> {
    let [proof, other] = [proof, other].map(|proof| members(&segment(proof, index).unwrap()));
    proof.symmetric_difference(&other).map(|(name, _)| name.clone()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[tokio::test]
async fn every_name_is_unique_in_all_catalogues_and_kebab_case() {
    let tenant = frozen_tenant().await;
    let (request, demanded) = (request(&tenant), StepUp::new().acr_values(["a", "b"]).max_age(1));
    let proofs = HostileProof::all(&request).into_iter().map(|it| it.name);
    let controls = ProofControl::all(&request).into_iter().map(|it| it.name);
    let insufficient = Insufficient::all(&tenant.token(), &demanded).into_iter();
    let tokens = Hostile::all(&tenant).into_iter().map(|it| it.name);
    let good = Control::all(&tenant).into_iter().map(|it| it.name);
    let mut seen = HashSet::new();
    let others = tokens.chain(good).chain(insufficient.map(|it| it.name));
    for name in proofs.chain(controls).chain(others) {
        assert!(seen.insert(name), "{name} exists twice");
        let is_kebab = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        assert!(name.bytes().all(is_kebab), "{name}");
    }
}

#[tokio::test]
async fn there_are_attempts_of_every_class_for_every_request() {
    let tenant = frozen_tenant().await;
    let bare = ["https://127.0.0.1:8443/", "https://[::1]/", "http://localhost/Posts/"];
    let of = |url| DpopRequest::new(tenant.opaque_token(), "HEAD", url);
    let keys = [Algorithm::Ps256, Algorithm::Es512, Algorithm::EdDsa].map(DpopKey::of);
    for (url, key) in bare.into_iter().zip(keys) {
        let request = of(url).key(&key);
        for class in ProofClass::ALL {
            let attempts = HostileProof::of(&request, class);
            assert_eq!(attempts.is_empty(), class == ProofClass::Nonce, "{class:?}");
        }
        assert!(ProofControl::all(&request).len() > 30);
        let with_nonce = of(url).key(&key).nonce("n");
        assert!(!HostileProof::of(&with_nonce, ProofClass::Nonce).is_empty());
    }
    assert!(HostileProof::all(&request(&tenant)).len() > 250);
}

#[tokio::test]
async fn a_good_request_has_a_bound_token_and_a_proof_for_it() {
    let tenant = frozen_tenant().await;
    let key = DpopKey::generate();
    let headers = request(&tenant).key(&key).headers();
    let (scheme, token, proof) = parts(&headers);
    let claims = verify(&tenant, &token).await.unwrap();
    assert_eq!((scheme.as_str(), &claims["scope"]), ("DPoP", &json!("posts:read")));
    assert_eq!(claims["cnf"], json!({ "jkt": key.thumbprint() }));
    assert!(is_good(&proof));
    let proof = segment(&proof, 1).unwrap();
    let expected = json!({
        "ath": hash(&token), "htm": "GET", "htu": URL, "iat": claims["iat"], "jti": proof["jti"],
        "nonce": "kT7xVn2p",
    });
    assert_eq!(proof, expected);
}

#[tokio::test]
async fn an_api_that_follows_the_rfc_rejects_what_is_hostile_and_accepts_the_controls() {
    let tenant = frozen_tenant().await;
    let api = Api::new(&tenant, URL, Some("kT7xVn2p"));
    for hostile in HostileProof::all(&request(&tenant)) {
        let name = hostile.name;
        if let Some(first) = &hostile.first {
            assert_eq!(api.call(first).await, Ok(()), "{name}");
        }
        // Its JSON is not strict.
        if !name.contains("duplicate") && !name.contains("40-deep") {
            let answer = api.call(&hostile.headers).await;
            assert_eq!(answer, Err((hostile.status, hostile.error)), "{name}");
        }
    }
    for control in ProofControl::all(&request(&tenant)) {
        assert_eq!(api.call(&control.headers).await, Ok(()), "{}", control.name);
    }
}

#[tokio::test]
async fn one_claim_is_changed_and_the_signature_is_valid() {
    let tenant = frozen_tenant().await;
    let request = request(&tenant);
    let classes = [
        (ProofClass::Method, set(&["htm"])),
        (ProofClass::Url, set(&["htu", "uri"])),
        (ProofClass::TokenHash, set(&[])),
        (ProofClass::Time, set(&["iat", "exp"])),
        (ProofClass::Id, set(&["jwtid"])),
        (ProofClass::Nonce, set(&["nonce"])),
    ];
    let good = proof_of(&request.headers());
    for (class, claims) in classes {
        for HostileProof { name, headers, .. } in HostileProof::of(&request, class) {
            let (scheme, token, proof) = parts(&headers);
            assert!(scheme == "DPoP" && is_good(&proof), "{name}");
            let header = changed(&proof, &good, 0);
            assert!(header.is_empty() || name == "proof-nonce-in-the-header-only", "{name}");
            // Each token has its own hash, and each proof its own `jti`.
            let changed = &changed(&proof, &good, 1) - &set(&["ath", "jti"]);
            assert!(changed.is_subset(&claims), "{name}: {changed:?}");

            let proof = segment(&proof, 1).unwrap();
            let has_hash = proof["ath"] == hash(&token);
            let has_id = proof["jti"].as_str().is_some_and(|jti| (1..=256).contains(&jti.len()));
            assert_eq!(has_hash, class != ProofClass::TokenHash, "{name}");
            assert_eq!(has_id, class != ProofClass::Id, "{name}");
            assert!(!changed.is_empty() || !has_hash || !has_id, "{name}");
        }
    }
}

#[tokio::test]
async fn times_are_outside_the_lifetime() {
    let tenant = frozen_tenant().await;
    for lifetime in [30, 300] {
        let request = request(&tenant).lifetime(lifetime);
        let good = segment(&proof_of(&request.headers()), 1).unwrap();
        let now = good["iat"].as_f64().unwrap();
        let age = |headers: &[_]| {
            let iat = segment(&proof_of(headers), 1).unwrap()["iat"].as_f64();
            iat.map(|iat| (iat - now).abs())
        };
        let ages = HostileProof::of(&request, ProofClass::Time);
        let ages: Vec<_> = ages.iter().filter_map(|it| age(&it.headers)).collect();
        assert!(ages.iter().all(|age| *age > f64::from(lifetime)), "{ages:?}");
        let nearest = ages.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(nearest, f64::from(lifetime) + 0.5);

        let ages = ProofControl::all(&request);
        let ages: Vec<_> = ages.iter().filter_map(|it| age(&it.headers)).collect();
        let farthest = ages.iter().copied().fold(0.0, f64::max);
        assert_eq!(farthest, f64::from(lifetime - 1));
    }
}

#[tokio::test]
async fn one_header_parameter_is_changed_and_the_signature_is_valid() {
    let tenant = frozen_tenant().await;
    let request = request(&tenant);
    let good = proof_of(&request.headers());
    for (class, allowed) in
        [(ProofClass::Type, set(&["typ"])), (ProofClass::Crit, set(&["crit", "x", "htu", "b64"]))]
    {
        for HostileProof { name, headers, .. } in HostileProof::of(&request, class) {
            let proof = proof_of(&headers);
            assert!(is_good(&proof), "{name}");
            assert_eq!(changed(&proof, &good, 1), set(&["ath", "jti"]), "{name}");
            let changed = changed(&proof, &good, 0);
            assert!(!changed.is_empty() && changed.is_subset(&allowed), "{name}: {changed:?}");
        }
    }
    for HostileProof { name, headers, .. } in HostileProof::of(&request, ProofClass::Jwk) {
        let proof = segment(&proof_of(&headers), 0).unwrap();
        let names: BTreeSet<_> = members(&proof).into_iter().map(|(name, _)| name).collect();
        let known = set(&["alg", "jku", "jwk", "kid", "typ", "x5c", "x5u"]);
        assert!(names.is_subset(&known), "{name}");
        assert_eq!(proof["typ"], "dpop+jwt", "{name}");
    }
}

#[tokio::test]
async fn a_weak_or_symmetric_key_has_the_token_bound_to_it() {
    let tenant = frozen_tenant().await;
    let request = request(&tenant);
    let attempts = HostileProof::all(&request).into_iter();
    let names = [
        ("proof-jwk-of-1024-bits", &["e", "kty", "n"][..]),
        ("proof-jwk-exponent-one", &["e", "kty", "n"]),
        ("proof-hs256-with-its-own-key", &["k", "kty"]),
        ("proof-hs512-with-its-own-key", &["k", "kty"]),
    ];
    let attempts: Vec<_> = attempts.filter(|it| names.iter().any(|n| n.0 == it.name)).collect();
    assert_eq!(attempts.len(), names.len());
    for attempt in attempts {
        let (_, token, proof) = parts(&attempt.headers);
        let jwk = &segment(&proof, 0).unwrap()["jwk"];
        let (_, required) = names.iter().find(|(name, _)| *name == attempt.name).unwrap();
        let required = required.iter().map(|name| format!("{name:?}:{}", jwk[name]));
        let jwk = format!("{{{}}}", required.collect::<Vec<_>>().join(","));
        assert_eq!(segment(&token, 1).unwrap()["cnf"]["jkt"], hash(&jwk), "{}", attempt.name);
    }
}

#[tokio::test]
async fn no_forged_proof_is_signed_by_its_key() {
    let tenant = frozen_tenant().await;
    let request = request(&tenant);
    for HostileProof { name, headers, .. } in HostileProof::of(&request, ProofClass::Signature) {
        assert!(!is_good(&proof_of(&headers)), "{name}");
    }
    let known = Algorithm::ALL.map(Algorithm::as_str);
    for HostileProof { name, headers, .. } in HostileProof::of(&request, ProofClass::Alg) {
        let proof = proof_of(&headers);
        let header = segment(&proof, 0).unwrap();
        let is_known = header["alg"].as_str().is_some_and(|alg| known.contains(&alg));
        let types = [&header["jwk"]["kty"], &header["jwk"]["crv"]];
        let fits = match header["alg"].as_str() {
            Some("ES256") => types[1] == "P-256",
            Some("ES384") => types[1] == "P-384",
            Some("ES512") => types[1] == "P-521",
            Some("EdDSA") => types[1] == "Ed25519",
            _ => types[0] == "RSA",
        };
        // Signed with another algorithm of the same type of key.
        assert!(!is_known || !fits || !is_good(&proof), "{name}");
    }
}

#[tokio::test]
async fn unusual_json_has_valid_signatures() {
    let tenant = frozen_tenant().await;
    let key = DpopKey::generate();
    let request = request(&tenant).key(&key);
    for HostileProof { name, headers, .. } in HostileProof::of(&request, ProofClass::Json) {
        assert!(is_signed_by(&key.jwk(), "ES256", &proof_of(&headers)) == Ok(true), "{name}");
    }
}

#[tokio::test]
async fn only_proofs_about_size_are_longer_than_8_kib() {
    let tenant = frozen_tenant().await;
    let request = request(&tenant);
    for HostileProof { name, class, headers, .. } in HostileProof::all(&request) {
        let is_long = values(&headers, "dpop").iter().any(|proof| proof.len() > 8 * 1024);
        assert_eq!(is_long, class == ProofClass::Size, "{name}");
    }
}

#[tokio::test]
async fn tokens_are_valid_and_not_bound_to_the_key_that_was_proven() {
    let tenant = frozen_tenant().await;
    for attempt in HostileProof::of(&request(&tenant), ProofClass::Binding) {
        let name = attempt.name;
        let [authorization]: [_; 1] = values(&attempt.headers, "authorization").try_into().unwrap();
        let (scheme, token) = authorization.split_once(' ').unwrap();
        let claims = verify(&tenant, token).await.unwrap();
        if scheme.eq_ignore_ascii_case("bearer") {
            assert!(claims["cnf"]["jkt"].is_string(), "{name}");
            continue;
        }
        let proof = proof_of(&attempt.headers);
        assert!(is_good(&proof), "{name}");
        assert_eq!(segment(&proof, 1).unwrap()["ath"], hash(token), "{name}");
        let jwk = &segment(&proof, 0).unwrap()["jwk"];
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        assert_ne!(claims["cnf"]["jkt"], hash(&jwk), "{name}");
    }
}

#[tokio::test]
async fn missing_and_repeated_headers() {
    let tenant = frozen_tenant().await;
    let request = request(&tenant);
    for attempt in HostileProof::of(&request, ProofClass::Missing) {
        assert!(values(&attempt.headers, "dpop").concat().is_empty(), "{}", attempt.name);
        assert_eq!((attempt.status, attempt.error), (401, "invalid_dpop_proof"));
    }
    for attempt in HostileProof::of(&request, ProofClass::Repeated) {
        let proofs = values(&attempt.headers, "dpop");
        let authorization = values(&attempt.headers, "authorization");
        let tokens: usize = authorization.iter().map(|it| it.matches("eyJ").count()).sum();
        // The header and the payload of a JWT both begin like that.
        assert_eq!(proofs.len() + tokens / 2, 3, "{}", attempt.name);
        assert!(proofs.iter().any(|proof| proof.contains('.') && is_good(proof)));
        assert_eq!((attempt.status, attempt.error), (400, "invalid_request"));
    }
}

#[tokio::test]
async fn a_replay_has_the_id_and_the_key_of_the_proof_before_it() {
    let tenant = frozen_tenant().await;
    for attempt in HostileProof::all(&request(&tenant)) {
        let Some(first) = attempt.first else {
            assert_ne!(attempt.class, ProofClass::Replay);
            continue;
        };
        assert_eq!(attempt.class, ProofClass::Replay);
        let [first, again] = [&first, &attempt.headers].map(|headers| {
            let (_, token, proof) = parts(headers);
            assert!(is_good(&proof), "{}", attempt.name);
            let [header, claims] = [0, 1].map(|index| segment(&proof, index).unwrap());
            assert_eq!(claims["ath"], hash(&token));
            (header["jwk"].clone(), claims["jti"].clone())
        });
        assert_eq!(first, again);
    }
}

#[tokio::test]
async fn controls_are_signed_and_bound_to_their_keys() {
    let tenant = frozen_tenant().await;
    let controls = ProofControl::all(&request(&tenant));
    for ProofControl { name, headers, .. } in &controls {
        let (scheme, token, proof) = parts(headers);
        assert!(scheme.eq_ignore_ascii_case("dpop") && is_good(&proof), "{name}");
        assert_eq!(segment(&proof, 1).unwrap()["ath"], hash(&token), "{name}");
        assert!(verify(&tenant, &token).await.unwrap()["cnf"]["jkt"].is_string(), "{name}");
        assert!(proof.len() <= 8 * 1024, "{name}");
    }
    let spelt = |name: &str| {
        let control = controls.iter().find(|control| control.name == name);
        let proof = control.map(|control| segment(&proof_of(&control.headers), 1).unwrap());
        proof.unwrap_or_else(|| panic!("{name} is absent"))["htu"].as_str().unwrap().to_owned()
    };
    for (name, htu) in [
        ("proof-htu-scheme-upper-case", "HTTPS://api.example.com/posts/~alice%2Fold"),
        ("proof-htu-host-upper-case", "https://API.EXAMPLE.COM/posts/~alice%2Fold"),
        ("proof-htu-percent-encodings-lower-case", "https://api.example.com/posts/~alice%2fold"),
        ("proof-htu-letter-encoded", "https://api.example.com/%70osts/~alice%2Fold"),
        ("proof-htu-tilde-encoded", "https://api.example.com/posts/%7Ealice%2Fold"),
        ("proof-htu-tilde-encoded-lower-case", "https://api.example.com/posts/%7ealice%2Fold"),
        ("proof-htu-dot-segment", "https://api.example.com/./posts/~alice%2Fold"),
        ("proof-htu-dot-dot-segment", "https://api.example.com/x/../posts/~alice%2Fold"),
        ("proof-htu-default-port", "https://api.example.com:443/posts/~alice%2Fold"),
        ("proof-htu-empty-port", "https://api.example.com:/posts/~alice%2Fold"),
    ] {
        assert_eq!(spelt(name), htu);
    }
    let root = DpopRequest::new(tenant.token(), "GET", "http://127.0.0.1:8080/");
    let root = ProofControl::all(&root);
    let urls = root.iter().filter(|control| control.name.contains("-htu-"));
    let urls: Vec<_> = urls.map(|control| control.name).collect();
    let expected = ["scheme-upper-case", "dot-segment", "dot-dot-segment", "empty-path"];
    assert_eq!(urls, expected.map(|name| format!("proof-htu-{name}")));
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn a_refusal_has_the_error_in_the_challenge_of_the_scheme() {
    let tenant = frozen_tenant().await;
    let attempts = HostileProof::all(&request(&tenant));
    let named = |name| attempts.iter().find(|attempt| attempt.name == name).unwrap();
    let is_refusal = |name, status, challenges: &[&str]| {
        std::panic::catch_unwind(|| named(name).assert_refused(status, challenges)).is_ok()
    };
    let (typ, bearer) = ("proof-typ-missing", "bound-token-as-bearer");
    let (right, other) = (r#"DPoP error="invalid_dpop_proof""#, r#"DPoP error="invalid_token""#);
    assert!(is_refusal(typ, 401, &[right]));
    assert!(is_refusal(typ, 401, &["Bearer realm=\"x\"", right]));
    assert!(is_refusal(typ, 401, &[r#"Bearer realm="x", DPoP error=invalid_dpop_proof"#]));
    assert!(!is_refusal(typ, 400, &[right]));
    assert!(!is_refusal(typ, 401, &[]));
    assert!(!is_refusal(typ, 401, &[other]));
    assert!(!is_refusal(typ, 401, &["Bearer error=\"invalid_dpop_proof\", DPoP"]));
    assert!(!is_refusal(typ, 401, &["Bearer error=\"invalid_dpop_proof\"", right]));
    assert!(!is_refusal(typ, 401, &["Bearer error=\"invalid_dpop_proof\""]));

    let in_bearer = r#"Bearer error="invalid_token""#;
    assert!(is_refusal(bearer, 401, &[in_bearer, "DPoP"]));
    assert!(is_refusal(bearer, 401, &[other]));
    assert!(!is_refusal(bearer, 401, &["Bearer", other]));
    assert!(!is_refusal(bearer, 401, &[in_bearer, other]));

    let errors = ["Bearer", "DPoP"].map(|scheme| format!("{scheme} error=\"invalid_request\""));
    for challenges in [&[&*errors[0]][..], &[&*errors[1]], &[&*errors[0], &*errors[1]]] {
        assert!(is_refusal("two-schemes-dpop-first", 400, challenges));
        assert!(is_refusal("two-authorizations", 400, challenges));
        assert!(!is_refusal("two-authorizations", 401, challenges));
    }
    assert!(!is_refusal("two-authorizations", 400, &[right]));
    assert!(is_refusal("proof-nonce-stale", 401, &[r#"DPoP error="use_dpop_nonce""#]));

    let silent = std::panic::catch_unwind(|| named(typ).assert_refused(200, [""; 0]));
    let message = silent.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains(typ), "{message}");
    let control = ProofControl::all(&request(&tenant)).remove(0);
    control.assert_accepted(204);
    assert!(std::panic::catch_unwind(|| control.assert_accepted(401)).is_err());
}
