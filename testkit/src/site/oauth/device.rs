//! Devices without a browser (RFC 8628).

use std::sync::Arc;

use aws_lc_rs::rand;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    Endpoint, GrantType, OAuthClient,
    site::{
        answer::Answer,
        oauth::{
            call::Call,
            error::{OAuthError, private_json},
            issue::issue_for,
            login::log_in,
            params::{Params, encoded_pairs},
            store::{Binding, Entries, Grant, Login},
            target::Target,
        },
        pages,
    },
    token::random_id,
};

/// How often a device may ask, in seconds.
const INTERVAL: i64 = 5;

/// Without vowels, so that no code is a word (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const UNKNOWN: &str = "there is no such code, or it has expired";

/// A device that waits for its user.
#[derive(Debug)]
pub(crate) struct Device {
    client: Arc<OAuthClient>,
    target: Target,
    expires: i64,
    interval: i64,
    /// When it last asked.
    asked: Option<i64>,
    decision: Option<Decision>,
}

#[derive(Clone, Debug)]
enum Decision {
    Allowed(Login),
    Denied,
}

/// Answers a device (RFC 8628 §3.2).
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    match authorize(call) {
        Ok(response) => private_json(StatusCode::OK, &response),
        Err(error) => error.answer(),
    }
}

fn authorize(call: &Call<'_>) -> Result<Value, OAuthError> {
    let params = call.form()?;
    let client = call.client(&params)?;
    if !client.may_use(GrantType::DeviceCode) {
        let description = "the client may not use device codes";
        return Err(OAuthError::new("unauthorized_client", description));
    }
    let config = &call.site.oauth.config;
    let target = Target::requested(config, params.get("scope"), &params.all("resource"))?;
    let lifetime = config.lifetimes.device_code;
    let expires = call.now + i64::from(lifetime);
    let device =
        Device { client, target, expires, interval: INTERVAL, asked: None, decision: None };

    let (device_code, user_code) = (random_id() + &random_id(), new_user_code());
    let mut store = call.site.oauth.store.lock();
    store.devices.insert(&device_code, device);
    store.user_codes.insert(&normal(&user_code), device_code.clone());
    let page = format!("{}{}", call.site.issuer, Endpoint::Device.path());
    let complete = format!("{page}?{}", encoded_pairs(&[("user_code", &user_code)]));
    Ok(json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": complete,
        "expires_in": lifetime,
        "interval": INTERVAL,
    }))
}

/// RFC 8628 §3.4 and §3.5.
pub(crate) fn redeem(
    call: &Call<'_>,
    client: &Arc<OAuthClient>,
    params: &Params,
    binding: &Binding,
) -> Result<Value, OAuthError> {
    let name = params.get("device_code");
    let name = name.ok_or(OAuthError::request("there is no device_code"))?;
    let (login, target) = {
        let mut store = call.site.oauth.store.lock();
        let device = store.devices.get_mut(name).filter(|device| device.client.id == client.id);
        let device = device.ok_or(OAuthError::grant("the device_code is not the client's"))?;
        if device.expires <= call.now {
            return Err(OAuthError::new("expired_token", "the device_code has expired"));
        }
        let asked = device.asked.replace(call.now);
        match device.decision.clone() {
            None if asked.is_some_and(|asked| call.now - asked < device.interval) => {
                device.interval += INTERVAL;
                return Err(OAuthError::new("slow_down", "the device asks too often"));
            }
            None => {
                let description = "the user has not decided yet";
                return Err(OAuthError::new("authorization_pending", description));
            }
            Some(Decision::Denied) => {
                return Err(OAuthError::new("access_denied", "the user has not consented"));
            }
            Some(Decision::Allowed(login)) => {
                let target = device.target.clone();
                store.devices.remove(name);
                (login, target)
            }
        }
    };
    let grant = Grant {
        id: random_id(),
        client: Arc::clone(client),
        login: Some(login),
        scopes: target.scopes.clone(),
        audiences: target.audiences.clone(),
    };
    Ok(issue_for(call, &Arc::new(grant), &target, binding, None))
}

/// Answers the user's browser: enter the code, see what asks for what, and decide.
pub(crate) fn respond_to_user(call: &Call<'_>) -> Answer {
    let failure = |refusal| pages::error(StatusCode::BAD_REQUEST, refusal);
    let params = match *call.request.method() {
        Method::GET => call.query(),
        Method::POST if pages::is_foreign(call.request.headers()) => {
            return pages::error(StatusCode::FORBIDDEN, "another site cannot decide for a user");
        }
        Method::POST => match call.form() {
            Ok(params) => params,
            Err(error) => return failure(error.description),
        },
        _ => return pages::error(StatusCode::METHOD_NOT_ALLOWED, "the method is not GET or POST"),
    };
    if let Err(refusal) = params.check() {
        return failure(refusal);
    }
    let Some(user_code) = params.get("user_code") else {
        return pages::device(None);
    };
    let oauth = &call.site.oauth;
    let chosen = params.get("user").filter(|user| call.is_post() && oauth.user(user).is_some());
    let user = chosen.or(oauth.config.auto_login.as_deref());
    let is_denied = call.is_post() && params.get("cancel").is_some();
    let user = user.filter(|_| !is_denied);
    if user.is_some() || is_denied {
        return match decide(call, user_code, user) {
            true => pages::device_done(user.is_some()),
            false => pages::device(Some(UNKNOWN)),
        };
    }
    let mut store = oauth.store.lock();
    match waiting(&mut store, user_code, call.now) {
        Some(device) => pages::device_confirm(&pages::Device {
            user_code,
            client: device.client.display_name(),
            scopes: &device.target.scopes,
            audiences: &device.target.audiences,
            users: &oauth.config.users,
        }),
        None => pages::device(Some(UNKNOWN)),
    }
}

/// Decides for the user that a device may act for. Returns whether a device waits.
pub(crate) fn decide(call: &Call<'_>, user_code: &str, user: Option<&str>) -> bool {
    let decision = user.map(|user| Decision::Allowed(log_in(call, user, &[])));
    let mut store = call.site.oauth.store.lock();
    let Some(device) = waiting(&mut store, user_code, call.now) else { return false };
    device.decision = Some(decision.unwrap_or(Decision::Denied));
    store.user_codes.remove(&normal(user_code));
    true
}

/// The device that waits for this user code.
fn waiting<'a>(store: &'a mut Entries, user_code: &str, now: i64) -> Option<&'a mut Device> {
    let device_code = store.user_codes.get(&normal(user_code))?;
    store.devices.get_mut(device_code).filter(|device| device.expires > now)
}

/// 34 bits, in two groups.
fn new_user_code() -> String {
    let mut code = String::new();
    while code.len() < 9 {
        let mut byte = [0];
        // A system without random bytes fails at the device code.
        let _ = rand::fill(&mut byte);
        // Beyond the last multiple of 20, letters would not be equally likely.
        let letter = byte.into_iter().find(|byte| *byte < 240).map(usize::from);
        if let Some(letter) = letter.and_then(|byte| LETTERS.get(byte % LETTERS.len())) {
            code.push((*letter).into());
            if code.len() == 4 {
                code.push('-');
            }
        }
    }
    code
}

/// What a user may enter in any case, with or without the hyphen (RFC 8628 §6.1).
fn normal(user_code: &str) -> String {
    let letters = user_code.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_may_be_entered_in_any_way() {
        let code = new_user_code();
        assert_eq!((code.len(), code.find('-')), (9, Some(4)));
        let entered = format!(" {} ", code.to_lowercase().replace('-', " "));
        assert_eq!(normal(&entered), normal(&code));
        assert_eq!(normal(&code).len(), 8);
    }
}
