//! The configuration as applications see it; unit tests cover each rule.

use std::{fs, time::Duration};

use harness::support::{frozen_tenant, get, missing_group, ok, protect, says, serve};
use monocloud_backend::{ConfigError, ProtectApi};
use reqwest::header::WWW_AUTHENTICATE;
use tempfile::TempDir;

fn from_vars(vars: &[(&str, &str)]) -> Result<ProtectApi, ConfigError> {
    let prefixed = vars.iter().map(|(name, value)| (format!("MONOCLOUD_BACKEND_{name}"), *value));
    ProtectApi::from_vars(prefixed)
}

#[test]
fn all_problems_are_reported_together_with_source_and_rule_and_without_secrets() {
    let error = from_vars(&[
        ("TENANT_DOMAIN", "http://acme.us.monocloud.com"),
        ("CLIENT_ID", "api"),
        ("CLIENT_SECRET", "hunter2hunter2"),
        ("CLIENT_SECRET_FILE", "/run/secrets/client"),
        ("CLOCK_SKEW", "-1"),
        ("CLOCK_TOLERANCE", "1e3"),
        ("INTROSPECT_JWT_TOKENS", "yes"),
        ("GROUPS_MATCH_ALL", "1"),
        ("JWKS_CACHE_DURATION", "0"),
        ("METADATA_CACHE_DURATION", "5 minutes"),
        ("KEYS_OUTAGE_TOLERANCE", "2592001"),
        ("INTROSPECTION_CACHE", "redis://:hunter2@cache:6379 "),
        ("FLEET_KEY", "hunter2-and-enough-else-to-be-long"),
        ("VALIDATE_CERTIFICATE_BINDING", "WHEN_PRESENT"),
        ("RESPONSE_TIMEOUT", "999"),
        ("RESOURCE", "api.example.com"),
    ])
    .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    insta::assert_snapshot!(error, @r#"
    invalid configuration (13 problems):
    MONOCLOUD_BACKEND_TENANT_DOMAIN: "http://acme.us.monocloud.com" uses http:// for a host that is not this machine; write https://
    MONOCLOUD_BACKEND_AUDIENCE: is not set; it is required: write this API's audience as the MonoCloud dashboard shows it, such as https://api.example.com
    MONOCLOUD_BACKEND_CLIENT_SECRET: is set, and so is MONOCLOUD_BACKEND_CLIENT_SECRET_FILE; keep one of them
    MONOCLOUD_BACKEND_CLOCK_SKEW: must be a whole number of seconds from 0 to 3600, not "-1"
    MONOCLOUD_BACKEND_CLOCK_TOLERANCE: must be a whole number of seconds from 0 to 3600, not "1e3"
    MONOCLOUD_BACKEND_INTROSPECT_JWT_TOKENS: must be true or false, not "yes"
    MONOCLOUD_BACKEND_GROUPS_MATCH_ALL: must be true or false, not "1"
    MONOCLOUD_BACKEND_JWKS_CACHE_DURATION: must be a whole number of seconds from 1 to 2592000, not "0"
    MONOCLOUD_BACKEND_METADATA_CACHE_DURATION: must be a whole number of seconds from 1 to 2592000, not "5 minutes"
    MONOCLOUD_BACKEND_KEYS_OUTAGE_TOLERANCE: must be a whole number of seconds from 0 to 2592000, not "2592001"
    MONOCLOUD_BACKEND_VALIDATE_CERTIFICATE_BINDING: must be one of when_present, required, dangerously_ignore, not "WHEN_PRESENT"; did you mean when_present?
    MONOCLOUD_BACKEND_RESPONSE_TIMEOUT: must be a whole number of milliseconds from 1000 to 60000, not "999"
    MONOCLOUD_BACKEND_RESOURCE: "api.example.com" must be a URL such as https://api.example.com, without user information and fragment
    "#);
}

#[test]
fn a_mistyped_required_variable_is_named() {
    let error = from_vars(&[("TENANT_DOMIAN", "acme.us.monocloud.com"), ("AUDIENCE", "api")]);
    insta::assert_snapshot!(error.unwrap_err(), @r"
    invalid configuration:
    MONOCLOUD_BACKEND_TENANT_DOMAIN: is not set; it is required: write your tenant's domain as the MonoCloud dashboard shows it, such as acme.us.monocloud.com (MONOCLOUD_BACKEND_TENANT_DOMIAN is set; was that meant?)
    ");
}

#[test]
fn values_copied_from_a_quickstart_or_an_env_file_are_rejected_with_the_reason() {
    let error =
        from_vars(&[("TENANT_DOMAIN", "acme"), ("AUDIENCE", "https://<your-api-audience>")]);
    insta::assert_snapshot!(error.unwrap_err(), @r#"
    invalid configuration (2 problems):
    MONOCLOUD_BACKEND_TENANT_DOMAIN: "acme" is not a full domain; write one such as acme.us.monocloud.com, or https://acme if that is the whole host name
    MONOCLOUD_BACKEND_AUDIENCE: "https://<your-api-audience>" is a placeholder; write this API's own audience, as the MonoCloud dashboard shows it
    "#);
    let error = ProtectApi::builder()
        .tenant_domain("\"acme.us.monocloud.com\"")
        .audience("https://api.example.com\n")
        .clock_skew(Duration::from_millis(1500))
        .introspection_cache_duration(Duration::from_millis(900))
        .response_timeout(Duration::from_micros(2_000_500))
        .scheme_name("Mono Cloud")
        .build();
    insta::assert_snapshot!(error.unwrap_err(), @r#"
    invalid configuration (6 problems):
    builder: tenant_domain: "\"acme.us.monocloud.com\"" is in quotes; write it without them
    builder: audience: "https://api.example.com\n" has white space or a control character at an end; write it without
    builder: scheme_name: "Mono Cloud" must consist of letters, digits, `.`, `_` and `-`
    builder: clock_skew: must be a whole number of seconds from 0 to 3600, not a fraction
    builder: introspection_cache_duration: must be a whole number of seconds from 0 to 2592000, not a fraction
    builder: response_timeout: must be a whole number of milliseconds from 1000 to 60000, not a fraction
    "#);
}

#[test]
fn missing_required_settings_are_named() {
    insta::assert_snapshot!(from_vars(&[]).unwrap_err(), @r"
    invalid configuration (2 problems):
    MONOCLOUD_BACKEND_TENANT_DOMAIN: is not set; it is required: write your tenant's domain as the MonoCloud dashboard shows it, such as acme.us.monocloud.com
    MONOCLOUD_BACKEND_AUDIENCE: is not set; it is required: write this API's audience as the MonoCloud dashboard shows it, such as https://api.example.com
    ");
    let blank = from_vars(&[("TENANT_DOMAIN", "acme.us.monocloud.com"), ("AUDIENCE", " ")]);
    insta::assert_snapshot!(blank.unwrap_err(), @r"
    invalid configuration:
    MONOCLOUD_BACKEND_AUDIENCE: is set but blank; it is required: write this API's audience as the MonoCloud dashboard shows it, such as https://api.example.com
    ");
}

#[test]
fn the_issuer_is_normalized_from_the_tenant_domain() {
    for (domain, issuer) in [
        ("acme.us.monocloud.com", "https://acme.us.monocloud.com"),
        ("https://ACME.us.monocloud.com:443/", "https://acme.us.monocloud.com"),
        ("https://id.example.com/acme//", "https://id.example.com/acme"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ] {
        let protect = from_vars(&[("TENANT_DOMAIN", domain), ("AUDIENCE", "api")]).unwrap();
        assert_eq!(protect.issuer(), issuer, "{domain}");
    }
}

#[test]
fn plain_http_to_another_machine_must_be_allowed_in_code() {
    let remote = || ProtectApi::builder().tenant_domain("http://id.internal").audience("api");
    assert!(remote().build().is_err());
    assert_eq!(remote().dangerously_allow_http().build().unwrap().issuer(), "http://id.internal");
    let vars = [
        ("TENANT_DOMAIN", "http://id.internal"),
        ("AUDIENCE", "api"),
        ("DANGEROUSLY_ALLOW_HTTP", "true"),
    ];
    assert!(from_vars(&vars).is_err());
}

#[tokio::test]
async fn a_builder_call_overrides_a_variable_which_overrides_a_file_which_overrides_the_default() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("monocloud.toml");
    fs::write(&file, "audience = 'file'\ngroups_claim = 'file'\nclock_tolerance = 0\n").unwrap();
    let tenant = frozen_tenant().await;
    let groups = |claim: &str| {
        tenant.token().claim("aud", ["call", "https://api.example.com"]).claim(claim, ["admin"])
    };
    let variable =
        [("MONOCLOUD_BACKEND_GROUPS_CLAIM", "variable"), ("MONOCLOUD_BACKEND_REALM", "ignored")];
    // Each layer in turn names the claim that has the groups, in any order of the calls.
    let layers = [
        ("groups", protect(&tenant)),
        ("file", protect(&tenant).file(&file)),
        ("variable", protect(&tenant).vars(variable).file(&file)),
        ("call", protect(&tenant).groups_claim("call").file(&file).vars(variable)),
    ];
    for (claim, builder) in layers {
        let api = serve(&builder.build().unwrap());
        for other in ["groups", "file", "variable", "call"] {
            let expected = if other == claim { says("admin") } else { missing_group() };
            let token = groups(other).mint();
            api.check(&format!("{claim} over {other}"), get("/admin").bearer(&token), &expected)
                .await;
        }
    }
    let api = serve(&protect(&tenant).audience("call").file(&file).build().unwrap());
    let answer = api.send(get("/any")).await;
    assert_eq!(answer.header(WWW_AUTHENTICATE), Some(r#"Bearer realm="call""#),);
    // The file's tolerance of zero applies, as no source that overrides it sets one.
    let seconds = |left| groups("x").expires_in(left).mint();
    api.check("a second left", get("/any").bearer(&seconds(1)), &ok()).await;
    assert_eq!(api.send(get("/any").bearer(&seconds(0))).await.status, 401);
}

#[test]
fn unknown_and_mistyped_settings_of_a_file_are_rejected() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("monocloud.toml");
    let text = "tenant_domain = 'acme.us.monocloud.com'\naudience = 'api'\naudeince = 'api'\nclient_secret = ['hunter2']\n";
    fs::write(&file, text).unwrap();
    let error = ProtectApi::builder().file(&file).build().unwrap_err();
    let text = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    assert!(!format!("{error:?}{text}").contains("hunter2"), "{error:?}");
    insta::assert_snapshot!(text, @r"
    invalid configuration (3 problems):
    monocloud.toml: audeince: is not a known setting; the nearest one is audience
    monocloud.toml: client_secret: must be a string, not an array
    monocloud.toml: client_secret: needs a client, but MONOCLOUD_BACKEND_CLIENT_ID is not set
    ");
}

#[test]
fn debug_output_shows_only_the_issuer_and_the_audience() {
    let builder = ProtectApi::builder()
        .tenant_domain("acme.us.monocloud.com")
        .audience("api")
        .vars([("MONOCLOUD_BACKEND_CLIENT_SECRET", "hunter2")]);
    assert!(!format!("{builder:?}").contains("hunter2"));
    let protect = from_vars(&[("TENANT_DOMAIN", "acme.us.monocloud.com"), ("AUDIENCE", "api")]);
    let text = format!("{:?}", protect.unwrap());
    assert_eq!(
        text,
        r#"ProtectApi { issuer: "https://acme.us.monocloud.com", audience: "api", .. }"#
    );
}
