//! What a rejection tells the caller, and what it does not.

use harness::support::{frozen_tenant, get, ok, protect, serve, served};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::MockTenant;
use reqwest::header::WWW_AUTHENTICATE;

/// RFC 6750 §3: `%x20-21 / %x23-5B / %x5D-7E`.
#[test]
fn every_error_description_has_only_allowed_characters() {
    use InvalidToken::*;
    for reason in [
        Algorithm,
        AmbiguousKey,
        Audience,
        Binding,
        Claim("exp"),
        Critical,
        Encrypted,
        Expired,
        Issuer,
        Malformed,
        NotYetValid,
        Oversized,
        Signature,
        Type,
        UnknownKey,
        Unsupported,
    ] {
        let text = reason.to_string();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(!text.is_empty() && text.bytes().all(allowed), "{text}");
    }
}

#[tokio::test]
async fn no_value_of_a_token_appears_in_its_rejection() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    for claim in ["iss", "aud", "exp", "nbf", "cnf", "sub"] {
        let token = tenant.token().claim(claim, ["canary\"value"]).mint();
        let answer = api.send(get("/any").bearer(&token)).await;
        assert_eq!(answer.status, 401, "{claim}");
        assert!(!format!("{answer:?}").contains("canary"), "{claim}: {answer:?}");
    }
}

#[tokio::test]
async fn the_realm_is_a_quoted_string_with_the_audience_unless_one_is_set() {
    for (audience, realm, shown) in [
        ("urn:my api", None, "urn:my api"),
        ("a\"b\\c", None, r#"a\"b\\c"#),
        ("grün, x=1", None, "gr?n, x=1"),
        ("api", Some("the posts"), "the posts"),
        ("api", Some("say \"posts\""), r#"say \"posts\""#),
    ] {
        let tenant = MockTenant::builder().audience(audience).start().await;
        let mut builder = protect(&tenant);
        if let Some(realm) = realm {
            builder = builder.realm(realm);
        }
        let api = serve(&builder.build().unwrap());
        let answer = api.send(get("/any")).await;
        let challenge = format!(r#"Bearer realm="{shown}""#);
        assert_eq!(answer.header(WWW_AUTHENTICATE), Some(challenge.as_str()));
        api.check(audience, get("/any").bearer(&tenant.token().mint()), &ok()).await;
    }
}
