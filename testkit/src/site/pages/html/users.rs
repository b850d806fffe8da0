//! The buttons of users.

use maud::{Markup, html};

use crate::User;

/// A button for each user, the hinted one first.
pub(crate) fn users(users: &[User], hint: Option<&str>) -> Markup {
    let is_hinted = |user: &&User| hint == Some(user.name.as_str());
    let (hinted, others): (Vec<_>, Vec<_>) = users.iter().partition(is_hinted);
    html! {
        h2 { "Continue as" }
        @if users.is_empty() {
            p { "The tenant has no users: add some to its configuration." }
        }
        ul class="users" {
            @for (at, user) in hinted.into_iter().chain(others).enumerate() {
                li {
                    button name="user" value=(user.name) class="user" autofocus[at == 0] {
                        span class="initial" aria-hidden="true" { (initial(&user.name)) }
                        span class="name" { (user.name) }
                        @if !user.groups.is_empty() {
                            " " small { (groups(&user.groups)) }
                        }
                    }
                }
            }
        }
    }
}

fn initial(name: &str) -> String {
    name.chars().take(1).flat_map(char::to_uppercase).collect()
}

fn groups(groups: &[String]) -> String {
    let noun = if groups.len() == 1 { "group" } else { "groups" };
    format!("{noun} {}", groups.join(", "))
}
