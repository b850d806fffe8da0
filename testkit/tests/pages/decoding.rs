//! The form that decodes a token.

use crate::browser::{controlled_tenant, decode};

#[tokio::test]
async fn header_claims_and_times_are_shown() {
    let tenant = controlled_tenant().await;
    let token = tenant.token().subject("alice").expires_in(-7200).mint();
    for entered in [token.clone(), format!("Authorization: Bearer {token}\n")] {
        let page = decode(&tenant, &entered).await;
        assert_eq!(page.status, 200, "{page:?}");
        let text = page.document().one("main").text.clone();
        for part in [r#""typ": "at+jwt""#, r#""sub": "alice""#, "issued", "2 hours ago"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}

#[tokio::test]
async fn a_text_that_is_not_a_token_is_named() {
    let tenant = controlled_tenant().await;
    let encrypted = "a.b.c.d.e";
    for (entered, expected) in [
        ("", "not a JWT"),
        ("opaque", "not a JWT"),
        ("</textarea><b>&amp;.b", "three parts, but this has 2"),
        ("a.b", "three parts, but this has 2"),
        (encrypted, "encrypted"),
        ("!.b.c", "the header is not base64url"),
        ("e30.YQ.", "the payload is not JSON"),
    ] {
        let page = decode(&tenant, entered).await;
        assert_eq!(page.status, 400, "{page:?}");
        let alert = page.document().by_id("undecodable").unwrap().text.clone();
        assert!(alert.contains(expected), "{entered}: {alert}");
        assert_eq!(page.document().by_id("token").unwrap().text, entered);
    }
}

#[tokio::test]
async fn a_token_of_any_shape_is_answered() {
    let tenant = controlled_tenant().await;
    for entered in
        ["e30.e30.", "W10.W10.", "bnVsbA.MQ.x", "e30.eyJleHAiOjFlOTl9.", "\u{fffd}.<b>.é"]
    {
        let page = decode(&tenant, entered).await;
        assert!(matches!(page.status, 200 | 400), "{page:?}");
        assert!(page.document().mistakes.is_empty(), "{page:?}");
    }
}
