use std::path::Path;

use monocloud_testkit::{Algorithm, ClientAuth, Clock, Endpoint, Entrance, MockTenant};
use serde_json::json;

use crate::{
    asker::{Ask, Asker, JWT_BEARER, JWT_SPIFFE, assert_rejected, encoded, frozen_tenant},
    reader::segment,
};

const BY_SECRET: [ClientAuth; 3] =
    [ClientAuth::SecretBasic, ClientAuth::SecretPost, ClientAuth::SecretJwt];

fn every_method() -> impl Iterator<Item = ClientAuth> {
    let by_key = Algorithm::ALL.map(ClientAuth::PrivateKeyJwt);
    BY_SECRET.into_iter().chain(by_key).chain([ClientAuth::SpiffeJwt])
}

#[tokio::test]
async fn every_method_is_accepted() {
    let tenant = frozen_tenant().await;
    let token = tenant.opaque_token().mint();
    for method in every_method() {
        let asker = Asker::new(&tenant, method);
        for _ in 0..2 {
            let (status, answer) = asker.ask(&token).send().await;
            assert_eq!((status, &answer["active"]), (200, &json!(true)), "{method:?}: {answer}");
        }
        let seen = tenant.introspections().pop().unwrap();
        assert_eq!((seen.client_auth, seen.refusal), (Some(method), None));
    }
}

#[tokio::test]
async fn every_method_is_accepted_at_the_token_endpoint() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).mutual_tls().start().await;
    let by_certificate = [ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509];
    for method in every_method().chain(by_certificate) {
        let asker = Asker::new(&tenant, method);
        let entrance = match by_certificate.contains(&method) {
            true => Entrance::MutualTls,
            false => Entrance::Issuer,
        };
        let url = tenant.url_at(&entrance, Endpoint::Token);
        let ask = || asker.ask("").at(url.clone()).with("grant_type", "client_credentials");
        let (status, answer) = ask().send().await;
        assert_eq!(status, 200, "{method:?}: {answer}");
        let claims = segment(answer["access_token"].as_str().unwrap(), 1).unwrap();
        assert_eq!(claims["client_id"], tenant.client().id());
        let is_bound = claims.get("cnf").is_some();
        assert_eq!(is_bound, entrance == Entrance::MutualTls, "{method:?}");
        if !is_bound && method != ClientAuth::SecretBasic {
            let (status, answer) = ask().with("client_id", "service").send().await;
            assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")), "{method:?}");
        }
    }
}

#[tokio::test]
async fn settings_belong_to_one_tenant() {
    let (tenant, other) = (frozen_tenant().await, MockTenant::start().await);
    for method in every_method() {
        let settings = tenant.vars_for(method);
        assert_eq!(settings, tenant.vars_for(method), "{method:?}");
        assert_eq!(settings.len(), 5);
        assert!(settings.starts_with(&tenant.vars()));
        let id = ("MONOCLOUD_BACKEND_CLIENT_ID".to_owned(), tenant.client().id().to_owned());
        assert!(settings.contains(&id));
        let secret = |vars: &[(String, String)]| vars[3].1.clone();
        assert_ne!(secret(&settings), secret(&other.vars_for(method)), "{method:?}");
    }
    assert!(tenant.client().secret().len() >= 32, "long enough for HMAC SHA-256");
}

#[tokio::test]
async fn a_wrong_secret_is_rejected() {
    let tenant = frozen_tenant().await;
    let (id, secret) = (tenant.client().id(), tenant.client().secret());
    let basic = Asker::new(&tenant, ClientAuth::SecretBasic);
    let post = Asker::new(&tenant, ClientAuth::SecretPost);
    let wrong = format!("{secret}x");

    for (ask, reason) in [
        (basic.ask("t").basic(&encoded(id), &encoded(&wrong)), "secret"),
        (basic.ask("t").basic(&encoded(id), ""), "secret"),
        (basic.ask("t").basic("another", &encoded(secret)), "Basic id"),
        (basic.ask("t").with("client_id", "another"), "client_id"),
        (post.ask("t").with("client_secret", &wrong), "client_secret"),
        (post.ask("t").with("client_secret", ""), "client_secret"),
        (
            post.ask("t").with("client_secret", secret.trim_end_matches(char::is_alphanumeric)),
            "client_secret",
        ),
        (post.ask("t").with("client_id", "another"), "client_id"),
        (post.ask("t").without("client_id"), "no client_id"),
    ] {
        assert_rejected(ask.send().await, reason);
    }
    assert_eq!(basic.ask("t").with("client_id", id).send().await.0, 200);
}

#[tokio::test]
async fn basic_credentials_must_be_form_encoded() {
    let tenant = frozen_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SecretBasic);
    let (id, secret) = (asker.setting("CLIENT_ID"), asker.setting("CLIENT_SECRET"));
    for text in [id, secret] {
        assert!([':', '%', '+', ' ', 'é'].iter().all(|special| text.contains(*special)));
    }
    let raw = |special: &str, text: &str| encoded(text).replace(&encoded(special), special);
    for special in [":", "%", "+", " ", "é"] {
        let by_id = asker.ask("t").basic(&raw(special, id), &encoded(secret));
        assert_eq!(by_id.send().await.0, 401, "{special} in the id");
        let by_secret = asker.ask("t").basic(&encoded(id), &raw(special, secret));
        assert_eq!(by_secret.send().await.0, 401, "{special} in the secret");
    }
    let with_encoded_spaces = |text: &str| encoded(text).replace('+', "%20");
    let ask = asker.ask("t").basic(&with_encoded_spaces(id), &with_encoded_spaces(secret));
    assert_eq!(ask.send().await.0, 200);
}

#[tokio::test]
async fn malformed_basic_credentials_are_rejected() {
    let tenant = frozen_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SecretBasic);
    let with = |headers: &[&str]| {
        let mut ask = asker.ask("t");
        ask.authorization = headers.iter().map(|&header| header.into()).collect();
        ask
    };
    let right = asker.ask("t").authorization.remove(0);
    for (headers, reason) in [
        (&["Bearer t"][..], "scheme"),
        (&["Basic"], "has no credentials"),
        (&["Basic !"], "base64"),
        (&["Basic dA=="], "colon"),
        (&["Basic //86"], "UTF-8"),
        (&[&right, &right], "two"),
    ] {
        assert_rejected(with(headers).send().await, reason);
    }
    assert_eq!(with(&[&right.replace("Basic", "bAsIc")]).send().await.0, 200);
}

#[tokio::test]
async fn a_client_uses_exactly_one_method() {
    let tenant = frozen_tenant().await;
    let basic = Asker::new(&tenant, ClientAuth::SecretBasic);
    let post = Asker::new(&tenant, ClientAuth::SecretPost);
    let jwt = Asker::new(&tenant, ClientAuth::SecretJwt);
    let with_basic = |mut ask: Ask| {
        ask.authorization = basic.ask("t").authorization;
        ask
    };
    let secret = tenant.client().secret();

    assert_rejected(post.ask("t").without("client_secret").send().await, "did not authenticate");
    for ask in [
        with_basic(post.ask("t")),
        with_basic(jwt.ask("t")),
        jwt.ask("t").with("client_secret", secret),
        basic.ask("t").with("client_assertion_type", JWT_BEARER),
    ] {
        assert_rejected(ask.send().await, "more than one");
    }
}

#[tokio::test]
async fn the_svid_is_in_a_file_and_can_be_renewed() {
    let tenant = frozen_tenant().await;
    let before_any = Asker::new(&tenant, ClientAuth::SecretPost).ask("t").without("client_secret");
    assert_rejected(before_any.assertion(JWT_SPIFFE, "").send().await, "SVID");

    let asker = Asker::new(&tenant, ClientAuth::SpiffeJwt);
    let file = asker.setting("CLIENT_ASSERTION_FILE").to_owned();
    let old = asker.ask("t");
    let svid = std::fs::read_to_string(&file).unwrap();
    assert_eq!(svid.split('.').count(), 3);
    let shorter = asker.ask("t").assertion(JWT_SPIFFE, &svid[..svid.len() - 1]);
    assert_rejected(shorter.send().await, "SVID");

    tenant.renew_svid();
    assert_rejected(old.send().await, "SVID");
    assert_eq!(asker.ask("t").send().await.0, 200);
    assert_eq!(Asker::new(&tenant, ClientAuth::SpiffeJwt).setting("CLIENT_ASSERTION_FILE"), file);

    drop(tenant);
    assert!(!Path::new(&file).exists());
}
