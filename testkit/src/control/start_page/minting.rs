//! The form that mints a token.

use std::sync::OnceLock;

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::{
    Class, Hostile, MockTenant, TenantConfig,
    control::{mistake::Mistake, start_page::Entered, tokens},
    site::oauth::Params,
};

/// Mints the token that the form describes.
pub(super) fn mint(tenant: &MockTenant, params: &Params) -> Result<String, Mistake> {
    let mut order = Map::new();
    for name in ["scope", "audience", "hostile"] {
        order.extend(params.get(name).map(|value| (name.to_owned(), Value::from(value))));
    }
    if let Some((kind, name)) = params.get("for").and_then(|subject| subject.split_once(':')) {
        order.insert(kind.to_owned(), name.into());
    }
    if let Some(seconds) = params.get("expires_in") {
        let seconds: i64 = seconds.trim().parse().map_err(|_| {
            Mistake::new(format!("the lifetime {seconds:?} is not a whole number of seconds"))
        })?;
        order.insert("expires_in".to_owned(), seconds.into());
    }
    match params.get("format") {
        None => {}
        Some("opaque") => order.extend([("opaque".to_owned(), true.into())]),
        Some("jwt") => order.extend([("opaque".to_owned(), false.into())]),
        Some(_) => return Err(Mistake::new("the format of a token is `jwt` or `opaque`")),
    }
    let order = serde_json::from_value(order.into());
    tokens::mint(tenant, order.map_err(|error| Mistake::new(format!("the form: {error}")))?)
}

pub(super) fn section(tenant: &MockTenant, entered: &Entered) -> Markup {
    let config = &tenant.site.oauth.config;
    let is_minting = entered.minted.is_some();
    let value = |name| entered.params.get(name).filter(|_| is_minting).unwrap_or_default();
    html! {
        section aria-labelledby="mint" {
            h2 id="mint" { "Mint a token" }
            @match &entered.minted {
                None => {},
                Some(Err(mistake)) => { p role="alert" { (mistake.message()) } },
                Some(Ok(token)) => { (minted(token)) },
            }
            form method="post" action="#mint" {
                input type="hidden" name="form" value="mint";
                label for="for" { "For" }
                (subjects(config, value("for")))
                label for="scope" { "Scopes, separated by spaces" }
                input id="scope" name="scope" value=(value("scope")) spellcheck="false"
                    autocapitalize="none";
                label for="audience" { "Audience" }
                input id="audience" name="audience" value=(value("audience")) list="audiences"
                    placeholder=(tenant.audience()) spellcheck="false" autocapitalize="none";
                datalist id="audiences" {
                    @for api in &config.apis { option value=(api.audience) {} }
                }
                label for="expires_in" { "Lifetime in seconds; negative is expired" }
                input id="expires_in" name="expires_in" type="number" step="1"
                    value=(value("expires_in")) placeholder="that of the API";
                label for="format" { "Format" }
                select id="format" name="format" {
                    @for (name, text) in [("", "that of the API"), ("jwt", "JWT"), ("opaque", "opaque")] {
                        option value=(name) selected[value("format") == name] { (text) }
                    }
                }
                label for="hostile" { "Hostile, so that every API must reject it" }
                (hostile(tenant, value("hostile")))
                button { "Mint" }
            }
        }
    }
}

fn minted(token: &str) -> Markup {
    html! {
        label for="minted" { "The new token" }
        textarea id="minted" rows="5" readonly spellcheck="false" { "\n" (token) }
        button type="button" class="quiet" data-copies="minted" hidden { "Copy" }
    }
}

fn subjects(config: &TenantConfig, chosen: &str) -> Markup {
    let option = |kind: &str, name: &str| {
        let value = format!("{kind}:{name}");
        html! { option value=(value) selected[value == chosen] { (name) } }
    };
    html! {
        select id="for" name="for" {
            @if !config.users.is_empty() {
                optgroup label="User" {
                    @for user in &config.users { (option("user", &user.name)) }
                }
            }
            @if !config.clients.is_empty() {
                optgroup label="Client" {
                    @for client in &config.clients { (option("client", &client.id)) }
                }
            }
        }
    }
}

fn hostile(tenant: &MockTenant, chosen: &str) -> Markup {
    html! {
        select id="hostile" name="hostile" {
            option value="" { "no" }
            @for (class, names) in catalogue(tenant) {
                optgroup label=(class) {
                    @for name in names {
                        option value=(name) selected[*name == chosen] { (name) }
                    }
                }
            }
        }
    }
}

/// The names of the hostile tokens by class. They are only known with the tokens, which take a
/// while, so they are made once.
fn catalogue(tenant: &MockTenant) -> &'static [(String, Vec<&'static str>)] {
    static NAMES: OnceLock<Vec<(String, Vec<&'static str>)>> = OnceLock::new();

    NAMES.get_or_init(|| {
        let names = |class| Hostile::of(tenant, class).into_iter().map(|it| it.name).collect();
        Class::ALL.into_iter().map(|class| (label(class), names(class))).collect()
    })
}

/// The name of the class in words.
fn label(class: Class) -> String {
    let mut label = String::new();
    for letter in format!("{class:?}").chars() {
        if letter.is_ascii_uppercase() && !label.is_empty() {
            label.push(' ');
        }
        label.push(letter.to_ascii_lowercase());
    }
    label
}
