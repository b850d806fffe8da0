//! Logging in, and consent (OpenID Connect Core §3.1.2.3 and §3.1.2.4).

use std::sync::Arc;

use http::{
    HeaderValue, StatusCode, Uri,
    header::{COOKIE, SET_COOKIE},
};

use crate::{
    User,
    site::{
        answer::Answer,
        oauth::{
            OAuth,
            authorize::AuthorizationRequest,
            call::Call,
            code,
            error::OAuthError,
            params::Params,
            scope,
            store::{Interaction, Login},
        },
        pages,
    },
    token::random_id,
};

/// How long a page waits for the user, in seconds.
const PATIENCE: i64 = 1800;

/// Starts with a valid request. A `user` that is given has logged in and consents.
pub(crate) fn start(
    call: &Call<'_>,
    request: Arc<AuthorizationRequest>,
    user: Option<&str>,
) -> Answer {
    let hinted = call.site.oauth.hinted_user(&request);
    if let Some(user) = user.or_else(|| without_page(call, hinted)) {
        let login = log_in(call, user, &request.acr_values);
        return code::issue(call, &request, login);
    }
    let session = session(call).filter(|login| {
        let age = call.now.saturating_sub(login.auth_time);
        let acr = login.acr.as_ref();
        !request.prompt.login
            && request.max_age.is_none_or(|max_age| age <= max_age)
            && hinted.is_none_or(|user| user.name == login.user)
            && (request.acr_values.is_empty()
                || acr.is_some_and(|acr| request.acr_values.contains(acr)))
    });
    match session {
        Some(login) => consent(call, request, login),
        None if request.prompt.none => {
            let error = OAuthError::new("login_required", "the user is not logged in");
            request.return_to.error(call, error)
        }
        None => ask_who(call, request),
    }
}

impl OAuth {
    /// The user that the client expects to log in, if the tenant has one.
    fn hinted_user(&self, request: &AuthorizationRequest) -> Option<&User> {
        match (&request.hinted_subject, &request.login_hint) {
            (Some(subject), _) => self.user_by_subject(subject),
            (None, Some(hint)) => self.user(hint),
            (None, None) => None,
        }
    }
}

/// Continues with what the user has entered on a page.
pub(crate) fn resume(call: &Call<'_>, name: &str, params: &Params) -> Answer {
    let taken = call.site.oauth.store.lock().interactions.remove(name);
    let Some(interaction) = taken.filter(|interaction| interaction.expires > call.now) else {
        let reason = "this page has expired: go back to the application and start again";
        return pages::error(StatusCode::BAD_REQUEST, reason);
    };
    let request = interaction.request;
    let denied =
        |description| request.return_to.error(call, OAuthError::new("access_denied", description));
    if params.get("cancel").is_some() {
        return denied("the user has cancelled");
    }
    match interaction.login {
        None => match params.get("user").filter(|name| call.site.oauth.user(name).is_some()) {
            Some(user) => {
                let login = log_in(call, user, &request.acr_values);
                let cookie = cookie(call, &login.sid);
                let mut answer = consent(call, request, login);
                answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
                answer
            }
            None => ask_who(call, request),
        },
        Some(login) if params.get("consent") == Some("allow") => {
            remember_consent(call, &request, &login);
            code::issue(call, &request, login)
        }
        Some(_) => denied("the user has not consented"),
    }
}

/// The session of the browser, if its user still exists.
pub(crate) fn session(call: &Call<'_>) -> Option<Login> {
    let name = session_cookie_name(&call.site.issuer);
    let cookies = call.request.headers().get_all(COOKIE).iter();
    let mut cookies =
        cookies.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let sid = cookies.find_map(|cookie| cookie.trim().strip_prefix(&name)?.strip_prefix('='))?;
    let session = call.site.oauth.store.lock().sessions.get(sid).cloned()?;
    let is_valid = session.expires > call.now && call.site.oauth.user(&session.user).is_some();
    is_valid.then_some(session)
}

/// Ends the session of the browser. Returns the cookie that removes its cookie.
pub(crate) fn log_out(call: &Call<'_>) -> Option<HeaderValue> {
    let login = session(call)?;
    call.site.oauth.store.lock().sessions.remove(&login.sid);
    let cookie = format!("{}; Max-Age=0", cookie_text(call, ""));
    HeaderValue::from_str(&cookie).ok()
}

/// A new login, by the first of the requested methods.
pub(crate) fn log_in(call: &Call<'_>, user: &str, acr_values: &[String]) -> Login {
    let login = Login {
        user: user.to_owned(),
        auth_time: call.now,
        acr: acr_values.first().cloned(),
        sid: random_id(),
        expires: call.now + i64::from(call.site.oauth.config.lifetimes.session),
    };
    call.site.oauth.store.lock().sessions.insert(&login.sid, login.clone());
    login
}

/// The cookie of a session.
pub(crate) fn cookie(call: &Call<'_>, sid: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&cookie_text(call, sid)).ok()
}

/// The user who logs in without a page: the one of the configuration, or another one that is
/// hinted at. Without pages, the hint suffices.
fn without_page<'a>(call: &Call<'a>, hinted: Option<&'a User>) -> Option<&'a str> {
    let automatic = call.site.oauth.config.auto_login.as_deref();
    let hinted = hinted.map(|user| user.name.as_str());
    if automatic.is_some() || !pages::ARE_ENABLED { hinted.or(automatic) } else { None }
}

fn consent(call: &Call<'_>, request: Arc<AuthorizationRequest>, login: Login) -> Answer {
    if is_granted(call, &request, &login) {
        return code::issue(call, &request, login);
    }
    if request.prompt.none {
        let error = OAuthError::new("consent_required", "the user has not consented");
        return request.return_to.error(call, error);
    }
    let interaction = remember(call, &request, Some(login.clone()));
    pages::consent(&pages::Consent {
        interaction: &interaction,
        user: &login.user,
        client: request.client.display_name(),
        scopes: &request.target.scopes,
        audiences: &request.target.audiences,
        return_to: &request.return_to.uri,
    })
}

fn ask_who(call: &Call<'_>, request: Arc<AuthorizationRequest>) -> Answer {
    let interaction = remember(call, &request, None);
    pages::login(&pages::Login {
        interaction: &interaction,
        client: request.client.display_name(),
        scopes: &request.target.scopes,
        users: &call.site.oauth.config.users,
        hint: call.site.oauth.hinted_user(&request).map(|user| user.name.as_str()),
        acr: request.acr_values.first().map(String::as_str),
    })
}

fn remember(call: &Call<'_>, request: &Arc<AuthorizationRequest>, login: Option<Login>) -> String {
    let (name, request) = (random_id(), Arc::clone(request));
    let interaction = Interaction { request, login, expires: call.now + PATIENCE };
    call.site.oauth.store.lock().interactions.insert(&name, interaction);
    name
}

fn is_granted(call: &Call<'_>, request: &AuthorizationRequest, login: &Login) -> bool {
    if request.prompt.consent {
        return false;
    }
    let store = call.site.oauth.store.lock();
    let granted = store.consents.get(&consent_name(request, login));
    let is_granted = |scope: &String| granted.is_some_and(|granted| scope::has(granted, scope));
    request.client.skip_consent || granted.is_some() && request.target.scopes.iter().all(is_granted)
}

fn remember_consent(call: &Call<'_>, request: &AuthorizationRequest, login: &Login) {
    let name = consent_name(request, login);
    let mut store = call.site.oauth.store.lock();
    let mut granted = store.consents.get(&name).cloned().unwrap_or_default();
    let new = request.target.scopes.iter().filter(|scope| !scope::has(&granted, scope));
    let new: Vec<_> = new.cloned().collect();
    granted.extend(new);
    store.consents.insert(&name, granted);
}

/// What a consent is about: a user, a client and the audiences.
fn consent_name(request: &AuthorizationRequest, login: &Login) -> String {
    let mut audiences = request.target.audiences.clone();
    audiences.sort_unstable();
    format!("{:?}", (&login.user, &request.client.id, audiences))
}

/// Cookies do not know ports: that of the tenant is in the name, so that several tenants on one
/// host have different cookies.
fn session_cookie_name(issuer: &str) -> String {
    let port = issuer.parse::<Uri>().ok().and_then(|issuer| issuer.port_u16());
    format!("tenant_session_{}", port.unwrap_or_default())
}

fn cookie_text(call: &Call<'_>, sid: &str) -> String {
    let issuer = &call.site.issuer;
    let secure = if issuer.starts_with("https:") { "; Secure" } else { "" };
    format!("{}={sid}; Path=/; HttpOnly; SameSite=Lax{secure}", session_cookie_name(issuer))
}
