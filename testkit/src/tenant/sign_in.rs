//! Logging in without a browser.

use std::future::{Ready, ready};

use aws_lc_rs::digest::{SHA256, digest};
use http::{
    Method, Request,
    header::{CONTENT_TYPE, LOCATION},
};
use hyper::body::Bytes;
use serde::Deserialize;

use crate::{
    DpopKey, Endpoint, Entrance, MockTenant,
    dpop::DPOP,
    site::{
        Arrival,
        oauth::{Call, Params, decide_device, encoded_pairs, respond, respond_as},
    },
    token::{base64url, random_id},
};

/// Logs a user in; see [`MockTenant::sign_in`]. It is awaited.
#[derive(Clone, Debug)]
#[must_use = "the user logs in when it is awaited"]
pub struct SignIn<'a> {
    tenant: &'a MockTenant,
    user: String,
    client: String,
    scopes: Vec<String>,
    resources: Vec<String>,
    acr_values: String,
    key: Option<DpopKey>,
}

/// The tokens of a user who has logged in (RFC 6749 §5.1).
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// `Bearer`, or `DPoP` if the access token is bound to a key.
    pub token_type: String,
    /// How long the access token is valid, in seconds.
    pub expires_in: u64,
    /// The scopes of the access token, separated by spaces.
    pub scope: String,
    /// With the scope `offline_access`.
    pub refresh_token: Option<String>,
    /// With the scope `openid`.
    pub id_token: Option<String>,
}

/// Logging in.
impl MockTenant {
    /// Logs in the user of this name, by the authorization code flow of the client `web` with PKCE
    /// and the scope `openid`. The user consents to everything.
    ///
    /// It happens inside the process: it is neither counted as requests nor met by faults and
    /// mocks, and needs no feature.
    ///
    /// ```
    /// use monocloud_testkit::{DpopKey, MockTenant};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    /// let tokens = tenant.sign_in("alice").scope("posts:read offline_access").await;
    /// assert_eq!(tokens.token_type, "Bearer");
    /// assert!(tokens.id_token.is_some() && tokens.refresh_token.is_some());
    ///
    /// let key = DpopKey::generate();
    /// let tokens = tenant.sign_in("admin").bound_to_key(&key).await;
    /// assert_eq!(tokens.token_type, "DPoP");
    /// # }
    /// ```
    pub fn sign_in(&self, user: impl Into<String>) -> SignIn<'_> {
        SignIn {
            tenant: self,
            user: user.into(),
            client: "web".to_owned(),
            scopes: vec!["openid".to_owned()],
            resources: Vec::new(),
            acr_values: String::new(),
            key: None,
        }
    }

    /// Allows the device that shows this code to act for the user of this name (RFC 8628 §3.3), as
    /// if she had entered it on the tenant's page.
    ///
    /// # Panics
    ///
    /// If there is no such user, or no device waits with this code.
    #[track_caller]
    pub fn allow_device(&self, user_code: &str, user: &str) {
        assert!(self.site.oauth.user(user).is_some(), "the tenant has no user {user:?}");
        self.decide(user_code, Some(user));
    }

    /// Denies access to the device that shows this code.
    ///
    /// # Panics
    ///
    /// If no device waits with this code.
    #[track_caller]
    pub fn deny_device(&self, user_code: &str) {
        self.decide(user_code, None);
    }

    #[track_caller]
    fn decide(&self, user_code: &str, user: Option<&str>) {
        let request = Request::new(Bytes::new());
        let call = Call::new(&self.site, Endpoint::Device, &request, &HERE);
        let is_decided = decide_device(&call, user_code, user);
        assert!(is_decided, "no device waits with the code {user_code:?}");
    }
}

impl SignIn<'_> {
    /// The client, `web` by default. A confidential one needs a secret.
    pub fn client(mut self, id: impl Into<String>) -> Self {
        self.client = id.into();
        self
    }

    /// Requests more scopes: one, or several separated by spaces.
    pub fn scope(mut self, scopes: &str) -> Self {
        self.scopes.extend(scopes.split_whitespace().map(str::to_owned));
        self
    }

    /// Requests a token for the [API](crate::Api) with this audience (RFC 8707 §2), instead of the
    /// default one.
    pub fn resource(mut self, audience: impl Into<String>) -> Self {
        self.resources.push(audience.into());
        self
    }

    /// Requests a login by one of these methods, separated by spaces: the token's `acr` is the
    /// first (RFC 9470 §4).
    pub fn acr_values(mut self, acr_values: impl Into<String>) -> Self {
        self.acr_values = acr_values.into();
        self
    }

    /// Binds the tokens to this key (RFC 9449 §5).
    pub fn bound_to_key(mut self, key: &DpopKey) -> Self {
        self.key = Some(key.clone());
        self
    }

    #[track_caller]
    fn run(&self) -> Tokens {
        let oauth = &self.tenant.site.oauth;
        let user = &self.user;
        assert!(oauth.user(user).is_some(), "the tenant has no user {user:?}");
        let client = oauth.client(&self.client);
        let client = client.unwrap_or_else(|| panic!("the tenant has no client {:?}", self.client));
        let redirect_uri = client.redirect_uris.first().map(String::as_str);
        let redirect_uri = redirect_uri.unwrap_or("http://127.0.0.1/callback");
        let verifier = random_id() + &random_id();

        let challenge = base64url(digest(&SHA256, verifier.as_bytes()));
        let scope = self.scopes.join(" ");
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &self.client),
            ("redirect_uri", redirect_uri),
            ("scope", &scope),
            ("acr_values", &self.acr_values),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        query.extend(self.resources.iter().map(|resource| ("resource", resource.as_str())));
        let code = self.code(&encoded_pairs(&query));

        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect_uri),
            ("client_id", &self.client),
            ("code_verifier", &verifier),
        ];
        form.extend(client.secret.as_deref().map(|secret| ("client_secret", secret)));
        self.tokens(&encoded_pairs(&form))
    }

    #[track_caller]
    fn code(&self, query: &str) -> String {
        let uri = format!("{}?{query}", self.tenant.url(Endpoint::Authorize));
        let request = Request::get(uri).body(Bytes::new()).expect("a request");
        let call = Call::new(&self.tenant.site, Endpoint::Authorize, &request, &HERE);
        let answer = respond_as(&call, Some(&self.user));
        let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let params = location.and_then(|location| Some(location.split_once('?')?.1));
        let params = Params::parse(params.unwrap_or_default().as_bytes());
        let code = params.get("code").map(str::to_owned);
        code.unwrap_or_else(|| {
            let description = params.get("error_description").map(str::to_owned);
            let page = || String::from_utf8_lossy(answer.body()).into_owned();
            panic!("the tenant refuses the login: {}", description.unwrap_or_else(page))
        })
    }

    #[track_caller]
    fn tokens(&self, form: &str) -> Tokens {
        let url = self.tenant.url(Endpoint::Token);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(key) = &self.key {
            request = request.header(DPOP, self.tenant.proof(key, "POST", &url).mint());
        }
        let request = request.body(Bytes::from(form.to_owned())).expect("a request");
        let answer = respond(&Call::new(&self.tenant.site, Endpoint::Token, &request, &HERE));
        serde_json::from_slice(answer.body()).unwrap_or_else(|_| {
            panic!("the tenant issues no tokens: {}", String::from_utf8_lossy(answer.body()))
        })
    }
}

impl IntoFuture for SignIn<'_> {
    type Output = Tokens;
    type IntoFuture = Ready<Tokens>;

    /// # Panics
    ///
    /// If there is no such user or client, or the tenant refuses the request.
    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        ready(self.run())
    }
}

/// Requests come from inside the process.
static HERE: Arrival = Arrival { entrance: Entrance::Issuer, certificates: Vec::new() };
