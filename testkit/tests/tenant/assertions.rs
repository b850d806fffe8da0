use std::time::Duration;

use monocloud_testkit::{Algorithm, ClientAuth, MockTenant};
use serde_json::{Value, json};

use crate::asker::{Asker, Assertion, JWT_BEARER, JWT_SPIFFE, assert_rejected, frozen_tenant};

type Change<'a> = &'a dyn Fn(&mut Assertion);

#[tokio::test]
async fn each_claim_of_an_assertion_is_checked() {
    let tenant = frozen_tenant().await;
    let now = |assertion: &Assertion| assertion.claims["iat"].as_i64().unwrap();
    let issuer = tenant.issuer();
    let changes: [(&str, Change<'_>); 21] = [
        ("iss", &|it| it.claims["iss"] = json!("another")),
        ("iss", &|it| it.claims["iss"] = Value::Null),
        ("sub", &|it| it.claims["sub"] = json!("another")),
        ("aud", &|it| it.claims["aud"] = json!("https://other.example.com")),
        ("aud", &|it| it.claims["aud"] = json!(format!("{issuer}/"))),
        ("aud", &|it| it.claims["aud"] = json!(format!("{issuer}/connect/introspect"))),
        ("aud", &|it| it.claims["aud"] = json!([issuer])),
        ("iat", &|it| it.claims["iat"] = json!(now(it) + 1)),
        ("iat", &|it| it.claims["iat"] = json!(now(it).to_string())),
        ("iat", &|it| it.claims["iat"] = Value::Null),
        ("nbf", &|it| it.claims["nbf"] = json!(now(it) + 5)),
        ("nbf", &|it| it.claims["nbf"] = json!(now(it) - 5)),
        ("nbf", &|it| it.claims["nbf"] = Value::Null),
        ("longer than a minute", &|it| it.claims["exp"] = json!(now(it) + 61)),
        ("expired", &|it| it.claims["exp"] = json!(now(it))),
        ("exp", &|it| it.claims["exp"] = Value::Null),
        ("exp", &|it| it.claims["exp"] = json!(now(it) as f64 + 30.5)),
        ("jti", &|it| it.claims["jti"] = json!("")),
        ("jti", &|it| it.claims["jti"] = json!(7)),
        ("jti", &|it| it.claims["jti"] = Value::Null),
        ("payload", &|it| it.claims = json!([])),
    ];
    for method in [ClientAuth::SecretJwt, ClientAuth::PrivateKeyJwt(Algorithm::Es256)] {
        let asker = Asker::new(&tenant, method);
        for (reason, change) in &changes {
            let mut assertion = asker.assertion();
            change(&mut assertion);
            let ask = asker.ask("t").assertion(JWT_BEARER, &assertion.sign());
            assert_rejected(ask.send().await, reason);
        }
    }
}

#[tokio::test]
async fn the_signature_of_an_assertion_is_checked() {
    let tenant = frozen_tenant().await;
    let secret = Asker::new(&tenant, ClientAuth::SecretJwt);
    let hs256 = secret.assertion();
    let another = MockTenant::start().await;
    let another_secret = Asker::new(&another, ClientAuth::SecretJwt).assertion().key;
    let none = Assertion { header: json!({ "alg": "none" }), ..secret.assertion() };
    for (assertion, reason) in [
        (Assertion { key: another_secret, ..secret.assertion() }.sign(), "HMAC"),
        (none.sign(), "kid"),
        (hs256.sign().rsplit_once('.').unwrap().0.to_owned() + ".", "HMAC"),
        (hs256.sign() + "!", "base64url"),
        ("a secret".to_owned(), "not a JWT"),
        ("a.b.YWE".into(), "header"),
    ] {
        let ask = secret.ask("t").assertion(JWT_BEARER, &assertion);
        assert_rejected(ask.send().await, reason);
    }

    for algorithm in Algorithm::ALL {
        let method = ClientAuth::PrivateKeyJwt(algorithm);
        let asker = Asker::new(&tenant, method);
        let send = async |assertion: Assertion| {
            asker.ask("t").assertion(JWT_BEARER, &assertion.sign()).send().await
        };
        let other = of_another_client(method, &asker.assertion()).await;
        assert_rejected(send(Assertion { key: other.key, ..asker.assertion() }).await, "signature");
        assert_rejected(send(Assertion { header: other.header, ..asker.assertion() }).await, "kid");

        let with = |name: &str, value: Value| {
            let mut assertion = asker.assertion();
            assertion.header[name] = value;
            assertion
        };
        assert_rejected(send(with("kid", Value::Null)).await, "no kid");
        assert_rejected(send(with("alg", json!("RS1"))).await, "alg");
        // The public key as an HMAC's secret (RFC 8725 §2.1).
        let mut confused = with("alg", json!("HS256"));
        let public = confused.key.get("n").or(confused.key.get("x")).cloned();
        confused.key = json!({ "alg": "HS256", "k": public });
        assert_rejected(send(confused).await, "HMAC");
    }
}

/// An assertion of another tenant's client. RSA keys come from a pool, and both tenants may use the
/// same one.
async fn of_another_client(method: ClientAuth, own: &Assertion) -> Assertion {
    loop {
        let another = MockTenant::start().await;
        let other = Asker::new(&another, method).assertion();
        if other.key["n"].is_null() || other.key["n"] != own.key["n"] {
            return other;
        }
    }
}

#[tokio::test]
async fn an_assertion_is_used_once_within_its_minute() {
    let tenant = frozen_tenant().await;
    for method in [ClientAuth::SecretJwt, ClientAuth::PrivateKeyJwt(Algorithm::EdDsa)] {
        let asker = Asker::new(&tenant, method);
        let send = async |assertion: &Assertion| {
            asker.ask("t").assertion(JWT_BEARER, &assertion.sign()).send().await
        };
        let used = asker.assertion();
        assert_eq!(send(&used).await.0, 200);
        assert_rejected(send(&used).await, "jti");
        let mut respelt = asker.assertion();
        respelt.claims["jti"] = used.claims["jti"].clone();
        assert_rejected(send(&respelt).await, "jti");

        let [in_time, late] = [asker.assertion(), asker.assertion()];
        tenant.clock().advance(Duration::from_secs(59));
        assert_eq!(send(&in_time).await.0, 200);
        tenant.clock().advance(Duration::from_secs(1));
        assert_rejected(send(&late).await, "expired");
        let early = asker.assertion();
        tenant.clock().shift_wall(-1);
        assert_rejected(send(&early).await, "iat is in the future");
    }
}

#[tokio::test]
async fn the_form_around_an_assertion_is_checked() {
    let tenant = frozen_tenant().await;
    for method in [ClientAuth::SecretJwt, ClientAuth::SpiffeJwt] {
        let asker = Asker::new(&tenant, method);
        for (ask, reason) in [
            (asker.ask("t").without("client_id"), "no client_id"),
            (asker.ask("t").with("client_id", "another"), "client_id"),
            (asker.ask("t").without("client_assertion"), "no client_assertion"),
            (asker.ask("t").without("client_assertion_type"), "no client_assertion_type"),
            (asker.ask("t").with("client_assertion_type", "jwt"), "client_assertion_type"),
        ] {
            assert_rejected(ask.send().await, reason);
        }
    }
    let [jwt, spiffe] =
        [ClientAuth::SecretJwt, ClientAuth::SpiffeJwt].map(|method| Asker::new(&tenant, method));
    let jwt = jwt.ask("t").with("client_assertion_type", JWT_SPIFFE);
    assert_rejected(jwt.send().await, "SVID");
    let spiffe = spiffe.ask("t").with("client_assertion_type", JWT_BEARER);
    assert_rejected(spiffe.send().await, "kid");
}
