//! Tokens that are bound to a certificate.

use monocloud_testkit::{Certificate, Endpoint, Entrance, MockTenant};
use reqwest::{Client, Identity};
use serde_json::{Value, json};

use crate::client::{Seen, claims, encoded};

async fn tenant() -> MockTenant {
    MockTenant::builder().mutual_tls().start().await
}

fn client(tenant: &MockTenant, certificate: Option<&Certificate>) -> Client {
    let trusted = std::fs::read(tenant.authority().certificate_file()).unwrap();
    let trusted = reqwest::Certificate::from_pem_bundle(&trusted).unwrap();
    let client = Client::builder().tls_certs_only(trusted).no_proxy();
    let client = match certificate {
        Some(certificate) => {
            let pem = certificate.chain_pem() + &certificate.key_pem();
            client.identity(Identity::from_pem(pem.as_bytes()).unwrap())
        }
        None => client,
    };
    client.build().unwrap()
}

async fn send(client: &Client, url: String, form: &[(&str, &str)]) -> Seen {
    let request = client.post(url).body(encoded(form));
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    Seen::of(request.send().await.unwrap()).await
}

const OWN: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", "secret")];

#[tokio::test]
async fn a_certificate_at_the_alias_binds_the_token() {
    let tenant = tenant().await;
    let certificate = tenant.client_certificate("service");
    let client = client(&tenant, Some(&certificate));
    let bound: Value = {
        let url = tenant.url_at(&Entrance::MutualTls, Endpoint::Token);
        send(&client, url, &OWN).await.json()
    };
    let cnf = json!({ "x5t#S256": certificate.thumbprint() });
    assert_eq!(claims(&bound["access_token"])["cnf"], cnf);
    assert_eq!(bound["token_type"], "Bearer");
    let plain = send(&client, tenant.url(Endpoint::Token), &OWN).await.json();
    assert_eq!(claims(&plain["access_token"]).get("cnf"), None, "not at an alias");
}

#[tokio::test]
async fn a_refresh_token_of_a_public_client_needs_its_certificate() {
    let tenant = tenant().await;
    let (certificate, other) = (tenant.client_certificate("a"), tenant.client_certificate("b"));
    let certified = client(&tenant, Some(&certificate));
    let url = tenant.url_at(&Entrance::MutualTls, Endpoint::Token);
    let device = [("client_id", "web"), ("scope", "openid offline_access")];
    let device = send(&certified, tenant.url(Endpoint::DeviceAuthorization), &device).await.json();
    let code = device["user_code"].as_str().unwrap();
    tenant.allow_device(code, "alice");
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device["device_code"].as_str().unwrap()),
        ("client_id", "web"),
    ];
    let tokens = send(&certified, url.clone(), &form).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "web")];
    for other in [Some(&other), None] {
        let client = client(&tenant, other);
        send(&client, url.clone(), &form).await.refused("invalid_grant");
    }
    let tokens = send(&certified, url, &form).await.json();
    let thumbprint = certificate.thumbprint();
    assert_eq!(claims(&tokens["access_token"])["cnf"]["x5t#S256"], thumbprint);
}

#[tokio::test]
async fn userinfo_wants_the_certificate_of_the_token() {
    let tenant = tenant().await;
    let certificate = tenant.client_certificate("alice");
    let bound = tenant.token().subject("alice").scope("openid").bound_to(&certificate).mint();
    let ask = async |client: &Client, entrance| {
        let url = tenant.url_at(&entrance, Endpoint::Userinfo);
        client.get(url).bearer_auth(&bound).send().await.unwrap().status().as_u16()
    };
    let own = client(&tenant, Some(&certificate));
    let other = client(&tenant, Some(&tenant.client_certificate("eve")));
    assert_eq!(ask(&own, Entrance::MutualTls).await, 200);
    assert_eq!(ask(&other, Entrance::MutualTls).await, 401);
    assert_eq!(ask(&client(&tenant, None), Entrance::MutualTls).await, 401);
}
