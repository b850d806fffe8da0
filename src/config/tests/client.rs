//! The client and its credentials, method by method.

use std::path::Path;

use super::*;

const MUTUAL_TLS: [&str; 3] = ["tls_client_auth", "self_signed_tls_client_auth", "spiffe_x509"];

#[test]
fn each_method_gets_the_credentials_it_needs() {
    let files = Files::new();
    let pair = certificate();
    let certificate = files.write("certificate.pem", pair.cert.pem());
    let key = files.write("key.pem", pair.signing_key.serialize_pem());
    let svid = files.write("svid", "a.b.c");
    let tls = [("CLIENT_CERTIFICATE_FILE", &*certificate), ("CLIENT_KEY_FILE", &key)];
    let auth = |method: &str, vars: &[(&str, &str)]| {
        let vars = [&[("CLIENT_ID", "me"), ("CLIENT_AUTH_METHOD", method)], vars].concat();
        client(&vars).auth
    };
    let secret = [("CLIENT_SECRET", SECRET)];
    let jwk = [("CLIENT_SECRET", ED25519)];
    let oct = format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, "A".repeat(43));
    let oct = [("CLIENT_SECRET", oct.as_str())];
    use ClientAuth::*;
    assert!(matches!(auth("", &secret), SecretPost(_)));
    assert!(matches!(auth("client_secret_post", &secret), SecretPost(_)));
    assert!(matches!(auth("client_secret_basic", &secret), SecretBasic(_)));
    assert!(matches!(auth("client_secret_jwt", &secret), SecretJwt(_)));
    assert!(matches!(auth("client_secret_jwt", &oct), SecretJwt(_)));
    assert!(matches!(auth("private_key_jwt", &jwk), PrivateKeyJwt(_)));
    let trust_store = [&tls[..], &[("TRUST_STORE_ID", "one")]].concat();
    for method in MUTUAL_TLS {
        let MutualTls { key_pair, trust_store_id: None } = auth(method, &tls) else { panic!() };
        assert_eq!(key_pair.unwrap().key_file, Path::new(&key));
        let MutualTls { trust_store_id, .. } = auth(method, &trust_store) else { panic!() };
        assert_eq!(trust_store_id.as_deref(), Some("one"));
    }
    let svid = [("CLIENT_ASSERTION_FILE", &*svid)];
    assert!(matches!(auth("spiffe_jwt", &svid), SpiffeJwt { .. }));
}

/// Asserts that `vars` have just the mistakes that begin so.
fn refuses(vars: &[(&str, &str)], expected: &[&str]) {
    let found = mistakes(vars);
    assert_eq!(found.len(), expected.len(), "{vars:?}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

/// The same for a client that authenticates by `method`.
fn client_refuses(method: &str, vars: &[(&str, &str)], expected: &[&str]) {
    let client = [("CLIENT_ID", "me"), ("CLIENT_AUTH_METHOD", method)];
    refuses(&[&client, vars].concat(), expected);
}

#[test]
fn what_only_a_client_can_use_needs_one() {
    for (name, value) in [
        ("CLIENT_SECRET", SECRET),
        ("CLIENT_CERTIFICATE_FILE", "x"),
        ("CLIENT_KEY_FILE", "x"),
        ("CLIENT_ASSERTION_FILE", "x"),
        ("TRUST_STORE_ID", "one"),
        ("INTROSPECT_JWT_TOKENS", "true"),
        ("INTROSPECTION_CACHE", "memory"),
    ] {
        let mistake = format!("{name}: needs a client, but CLIENT_ID is not set");
        refuses(&[(name, value)], &[&mistake]);
    }
    refuses(
        &[("CLIENT_AUTH_METHOD", "private_key_jwt")],
        &["CLIENT_SECRET: is not set", "CLIENT_AUTH_METHOD: needs a client"],
    );
}

#[test]
fn a_method_without_its_credentials_is_refused() {
    for method in ["", "client_secret_basic", "client_secret_jwt", "private_key_jwt"] {
        client_refuses(method, &[], &["CLIENT_SECRET: is not set; "]);
    }
    for method in MUTUAL_TLS {
        let missing = ["CLIENT_CERTIFICATE_FILE: is not set; ", "CLIENT_KEY_FILE: is not set; "];
        client_refuses(method, &[], &missing);
    }
    client_refuses("spiffe_jwt", &[], &["CLIENT_ASSERTION_FILE: is not set; "]);
    client_refuses("", &[("CLIENT_SECRET", " ")], &["CLIENT_SECRET: is set but blank; "]);
    client_refuses("", &[("CLIENT_SECRET_FILE", "")], &["CLIENT_SECRET_FILE: is set but blank; "]);
}

#[test]
fn a_credential_that_the_method_does_not_use_is_refused() {
    for name in
        ["CLIENT_CERTIFICATE_FILE", "CLIENT_KEY_FILE", "CLIENT_ASSERTION_FILE", "TRUST_STORE_ID"]
    {
        let mistake = format!("{name}: is set, but client_secret_post does not use it");
        client_refuses("", &[("CLIENT_SECRET", SECRET), (name, "x")], &[&mistake]);
    }
    client_refuses(
        "spiffe_jwt",
        &[("CLIENT_ASSERTION_FILE", "/none"), ("CLIENT_SECRET", SECRET)],
        &[
            "CLIENT_SECRET: is set, but spiffe_jwt does not use it",
            "CLIENT_ASSERTION_FILE: cannot read",
        ],
    );
}

#[test]
fn what_the_application_does_in_code_is_not_named_in_files_too() {
    let said = |method: &str, code: Key, vars: &[(&str, &str)]| {
        let client = [("CLIENT_ID", "me"), ("CLIENT_AUTH_METHOD", method)];
        let mut sources = sources(&[&client, vars].concat());
        sources.set(code, true);
        mistakes_of(sources)
    };
    let files = [("CLIENT_CERTIFICATE_FILE", "x"), ("CLIENT_KEY_FILE", "x")];
    for method in MUTUAL_TLS {
        assert_eq!(said(method, Key::HttpClient, &[("TRUST_STORE_ID", "one")]), [""; 0]);
        assert_eq!(
            said(method, Key::HttpClient, &files),
            ["CLIENT_CERTIFICATE_FILE", "CLIENT_KEY_FILE"].map(|name| format!(
                "{name}: is set, but the application's `http_client` presents the certificate; \
                 keep one of them"
            ))
        );
    }
    let provider = Key::SvidProvider;
    assert_eq!(said("spiffe_jwt", provider, &[]), [""; 0]);
    let idle = said("client_secret_post", provider, &[("CLIENT_SECRET", SECRET)]);
    assert_eq!(
        idle,
        ["builder: svid_provider: is set, but client_secret_post does not use it; \
          remove it or choose another CLIENT_AUTH_METHOD"]
    );
    for key in [provider, Key::IntrospectionCacheStore] {
        let mut alone = sources(&[("FLEET_KEY", SECRET)]);
        alone.set(key, true);
        let needed = format!("builder: {}: needs a client, but CLIENT_ID is not set", key.name());
        assert!(mistakes_of(alone).contains(&needed), "{needed}");
    }
    let both = said("spiffe_jwt", provider, &[("CLIENT_ASSERTION_FILE", "/none")]);
    assert!(both[0].starts_with("CLIENT_ASSERTION_FILE: is set, but `svid_provider`"), "{both:?}");
}

#[test]
fn a_secret_of_the_wrong_kind_is_refused() {
    let public = ED25519.replace(r#""d":"#, r#""dd":"#);
    for (method, secret, mistake) in [
        (
            "client_secret_post",
            ED25519,
            "is a JWK, which only private_key_jwt and client_secret_jwt sign with",
        ),
        (
            "client_secret_basic",
            ED25519,
            "is a JWK, which only private_key_jwt and client_secret_jwt sign with",
        ),
        (
            "client_secret_jwt",
            "0123456789012345678901234567890",
            "must have at least 32 bytes for HS256",
        ),
        ("client_secret_jwt", ED25519, "is an asymmetric JWK"),
        ("client_secret_jwt", "{}", "is a JWK without `kty`"),
        ("private_key_jwt", SECRET, "is not a JWK in JSON"),
        ("private_key_jwt", &public, "is a public JWK"),
    ] {
        let mistake = format!("CLIENT_SECRET: {mistake}");
        client_refuses(method, &[("CLIENT_SECRET", secret)], &[&mistake]);
    }
}

#[test]
fn a_certificate_needs_its_own_key() {
    let files = Files::new();
    let pair = certificate();
    let cert = files.write("certificate.pem", pair.cert.pem());
    let key = files.write("key.pem", pair.signing_key.serialize_pem());
    let other = files.write("other.pem", certificate().signing_key.serialize_pem());
    let text = files.write("text", "no PEM");
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let junk = files.write("junk.pem", junk);
    let none = files.0.path().join("none").display().to_string();
    let blank = String::new();
    let missing = "CLIENT_KEY_FILE: is set but blank; tls_client_auth needs it";
    for (certificate, key, expected) in [
        (&cert, &other, &["CLIENT_KEY_FILE: "][..]),
        (&none, &none, &["CLIENT_CERTIFICATE_FILE: ", "CLIENT_KEY_FILE: "]),
        (&none, &blank, &["CLIENT_CERTIFICATE_FILE: ", missing]),
        (&cert, &text, &["CLIENT_KEY_FILE: "]),
        (&cert, &cert, &["CLIENT_KEY_FILE: "]),
        (&text, &key, &["CLIENT_CERTIFICATE_FILE: "]),
        (&junk, &key, &["CLIENT_CERTIFICATE_FILE: "]),
        (&text, &text, &["CLIENT_CERTIFICATE_FILE: ", "CLIENT_KEY_FILE: "]),
    ] {
        let files = [("CLIENT_CERTIFICATE_FILE", &**certificate), ("CLIENT_KEY_FILE", key)];
        client_refuses("tls_client_auth", &files, expected);
    }
}

#[test]
fn the_client_of_the_docs_is_another_one() {
    let vars = [("CLIENT_SECRET", SECRET), ("SWAGGER_CLIENT_ID", "me")];
    client_refuses("", &vars, &["SWAGGER_CLIENT_ID: must be a public client of its own"]);
}

#[test]
fn what_is_idle_without_a_client_is_harmless() {
    for (name, value) in [
        ("INTROSPECTION_CACHE_DURATION", "0"),
        ("JWT_CACHE", "0"),
        ("INTROSPECT_JWT_TOKENS", "false"),
        ("GROUPS_MATCH_ALL", "true"),
        ("SWAGGER_CLIENT_ID", "docs"),
    ] {
        assert!(mistakes(&[(name, value)]).is_empty(), "{name}");
    }
}
