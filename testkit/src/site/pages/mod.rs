//! The pages for users.
//!
//! With the feature `pages` they are HTML. Without it, those that need a decision of the user are
//! an error that says so, and the others are plain text.

#[cfg(feature = "pages")]
mod html;
#[cfg(not(feature = "pages"))]
mod text;

#[cfg(feature = "pages")]
use html as form;
#[cfg(not(feature = "pages"))]
use text as form;

pub(crate) use form::{consent, device, device_confirm, device_done, error, logged_out, login};
#[cfg(feature = "pages")]
pub(crate) use html::Page;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    User,
    site::{
        answer::{Answer, answer_of},
        oauth::private,
    },
};

/// Whether a user can log in on a page.
pub(crate) const ARE_ENABLED: bool = cfg!(feature = "pages");

/// Asks who logs in. The form posts `interaction`, and `user` or `cancel`.
#[cfg_attr(not(feature = "pages"), expect(dead_code, reason = "shown on a page"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a> {
    pub(crate) interaction: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) users: &'a [User],
    /// The `login_hint`.
    pub(crate) hint: Option<&'a str>,
    /// The `acr` that the login will have.
    pub(crate) acr: Option<&'a str>,
}

/// Asks for consent. The form posts `interaction`, and `consent`, which is `allow` or `deny`.
#[cfg_attr(not(feature = "pages"), expect(dead_code, reason = "shown on a page"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent<'a> {
    pub(crate) interaction: &'a str,
    pub(crate) user: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) audiences: &'a [String],
    pub(crate) return_to: &'a str,
}

/// Asks who allows a device to act. The form posts `user_code`, and `user` or `cancel`.
#[cfg_attr(not(feature = "pages"), expect(dead_code, reason = "shown on a page"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Device<'a> {
    pub(crate) user_code: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) audiences: &'a [String],
    pub(crate) users: &'a [User],
}

/// Whether a page of another site has made a browser send this request (Fetch Metadata §2.4).
/// Another port of loopback is the same site, but not the tenant.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

/// A form that a script sends at once, where there are scripts.
const SUBMIT: &str = "document.forms[0].submit()";

/// A page that posts these fields to the client at once (OAuth 2.0 Form Post Response Mode §2).
pub(crate) fn form_post(uri: &str, fields: &[(&str, &str)]) -> Answer {
    let inputs = fields.iter().map(|(name, value)| {
        format!(r#"<input type="hidden" name="{}" value="{}">"#, escaped(name), escaped(value))
    });
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Back to the \
         application</title></head><body><main><form method=\"post\" action=\"{}\">{}<button>\
         Continue</button></form></main><script>{SUBMIT}</script></body></html>",
        escaped(uri),
        inputs.collect::<String>(),
    );
    // A silent login is one in a frame.
    let allowed = format!("script-src {}", hash_source(SUBMIT));
    page(StatusCode::OK, "text/html; charset=utf-8", &allowed, body)
}

/// A page that no cache keeps, and that tells other sites nothing.
///
/// There is no `Cross-Origin-Opener-Policy`: a documentation page opens the login in a window, and
/// learns from it that it is done.
fn page(status: StatusCode, media_type: &'static str, allowed: &str, body: String) -> Answer {
    let mut answer = private(answer_of(status, HeaderValue::from_static(media_type), body));
    let headers = answer.headers_mut();
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = format!("default-src 'none'; base-uri 'none'; {allowed}");
    headers.extend(HeaderValue::from_str(&policy).map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    answer
}

/// The source expression of an inline style or script (Content Security Policy §2.3.1).
fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

/// Text inside HTML, also in quoted attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
