use std::{fs, net::TcpListener};

use monocloud_testkit::MockTenant;
use serde_json::Value;

use crate::process::{Outcome, Running, mock_tenant, run};

#[tokio::test]
async fn a_tenant_prints_what_a_developer_needs() {
    let tenant = Running::start(&[]);
    let printed = &tenant.announcement;
    for expected in [
        "users    alice\n         admin (groups: admin)\n",
        "clients  web (public, any redirect URI on loopback)\n         service (secret: secret)\n",
        "APIs     https://api.example.com (any scope)\n",
    ] {
        assert!(printed.contains(expected), "{printed}");
    }
    assert!(printed.contains(&format!("page     {}/\n", tenant.issuer())), "{printed}");
    assert!(printed.contains(&format!("{}/_control/openapi.json", tenant.issuer())), "{printed}");
    assert_eq!(tenant.setting("TENANT_DOMAIN"), Some(tenant.issuer()));
    assert_eq!(tenant.setting("AUDIENCE"), Some("https://api.example.com"));
    assert_eq!(tenant.setting("CLIENT_ID"), Some("service"));
    assert_eq!(tenant.setting("CLIENT_SECRET"), Some("secret"));

    // The port is the real one, and the token in the request is good.
    let url = format!("{}/.well-known/openid-configuration", tenant.issuer());
    let document = reqwest::get(url).await.unwrap().text().await.unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["issuer"], tenant.issuer());
    let request = printed.lines().find(|line| line.starts_with("curl ")).unwrap();
    let token = request.split_once("Bearer ").unwrap().1.split_once('\'').unwrap().0;
    let decoded = run(&["decode", token]).success();
    assert!(decoded.contains(r#""sub": "alice""#), "{decoded}");
}

#[test]
fn run_is_the_default_command() {
    let tenant = Running::of(&["--listen", "localhost:0", "--audience", "https://acme.test"]);
    assert_eq!(tenant.setting("AUDIENCE"), Some("https://acme.test"));
    assert!(tenant.announcement.contains("https://acme.test (any scope)"));
}

#[test]
fn a_tenant_ends_with_code_0_when_it_is_asked_to() {
    for signal in ["-INT", "-TERM"] {
        let (status, rest) = Running::start(&[]).ended_by(signal);
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
    }
}

#[test]
fn a_taken_port_is_a_clear_message() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = run(&["run", "--listen", &address]).usage_error();
    assert!(error.starts_with(&format!("error: {address} is taken")), "{error}");
    assert!(error.contains("--listen"), "{error}");
}

#[test]
fn an_address_of_another_machine_is_a_clear_message() {
    // TEST-NET-1 (RFC 5737).
    let error = run(&["run", "--listen", "192.0.2.1:0"]).usage_error();
    assert!(error.starts_with("error: cannot listen on 192.0.2.1:0"), "{error}");
}

#[test]
fn the_issuer_can_differ_from_the_address() {
    let tenant = Running::start(&["--issuer", "http://tenant.internal:4444/acme/"]);
    assert_eq!(tenant.issuer(), "http://tenant.internal:4444/acme");
    assert_eq!(tenant.setting("TENANT_DOMAIN"), Some(tenant.issuer()));
}

#[tokio::test]
async fn every_url_of_another_issuer_starts_with_it() {
    let issuer = "http://tenant.internal:4444/acme";
    let tenant = MockTenant::builder().issuer(issuer).control().start().await;
    let address = tenant.address();
    let get = async |path: &str| reqwest::get(format!("http://{address}{path}")).await.unwrap();
    let response = get("/acme/.well-known/openid-configuration").await;
    let document: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(document, tenant.metadata());
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            assert!(value.as_str().unwrap().starts_with(&format!("{issuer}/")), "{name}: {value}");
        }
    }
    // The control API is below the issuer's path, and also where a test looks first.
    for path in ["/acme/_control/openapi.json", "/_control/openapi.json"] {
        assert_eq!(get(path).await.status(), 200, "{path}");
    }
}

#[test]
fn with_tls_the_command_trusts_what_the_tenant_prints() {
    let tenant = Running::start(&["--tls"]);
    assert!(tenant.issuer().starts_with("https://localhost:"));
    let error = tenant.token(&[]).usage_error();
    assert!(error.contains("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE"), "{error}");
    let mut token = mock_tenant(&["token", "--tenant", tenant.issuer()]);
    let file = tenant.setting("CA_CERTIFICATE_FILE").unwrap();
    assert!(tenant.announcement.contains(&format!("export NODE_EXTRA_CA_CERTS={file}\n")));
    token.env("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE", file);
    let token = Outcome::of(token).success();
    assert_eq!(token.split('.').count(), 3);
}

#[test]
fn a_configuration_replaces_users_clients_and_apis() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenant.toml");
    let text = r#"
[[users]]
name = "bob"
groups = ["sales"]

[[clients]]
id = "shop"
redirect_uris = ["http://127.0.0.1/callback"]

[[apis]]
audience = "https://orders.example.com"
scopes = ["orders:read"]
tokens = "opaque"
"#;
    fs::write(&file, text).unwrap();
    let tenant = Running::start(&["--config", file.to_str().unwrap()]);
    for expected in [
        "users    bob (groups: sales)\n",
        "clients  shop (public, http://127.0.0.1/callback)\n",
        "APIs     https://orders.example.com (scopes: orders:read, opaque tokens)\n",
        "a request with a token of bob",
    ] {
        assert!(tenant.announcement.contains(expected), "{}", tenant.announcement);
    }
    assert_eq!(tenant.setting("CLIENT_ID"), None);
    let error = tenant.token(&["--user", "alice"]).usage_error();
    assert!(error.contains("valid: bob"), "{error}");
    // As the API has them.
    assert!(!tenant.token(&[]).success().contains('.'));
}
