//! Logout (OpenID Connect RP-Initiated Logout §2).

use http::{Method, StatusCode, header::SET_COOKIE};

use crate::site::{
    answer::Answer,
    oauth::{
        call::Call,
        login::log_out,
        params::Params,
        redirect::{to, with_query},
    },
    pages,
    refusal::Refusal,
};

/// Ends the session of the browser, and sends its user where the client wants if that is
/// registered.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    let failure = |refusal| pages::error(StatusCode::BAD_REQUEST, refusal);
    let params = match *call.request.method() {
        Method::GET => call.query(),
        Method::POST => match call.form() {
            Ok(params) => params,
            Err(error) => return failure(error.description),
        },
        _ => return pages::error(StatusCode::METHOD_NOT_ALLOWED, "the method is not GET or POST"),
    };
    match return_to(call, &params) {
        Err(refusal) => failure(refusal),
        Ok(uri) => {
            let cookie = log_out(call);
            let mut answer = match uri {
                Some(uri) => to(call, &uri),
                None => pages::logged_out(),
            };
            answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
            answer
        }
    }
}

fn return_to(call: &Call<'_>, params: &Params) -> Result<Option<String>, Refusal> {
    params.check()?;
    let mut id = params.get("client_id").map(str::to_owned);
    if let Some(hint) = params.get("id_token_hint") {
        let claims = call.site.own_claims(hint).ok_or("the id_token_hint is not the tenant's")?;
        let audience = claims["aud"].as_str().map(str::to_owned);
        if id.is_some() && id != audience {
            return Err("the client_id is not that of the id_token_hint");
        }
        id = audience;
    }
    let Some(uri) = params.get("post_logout_redirect_uri") else { return Ok(None) };
    let id = id.ok_or("a post_logout_redirect_uri needs a client_id or an id_token_hint")?;
    let client = call.site.oauth.client(&id).ok_or("there is no such client")?;
    if !client.ends_at(uri) {
        return Err("the post_logout_redirect_uri is not registered for the client");
    }
    let state = params.get("state").map(|state| [("state", state)]);
    Ok(Some(state.map_or_else(|| uri.to_owned(), |state| with_query(uri, &state))))
}
