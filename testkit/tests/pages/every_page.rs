//! What all pages have in common.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    browser::{EVIL, every_page, hostile_tenant},
    document::Document,
};

#[tokio::test]
async fn a_page_has_the_status_of_what_happened() {
    let tenant = hostile_tenant().await;
    for (name, page) in every_page(&tenant).await {
        let has_failed = ["not minted", "not decoded", "device unknown", "error"].contains(&name);
        assert_eq!(page.status, if has_failed { 400 } else { 200 }, "{name}: {page:?}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{name}");
    }
}

#[tokio::test]
async fn a_page_is_well_formed_and_every_text_on_it_is_escaped() {
    let tenant = hostile_tenant().await;
    for (name, page) in every_page(&tenant).await {
        let document = page.document();
        assert!(document.mistakes.is_empty(), "{name}: {:?}", document.mistakes);
        // The tenant's own scripts are the last element, if there are any.
        let scripts: Vec<_> = document.all("script").collect();
        let has_script = !["login", "consent", "error"].contains(&name) && !name.contains("device");
        assert_eq!(scripts.len(), usize::from(has_script && name != "logged out"), "{name}");
        assert!(scripts.iter().all(|script| !script.text.contains("alert")), "{name}");
        assert_eq!(document.all("i").count(), 0, "{name}");
    }
}

#[tokio::test]
async fn hostile_names_are_shown_as_they_are() {
    let tenant = hostile_tenant().await;
    for (name, page) in every_page(&tenant).await {
        let is_shown = match name {
            "form post" => page.document().value("state") == EVIL,
            "device" | "device unknown" | "device done" | "logged out" | "error" => continue,
            _ => page.document().one("main").text.contains(EVIL),
        };
        assert!(is_shown, "{name}: {page:?}");
    }
}

#[tokio::test]
async fn the_policy_of_a_page_allows_its_own_styles_and_scripts_alone() {
    let tenant = hostile_tenant().await;
    for (name, page) in every_page(&tenant).await {
        let policy = page.header("content-security-policy");
        let directives: Vec<_> = policy.split("; ").collect();
        for directive in ["default-src 'none'", "base-uri 'none'"] {
            assert!(directives.contains(&directive), "{name}: {policy}");
        }
        // A silent login with a form is one in a frame.
        assert_eq!(directives.contains(&"frame-ancestors 'none'"), name != "form post", "{name}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{name}: {policy}");
        let document = page.document();
        for kind in ["style", "script"] {
            for element in document.all(kind) {
                let hash = STANDARD.encode(digest(&SHA256, element.text.as_bytes()));
                let directive = format!("{kind}-src 'sha256-{hash}'");
                assert!(directives.contains(&&*directive), "{name}: {policy}");
                assert!(element.attributes.is_empty(), "{name}: {element:?}");
            }
        }
        // Browsers apply it to the redirects that follow a form, also to those of the client.
        let leads_to_client = ["login", "consent", "form post"].contains(&name);
        assert_eq!(directives.contains(&"form-action 'self'"), !leads_to_client, "{name}");
    }
}

#[tokio::test]
async fn a_page_keeps_to_itself() {
    let tenant = hostile_tenant().await;
    for (name, page) in every_page(&tenant).await {
        assert_eq!(page.header("cache-control"), "no-store", "{name}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{name}");
        // Documentation pages open the login in a window that they wait for.
        assert!(!page.headers.contains_key("cross-origin-opener-policy"), "{name}");
        let has_own_forms = page.document().by_id("mint").is_some();
        let referrer = if has_own_forms { "same-origin" } else { "no-referrer" };
        assert_eq!(page.header("referrer-policy"), referrer, "{name}");
        for element in page.document().elements {
            for (attribute, value) in &element.attributes {
                let is_inline = attribute == "style" || attribute.starts_with("on");
                assert!(!is_inline && attribute != "src", "{name}: {element:?}");
                let is_own = value.starts_with(tenant.issuer()) || value.starts_with("data:");
                assert!(attribute != "href" || is_own, "{name}: {element:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_page_is_accessible() {
    let tenant = hostile_tenant().await;
    for (name, page) in every_page(&tenant).await {
        let document = page.document();
        assert_eq!(document.one("html").attribute("lang"), Some("en"), "{name}");
        assert!(!document.one("title").text.is_empty(), "{name}");
        document.one("main");
        if name == "form post" {
            continue;
        }
        assert_eq!(document.one("h1").text, document.one("title").text, "{name}");
        let mut viewports = document.all("meta").map(|meta| meta.attribute("name"));
        assert!(viewports.any(|name| name == Some("viewport")), "{name}");
        check_headings(name, &document);
        check_labels(name, &document);
        check_references(name, &document);
    }
}

/// No level is left out.
#[track_caller]
fn check_headings(name: &str, document: &Document) {
    let mut before = 0;
    for element in &document.elements {
        let level = element.name.strip_prefix('h').and_then(|level| level.parse::<u8>().ok());
        let Some(level) = level else { continue };
        assert!(level <= before + 1 && !element.text.is_empty(), "{name}: {element:?}");
        before = level;
    }
}

/// Every field has a label, and every button a text.
#[track_caller]
fn check_labels(name: &str, document: &Document) {
    for element in &document.elements {
        match element.name.as_str() {
            "button" => assert!(!element.text.trim().is_empty(), "{name}: {element:?}"),
            "input" | "select" | "textarea" if element.attribute("type") != Some("hidden") => {
                let id = element.attribute("id").expect("a field has an id");
                let mut labels = document.all("label").map(|label| label.attribute("for"));
                assert!(labels.any(|label| label == Some(id)), "{name}: {element:?}");
            }
            _ => {}
        }
    }
}

/// Ids are unique, and those that are referred to exist.
#[track_caller]
fn check_references(name: &str, document: &Document) {
    let mut ids: Vec<_> = document.elements.iter().filter_map(|it| it.attribute("id")).collect();
    let number = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), number, "{name}: {ids:?}");
    for element in &document.elements {
        for attribute in ["for", "list", "aria-labelledby", "aria-describedby", "data-copies"] {
            if let Some(id) = element.attribute(attribute) {
                assert!(ids.contains(&id), "{name}: {element:?}");
            }
        }
    }
}
