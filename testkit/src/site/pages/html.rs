//! HTML pages, which need no script.

use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    User,
    site::{
        answer::Answer,
        pages::{Consent, Device, Login, page},
    },
};

const STYLE: &str = include_str!("style.css");

/// The one layout: a title and a body.
fn layout(status: StatusCode, title: &str, body: Markup) -> Answer {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (body)
                }
                footer { "A development tenant: there are no passwords." }
            }
        }
    };
    page(
        status,
        "text/html; charset=utf-8",
        "style-src 'unsafe-inline'; frame-ancestors 'none'",
        document.into_string(),
    )
}

pub(crate) fn login(login: &Login<'_>) -> Answer {
    let body = html! {
        p { strong { (login.client) } " asks who you are." }
        @if let Some(acr) = login.acr {
            p { "It demands the authentication " code { (acr) } ", which this login will have." }
        }
        form method="post" action=(login.action) {
            input type="hidden" name="interaction" value=(login.interaction);
            (users(login.users, login.hint))
            button name="cancel" value="true" class="secondary" { "Cancel" }
        }
    };
    layout(StatusCode::OK, "Log in", body)
}

pub(crate) fn consent(consent: &Consent<'_>) -> Answer {
    let body = html! {
        p { strong { (consent.client) } " asks to act for " strong { (consent.user) } "." }
        (permissions(consent.scopes, consent.audiences))
        p { "You return to " code { (consent.return_to) } "." }
        form method="post" action=(consent.action) {
            input type="hidden" name="interaction" value=(consent.interaction);
            button name="consent" value="allow" { "Allow" }
            button name="consent" value="deny" class="secondary" { "Deny" }
        }
    };
    layout(StatusCode::OK, "Allow access", body)
}

pub(crate) fn device(action: &str, refusal: Option<&str>) -> Answer {
    let status = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let body = html! {
        @if let Some(refusal) = refusal {
            p role="alert" { (refusal) }
        }
        form method="post" action=(action) {
            label for="user_code" { "The code that your device shows" }
            input id="user_code" name="user_code" required autofocus autocomplete="off"
                autocapitalize="characters" spellcheck="false";
            button { "Continue" }
        }
    };
    layout(status, "Connect a device", body)
}

pub(crate) fn device_confirm(device: &Device<'_>) -> Answer {
    let body = html! {
        p {
            "A device with the code " code { (device.user_code) } " runs "
            strong { (device.client) } ", which asks to act for you. Continue only if it is yours."
        }
        (permissions(device.scopes, device.audiences))
        form method="post" action=(device.action) {
            input type="hidden" name="user_code" value=(device.user_code);
            (users(device.users, None))
            button name="cancel" value="true" class="secondary" { "Deny" }
        }
    };
    layout(StatusCode::OK, "Connect a device", body)
}

pub(crate) fn device_done(is_allowed: bool) -> Answer {
    let body = html! {
        @if is_allowed {
            p { "The device may continue. You can close this page." }
        } @else {
            p { "The device was refused. You can close this page." }
        }
    };
    layout(StatusCode::OK, "Connect a device", body)
}

pub(crate) fn logged_out() -> Answer {
    layout(StatusCode::OK, "Logged out", html! { p { "You can close this page." } })
}

pub(crate) fn error(status: StatusCode, text: &str) -> Answer {
    let body = html! {
        p role="alert" { (text) }
        p { "The application that sent you here has made a mistake, or the tenant does not know it." }
    };
    layout(status, "This request cannot be answered", body)
}

/// A button for each user, the hinted one first.
fn users(users: &[User], hint: Option<&str>) -> Markup {
    let is_hinted = |user: &&User| hint == Some(user.name.as_str());
    let (hinted, others): (Vec<_>, Vec<_>) = users.iter().partition(is_hinted);
    html! {
        ul class="users" {
            @for (at, user) in hinted.into_iter().chain(others).enumerate() {
                li {
                    button name="user" value=(user.name) autofocus[at == 0] {
                        (user.name)
                        @if !user.groups.is_empty() {
                            " " small { (user.groups.join(", ")) }
                        }
                    }
                }
            }
        }
    }
}

fn permissions(scopes: &[String], audiences: &[String]) -> Markup {
    html! {
        @if !scopes.is_empty() {
            h2 { "Scopes" }
            ul { @for scope in scopes { li { code { (scope) } } } }
        }
        h2 { "For" }
        ul { @for audience in audiences { li { code { (audience) } } } }
    }
}
