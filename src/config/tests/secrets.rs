//! Secrets: where they may come from, and that they show nowhere.

use super::*;

#[test]
fn a_secret_may_be_in_a_file_and_loses_one_trailing_newline() {
    let files = Files::new();
    for (content, expected) in [
        ("s3cret", "s3cret"),
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        ("s3cret\n\n", "s3cret\n"),
        (" s3cret\r", " s3cret\r"),
    ] {
        let path = files.write("secret", content);
        let client = client(&[("CLIENT_ID", "me"), ("CLIENT_SECRET_FILE", &path)]);
        let ClientAuth::SecretPost(secret) = client.auth else {
            panic!("{:?}", client.auth);
        };
        assert_eq!(secret.expose_secret(), expected, "{content:?}");
    }
}

#[test]
fn a_secret_file_that_is_missing_empty_or_beside_the_secret_is_refused() {
    let files = Files::new();
    let (empty, absent) = (files.write("empty", "\n"), files.write("full", "x") + "-not");
    for (vars, mistake) in [
        ([("CLIENT_SECRET_FILE", &*empty), ("CLIENT_ID", "me")], "which is empty"),
        ([("CLIENT_SECRET_FILE", &absent), ("CLIENT_ID", "me")], "no such file"),
        ([("CLIENT_SECRET_FILE", &absent), ("CLIENT_ID", "me")], &absent),
        ([("INTROSPECTION_CACHE_FILE", &absent), ("CLOCK_SKEW", "0")], "no such file"),
    ] {
        let mistakes = mistakes(&vars);
        assert!(mistakes[0].starts_with(&format!("{}: ", vars[0].0)), "{mistakes:?}");
        assert!(mistakes[0].contains(mistake), "{mistakes:?}");
    }
    let both = [("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET), ("CLIENT_SECRET_FILE", &empty)];
    assert_eq!(
        mistakes(&both),
        ["CLIENT_SECRET: is set, and so is CLIENT_SECRET_FILE; keep one of them"]
    );
}

#[test]
fn a_secret_shows_nowhere_not_even_under_another_name() {
    let files = Files::new();
    let path = files.write("overridden.toml", "client_secret = 'an-older-secret'");
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----";
    let mut sources = sources(&[
        ("CLIENT_ID", "me"),
        ("CLIENT_SECRET", SECRET),
        ("CLIENT_AUTH_METHOD", SECRET),
        ("TENANT_DOMAIN", &format!("https://acme.com:0443/{SECRET}")),
        ("CLOCK_SKEW", &format!("x{SECRET}")),
        ("CLIENT_CERTIFICATE_HEADER", "an-older-secret !"),
        ("CA_CERTIFICATE_FILE", pem),
        ("INTROSPECTION_CACHE", "redis//:pa55word@cache"),
        ("RESOURCE", "ftp://me:pa55word@api.example.com"),
        ("VALIDATE_CERTIFICATE_BINDING", ED25519),
    ]);
    sources.file(path);
    let debug = format!("{sources:?}");
    let error = sources.resolve().unwrap_err();
    assert_eq!(error.problems().len(), 8, "{error}");
    for leak in [SECRET, "an-older-secret", "MC4C", "pa55word", "pWkAbG5f7"] {
        assert!(!error.to_string().contains(leak), "{leak} in {error}");
        assert!(!format!("{error:?}").contains(leak), "{leak} in {error:?}");
        assert!(!debug.contains(leak), "{leak} in {debug}");
    }
}

#[test]
fn an_introspection_cache_is_memory_or_redis() {
    let cache = |value| {
        let (mut settings, _) = sources(&[("INTROSPECTION_CACHE", value)]).settle();
        Config::read(&mut settings).unwrap().introspection_cache
    };
    assert!(matches!(cache(" memory "), IntrospectionCacheConfig::Memory));
    for url in ["redis://cache:6379/1", "rediss://:pa55word@cache"] {
        assert!(
            matches!(cache(url), IntrospectionCacheConfig::Redis(it) if it.expose_secret() == url)
        );
    }
    for value in ["none", "Memory", "redis:cache", "http://cache", "cache:6379"] {
        let vars = [("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET), ("INTROSPECTION_CACHE", value)];
        let rule = "must be `memory`, or a URL that starts with redis:// or rediss://";
        assert_eq!(mistakes(&vars), [format!("INTROSPECTION_CACHE: {rule}")], "{value}");
    }
}

#[test]
fn a_cache_in_redis_needs_its_feature() {
    let vars =
        [("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET), ("INTROSPECTION_CACHE", "redis://c")];
    let needed =
        "INTROSPECTION_CACHE: a cache in Redis needs the feature `redis` of monocloud-backend";
    let mistakes = mistakes(&vars);
    match cfg!(feature = "redis") {
        true => assert!(mistakes.is_empty(), "{mistakes:?}"),
        false => assert_eq!(mistakes, [needed]),
    }
}

#[cfg(feature = "redis")]
#[test]
fn the_url_of_a_cache_in_redis_is_right_in_all_its_parts_and_shows_in_no_mistake() {
    for (url, rule) in [
        ("rediss://:pa55word@cache#insecure", "has no query and no fragment"),
        ("redis://:pa55word@cache?protocol=9", "has no query and no fragment"),
        ("redis://:pa55word@cache/pa55word", "is a number at most"),
        ("redis://:pa55word@cache/-1", "is a number at most"),
        ("redis://:pa55word%FF@cache", "must be valid"),
        ("redis://:pa55word@0.0.0.0", "must be valid"),
        ("rediss://:pa55word@ca%20che", "must name a host"),
    ] {
        let vars = [("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET), ("INTROSPECTION_CACHE", url)];
        let mistakes = mistakes(&vars);
        assert!(mistakes.len() == 1 && mistakes[0].contains(rule), "{url}: {mistakes:?}");
        assert!(!mistakes[0].contains("pa55word"), "{mistakes:?}");
    }
}

#[test]
fn debug_of_a_configuration_shows_no_secret() {
    for (method, secret) in [("client_secret_basic", SECRET), ("private_key_jwt", ED25519)] {
        let (mut settings, _) = sources(&[
            ("CLIENT_ID", "me"),
            ("CLIENT_AUTH_METHOD", method),
            ("CLIENT_SECRET", secret),
            ("INTROSPECTION_CACHE", "rediss://:pa55word@cache"),
        ])
        .settle();
        let debug = format!("{:?}", Config::read(&mut settings).unwrap());
        assert!(debug.contains("acme.us.monocloud.com"));
        for leak in [SECRET, "pa55word", "pWkAbG5f7"] {
            assert!(!debug.contains(leak), "{leak} in {debug}");
        }
    }
}
