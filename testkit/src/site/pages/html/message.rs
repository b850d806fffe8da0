//! Pages without a choice.

use http::StatusCode;
use maud::html;

use crate::site::{answer::Answer, pages::html::Page};

pub(crate) fn logged_out() -> Answer {
    let main = html! { p role="status" { "You can close this page." } };
    Page::new("Logged out", main).answer()
}

pub(crate) fn error(status: StatusCode, text: &str) -> Answer {
    let main = html! {
        p role="alert" { (text) }
        p { "The application that sent you here has made a mistake, or the tenant does not know it." }
    };
    Page { status, ..Page::new("This request cannot be answered", main) }.answer()
}
