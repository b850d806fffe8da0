//! What the start page shows, and where it is.

use monocloud_testkit::{Api, Endpoint, MockTenant, OAuthClient, User};
use reqwest::Method;

use crate::browser::{controlled_tenant, get, request, sent};

#[tokio::test]
async fn the_tenant_is_described() {
    let bob = User::new("bob").with_subject("u-1").group("sales").claim("email", "bob@example.com");
    let shop = OAuthClient::confidential("shop", "s3cr3t").name("The shop");
    let shop = shop.redirect_uri("https://shop.example.com/callback");
    let api = Api::new("https://orders.example.com").scope("orders:read").lifetime(77).opaque();
    let builder = MockTenant::builder().user(bob).oauth_client(shop).api(api).control();
    let tenant = builder.start().await;

    let page = get(tenant.issuer()).await;
    let main = &page.document().one("main").text.clone();
    for text in [
        tenant.issuer(),
        "alice",
        "bob",
        "u-1",
        r#"["sales"]"#,
        "bob@example.com",
        "The shop",
        "https://shop.example.com/callback",
        "confidential, with a secret",
        "any on loopback",
        "https://orders.example.com",
        "orders:read",
        "77 seconds",
        "opaque",
    ] {
        assert!(main.contains(text), "{text} is not in {main}");
    }
    assert!(!page.text.contains("s3cr3t"));
    let document = page.document();
    let links: Vec<_> = document.all("a").filter_map(|link| link.attribute("href")).collect();
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        assert!(links.contains(&&*tenant.url(endpoint)), "{links:?}");
    }
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    let tenant = controlled_tenant().await;
    let document = get(tenant.issuer()).await.document();
    let links: Vec<_> = document.all("a").filter_map(|link| link.attribute("href")).collect();
    assert!(links.len() >= 3, "{links:?}");
    for link in links {
        assert_eq!(get(link).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn the_page_exists_where_the_control_api_does() {
    let tenant = MockTenant::start().await;
    let page = get(tenant.issuer()).await;
    assert_eq!((page.status, page.text.as_str()), (404, ""));
}

#[tokio::test]
async fn the_page_is_at_the_path_of_the_issuer_and_at_the_root() {
    let tenant = MockTenant::builder().path("acme").control().start().await;
    let origin = tenant.issuer().strip_suffix("/acme").unwrap();
    for path in ["", "/", "/acme", "/acme/", "/acme/?a=b"] {
        assert_eq!(get(&format!("{origin}{path}")).await.status, 200, "{path}");
    }
    for path in ["/acm", "/acmes", "/acme//", "//"] {
        assert_eq!(get(&format!("{origin}{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let tenant = controlled_tenant().await;
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
        let page = sent(request(method, tenant.issuer())).await;
        assert_eq!((page.status, page.header("allow")), (405, "GET, HEAD, POST"));
    }
    let head = sent(request(Method::HEAD, tenant.issuer())).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn the_latest_requests_are_listed_with_the_newest_first() {
    let tenant = controlled_tenant().await;
    let rows = async || {
        let document = get(tenant.issuer()).await.document();
        let rows = document.all("tr").skip(1).map(|row| row.text.clone());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(rows().await, ["There were no requests yet."]);
    for n in 1..=51 {
        get(&format!("{}/nothing-{n}?client_id=web", tenant.issuer())).await;
    }
    let rows = rows().await;
    assert_eq!(rows.len(), 50);
    for (row, n) in rows.iter().zip((2..=51).rev()) {
        assert!(row.ends_with(&format!("GET /nothing-{n} by web404")), "{row}");
    }
}

#[tokio::test]
async fn looking_at_the_page_changes_no_keys() {
    let tenant = controlled_tenant().await;
    let keys = get(&tenant.url(Endpoint::Jwks)).await.text;
    get(tenant.issuer()).await;
    assert_eq!(get(&tenant.url(Endpoint::Jwks)).await.text, keys);
}
