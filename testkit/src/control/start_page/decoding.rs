//! The form that decodes a token.

use maud::{Markup, html};

use crate::{MockTenant, control::start_page::Entered, token::Decoded};

pub(super) fn section(tenant: &MockTenant, entered: &Entered, minted: Option<&str>) -> Markup {
    let token = minted.or_else(|| entered.params.get("token")).unwrap_or_default();
    let mistake = entered.decoded.as_ref().and_then(|decoded| decoded.as_ref().err());
    html! {
        section aria-labelledby="decode" {
            h2 id="decode" { "Decode a token" }
            @if let Some(mistake) = mistake {
                p id="undecodable" role="alert" { (mistake) }
            }
            form method="post" action="#decode" {
                input type="hidden" name="form" value="decode";
                label for="token" { "Token, or Authorization header" }
                textarea id="token" name="token" rows="5" required spellcheck="false"
                    autocomplete="off" aria-invalid=[mistake.map(|_| "true")]
                    aria-describedby=[mistake.map(|_| "undecodable")] { "\n" (token) }
                button { "Decode" }
            }
            @if let Some(Ok(decoded)) = &entered.decoded { (parts(tenant, decoded)) }
        }
    }
}

fn parts(tenant: &MockTenant, decoded: &Decoded) -> Markup {
    html! {
        h3 { "Header" }
        pre { (format!("{:#}", decoded.header)) }
        h3 { "Claims" }
        pre { (format!("{:#}", decoded.claims)) }
        h3 { "Times" }
        dl class="facts" {
            @for (what, when) in decoded.times(tenant.clock().now()) {
                dt { (what) }
                dd { (when) }
            }
        }
        p class="hint" { "The signature is not verified." }
    }
}
