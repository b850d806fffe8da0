//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2).

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::{
    GrantType, OAuthClient,
    site::{
        answer::Answer,
        oauth::{
            call::Call,
            error::OAuthError,
            login,
            params::Params,
            redirect::{ResponseMode, ReturnTo},
            target::Target,
        },
        pages,
        refusal::Refusal,
    },
};

/// A valid authorization request.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client: Arc<OAuthClient>,
    pub(crate) return_to: ReturnTo,
    /// Whether it named the redirect URI.
    pub(crate) names_redirect_uri: bool,
    pub(crate) target: Target,
    pub(crate) nonce: Option<String>,
    /// RFC 7636 §4.3.
    pub(crate) challenge: Option<String>,
    /// RFC 9449 §10.
    pub(crate) jkt: Option<String>,
    pub(crate) prompt: Prompt,
    /// In seconds.
    pub(crate) max_age: Option<i64>,
    pub(crate) acr_values: Vec<String>,
    pub(crate) login_hint: Option<String>,
    /// The `sub` of the `id_token_hint`.
    pub(crate) hinted_subject: Option<String>,
}

/// OpenID Connect Core §3.1.2.1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) none: bool,
    pub(crate) login: bool,
    pub(crate) consent: bool,
}

/// Why a request is rejected, and whether the client hears of it (RFC 6749 §4.1.2.1).
enum Rejection {
    Page(Refusal),
    Redirect(ReturnTo, OAuthError),
}

/// Answers a request to the authorization endpoint.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    respond_as(call, None)
}

/// Answers it as if this user had logged in and consented.
pub(crate) fn respond_as(call: &Call<'_>, user: Option<&str>) -> Answer {
    let params = match *call.request.method() {
        Method::GET => call.query(),
        Method::POST if call.has_media_type("application/x-www-form-urlencoded") => {
            let params = Params::parse(call.request.body());
            if let Some(interaction) = params.get("interaction") {
                return login::resume(call, interaction, &params);
            }
            params
        }
        Method::POST => return failure("the content type is not that of a form"),
        _ => return pages::error(StatusCode::METHOD_NOT_ALLOWED, "the method is not GET or POST"),
    };
    match parse(call, &params) {
        Ok(request) => login::start(call, Arc::new(request), user),
        Err(Rejection::Page(refusal)) => failure(refusal),
        Err(Rejection::Redirect(return_to, error)) => return_to.error(call, error),
    }
}

fn failure(refusal: Refusal) -> Answer {
    pages::error(StatusCode::BAD_REQUEST, refusal)
}

fn parse(call: &Call<'_>, params: &Params) -> Result<AuthorizationRequest, Rejection> {
    let page = Rejection::Page;
    for name in ["client_id", "redirect_uri"] {
        if !params.is_unambiguous(name) {
            return Err(page("the client_id or the redirect_uri is repeated"));
        }
    }
    let id = params.get("client_id").ok_or(page("the request names no client"))?;
    let client = call.site.oauth.client(id).ok_or(page("there is no such client"))?;
    let named = params.get("redirect_uri");
    let redirect_uri = match (named, &*client.redirect_uris) {
        (Some(uri), _) if client.redirects_to(uri) => uri,
        (Some(_), _) => return Err(page("the redirect_uri is not registered for the client")),
        (None, [uri]) => uri,
        (None, _) => return Err(page("the request names no redirect_uri")),
    };
    let mode = params.get("response_mode");
    let is_unambiguous = params.is_unambiguous("response_mode") && params.is_unambiguous("state");
    let return_to = ReturnTo {
        uri: redirect_uri.to_owned(),
        mode: mode.and_then(ResponseMode::named).unwrap_or_default(),
        state: params.get("state").filter(|_| is_unambiguous).map(str::to_owned),
    };
    let names_redirect_uri = named.is_some();
    match check(call, &client, params) {
        Ok(checked) => {
            Ok(AuthorizationRequest { client, return_to, names_redirect_uri, ..checked })
        }
        Err(error) => Err(Rejection::Redirect(return_to, error)),
    }
}

/// Checks all but the client and the redirect URI, which stay empty in the result.
fn check(
    call: &Call<'_>,
    client: &Arc<OAuthClient>,
    params: &Params,
) -> Result<AuthorizationRequest, OAuthError> {
    let invalid = OAuthError::request;
    params.check().map_err(invalid)?;
    for (name, code) in
        [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")]
    {
        if params.get(name).is_some() {
            return Err(OAuthError::new(code, "the tenant takes no request objects"));
        }
    }
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => {
            let description = "the response_type is not code";
            return Err(OAuthError::new("unsupported_response_type", description));
        }
        None => return Err(invalid("there is no response_type")),
    }
    if params.get("response_mode").is_some_and(|mode| ResponseMode::named(mode).is_none()) {
        return Err(invalid("the response_mode is neither query nor form_post"));
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        let description = "the client may not use authorization codes";
        return Err(OAuthError::new("unauthorized_client", description));
    }
    let jkt = params.get("dpop_jkt").map(str::to_owned);
    if jkt.as_deref().is_some_and(|jkt| !is_sha256(jkt)) {
        return Err(invalid("the dpop_jkt is not a SHA-256 thumbprint"));
    }
    let max_age = match params.get("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(seconds.into()),
        Some(Err(_)) => return Err(invalid("the max_age is not a number of seconds")),
    };
    let hint = params.get("id_token_hint").map(|hint| call.site.own_claims(hint));
    let hinted_subject = match hint {
        None => None,
        Some(Some(claims)) => claims["sub"].as_str().map(str::to_owned),
        Some(None) => return Err(invalid("the id_token_hint is not the tenant's")),
    };
    let acr_values = params.get("acr_values").unwrap_or_default().split_whitespace();
    Ok(AuthorizationRequest {
        client: Arc::clone(client),
        return_to: ReturnTo::default(),
        names_redirect_uri: false,
        target: Target::requested(
            &call.site.oauth.config,
            params.get("scope"),
            &params.all("resource"),
        )?,
        nonce: params.get("nonce").map(str::to_owned),
        challenge: challenge(client, params)?,
        jkt,
        prompt: prompt(params.get("prompt").unwrap_or_default())?,
        max_age,
        acr_values: acr_values.map(str::to_owned).collect(),
        login_hint: params.get("login_hint").map(str::to_owned),
        hinted_subject,
    })
}

/// RFC 7636 §4.3: only S256, which public clients must use (RFC 9700 §2.1.1).
fn challenge(client: &OAuthClient, params: &Params) -> Result<Option<String>, OAuthError> {
    let invalid = OAuthError::request;
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) if client.is_public() => Err(invalid("a public client must use PKCE")),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid("there is no code_challenge")),
        (Some(challenge), Some("S256")) if is_sha256(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => Err(invalid("the code_challenge is not that of S256")),
        (Some(_), _) => Err(invalid("the code_challenge_method is not S256")),
    }
}

fn prompt(text: &str) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    for value in text.split_whitespace() {
        match value {
            "none" => prompt.none = true,
            // Each login is a choice of a user.
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(OAuthError::request("the prompt is unknown")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(OAuthError::request("the prompt none excludes all others"));
    }
    Ok(prompt)
}

/// Whether it is a SHA-256 hash in base64url.
fn is_sha256(text: &str) -> bool {
    let is_allowed = |letter: u8| letter.is_ascii_alphanumeric() || b"-_".contains(&letter);
    text.len() == 43 && text.bytes().all(is_allowed)
}
