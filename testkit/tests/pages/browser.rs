//! A browser without scripts, made of reqwest.

use http::HeaderMap;
use monocloud_testkit::{Api, Clock, Endpoint, MockTenant, OAuthClient, User};
use reqwest::{Client, Method, RequestBuilder, Response, redirect::Policy};

use crate::document::Document;

/// A text that is a script if it is not escaped.
pub(crate) const EVIL: &str = "<script>alert('1')</script>\"&amp;";

pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A page as it has arrived.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn document(&self) -> Document {
        Document::parse(&self.text)
    }
}

/// A tenant with the control API, and with names that are attacks on its pages.
pub(crate) async fn hostile_tenant() -> MockTenant {
    let client = OAuthClient::public("evil").name(EVIL).any_loopback_redirect();
    let user = User::new(EVIL).group(EVIL).claim(EVIL, EVIL);
    let builder = MockTenant::builder().user(user).oauth_client(client).api(Api::new(EVIL));
    builder.clock(Clock::frozen()).control().start().await
}

pub(crate) async fn controlled_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).control().start().await
}

/// Follows no redirects.
pub(crate) fn request(method: Method, url: &str) -> RequestBuilder {
    let client = Client::builder().tls_certs_only([]).no_proxy().redirect(Policy::none());
    client.build().unwrap().request(method, url)
}

pub(crate) async fn sent(request: RequestBuilder) -> Page {
    Page::of(request.send().await.unwrap()).await
}

pub(crate) async fn get(url: &str) -> Page {
    sent(request(Method::GET, url)).await
}

pub(crate) fn encoded(pairs: Pairs<'_>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A form, as the tenant's own page sends it.
pub(crate) fn form(url: &str, pairs: Pairs<'_>) -> RequestBuilder {
    let request = request(Method::POST, url).body(encoded(pairs));
    request.header("content-type", "application/x-www-form-urlencoded")
}

pub(crate) async fn post(url: &str, pairs: Pairs<'_>) -> Page {
    sent(form(url, pairs)).await
}

/// Mints by the form of the start page.
pub(crate) async fn mint(tenant: &MockTenant, pairs: Pairs<'_>) -> Page {
    let pairs: Vec<_> = [("form", "mint")].iter().chain(pairs).copied().collect();
    post(tenant.issuer(), &pairs).await
}

/// Decodes by the form of the start page.
pub(crate) async fn decode(tenant: &MockTenant, token: &str) -> Page {
    post(tenant.issuer(), &[("form", "decode"), ("token", token)]).await
}

/// The login page for the client `evil` of the hostile tenant.
pub(crate) fn login_url(tenant: &MockTenant, more: Pairs<'_>) -> String {
    let pairs = [
        ("response_type", "code"),
        ("client_id", "evil"),
        ("redirect_uri", "http://127.0.0.1:51004/callback"),
        ("scope", "openid profile email offline_access <i>&'"),
        ("acr_values", "<script>"),
        ("state", EVIL),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let pairs: Vec<_> = pairs.iter().chain(more).copied().collect();
    format!("{}?{}", tenant.url(Endpoint::Authorize), encoded(&pairs))
}

/// The page of a device of the client `evil`, where a user decides.
pub(crate) async fn device_url(tenant: &MockTenant) -> String {
    let pairs = [("client_id", "evil"), ("scope", "<i>&'")];
    let started = post(&tenant.url(Endpoint::DeviceAuthorization), &pairs).await;
    let started: serde_json::Value = serde_json::from_str(&started.text).unwrap();
    started["verification_uri_complete"].as_str().unwrap().to_owned()
}

/// Every page of the hostile tenant, with its name.
pub(crate) async fn every_page(tenant: &MockTenant) -> Vec<(&'static str, Page)> {
    let authorize = tenant.url(Endpoint::Authorize);
    let login = get(&login_url(tenant, &[])).await;
    let interaction = login.document().value("interaction");
    let consent = post(&authorize, &[("interaction", &interaction), ("user", EVIL)]).await;
    let by_form = get(&login_url(tenant, &[("response_mode", "form_post")])).await;
    let interaction = by_form.document().value("interaction");
    let form_post = post(&authorize, &[("interaction", &interaction), ("cancel", "true")]).await;

    let device = device_url(tenant).await;
    let (entry, query) = device.split_once('?').unwrap();
    let (_, user_code) = query.split_once('=').unwrap();
    let unknown = post(entry, &[("user_code", EVIL)]).await;
    let confirm = get(&device).await;
    let done = post(entry, &[("user_code", user_code), ("user", "alice")]).await;

    let user = format!("user:{EVIL}");
    let minted = [("for", &*user), ("scope", EVIL), ("audience", EVIL)];
    vec![
        ("start", get(tenant.issuer()).await),
        ("minted", mint(tenant, &minted).await),
        ("not minted", mint(tenant, &[("for", "user:eve"), ("scope", EVIL)]).await),
        ("decoded", decode(tenant, &tenant.token().subject(EVIL).mint()).await),
        ("not decoded", decode(tenant, EVIL).await),
        ("login", login),
        ("consent", consent),
        ("form post", form_post),
        ("device", get(entry).await),
        ("device unknown", unknown),
        ("device confirm", confirm),
        ("device done", done),
        ("logged out", get(&tenant.url(Endpoint::EndSession)).await),
        ("error", get(&format!("{authorize}?client_id=%3Cscript%3E")).await),
    ]
}
