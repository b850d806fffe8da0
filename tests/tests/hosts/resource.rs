//! The metadata of the API itself (RFC 9728), which challenges name once it is served.

use harness::{
    hosts::{AXUM, Host},
    support::{frozen_tenant, get, protect},
};
use monocloud_backend::{ProtectApi, certificate::CertificateBinding, dpop::DpopMode};
use serde_json::{Value, json};

on_every_host! {
    clients_find_the_tenant_through_the_url_of_the_api,
    every_challenge_names_the_metadata_once_it_is_served,
    clients_that_know_no_path_find_it_at_the_root,
}

const PATH: &str = "/.well-known/oauth-protected-resource";

async fn clients_find_the_tenant_through_the_url_of_the_api(host: Host) {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).resource("https://api.example.com/posts").build().unwrap();
    let protect = protect.describe_scope("posts:read", "Read posts");
    let api = host.serve_metadata(protect.serve_resource_metadata().unwrap());
    let answer = api.send(get(&format!("{PATH}/posts")).header("host", "evil.example")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&answer.body).unwrap(),
        json!({
            "resource": "https://api.example.com/posts",
            "authorization_servers": [tenant.issuer()],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["posts:read"],
        }),
    );
}

async fn clients_that_know_no_path_find_it_at_the_root(host: Host) {
    let tenant = frozen_tenant().await;
    for (url, path) in [
        ("https://api.example.com/posts/v1", &*format!("{PATH}/posts/v1")),
        ("https://api.example.com/", PATH),
        ("https://api.example.com", PATH),
    ] {
        let protect = protect(&tenant).resource(url).build().unwrap();
        let api = host.serve_metadata(protect.serve_resource_metadata().unwrap());
        for path in [path, PATH] {
            let answer = api.send(get(path)).await;
            assert_eq!(answer.status, 200, "{path}");
            let metadata = serde_json::from_str::<Value>(&answer.body).unwrap();
            assert_eq!(metadata["resource"], url);
        }
        assert_eq!(api.send(get(&format!("{PATH}/other"))).await.status, 404);
    }
}

async fn every_challenge_names_the_metadata_once_it_is_served(host: Host) {
    let metadata =
        r#"resource_metadata="https://api.example.com/.well-known/oauth-protected-resource""#;
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    let api = host.serve(&protect);
    let read = tenant.token().mint();
    for (call, status) in [
        (get("/read"), 401),
        (get("/read").bearer("a b"), 400),
        (get("/read").bearer("a.b.c"), 401),
        (get("/read").bearer(&read), 403),
    ] {
        let challenge = async || {
            let answer = api.send(call.clone()).await;
            assert_eq!(answer.status, status);
            answer.header("www-authenticate").unwrap().to_owned()
        };
        assert!(!challenge().await.contains("resource_metadata"));
    }
    let _ = protect.serve_resource_metadata().unwrap();
    for call in [get("/read"), get("/read").bearer("a.b.c"), get("/read").bearer(&read)] {
        let answer = api.send(call).await;
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.ends_with(&format!(", {metadata}")), "{challenge}");
        assert_eq!(challenge.matches("resource_metadata").count(), 1, "{challenge}");
    }
}

#[tokio::test]
async fn without_a_url_of_the_api_there_is_no_metadata() {
    let tenant = frozen_tenant().await;
    let protect = ProtectApi::builder().vars(tenant.vars()).audience("urn:posts").build().unwrap();
    let error = protect.serve_resource_metadata().unwrap_err().to_string();
    assert!(error.contains("MONOCLOUD_BACKEND_RESOURCE"), "{error}");
}

#[tokio::test]
async fn it_says_what_is_configured_and_no_more() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant)
        .resource_name("Posts")
        .resource_documentation("https://docs.example.com/posts#start")
        .certificate_binding(CertificateBinding::Required)
        .build()
        .unwrap();
    let protect = protect.describe_scope("offline_access", "Stay signed in");
    let metadata = protect.describe_scope("posts:read", "Read").serve_resource_metadata().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(metadata.respond().body()).unwrap(),
        json!({
            "resource": "https://api.example.com",
            "resource_name": "Posts",
            "resource_documentation": "https://docs.example.com/posts#start",
            "authorization_servers": [tenant.issuer()],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["posts:read"],
            "tls_client_certificate_bound_access_tokens": true,
        }),
    );
}

#[tokio::test]
async fn a_list_that_would_be_empty_is_left_out() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap().describe_scope("offline_access", "Stay");
    let metadata = protect.serve_resource_metadata().unwrap();
    let metadata = serde_json::from_str::<Value>(metadata.respond().body()).unwrap();
    assert_eq!(metadata.get("scopes_supported"), None);
}

#[tokio::test]
async fn clients_are_told_that_every_token_must_be_bound_to_a_certificate() {
    let tenant = frozen_tenant().await;
    for (binding, told) in [
        (CertificateBinding::Required, json!(true)),
        (CertificateBinding::WhenPresent, Value::Null),
        (CertificateBinding::DangerouslyIgnore, Value::Null),
    ] {
        let protect = protect(&tenant).certificate_binding(binding).build().unwrap();
        let metadata = protect.serve_resource_metadata().unwrap();
        let answer = AXUM.serve_metadata(metadata).send(get(PATH)).await;
        let metadata = serde_json::from_str::<Value>(&answer.body).unwrap();
        assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], told, "{binding:?}");
    }
}

#[tokio::test]
async fn clients_are_told_how_they_prove_the_key_that_a_token_is_bound_to() {
    let names = json!([
        "ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"
    ]);
    let tenant = frozen_tenant().await;
    for (dpop, algorithms, required) in [
        (DpopMode::Disabled, None, None),
        (DpopMode::Allowed, Some(&names), None),
        (DpopMode::Required, Some(&names), Some(&json!(true))),
    ] {
        let protect = protect(&tenant).dpop(dpop).build().unwrap();
        let metadata = protect.serve_resource_metadata().unwrap();
        let metadata = serde_json::from_str::<Value>(metadata.respond().body()).unwrap();
        assert_eq!(metadata.get("dpop_signing_alg_values_supported"), algorithms, "{dpop:?}");
        assert_eq!(metadata.get("dpop_bound_access_tokens_required"), required, "{dpop:?}");
    }
}

#[tokio::test]
async fn partner_tenants_are_named_if_the_application_requests_it() {
    let [own, partner] = [frozen_tenant().await, frozen_tenant().await];
    let api = protect(&own).build().unwrap();
    let api = api.also_accept(protect(&partner).build().unwrap()).unwrap();
    let servers = async |metadata| {
        let answer = AXUM.serve_metadata(metadata).send(get(PATH)).await;
        serde_json::from_str::<Value>(&answer.body).unwrap()["authorization_servers"].clone()
    };
    let metadata = api.serve_resource_metadata().unwrap();
    assert_eq!(servers(metadata.clone()).await, json!([own.issuer()]));
    let both = json!([own.issuer(), partner.issuer()]);
    assert_eq!(servers(metadata.name_all_tenants()).await, both);
}
