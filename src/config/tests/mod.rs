//! Every rule of the configuration, through the front door.

mod client;
mod secrets;
mod values;

use std::{fs, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
/// RFC 8037 §A.1.
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"one","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

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
    sources(vars).resolve().unwrap()
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
    assert_eq!(config.jwt_cache, 8_388_608);
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
    let config = sources.resolve().unwrap();
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
    let config = sources.resolve().unwrap();
    assert_eq!(config.clock_skew.as_secs(), 7);
    assert!(!config.groups_match_all && config.client.is_none());
}

#[test]
fn what_is_required_is_missed_by_name_and_a_blank_one_is_called_blank() {
    let domain = "it is required: write your tenant's domain as the MonoCloud dashboard shows it, such as acme.us.monocloud.com";
    let audience = "it is required: write this API's audience as the MonoCloud dashboard shows it, such as https://api.example.com";
    let both = |how: &str| {
        [format!("TENANT_DOMAIN: {how}; {domain}"), format!("AUDIENCE: {how}; {audience}")]
    };
    assert_eq!(mistakes_of(Sources::new()), both("is not set"));
    assert_eq!(mistakes(&[("TENANT_DOMAIN", "  "), ("AUDIENCE", "")]), both("is set but blank"));
}

#[test]
fn a_variable_that_may_have_been_meant_is_named_where_one_is_missing() {
    let hints = |vars: &[(&str, &str)]| {
        let mut sources = Sources::new();
        sources.vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let error = sources.resolve().unwrap_err();
        let messages = error.problems().iter().map(|problem| problem.message().to_owned());
        let hints = messages.filter_map(|it| Some(it.rsplit_once(" (")?.1.to_owned()));
        hints.collect::<Vec<_>>()
    };
    for (name, audience) in [
        ("MONOCLOUD_BACKEND_TENANT_DOMIAN", "AUDIENCE"),
        ("MONOCLOUD_BACKEND_DOMAIN", "MONOCLOUD_BACKEND_AUDEINCE"),
        ("MONOCLOUD_BACKEND_TENANT", "MONOCLOUD_BACKEND_AUDIENCES"),
        ("TENANT_DOMAIN", "audience"),
        ("MONOCLOUD_BACKEND_tenant_domain", "MONOCLOUD_BACKEND_Audience"),
    ] {
        assert_eq!(
            hints(&[(name, "acme.us.monocloud.com"), (audience, "api")]),
            [name, audience].map(|name| format!("{name} is set; was that meant?)"))
        );
    }
    assert_eq!(hints(&[("MONOCLOUD_BACKEND_VERBOSE", "1"), ("PATH", "/bin")]), [""; 0]);
    assert_eq!(
        mistakes(&[("CLIENT_ID", "me"), ("CLIENT_SECERT", "hunter2")]),
        ["CLIENT_SECRET: is not set; client_secret_post needs it \
          (CLIENT_SECERT is set; was that meant?)"]
    );
    assert_eq!(
        mistakes(&[("CLIENTID", "me"), ("CLIENT_SECRET", "hunter2")]),
        ["CLIENT_SECRET: needs a client, but CLIENT_ID is not set \
          (CLIENTID is set; was that meant?)"]
    );
}

#[cfg(unix)]
#[test]
fn a_variable_of_the_environment_that_is_not_utf8_is_a_mistake_and_not_repaired() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut sources = sources(&[]);
    let [audience, secret, other] = ["AUDIENCE", "CLIENT_SECRET", "CLOCK_SKEW"]
        .map(|name| format!("MONOCLOUD_BACKEND_{name}").into());
    let value = |bytes: &[u8]| std::ffi::OsString::from_vec(bytes.to_vec());
    sources.env([
        (audience, value(b"https://api\xff.example.com")),
        (secret, value(b"\xff")),
        (other, value(b"5")),
        (value(b"\xff"), value(b"\xff")),
    ]);
    assert_eq!(
        mistakes_of(sources),
        [
            "AUDIENCE: must be a string, not bytes that are not UTF-8",
            "CLIENT_SECRET: must be a string, not bytes that are not UTF-8",
            "CLIENT_SECRET: needs a client, but CLIENT_ID is not set",
        ]
    );
}

#[test]
fn a_value_in_quotes_is_refused_from_every_source_unless_it_is_a_secret() {
    let files = Files::new();
    for (name, value) in [
        ("TENANT_DOMAIN", "\"acme.us.monocloud.com\""),
        ("TENANT_DOMAIN", " 'https://acme.us.monocloud.com' "),
        ("AUDIENCE", "\"https://api.example.com\""),
        ("GROUPS_CLAIM", "'groups'"),
        ("RESOURCE", "\"https://api.example.com\""),
        ("SWAGGER_CLIENT_ID", "`docs`"),
        ("CA_CERTIFICATE_FILE", "\"/etc/ca.pem\""),
        ("CLIENT_CERTIFICATE_HEADER", "\"X-Cert\""),
    ] {
        let mistake = format!("{name}: {value:?} is in quotes; write it without them");
        assert_eq!(mistakes(&[(name, value)]), [mistake]);
    }
    let key = |name: &str| Key::ALL.iter().copied().find(|key| key.name() == name).unwrap();
    for name in ["tenant_domain", "audience"] {
        let mut built = sources(&[]);
        built.set(key(name), "\"x\"");
        let mistake = r#""\"x\"" is in quotes; write it without them"#;
        assert_eq!(mistakes_of(built), [format!("builder: {name}: {mistake}")]);
        let mut filed = Sources::new();
        let other = if name == "audience" { "TENANT_DOMAIN" } else { "AUDIENCE" };
        filed.vars([(format!("MONOCLOUD_BACKEND_{other}"), "a.example".to_owned())]);
        let path = files.write("quoted.toml", format!("{name} = '\"x\"'"));
        filed.file(&path);
        assert_eq!(mistakes_of(filed), [format!("{path}: {name}: {mistake}")]);
    }
    let secret = "\"a secret in quotes\"";
    let auth = client(&[("CLIENT_ID", "me"), ("CLIENT_SECRET", secret)]).auth;
    assert!(matches!(auth, ClientAuth::SecretPost(it) if it.expose_secret() == secret));
}

#[test]
fn a_file_may_use_the_types_of_toml_where_they_fit() {
    let files = Files::new();
    let mut right = sources(&[]);
    right.file(
        files
            .write("right.toml", "clock_skew = 5\nclock_tolerance = '06'\ngroups_match_all = true"),
    );
    let config = right.resolve().unwrap();
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
    wrong.toml: jwks_cach_duration: is not a known setting; the nearest one is jwks_cache_duration
    wrong.toml: realm: is not a known setting; the nearest one is tenant_domain
    wrong.toml: client_id: must be a string, not an integer
    wrong.toml: client_secret: must be a string, not an integer
    wrong.toml: clock_skew: must be a whole number of seconds from 0 to 3600, not "-1"
    wrong.toml: clock_tolerance: must be a whole number of seconds from 0 to 3600, not a fraction
    wrong.toml: introspect_jwt_tokens: must be true or false, not an array
    wrong.toml: groups_claim: must be a string, not a table or a date
    wrong.toml: groups_match_all: must be true or false, not "1"
    wrong.toml: jwks_cache_duration: must be a whole number of seconds from 1 to 2592000, not "false"
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
    none.toml: cannot be read: no such file
    bad.toml: is not valid TOML, line 2: invalid string, expected `"`, `'`
    twice.toml: is not valid TOML, line 2: duplicate key `client_secret` in document root
    "#);
}

#[test]
fn an_unknown_variable_is_one_warning_and_other_peoples_are_none() {
    let mut sources = sources(&[("CLOK_SKEW", "1"), ("REALM", "x")]);
    sources.vars([("PATH".to_owned(), "x".to_owned())]);
    let (_, warnings) = sources.settle();
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
    invalid configuration (10 problems):
    MONOCLOUD_BACKEND_TENANT_DOMAIN: "https://<your-domain>" is a placeholder; write your tenant's own domain, such as acme.us.monocloud.com
    MONOCLOUD_BACKEND_AUDIENCE: is set but blank; it is required: write this API's audience as the MonoCloud dashboard shows it, such as https://api.example.com
    MONOCLOUD_BACKEND_CLIENT_AUTH_METHOD: must be one of client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, spiffe_jwt, spiffe_x509, not "private_key"; did you mean private_key_jwt?
    builder: clock_tolerance: must be a whole number of seconds from 0 to 3600, not "3601"
    MONOCLOUD_BACKEND_INTROSPECT_JWT_TOKENS: must be true or false, not "1"
    MONOCLOUD_BACKEND_INTROSPECTION_CACHE: must be `memory`, or a URL that starts with redis://, redis+sentinel:// or redis+cluster://, each with rediss for TLS
    MONOCLOUD_BACKEND_CLIENT_CERTIFICATE_HEADER: "X Cert" is not a header name; write one such as X-Client-Cert
    MONOCLOUD_BACKEND_RESPONSE_TIMEOUT: must be a whole number of milliseconds from 1000 to 60000, not "10s"
    MONOCLOUD_BACKEND_RESOURCE: [not shown] must be a URL such as https://api.example.com, without user information and fragment
    MONOCLOUD_BACKEND_SWAGGER_CLIENT_ID: must be a public client of its own, not that of MONOCLOUD_BACKEND_CLIENT_ID
    "#);
}
