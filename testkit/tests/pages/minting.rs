//! The form that mints a token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use monocloud_testkit::{Api, Class, Hostile, MockTenant};
use serde_json::Value;

use crate::browser::{Page, Pairs, controlled_tenant, get, mint};

#[track_caller]
fn token(page: &Page) -> String {
    assert_eq!(page.status, 200, "{page:?}");
    page.document().by_id("minted").expect("a token").text.clone()
}

async fn claims(tenant: &MockTenant, pairs: Pairs<'_>) -> Value {
    let token = token(&mint(tenant, pairs).await);
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// What the page says is wrong.
#[track_caller]
fn refusal(page: &Page) -> String {
    assert_eq!(page.status, 400, "{page:?}");
    let document = page.document();
    assert!(document.by_id("minted").is_none());
    let alert = document.elements.iter().find(|it| it.attribute("role") == Some("alert"));
    alert.expect("an alert").text.clone()
}

#[tokio::test]
async fn a_token_is_what_the_form_describes() {
    let tenant = controlled_tenant().await;
    let user = [
        ("for", "user:admin"),
        ("scope", "posts:read posts:write"),
        ("audience", "https://b.example.com"),
        ("expires_in", "-60"),
        ("format", "jwt"),
        ("hostile", ""),
    ];
    let user = claims(&tenant, &user).await;
    assert_eq!(user["sub"], "admin");
    assert_eq!(user["groups"], serde_json::json!(["admin"]));
    assert_eq!(user["scope"], "posts:read posts:write");
    assert_eq!(user["aud"], "https://b.example.com");
    assert_eq!(user["exp"].as_i64(), user["iat"].as_i64().map(|now| now - 60));

    let client = claims(&tenant, &[("for", "client:service")]).await;
    assert_eq!((&client["sub"], &client["client_id"]), (&"service".into(), &"service".into()));
    assert_eq!(client["aud"], tenant.audience());
}

#[tokio::test]
async fn an_empty_form_mints_for_the_first_user() {
    let tenant = controlled_tenant().await;
    assert_eq!(claims(&tenant, &[]).await["sub"], "alice");
}

#[tokio::test]
async fn the_format_is_that_of_the_api_unless_it_is_chosen() {
    let builder = MockTenant::builder().api(Api::new("https://a.example.com").opaque());
    let tenant = builder.control().start().await;
    for (format, is_opaque) in [("", true), ("opaque", true), ("jwt", false)] {
        let token = token(&mint(&tenant, &[("format", format)]).await);
        assert_eq!(!token.contains('.'), is_opaque, "{format}: {token}");
    }
}

#[tokio::test]
async fn every_hostile_token_can_be_chosen() {
    let tenant = controlled_tenant().await;
    let document = get(tenant.issuer()).await.document();
    let options: Vec<_> = document.all("option").filter_map(|it| it.attribute("value")).collect();
    for hostile in Hostile::all(&tenant) {
        assert!(options.contains(&hostile.name), "{}", hostile.name);
    }
    for class in [Class::AlgNone, Class::Structure, Class::Size] {
        let name = Hostile::of(&tenant, class)[0].name;
        let page = mint(&tenant, &[("hostile", name)]).await;
        let shown = token(&page);
        assert!(!shown.is_empty() && page.document().mistakes.is_empty(), "{page:?}");
        assert_eq!(page.document().by_id("token").unwrap().text, shown);
    }
    let page = mint(&tenant, &[("hostile", "alg-none"), ("format", "opaque")]).await;
    assert!(refusal(&page).contains("has its own form and lifetime"), "{page:?}");
}

#[tokio::test]
async fn a_minted_token_is_decoded_as_well() {
    let tenant = controlled_tenant().await;
    let page = mint(&tenant, &[("for", "user:admin"), ("expires_in", "600")]).await;
    let document = page.document();
    assert_eq!(document.by_id("token").unwrap().text, token(&page));
    assert!(document.one("main").text.contains("in 10 minutes"), "{page:?}");
}

#[tokio::test]
async fn the_form_keeps_what_was_entered() {
    let tenant = controlled_tenant().await;
    let pairs = [
        ("for", "client:service"),
        ("scope", "a b"),
        ("audience", "https://b.example.com"),
        ("expires_in", "9"),
        ("format", "opaque"),
    ];
    let document = mint(&tenant, &pairs).await.document();
    for (name, value) in pairs {
        let field = document.by_id(name).unwrap();
        let mut options = document.all("option");
        let is_kept = match field.name.as_str() {
            "input" => field.attribute("value") == Some(value),
            _ => options.any(|option| {
                option.attribute("value") == Some(value)
                    && option.attributes.contains_key("selected")
            }),
        };
        assert!(is_kept, "{name}");
    }
}

#[tokio::test]
async fn mistakes_in_the_form_are_named() {
    let tenant = controlled_tenant().await;
    let cases: [(Pairs<'_>, &str); 7] = [
        (&[("for", "user:eve")], "there is no user \"eve\"; valid: alice, admin"),
        (&[("for", "client:eve")], "there is no client \"eve\""),
        (&[("for", "colour:red")], "unknown field `colour`"),
        (&[("hostile", "nice")], "there is no hostile token \"nice\""),
        (&[("expires_in", "soon")], "the lifetime \"soon\" is not a whole number"),
        (&[("expires_in", "99999999999")], "not within a hundred years"),
        (&[("format", "paper")], "`jwt` or `opaque`"),
    ];
    for (pairs, expected) in cases {
        let refusal = refusal(&mint(&tenant, pairs).await);
        assert!(refusal.contains(expected), "{pairs:?}: {refusal}");
    }
}
