//! Every rule of the configuration, through the front door.

mod client;
mod secrets;
mod values;

use std::{fs, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"one","d":"pWkAbG5f7zLfm7oYDoJ2ZnZ5o0l8pJ1kQm3cJ0x6u1g","x":"pWkAbG5f7zLfm7oYDoJ2ZnZ5o0l8pJ1kQm3cJ0x6u1g"}"#;

/// What is required, and `vars` over it; names without their prefix.
fn sources(vars: &[(&str, &str)]) -> Sources {
    let required =
        [("TENANT_DOMAIN", "acme.us.monocloud.com"), ("AUDIENCE", "https://api.example.com")];
    let mut sources = Sources::new();
    for (name, value) in required.iter().chain(vars) {
        sources.vars([(format!("MONOCLOUD_BACKEND_{name}"), (*value).to_owned())]);
    }
    sources
}

fn config(vars: &[(&str, &str)]) -> Config {
    sources(vars).resolve().unwrap().0
}

/// The mistakes, without the prefix of their variables.
fn mistakes_of(sources: Sources) -> Vec<String> {
    let lines = match sources.resolve() {
        Ok(_) => return Vec::new(),
        Err(error) => error.to_string(),
    };
    let lines = lines.lines().skip(1);
    lines.map(|line| line.replace("MONOCLOUD_BACKEND_", "")).collect()
}

fn mistakes(vars: &[(&str, &str)]) -> Vec<String> {
    mistakes_of(sources(vars))
}

fn client(vars: &[(&str, &str)]) -> ClientConfig {
    config(vars).client.unwrap()
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["api.example.com".to_owned()]).unwrap()
}

#[test]
fn two_values_are_enough_and_the_rest_has_the_documented_defaults() {
    let config = config(&[]);
    assert_eq!(config.tenant.issuer(), "https://acme.us.monocloud.com");
    assert_eq!(config.audience, "https://api.example.com");
    assert_eq!(config.resource.unwrap().identifier, "https://api.example.com");
    assert_eq!(config.realm, None);
    assert_eq!((config.groups_claim.as_str(), config.groups_match_all), ("groups", false));
    assert!(config.client.is_none() && !config.introspect_jwt_tokens);
    assert!(config.ca_certificates.is_empty() && config.swagger_client_id.is_none());
    assert!(matches!(config.introspection_cache, IntrospectionCacheConfig::None));
    assert_eq!(config.certificate_binding, CertificateBinding::WhenPresent);
    assert!(config.client_certificate_header.is_none());
    assert_eq!(config.scheme_name, "MonoCloud");
    for (duration, seconds) in [
        (config.clock_skew, 0),
        (config.clock_tolerance, 60),
        (config.jwks_cache_duration, 300),
        (config.metadata_cache_duration, 300),
        (config.keys_outage_tolerance, 21_600),
        (config.introspection_cache_duration, 300),
        (config.response_timeout, 10),
    ] {
        assert_eq!(duration, Duration::from_secs(seconds));
    }
}

#[test]
fn a_builder_call_beats_the_environment_beats_a_file_beats_an_earlier_file() {
    let files = Files::new();
    let weakest =
        "clock_skew = 1\nclock_tolerance = 1\ngroups_claim = 'a'\nresponse_timeout = 1001";
    let mut sources = sources(&[("CLOCK_SKEW", "3"), ("CLOCK_TOLERANCE", "3")]);
    sources.set(Key::ClockSkew, 4);
    sources.file(files.write("weakest.toml", weakest));
    sources
        .file(files.write("weak.toml", "clock_skew = 2\nclock_tolerance = 2\ngroups_claim = 'b'"));
    let (config, _) = sources.resolve().unwrap();
    assert_eq!(config.clock_skew.as_secs(), 4);
    assert_eq!(config.clock_tolerance.as_secs(), 3);
    assert_eq!(config.groups_claim, "b");
    assert_eq!(config.response_timeout.as_millis(), 1001);
}

#[test]
fn a_blank_value_is_unset_and_uncovers_the_weaker_source() {
    let files = Files::new();
    let mut sources =
        sources(&[("CLOCK_SKEW", " \t"), ("GROUPS_MATCH_ALL", ""), ("CLIENT_ID", " ")]);
    sources.file(files.write("monocloud.toml", "clock_skew = 7"));
    let (config, _) = sources.resolve().unwrap();
    assert_eq!(config.clock_skew.as_secs(), 7);
    assert!(!config.groups_match_all && config.client.is_none());
}

#[test]
fn what_is_required_is_missed_by_name_and_a_blank_one_is_called_blank() {
    assert_eq!(
        mistakes_of(Sources::new()),
        ["TENANT_DOMAIN: is not set; it is required", "AUDIENCE: is not set; it is required",]
    );
    assert_eq!(
        mistakes(&[("TENANT_DOMAIN", "  "), ("AUDIENCE", "")]),
        [
            "TENANT_DOMAIN: is set but blank; it is required",
            "AUDIENCE: is set but blank; it is required",
        ]
    );
}

#[test]
fn a_file_may_use_the_types_of_toml_where_they_fit() {
    let files = Files::new();
    let mut right = sources(&[]);
    right.file(
        files
            .write("right.toml", "clock_skew = 5\nclock_tolerance = '06'\ngroups_match_all = true"),
    );
    let (config, _) = right.resolve().unwrap();
    assert_eq!((config.clock_skew.as_secs(), config.clock_tolerance.as_secs()), (5, 6));
    assert!(config.groups_match_all);

    let wrong = [
        "realm = 'x'",
        "jwks_cach_duration = 1",
        "client_id = 7",
        "client_secret = 12345678",
        "clock_skew = -1",
        "clock_tolerance = 3.5",
        "introspect_jwt_tokens = [true]",
        "groups_match_all = 1",
        "jwks_cache_duration = false",
        "[groups_claim]",
    ];
    let mut sources = sources(&[]);
    sources.file(files.write("wrong.toml", wrong.join("\n")));
    let root = format!("{}/", files.0.path().display());
    let mistakes = mistakes_of(sources).join("\n").replace(&root, "");
    insta::assert_snapshot!(mistakes, @r#"
    wrong.toml: jwks_cach_duration: is no known setting; the nearest known one is jwks_cache_duration
    wrong.toml: realm: is no known setting; the nearest known one is tenant_domain
    wrong.toml: client_id: must be a string, not an integer
    wrong.toml: client_secret: must be a string, not an integer
    wrong.toml: clock_skew: must be whole decimal digits, from 0 to 3600 seconds, not "-1"
    wrong.toml: clock_tolerance: must be whole decimal digits, from 0 to 3600 seconds, not a fraction
    wrong.toml: introspect_jwt_tokens: must be `true` or `false`, not an array
    wrong.toml: groups_claim: must be a string, not a table or a date
    wrong.toml: groups_match_all: must be `true` or `false`, not "1"
    wrong.toml: jwks_cache_duration: must be whole decimal digits, from 1 to 2592000 seconds, not "false"
    "#);
}

#[test]
fn a_file_that_cannot_be_used_is_named_without_what_is_in_it() {
    let files = Files::new();
    let mut sources = sources(&[]);
    sources.file(files.0.path().join("none.toml"));
    sources.file(files.write("bad.toml", "clock_skew = 1\nclient_secret = hunter2hunter2\n"));
    sources
        .file(files.write("twice.toml", "client_secret = 'hunter2'\nclient_secret = 'hunter2'\n"));
    let root = format!("{}/", files.0.path().display());
    let mistakes = mistakes_of(sources).join("\n").replace(&root, "");
    assert!(!mistakes.contains("hunter2"), "{mistakes}");
    insta::assert_snapshot!(mistakes, @r#"
    none.toml: cannot be read: entity not found
    bad.toml: is not TOML, line 2: invalid string, expected `"`, `'`
    twice.toml: is not TOML, line 2: duplicate key `client_secret` in document root
    "#);
}

#[test]
fn an_unknown_variable_is_one_warning_and_other_peoples_are_none() {
    let mut sources = sources(&[("CLOK_SKEW", "1"), ("REALM", "x")]);
    sources.vars([("PATH".to_owned(), "x".to_owned())]);
    let (_, warnings) = sources.resolve().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(
        warnings[0],
        "unknown variable MONOCLOUD_BACKEND_CLOK_SKEW is ignored; \
         the nearest known one is MONOCLOUD_BACKEND_CLOCK_SKEW"
    );
}

#[test]
fn many_mistakes_are_told_at_once_in_the_order_of_the_documentation() {
    let mut sources = sources(&[
        ("SWAGGER_CLIENT_ID", "me"),
        ("RESPONSE_TIMEOUT", "10s"),
        ("INTROSPECT_JWT_TOKENS", "1"),
        ("INTROSPECTION_CACHE", "memcached://:hunter2@cache"),
        ("TENANT_DOMAIN", "https://<your-domain>"),
        ("CLIENT_AUTH_METHOD", "private_key"),
        ("CLIENT_CERTIFICATE_HEADER", "X Cert"),
        ("RESOURCE", "https://me:hunter2@api.example.com"),
        ("CLIENT_ID", "me"),
        ("AUDIENCE", ""),
    ]);
    sources.set(Key::ClockTolerance, 3601);
    let error = sources.resolve().unwrap_err();
    assert_eq!(error.problems().len(), 10);
    assert_eq!(error.problems()[3].source(), "builder: clock_tolerance");
    insta::assert_snapshot!(error, @r#"
    the configuration has 10 mistakes:
    MONOCLOUD_BACKEND_TENANT_DOMAIN: "https://<your-domain>" is a placeholder; write your tenant's own domain, such as acme.us.monocloud.com
    MONOCLOUD_BACKEND_AUDIENCE: is set but blank; it is required
    MONOCLOUD_BACKEND_CLIENT_AUTH_METHOD: must be one of client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, spiffe_jwt, spiffe_x509, not "private_key"; the nearest is private_key_jwt
    builder: clock_tolerance: must be whole decimal digits, from 0 to 3600 seconds, not "3601"
    MONOCLOUD_BACKEND_INTROSPECT_JWT_TOKENS: must be `true` or `false`, not "1"
    MONOCLOUD_BACKEND_INTROSPECTION_CACHE: must be `memory`, or a URL that starts with redis:// or rediss://
    MONOCLOUD_BACKEND_CLIENT_CERTIFICATE_HEADER: "X Cert" is no header name
    MONOCLOUD_BACKEND_RESPONSE_TIMEOUT: must be whole decimal digits, from 1000 to 60000 milliseconds, not "10s"
    MONOCLOUD_BACKEND_RESOURCE: [not shown] must be an absolute https:// URL without user information and fragment
    MONOCLOUD_BACKEND_SWAGGER_CLIENT_ID: must be a public client of its own, not that of MONOCLOUD_BACKEND_CLIENT_ID
    "#);
}
