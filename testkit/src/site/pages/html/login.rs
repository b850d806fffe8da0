//! Choosing a user.

use maud::html;

use crate::site::{
    answer::Answer,
    pages::{
        Login,
        html::{Page, users::users},
    },
};

pub(crate) fn login(login: &Login<'_>) -> Answer {
    let main = html! {
        p { strong { (login.client) } " asks who you are." }
        @if !login.scopes.is_empty() {
            p {
                "It asks for "
                @for (at, scope) in login.scopes.iter().enumerate() {
                    @if at > 0 { ", " }
                    code { (scope) }
                }
                "."
            }
        }
        @if let Some(acr) = login.acr {
            p { "It demands the authentication " code { (acr) } ", which this login will have." }
        }
        form method="post" {
            input type="hidden" name="interaction" value=(login.interaction);
            (users(login.users, login.hint))
            button name="cancel" value="true" class="quiet" { "Cancel" }
        }
    };
    Page { leads_to_client: true, ..Page::new("Log in", main) }.answer()
}
