//! Clients that others wrote: the crates `oauth2` and `openidconnect`.

use std::io;

use monocloud_testkit::{Endpoint, MockTenant, User};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, EmptyExtraTokenFields, HttpRequest,
    HttpResponse, PkceCodeChallenge, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType, BasicTokenType},
};
use openidconnect::{
    AuthenticationFlow, IssuerUrl, Nonce, TokenResponse as _,
    core::{CoreClient, CoreProviderMetadata, CoreResponseType, CoreUserInfoClaims},
};

use crate::client::{REDIRECT_URI, get, http, started};

/// Sends their requests by reqwest.
async fn send(request: HttpRequest) -> Result<HttpResponse, io::Error> {
    let (head, body) = request.into_parts();
    let sent = http().request(head.method, head.uri.to_string()).headers(head.headers).body(body);
    let response = sent.send().await.map_err(io::Error::other)?;
    let mut answer = http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    let body = response.bytes().await.map_err(io::Error::other)?;
    answer.body(body.to_vec()).map_err(io::Error::other)
}

/// What a browser brings back to the client.
async fn visit(url: impl ToString) -> (AuthorizationCode, String) {
    let mut answer = get(&url.to_string()).await.redirected();
    let code = answer.remove("code").expect("a code");
    (AuthorizationCode::new(code), answer.remove("state").expect("a state"))
}

#[tokio::test]
async fn oauth2_gets_through_the_code_flow_and_refresh() {
    let tenant = started(MockTenant::builder()).await;
    let client = BasicClient::new(ClientId::new("web".into()))
        .set_auth_uri(AuthUrl::new(tenant.url(Endpoint::Authorize)).unwrap())
        .set_token_uri(TokenUrl::new(tenant.url(Endpoint::Token)).unwrap())
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.into()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scope(Scope::new("posts:read".into()))
        .add_scope(Scope::new("offline_access".into()))
        .set_pkce_challenge(challenge)
        .url();
    let (code, returned) = visit(url).await;
    assert_eq!(returned, *state.secret());

    let again = code.clone();
    let redeem = client.exchange_code(code).set_pkce_verifier(verifier);
    let tokens: StandardTokenResponse<EmptyExtraTokenFields, BasicTokenType> =
        redeem.request_async(&send).await.unwrap();
    assert_eq!(*tokens.token_type(), BasicTokenType::Bearer);
    let refresh = tokens.refresh_token().unwrap();
    let renewed = client.exchange_refresh_token(refresh).request_async(&send).await.unwrap();
    assert_ne!(renewed.refresh_token().map(RefreshToken::secret), Some(refresh.secret()));

    let error = client.exchange_code(again).request_async(&send).await.unwrap_err();
    let RequestTokenError::ServerResponse(error) = error else { panic!("{error}") };
    assert_eq!(*error.error(), BasicErrorResponseType::InvalidGrant);
}

#[tokio::test]
async fn openidconnect_discovers_logs_in_refreshes_and_reads_the_users_claims() {
    let alice = User::new("alice").claim("email", "alice@example.com");
    let tenant = started(MockTenant::builder().path("acme").user(alice)).await;
    let issuer = IssuerUrl::new(tenant.issuer().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &send).await.unwrap();
    let redirect = RedirectUrl::new(REDIRECT_URI.into()).unwrap();
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new("web".into()), None)
        .set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".into()))
        .add_scope(Scope::new("offline_access".into()))
        .set_pkce_challenge(challenge)
        .url();
    let (code, returned) = visit(url).await;
    assert_eq!(returned, *state.secret());

    let redeem = client.exchange_code(code).unwrap().set_pkce_verifier(verifier);
    let tokens = redeem.request_async(&send).await.unwrap();
    let id_token = tokens.id_token().unwrap();
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).unwrap();
    assert_eq!(claims.subject().as_str(), "alice");
    assert!(claims.access_token_hash().is_some());

    let refresh = tokens.refresh_token().unwrap();
    let refresh = client.exchange_refresh_token(refresh).unwrap();
    let renewed = refresh.request_async(&send).await.unwrap();
    let subject = Some(claims.subject().clone());
    let userinfo = client.user_info(renewed.access_token().clone(), subject).unwrap();
    let userinfo: CoreUserInfoClaims = userinfo.request_async(&send).await.unwrap();
    assert_eq!(userinfo.email().unwrap().as_str(), "alice@example.com");
}
