//! What a client asks for, in words.

use maud::{Markup, html};

/// The scopes with what they mean, and the APIs that they are for.
pub(crate) fn permissions(scopes: &[String], audiences: &[String]) -> Markup {
    html! {
        h2 { "It asks to" }
        @if scopes.is_empty() {
            p { "use these APIs without any scope." }
        } @else {
            ul class="permissions" {
                @for scope in scopes {
                    li { (meaning(scope)) " " code { (scope) } }
                }
            }
        }
        h2 { "At these APIs" }
        ul class="permissions" {
            @for audience in audiences {
                li { code { (audience) } }
            }
        }
    }
}

/// OpenID Connect Core §5.4 and §11.
fn meaning(scope: &str) -> &'static str {
    match scope {
        "openid" => "know which user you are",
        "profile" => "see your profile: your claims other than the e-mail address",
        "email" => "see your e-mail address",
        "offline_access" => "stay connected while you are away",
        _ => "use the API with the scope",
    }
}
