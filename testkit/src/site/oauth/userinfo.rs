//! The userinfo endpoint (OpenID Connect Core §5.3).

use http::{HeaderValue, Method, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};

use crate::site::{
    answer::Answer,
    oauth::{call::Call, error::private_json, proof, scope, users::claims_of},
    refusal::Refusal,
};

/// Why a request is rejected (RFC 6750 §3.1).
struct Rejection {
    status: StatusCode,
    error: &'static str,
    description: Refusal,
}

/// Answers a request with an access token that has the scope `openid`.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    match claims(call) {
        Ok(claims) => private_json(StatusCode::OK, &claims.into()),
        Err(rejection) => rejection.answer(),
    }
}

fn claims(call: &Call<'_>) -> Result<Map<String, Value>, Rejection> {
    if !matches!(*call.request.method(), Method::GET | Method::POST) {
        return Err(Rejection::request("the method is not GET or POST"));
    }
    let (scheme, token) = token(call)?;
    let invalid = Rejection::token;
    let claims = call.site.introspector.claims(&token);
    let claims = claims.ok_or(invalid("the token is not an active one of the tenant"))?;

    let bound = |member: &str| claims.get("cnf").and_then(|cnf| cnf.get(member)?.as_str());
    if let Some(jkt) = bound("jkt") {
        let proven = proof::check(call, Some(&token)).map_err(|description| Rejection {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_dpop_proof",
            description,
        })?;
        if scheme != "dpop" || proven.as_deref() != Some(jkt) {
            return Err(invalid("the token is bound to a key, which the request does not prove"));
        }
    } else if scheme == "dpop" {
        return Err(invalid("the token is not bound to a key"));
    }
    if bound("x5t#S256").is_some_and(|x5t| call.certificate().as_deref() != Some(x5t)) {
        return Err(invalid("the token is bound to another certificate"));
    }
    let scopes = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    let scopes = scope::scopes(scopes).unwrap_or_default();
    if !scope::has(&scopes, "openid") {
        return Err(Rejection {
            status: StatusCode::FORBIDDEN,
            error: "insufficient_scope",
            description: "the token does not have the scope openid",
        });
    }
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    Ok(match call.site.oauth.user_by_subject(subject) {
        Some(user) => claims_of(user, &scopes),
        None => [("sub".to_owned(), subject.into())].into_iter().collect(),
    })
}

/// The scheme in lower case and the token, from the header or from a form (RFC 6750 §2).
fn token(call: &Call<'_>) -> Result<(String, String), Rejection> {
    let in_form = match call.form() {
        Ok(params) => params.get("access_token").map(str::to_owned),
        Err(_) => None,
    };
    match (&*call.authorization(), in_form) {
        ([], Some(token)) => Ok(("bearer".to_owned(), token)),
        ([], None) => Err(Rejection {
            status: StatusCode::UNAUTHORIZED,
            error: "",
            description: "the request has no access token",
        }),
        ([header], None) => {
            let (scheme, token) = header.split_once(' ').unwrap_or_default();
            let scheme = scheme.to_ascii_lowercase();
            match &*scheme {
                "bearer" | "dpop" => Ok((scheme, token.trim().to_owned())),
                _ => Err(Rejection::request("the Authorization scheme is not Bearer or DPoP")),
            }
        }
        _ => Err(Rejection::request("the request has two access tokens")),
    }
}

impl Rejection {
    const fn request(description: Refusal) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: "invalid_request", description }
    }

    const fn token(description: Refusal) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_token", description }
    }

    /// RFC 6750 §3, RFC 9449 §7.1.
    fn answer(&self) -> Answer {
        let (error, description) = (self.error, self.description);
        let parameters = match error {
            "" => r#"realm="tenant""#.to_owned(),
            _ => format!(r#"error="{error}", error_description="{description}""#),
        };
        let body = match error {
            "" => json!({ "error": "invalid_request", "error_description": description }),
            _ => json!({ "error": error, "error_description": description }),
        };
        let mut answer = private_json(self.status, &body);
        for scheme in ["Bearer", "DPoP"] {
            if let Ok(value) = HeaderValue::from_str(&format!("{scheme} {parameters}")) {
                answer.headers_mut().append(WWW_AUTHENTICATE, value);
            }
        }
        answer
    }
}
