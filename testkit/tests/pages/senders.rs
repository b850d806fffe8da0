//! Which pages may send the forms.

use monocloud_testkit::{Endpoint, MockTenant};

use crate::browser::{
    Page, controlled_tenant, device_url, form, get, hostile_tenant, post, request, sent,
};

async fn mint_with(tenant: &MockTenant, headers: &[(&str, &str)]) -> Page {
    let pairs = [("form", "mint"), ("for", "user:admin")];
    let form = form(tenant.issuer(), &pairs);
    let form = headers.iter().fold(form, |form, (name, value)| form.header(*name, *value));
    sent(form).await
}

#[tokio::test]
async fn the_page_of_another_site_cannot_mint() {
    let tenant = controlled_tenant().await;
    for headers in [
        [("origin", "https://evil.example.com")].as_slice(),
        &[("origin", "null")],
        &[("origin", "http://localhost:1"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", tenant.issuer()), ("sec-fetch-site", "cross-site")],
        &[("origin", tenant.issuer()), ("origin", "https://evil.example.com")],
    ] {
        let page = mint_with(&tenant, headers).await;
        assert_eq!(page.status, 403, "{headers:?}: {page:?}");
        assert!(page.document().by_id("minted").is_none(), "{page:?}");
    }
}

#[tokio::test]
async fn the_own_page_can_mint_under_every_name_of_the_tenant() {
    let tenant = controlled_tenant().await;
    let localhost = format!("http://localhost:{}", tenant.address().port());
    for origin in [tenant.issuer(), &localhost] {
        let headers = [("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(mint_with(&tenant, &headers).await.status, 200, "{origin}");
    }
}

#[tokio::test]
async fn the_page_of_another_site_cannot_decide_about_a_device() {
    let tenant = hostile_tenant().await;
    let device = device_url(&tenant).await;
    let (_, user_code) = device.split_once("user_code=").unwrap();
    let pairs = [("user_code", user_code), ("user", "alice")];
    let url = tenant.url(Endpoint::Device);
    for site in ["cross-site", "same-site"] {
        assert_eq!(sent(form(&url, &pairs).header("sec-fetch-site", site)).await.status, 403);
    }
    let own = form(&url, &pairs).header("sec-fetch-site", "same-origin");
    let own = sent(own).await;
    assert!(own.status == 200 && own.text.contains("The device may continue"), "{own:?}");
}

#[tokio::test]
async fn a_form_that_is_malformed_or_too_large_is_refused() {
    let tenant = controlled_tenant().await;
    let raw = async |body: String| {
        sent(request(reqwest::Method::POST, tenant.issuer()).body(body)).await.status
    };
    assert_eq!(raw("for=%".to_owned()).await, 400);
    assert_eq!(raw("for=user:alice&for=user:admin".to_owned()).await, 400);
    assert_eq!(raw(format!("form=decode&token={}", "a".repeat(64 * 1024))).await, 413);
}

#[tokio::test]
async fn forms_return_to_the_address_of_their_page() {
    // A browser may know the tenant by another name than the issuer's.
    let tenant = hostile_tenant().await;
    let device = device_url(&tenant).await;
    for url in [tenant.issuer(), &device] {
        let document = get(url).await.document();
        for form in document.all("form") {
            let action = form.attribute("action");
            assert!(action.is_none_or(|action| action.starts_with('#')), "{form:?}");
            assert_eq!(form.attribute("method"), Some("post"));
        }
    }
    assert_eq!(post(&device, &[("cancel", "true"), ("user_code", "x")]).await.status, 400);
}
