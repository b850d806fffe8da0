//! Keys, proofs and clients (RFC 9449), read by independent code.

use std::{cell::RefCell, collections::HashSet, time::Duration};

use http::{HeaderName, HeaderValue, Method, Response};
use monocloud_testkit::{
    Algorithm, ClientAuth, Clock, DpopClient, DpopKey, MockTenant, ProofBuilder,
};
use serde_json::{Value, json};

use crate::{
    asker::Asker,
    reader::{is_signed_by, segment, verify},
};

const URL: &str = "https://api.example.com/posts";

async fn frozen_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

/// Whether `key` signed the proof with its own algorithm.
fn signed_by(key: &DpopKey, proof: &str) -> bool {
    is_signed_by(&key.jwk(), key.algorithm().as_str(), proof).unwrap()
}

#[tokio::test]
async fn proofs_of_every_algorithm_verify_with_the_key_in_their_header() {
    for algorithm in Algorithm::ALL {
        let key = DpopKey::of(algorithm);
        let proof = key.proof("GET", URL).mint();
        let header = segment(&proof, 0).unwrap();
        let expected = json!({ "typ": "dpop+jwt", "alg": algorithm.as_str(), "jwk": key.jwk() });
        assert_eq!(header, expected);
        assert!(signed_by(&key, &proof), "{algorithm}");
        assert!(!signed_by(&DpopKey::of(algorithm), &proof), "{algorithm}");
    }
}

#[tokio::test]
async fn a_jwk_has_the_public_members_that_its_thumbprint_needs() {
    let members = |algorithm| {
        let jwk = DpopKey::of(algorithm).jwk();
        let names = jwk.as_object().unwrap().keys().cloned();
        names.collect::<HashSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<HashSet<_>>();
    assert_eq!(members(Algorithm::Es512), set(&["kty", "crv", "x", "y"]));
    assert_eq!(members(Algorithm::EdDsa), set(&["kty", "crv", "x"]));
    assert_eq!(members(Algorithm::Ps256), set(&["kty", "n", "e"]));
}

#[tokio::test]
async fn a_proof_has_the_claims_of_the_rfc() {
    let tenant = frozen_tenant().await;
    let key = DpopKey::generate();
    let first = tenant.proof(&key, Method::POST, format!("{URL}?page=2#top")).mint();
    let first = segment(&first, 1).unwrap();
    let now = segment(&tenant.token().mint(), 1).unwrap()["iat"].clone();
    let expected = json!({ "jti": first["jti"], "htm": "POST", "htu": URL, "iat": now });
    assert_eq!(first, expected);

    tenant.clock().advance(Duration::from_secs(90));
    let second = segment(&tenant.proof(&key, "GET", URL).issued_ago(30).mint(), 1).unwrap();
    assert_eq!(second["iat"], now.as_i64().unwrap() + 60);
    assert_ne!(second["jti"], first["jti"]);
}

/// RFC 9449 §7.1.
#[tokio::test]
async fn the_hash_of_a_token_is_that_of_the_rfc() {
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let proof = DpopKey::generate().proof("GET", URL).for_token(token).mint();
    let claims = segment(&proof, 1).unwrap();
    assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[tokio::test]
async fn every_header_parameter_and_claim_can_be_changed() {
    let (key, other) = (DpopKey::generate(), DpopKey::generate());
    let proof = || key.proof("GET", URL);
    let header = |proof: ProofBuilder| segment(&proof.mint(), 0).unwrap();
    let claims = |proof: ProofBuilder| segment(&proof.mint(), 1).unwrap();
    assert_eq!(header(proof().header("typ", "JWT"))["typ"], "JWT");
    assert_eq!(header(proof().without_header("jwk")).get("jwk"), None);
    assert_eq!(claims(proof().claim("htm", 1))["htm"], 1);
    assert_eq!(claims(proof().without("jti")).get("jti"), None);
    assert_eq!(claims(proof().nonce("a").nonce("b"))["nonce"], "b");

    let by_other = proof().signed_by(&other).mint();
    assert_eq!(segment(&by_other, 0).unwrap()["jwk"], key.jwk());
    assert!(signed_by(&other, &by_other) && !signed_by(&key, &by_other));

    let raw = proof().raw_header(r#"{"alg" : 1}"#).raw_payload("[1]").mint();
    assert_eq!((segment(&raw, 0), segment(&raw, 1)), (Ok(json!({ "alg": 1 })), Ok(json!([1]))));
    assert!(signed_by(&key, &raw));
}

#[tokio::test]
async fn a_token_is_bound_to_a_key_and_a_certificate() {
    let tenant = frozen_tenant().await;
    let (key, alice) = (DpopKey::generate(), tenant.client_certificate("alice"));
    let jkt = json!({ "jkt": key.thumbprint() });
    let both = json!({ "jkt": key.thumbprint(), "x5t#S256": alice.thumbprint() });

    let token = tenant.token().bound_to_key(&key).mint();
    let claims = verify(&tenant, &token).await.unwrap();
    assert_eq!((&claims["cnf"], claims.get("token_type")), (&jkt, None));
    let cnf = |token: &str| segment(token, 1).unwrap()["cnf"].clone();
    assert_eq!(cnf(&tenant.token().bound_to_key(&key).bound_to(&alice).mint()), both);
    assert_eq!(cnf(&tenant.token().bound_to(&alice).bound_to_key(&key).mint()), both);
    let other = DpopKey::generate();
    assert_eq!(cnf(&tenant.token().bound_to_key(&other).bound_to_key(&key).mint()), jkt);
    assert_eq!(cnf(&tenant.token().claim("cnf", 1).bound_to_key(&key).mint()), jkt);
    assert_eq!(cnf(&tenant.token().bound_to_key(&key).claim("cnf", 1).mint()), json!(1));
}

/// RFC 9449 §6.2.
#[tokio::test]
async fn introspection_reports_the_type_of_a_bound_opaque_token() {
    let tenant = frozen_tenant().await;
    let key = DpopKey::generate();
    let asker = Asker::new(&tenant, ClientAuth::SecretPost);
    let bound = || tenant.opaque_token().bound_to_key(&key);
    let answer = asker.ask(&bound().mint()).send().await.1;
    assert_eq!(answer["token_type"], "DPoP");
    assert_eq!(answer["cnf"], json!({ "jkt": key.thumbprint() }));
    let untyped = asker.ask(&bound().without("token_type").mint()).send().await.1;
    assert_eq!((&untyped["active"], untyped.get("token_type")), (&json!(true), None));
}

#[tokio::test]
async fn the_metadata_names_the_algorithms_of_proofs() {
    let tenant = frozen_tenant().await;
    let names = Algorithm::ALL.map(Algorithm::as_str);
    assert_eq!(tenant.metadata()["dpop_signing_alg_values_supported"], json!(names));
}

/// Answers requests with the responses in turn, and records the claims of their proofs.
struct Api {
    responses: RefCell<Vec<Response<()>>>,
    seen: RefCell<Vec<Value>>,
}

impl Api {
    fn new(responses: impl IntoIterator<Item = Response<()>>) -> Self {
        let mut responses: Vec<_> = responses.into_iter().collect();
        responses.reverse();
        Self { responses: RefCell::new(responses), seen: RefCell::default() }
    }

    async fn call(&self, headers: Vec<(HeaderName, HeaderValue)>) -> Response<()> {
        let [(authorization, token), (dpop, proof)] = headers.try_into().unwrap();
        assert_eq!((authorization.as_str(), dpop.as_str()), ("authorization", "dpop"));
        assert_eq!(token, "DPoP the-token");
        self.seen.borrow_mut().push(segment(proof.to_str().unwrap(), 1).unwrap());
        self.responses.borrow_mut().pop().expect("no more requests")
    }

    fn nonces(&self) -> Vec<Value> {
        self.seen.borrow().iter().map(|claims| claims["nonce"].clone()).collect()
    }
}

fn response(status: u16, challenges: &[&str], nonce: Option<&str>) -> Response<()> {
    let mut response = Response::builder().status(status);
    for challenge in challenges {
        response = response.header("WWW-Authenticate", *challenge);
    }
    if let Some(nonce) = nonce {
        response = response.header("DPoP-Nonce", nonce);
    }
    response.body(()).unwrap()
}

const DEMAND: &str = r#"DPoP algs="ES256", error="use_dpop_nonce""#;

#[tokio::test]
async fn a_client_repeats_a_request_once_with_the_nonce_that_is_demanded() {
    let clock = Clock::frozen();
    let mut client = DpopClient::new(&DpopKey::generate(), "the-token").clock(&clock);
    let api = Api::new([
        response(401, &["Bearer", DEMAND], Some("n-1")),
        response(200, &[], Some("n-2")),
        response(401, &[DEMAND], Some("n-3")),
        response(401, &[DEMAND], Some("n-4")),
    ]);
    let send = async |headers| api.call(headers).await;
    assert_eq!(client.send("GET", URL, send).await.status(), 200);
    assert_eq!(client.send("GET", URL, send).await.status(), 401);
    assert_eq!(api.nonces(), [json!(null), json!("n-1"), json!("n-2"), json!("n-3")]);
    assert_eq!(client.nonce(), Some("n-4"));
    let seen = api.seen.borrow();
    let ids: HashSet<_> = seen.iter().map(|claims| claims["jti"].to_string()).collect();
    assert_eq!(ids.len(), 4);
    assert!(seen.iter().all(|claims| claims["ath"].is_string() && claims["htm"] == "GET"));
}

#[tokio::test]
async fn a_client_repeats_no_other_request() {
    let responses = [
        response(401, &[DEMAND], None),
        response(403, &[DEMAND], Some("n")),
        response(401, &[r#"DPoP error="invalid_token""#], Some("n")),
        response(401, &[r#"Bearer error="use_dpop_nonce", DPoP"#], Some("n")),
    ];
    for response in responses {
        let mut client = DpopClient::new(&DpopKey::generate(), "the-token");
        let api = Api::new([response.clone()]);
        let status = response.status();
        let answer = client.send("GET", URL, async |headers| api.call(headers).await).await;
        assert_eq!(answer.status(), status);
    }
}
