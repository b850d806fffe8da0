//! Connecting a device: enter its code, see what asks for what, and decide.

use http::StatusCode;
use maud::html;

use crate::site::{
    answer::Answer,
    pages::{
        Device,
        html::{Page, permissions::permissions, users::users},
    },
};

const TITLE: &str = "Connect a device";

pub(crate) fn device(refusal: Option<&str>) -> Answer {
    let status = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let main = html! {
        @if let Some(refusal) = refusal {
            p id="refusal" role="alert" { (refusal) }
        }
        form method="post" {
            label for="user_code" { "The code that your device shows" }
            input id="user_code" name="user_code" class="user-code" required autofocus
                autocomplete="off" autocapitalize="characters" spellcheck="false"
                aria-invalid=[refusal.map(|_| "true")]
                aria-describedby=[refusal.map(|_| "refusal")];
            button { "Continue" }
        }
    };
    Page { status, ..Page::new(TITLE, main) }.answer()
}

pub(crate) fn device_confirm(device: &Device<'_>) -> Answer {
    let main = html! {
        p {
            "A device with the code " code class="user-code" { (device.user_code) } " runs "
            strong { (device.client) } ", which asks to act for you. Continue only if the device "
            "is yours."
        }
        (permissions(device.scopes, device.audiences))
        form method="post" {
            input type="hidden" name="user_code" value=(device.user_code);
            (users(device.users, None))
            button name="cancel" value="true" class="quiet" { "Deny" }
        }
    };
    Page::new(TITLE, main).answer()
}

pub(crate) fn device_done(is_allowed: bool) -> Answer {
    let main = html! {
        @if is_allowed {
            p role="status" { "The device may continue. You can close this page." }
        } @else {
            p role="status" { "The device was refused. You can close this page." }
        }
    };
    Page::new(TITLE, main).answer()
}
