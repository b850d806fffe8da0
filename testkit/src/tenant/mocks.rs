//! wiremock mocks for what a tenant does not model.

use wiremock::Mock;

use crate::MockTenant;

/// Mocks.
impl MockTenant {
    /// Mounts a [wiremock] mock for something that the tenant does not model, such as an API for its
    /// users, or in place of something that it does, such as the userinfo endpoint.
    ///
    /// A request that a mock matches is answered by the mock, all others by the tenant. Mocks see
    /// requests as the client sent them, with TLS removed, on all ports of the tenant; paths
    /// include the [path](crate::MockTenantBuilder::path) of the issuer. At an
    /// [endpoint](crate::Endpoint), requests are counted as without mocks, and
    /// [faults](Self::fault) apply to the answers of mocks as they do to the tenant's own.
    ///
    /// Priorities of mocks are relative to each other; 255 is reserved. Expectations are verified
    /// by [`verify`](Self::verify), and when the tenant is dropped. wiremock keeps the requests
    /// that a mock has matched for as long as the tenant lives.
    ///
    /// ```
    /// use monocloud_testkit::MockTenant;
    /// use monocloud_testkit::wiremock::matchers::{bearer_token, method, path};
    /// use monocloud_testkit::wiremock::{Mock, ResponseTemplate};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    /// let token = tenant.token().subject("alice").mint();
    /// let profile = json!({ "sub": "alice", "email": "alice@example.com" });
    /// let userinfo = Mock::given(method("GET"))
    ///     .and(path("/connect/userinfo"))
    ///     .and(bearer_token(&token))
    ///     .respond_with(ResponseTemplate::new(200).set_body_json(profile))
    ///     .expect(1);
    /// tenant.mount(userinfo).await;
    ///
    /// # let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    /// let url = tenant.metadata()["userinfo_endpoint"].as_str().unwrap().to_owned();
    /// let response = client.get(url).bearer_auth(token).send().await.unwrap();
    /// assert!(response.text().await.unwrap().contains("alice@example.com"));
    /// # }
    /// ```
    pub async fn mount(&self, mock: Mock) {
        self.site.mocks.mount(mock).await;
    }
}
