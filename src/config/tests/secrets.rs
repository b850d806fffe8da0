//! Secrets: where they may come from, and that they show nowhere.

use super::*;

const FLEET_KEY: &str = "a-secret-of-exactly-32-bytes-now";

#[cfg(feature = "redis")]
#[test]
fn a_shared_cache_needs_a_fleet_key_that_the_store_does_not_know() {
    const REMEDY: &str = "generate one with `openssl rand -base64 32`";
    let missing = format!(
        "a shared cache needs a secret that every instance of this API has and the \
         store does not know; {REMEDY}"
    );
    let in_url = "must not be a part of INTROSPECTION_CACHE: the store would know it";
    let mistakes = |vars: &[(&str, &str)]| {
        let client = [("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET)];
        mistakes(&[&client, vars].concat())
    };
    let redis = ("INTROSPECTION_CACHE", "rediss://cache");
    let is_password = format!("rediss://:{FLEET_KEY}@cache");
    let encoded_password = format!("rediss://:{}@cache", FLEET_KEY.replace('-', "%2D"));
    for (vars, expected) in [
        ([redis, ("CLOCK_SKEW", "0")], format!("is not set; {missing}")),
        ([redis, ("FLEET_KEY", " ")], format!("is set but blank; {missing}")),
        ([redis, ("FLEET_KEY", &FLEET_KEY[1..])], format!("must have at least 32 bytes; {REMEDY}")),
        (
            [redis, ("FLEET_KEY", &format!("{}\t", &FLEET_KEY[1..]))],
            format!("must have at least 32 bytes; {REMEDY}"),
        ),
        ([("INTROSPECTION_CACHE", &is_password), ("FLEET_KEY", FLEET_KEY)], {
            format!("{in_url}; {REMEDY}")
        }),
        ([("INTROSPECTION_CACHE", &encoded_password), ("FLEET_KEY", FLEET_KEY)], {
            format!("{in_url}; {REMEDY}")
        }),
    ] {
        assert_eq!(mistakes(&vars), [format!("FLEET_KEY: {expected}")], "{vars:?}");
    }
    assert_eq!(mistakes(&[redis, ("FLEET_KEY", FLEET_KEY)]), [""; 0]);
}

#[test]
fn a_fleet_key_may_be_in_a_file_and_needs_no_shared_cache() {
    let files = Files::new();
    let path = files.write("fleet-key", format!("{FLEET_KEY}\n"));
    for vars in [("FLEET_KEY_FILE", path.as_str()), ("FLEET_KEY", FLEET_KEY)] {
        let derived = |key: &FleetKey| key.derive(b"a test").unwrap();
        let key = config(&[vars]).fleet_key.unwrap();
        assert_eq!(derived(&key), derived(&FleetKey::new(FLEET_KEY)));
    }
    assert!(config(&[]).fleet_key.is_none());
    let short = mistakes(&[("FLEET_KEY", "short")]);
    assert!(short[0].starts_with("FLEET_KEY: must have at least 32 bytes; "), "{short:?}");
    let both = mistakes(&[("FLEET_KEY_FILE", &path), ("FLEET_KEY", FLEET_KEY)]);
    assert_eq!(both, ["FLEET_KEY: is set, and so is FLEET_KEY_FILE; keep one of them"]);
}

#[test]
fn a_store_of_the_applications_needs_a_fleet_key_too() {
    let mut sources = sources(&[("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET)]);
    sources.set(Key::IntrospectionCacheStore, true);
    let mistakes = mistakes_of(sources);
    assert!(mistakes[0].starts_with("FLEET_KEY: is not set; a shared"), "{mistakes:?}");
}

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
        ("FLEET_KEY", "fleet-5ecret"),
        ("GROUPS_MATCH_ALL", "fleet-5ecret"),
        ("RESOURCE", "ftp://me:pa55word@api.example.com"),
        ("VALIDATE_CERTIFICATE_BINDING", ED25519),
    ]);
    sources.file(path);
    let debug = format!("{sources:?}");
    let error = sources.resolve().unwrap_err();
    assert_eq!(error.problems().len(), 10, "{error}");
    for leak in [SECRET, "an-older-secret", "MC4C", "pa55word", "pWkAbG5f7", "fleet-5ecret"] {
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
    for url in [
        "redis://cache:6379/1",
        "rediss://:pa55word@cache",
        "redis+sentinel://a,b:26380/main",
        "rediss+cluster://a,b:7000",
    ] {
        assert!(
            matches!(cache(url), IntrospectionCacheConfig::Redis(it) if it.expose_secret() == url)
        );
    }
    for value in ["none", "Memory", "redis:cache", "http://cache", "cache:6379"] {
        let vars = [("CLIENT_ID", "me"), ("CLIENT_SECRET", SECRET), ("INTROSPECTION_CACHE", value)];
        let rule = "must be `memory`, or a URL that starts with redis://, redis+sentinel:// or \
                    redis+cluster://, each with rediss for TLS";
        assert_eq!(mistakes(&vars), [format!("INTROSPECTION_CACHE: {rule}")], "{value}");
    }
}

#[test]
fn a_cache_in_redis_needs_its_feature() {
    let vars = [
        ("CLIENT_ID", "me"),
        ("CLIENT_SECRET", SECRET),
        ("INTROSPECTION_CACHE", "redis://c"),
        ("FLEET_KEY", FLEET_KEY),
    ];
    let needed = "INTROSPECTION_CACHE: a cache in Redis needs the feature `redis` of \
                  monocloud-backend; add it";
    let mistakes = mistakes(&vars);
    match cfg!(feature = "redis") {
        true => assert!(mistakes.is_empty(), "{mistakes:?}"),
        false => assert_eq!(mistakes, [needed]),
    }
}

#[test]
fn the_url_of_a_cache_in_redis_is_right_in_all_its_parts_and_shows_in_no_mistake() {
    for (url, rule) in [
        ("rediss://:pa55word@cache#insecure", "has no query and no fragment"),
        ("redis://:pa55word@cache?protocol=9", "has no query and no fragment"),
        ("redis://:pa55word@cache/pa55word", "by its number"),
        ("redis://:pa55word@cache/-1", "by its number"),
        ("redis://:pa55word%FF@cache", "are in UTF-8"),
        ("redis://:pa55word@0.0.0.0", "names each host as"),
        ("rediss://:pa55word@ca%20che", "names each host as"),
        ("redis+sentinel://:pa55word@cache/pa55word!", "name of a Sentinel service"),
        ("redis+cluster://:pa55word@cache/pa55word", "without a path"),
    ] {
        let vars = [
            ("CLIENT_ID", "me"),
            ("CLIENT_SECRET", SECRET),
            ("INTROSPECTION_CACHE", url),
            ("FLEET_KEY", FLEET_KEY),
        ];
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
            ("FLEET_KEY", FLEET_KEY),
        ])
        .settle();
        let debug = format!("{:?}", Config::read(&mut settings).unwrap());
        assert!(debug.contains("acme.us.monocloud.com"));
        for leak in [SECRET, "pa55word", "pWkAbG5f7", FLEET_KEY] {
            assert!(!debug.contains(leak), "{leak} in {debug}");
        }
    }
}
