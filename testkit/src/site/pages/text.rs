//! Without the feature `pages`.

use http::StatusCode;

use crate::site::{
    answer::Answer,
    pages::{Consent, Device, Login, page},
};

const DISABLED: &str = "this tenant has no pages: compile monocloud-testkit with the feature \
                        `pages`, or log in with `login_hint` or an automatic login";

pub(crate) fn login(_: &Login<'_>) -> Answer {
    error(StatusCode::NOT_IMPLEMENTED, DISABLED)
}

pub(crate) fn consent(_: &Consent<'_>) -> Answer {
    error(StatusCode::NOT_IMPLEMENTED, DISABLED)
}

pub(crate) fn device(refusal: Option<&str>) -> Answer {
    match refusal {
        Some(refusal) => error(StatusCode::BAD_REQUEST, refusal),
        None => error(StatusCode::NOT_IMPLEMENTED, DISABLED),
    }
}

pub(crate) fn device_confirm(_: &Device<'_>) -> Answer {
    error(StatusCode::NOT_IMPLEMENTED, DISABLED)
}

pub(crate) fn device_done(is_allowed: bool) -> Answer {
    let text = if is_allowed { "the device may continue" } else { "the device was refused" };
    error(StatusCode::OK, text)
}

pub(crate) fn logged_out() -> Answer {
    error(StatusCode::OK, "you have logged out")
}

pub(crate) fn error(status: StatusCode, text: &str) -> Answer {
    page(status, "text/plain; charset=utf-8", "frame-ancestors 'none'", format!("{text}\n"))
}
