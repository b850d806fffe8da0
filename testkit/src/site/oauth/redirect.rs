//! Sending a user back to the client.

use http::{HeaderValue, StatusCode, header::LOCATION};

use crate::site::{
    answer::{Answer, empty},
    oauth::{
        call::Call,
        error::{OAuthError, private},
        params::encoded_pairs,
    },
    pages,
};

/// How the client receives the response (OAuth 2.0 Multiple Response Types §2.1, Form Post §2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ResponseMode {
    #[default]
    Query,
    FormPost,
}

/// Where a client's user returns to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReturnTo {
    pub(crate) uri: String,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
}

impl ResponseMode {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "query" => Some(Self::Query),
            "form_post" => Some(Self::FormPost),
            _ => None,
        }
    }
}

impl ReturnTo {
    /// RFC 6749 §4.1.2.
    pub(crate) fn code(&self, call: &Call<'_>, code: &str) -> Answer {
        self.answer(call, &[("code", code)])
    }

    /// RFC 6749 §4.1.2.1.
    pub(crate) fn error(&self, call: &Call<'_>, error: OAuthError) -> Answer {
        self.answer(call, &[("error", error.code), ("error_description", error.description)])
    }

    /// With `state`, and the issuer (RFC 9207 §2).
    fn answer(&self, call: &Call<'_>, parameters: &[(&str, &str)]) -> Answer {
        let mut parameters = parameters.to_vec();
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", &call.site.issuer));
        match self.mode {
            ResponseMode::Query => to(call, &with_query(&self.uri, &parameters)),
            ResponseMode::FormPost => pages::form_post(&self.uri, &parameters),
        }
    }
}

/// Sends the browser there, with a GET request.
pub(crate) fn to(call: &Call<'_>, uri: &str) -> Answer {
    let status = if call.is_post() { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    match HeaderValue::from_str(uri) {
        Ok(location) => {
            let mut answer = empty(status);
            answer.headers_mut().insert(LOCATION, location);
            private(answer)
        }
        Err(_) => pages::error(StatusCode::BAD_REQUEST, "the URI cannot be in a header"),
    }
}

/// The URI with these parameters after those it has (RFC 6749 §3.1.2).
pub(crate) fn with_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{}", encoded_pairs(parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_follow_those_of_the_uri() {
        for (uri, expected) in [
            ("http://a/", "http://a/?x=%26"),
            ("http://a/?", "http://a/?x=%26"),
            ("http://a/?b=c", "http://a/?b=c&x=%26"),
            ("app:/cb?b&", "app:/cb?b&x=%26"),
        ] {
            assert_eq!(with_query(uri, &[("x", "&")]), expected);
        }
    }
}
