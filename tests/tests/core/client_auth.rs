//! How this API authenticates to the tenant (RFC 6749 §2.3, RFC 7523, SPIFFE); the testkit verifies
//! the credentials of every method.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use harness::support::{frozen_tenant, get, internal, introspecting, ok, protect, serve};
use monocloud_backend::config::ClientAuthMethod;
use monocloud_testkit::{Algorithm, ClientAuth, Endpoint, Fault};
use serde_json::{Value, json};

#[tokio::test]
async fn introspection_sends_a_form_and_supports_every_authentication_method() {
    let signed = Algorithm::ALL.map(ClientAuth::PrivateKeyJwt);
    let secret = [ClientAuth::SecretBasic, ClientAuth::SecretPost, ClientAuth::SecretJwt];
    let tenant = frozen_tenant().await;
    for method in [secret.as_slice(), &signed, &[ClientAuth::SpiffeJwt]].concat() {
        let api = serve(&protect(&tenant).vars(tenant.vars_for(method)).build().unwrap());
        // Twice, because the tenant rejects an assertion that is used again.
        for _ in 0..2 {
            let token = tenant.opaque_token().mint();
            api.check(method.as_str(), get("/any").bearer(&token), &ok()).await;
            let seen = tenant.introspections().pop().unwrap();
            assert_eq!((seen.client_auth, seen.refusal), (Some(method), None), "{seen:?}");
            assert_eq!(seen.token, token, "{seen:?}");
            assert_eq!(seen.accept.as_deref(), Some("application/json"), "{seen:?}");
            let form = "application/x-www-form-urlencoded";
            assert_eq!(seen.content_type.as_deref(), Some(form), "{seen:?}");
        }
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn a_renewed_svid_file_is_read_again() {
    let tenant = frozen_tenant().await;
    let vars = tenant.vars_for(ClientAuth::SpiffeJwt);
    let api = serve(&protect(&tenant).vars(vars).build().unwrap());
    for _ in 0..3 {
        api.check("an SVID", get("/any").bearer(&tenant.opaque_token().mint()), &ok()).await;
        tenant.renew_svid();
    }
}

#[tokio::test]
async fn rejected_client_credentials_are_500() {
    let tenant = frozen_tenant().await;
    let wrong = introspecting(&tenant).client(tenant.client().id(), "wrong");
    let api = serve(&wrong.build().unwrap());
    api.check("wrong", get("/any").bearer(&tenant.opaque_token().mint()), &internal()).await;
    let seen = tenant.introspections().pop().unwrap();
    assert_eq!(seen.refusal, Some("the client_secret is wrong"));
}

#[tokio::test]
async fn the_svid_provider_is_called_for_every_introspection() {
    let tenant = frozen_tenant().await;
    let vars = tenant.vars_for(ClientAuth::SpiffeJwt);
    let file = "MONOCLOUD_BACKEND_CLIENT_ASSERTION_FILE";
    let svid = vars.iter().find(|(name, _)| name == file).unwrap().1.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let builder = protect(&tenant)
        .vars(vars.into_iter().filter(|(name, _)| name != file))
        .svid_provider(move || {
            let count = counter.fetch_add(1, Ordering::SeqCst);
            let svid = fs::read_to_string(&svid);
            async move { if count < 2 { Ok(svid?) } else { Err("no SVID".into()) } }
        });
    let api = serve(&builder.build().unwrap());
    for (case, expected) in [("first", ok()), ("second", ok()), ("failed", internal())] {
        api.check(case, get("/any").bearer(&tenant.opaque_token().mint()), &expected).await;
        tenant.renew_svid();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(tenant.requests(Endpoint::Introspection), 2);
}

#[tokio::test]
async fn a_private_jwk_with_inconsistent_members_is_a_configuration_error() {
    let (tenant, other) = (frozen_tenant().await, frozen_tenant().await);
    let key_of = |vars: &[(String, String)]| -> Value {
        let secret = vars.iter().find(|(name, _)| name.ends_with("CLIENT_SECRET")).unwrap();
        serde_json::from_str(&secret.1).unwrap()
    };
    for (algorithm, member) in
        [(Algorithm::Rs256, "n"), (Algorithm::Es256, "x"), (Algorithm::EdDsa, "x")]
    {
        let method = ClientAuth::PrivateKeyJwt(algorithm);
        let vars = tenant.vars_for(method);
        let mut mixed = key_of(&vars);
        mixed[member] = key_of(&other.vars_for(method))[member].clone();
        let builder = protect(&tenant).vars(vars).client(tenant.client().id(), mixed.to_string());
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains("client_secret: is a JWK with inconsistent members"), "{error}");
    }
}

/// The tenant may have read the lost request, and an assertion is valid for one request.
#[tokio::test]
async fn a_repeated_request_has_new_credentials() {
    let tenant = frozen_tenant().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let client = protect(&tenant).client_id("api").client_auth_method(ClientAuthMethod::SpiffeJwt);
    let builder = client.svid_provider(move || {
        let count = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("svid-{count}")) }
    });
    let api = serve(&builder.build().unwrap());
    let active = json!({"active": true, "iss": tenant.issuer(), "aud": tenant.audience()});
    tenant.introspection_answer(active);
    let call = || get("/any").bearer(&tenant.opaque_token().mint());
    api.check("first", call(), &ok()).await;
    tenant.fault(Endpoint::Introspection, Fault::CloseBeforeAnswer).times(1);
    api.check("repeated", call(), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Introspection), 3);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}
