use std::net::TcpListener;

use serde_json::{Value, json};

use crate::process::{Outcome, Running, mock_tenant, run};

/// The token in the form of `-o json`.
fn decoded(tenant: &Running, args: &[&str]) -> Value {
    let text = tenant.token(&[args, &["-o", "json"]].concat()).success();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_token_is_about_a_user_or_a_client() {
    let tenant = Running::start(&[]);
    let claims = decoded(&tenant, &[])["claims"].clone();
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("alice"), &json!("web")));
    assert_eq!(claims["iss"], tenant.issuer());
    assert_eq!(claims["aud"], "https://api.example.com");
    assert!(claims.get("groups").is_none() && claims.get("scope").is_none(), "{claims}");

    let claims = decoded(&tenant, &["--user", "admin"])["claims"].clone();
    assert_eq!((&claims["sub"], &claims["groups"]), (&json!("admin"), &json!(["admin"])));

    let claims = decoded(&tenant, &["--client", "service"])["claims"].clone();
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("service"), &json!("service")));
}

#[test]
fn every_option_has_its_effect() {
    let tenant = Running::start(&[]);
    let args = [
        "--scope",
        "posts:read posts:write",
        "--audience",
        "https://other.example.com",
        "--expires-in",
        "-60",
        "--claim",
        "plan=pro",
        "--claim",
        "level=3",
        "--claim",
        r#"groups=["a","b"]"#,
        "--claim",
        "note=a=b",
    ];
    let claims = decoded(&tenant, &args)["claims"].clone();
    assert_eq!(claims["scope"], "posts:read posts:write");
    assert_eq!(claims["aud"], "https://other.example.com");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), -60);
    assert_eq!(claims["plan"], "pro");
    assert_eq!(claims["level"], 3);
    assert_eq!(claims["groups"], json!(["a", "b"]));
    assert_eq!(claims["note"], "a=b");

    let opaque = tenant.token(&["--opaque"]).success();
    assert!(!opaque.contains('.'));
}

#[test]
fn a_token_is_printed_alone_as_a_header_or_as_a_request() {
    let tenant = Running::start(&[]);
    let token = tenant.token(&[]).success();
    assert!(token.starts_with("eyJ") && token.ends_with('\n') && token.lines().count() == 1);
    let header = tenant.token(&["-o", "header"]).success();
    assert!(header.starts_with("Authorization: Bearer eyJ"), "{header}");
    let request = tenant.token(&["--output", "curl"]).success();
    assert!(request.starts_with("curl -H 'Authorization: Bearer eyJ"), "{request}");
}

#[test]
fn a_hostile_token_has_what_the_options_say_and_one_thing_wrong() {
    let tenant = Running::start(&[]);
    let args = ["--hostile", "none-unsigned", "--user", "admin", "--scope", "posts:read"];
    let token = decoded(&tenant, &args);
    assert_eq!(token["header"]["alg"], "none");
    assert_eq!(token["claims"]["sub"], "admin");
    assert_eq!(token["claims"]["scope"], "posts:read");

    let error = tenant.token(&["--hostile", "none-unsignd"]).usage_error();
    assert!(error.contains("similar: none-unsigned"), "{error}");
    let error = tenant.token(&["--hostile", "zzzz"]).usage_error();
    assert!(error.contains("`mock-tenant hostile` lists them"), "{error}");
}

#[test]
fn an_unknown_name_is_answered_with_the_valid_ones() {
    let tenant = Running::start(&[]);
    let error = tenant.token(&["--user", "eve"]).usage_error();
    assert_eq!(error, "error: there is no user \"eve\"; valid: alice, admin\n");
    let error = tenant.token(&["--client", "shop"]).usage_error();
    assert_eq!(error, "error: there is no client \"shop\"; valid: web, service\n");
    let error = tenant.token(&["--expires-in", "99999999999"]).usage_error();
    assert!(error.contains("a hundred years"), "{error}");
}

#[test]
fn the_tenant_is_named_by_the_environment_as_well() {
    let tenant = Running::start(&[]);
    let mut command = mock_tenant(&["token"]);
    command.env("MOCK_TENANT_URL", format!("{}/", tenant.issuer()));
    assert!(Outcome::of(command).success().starts_with("eyJ"));
}

#[test]
fn without_a_tenant_the_message_says_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let error = run(&["token", "--tenant", &url]).usage_error();
    assert!(error.starts_with(&format!("error: no tenant answers at {url}: start one")), "{error}");
    assert!(error.contains("MOCK_TENANT_URL"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_control_api_is_no_use() {
    let tenant = monocloud_testkit::MockTenant::start().await;
    let error = run(&["token", "--tenant", tenant.issuer()]).usage_error();
    assert!(error.contains("is not a mock tenant with a control API"), "{error}");
}
