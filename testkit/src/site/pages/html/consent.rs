//! Allowing what a client asks for.

use maud::html;

use crate::site::{
    answer::Answer,
    pages::{
        Consent,
        html::{Page, permissions::permissions},
    },
};

pub(crate) fn consent(consent: &Consent<'_>) -> Answer {
    let main = html! {
        p { strong { (consent.client) } " asks to act for " strong { (consent.user) } "." }
        (permissions(consent.scopes, consent.audiences))
        p { "You return to " code { (consent.return_to) } "." }
        form method="post" class="choice" {
            input type="hidden" name="interaction" value=(consent.interaction);
            button name="consent" value="allow" { "Allow" }
            button name="consent" value="deny" class="quiet" { "Deny" }
        }
    };
    Page { leads_to_client: true, ..Page::new("Allow access", main) }.answer()
}
