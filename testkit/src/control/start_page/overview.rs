//! What the tenant consists of: endpoints, users, clients and APIs.

use maud::{Markup, html};
use serde_json::Value;

use crate::{
    Endpoint, MockTenant, OAuthClient, TenantConfig, TokenFormat, config::GrantType,
    site::oauth::all_claims_of,
};

pub(super) fn issuer(tenant: &MockTenant) -> Markup {
    let url = |endpoint| tenant.url(endpoint);
    let endpoints = Endpoint::ALL.into_iter();
    let endpoints = endpoints.filter(|endpoint| *endpoint != Endpoint::Canary);
    html! {
        p { "The issuer is " code { (tenant.issuer()) } "." }
        nav aria-label="Documents" {
            ul class="links" {
                li { a href=(url(Endpoint::Discovery)) { "Discovery" } }
                li { a href=(url(Endpoint::Jwks)) { "JWKS" } }
                li { a href=(url(Endpoint::Device)) { "Connect a device" } }
                li { a href=(format!("{}/_control/openapi.json", tenant.issuer())) { "Control API" } }
            }
        }
        details {
            summary { "All endpoints" }
            dl class="facts" {
                @for endpoint in endpoints {
                    dt { (endpoint.name().replace('_', " ")) }
                    dd { code { (url(endpoint)) } }
                }
            }
        }
    }
}

pub(super) fn users(config: &TenantConfig) -> Markup {
    let claims = |user| all_claims_of(user).into_iter();
    html! {
        section aria-labelledby="users" {
            h2 id="users" { "Users" }
            @if config.users.is_empty() { p { "There are no users." } }
            ul class="cards" {
                @for user in &config.users {
                    li {
                        h3 { (user.name) }
                        dl class="facts" {
                            @for (name, value) in claims(user) {
                                dt { (name) }
                                dd { code { (shown(&value)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn clients(config: &TenantConfig) -> Markup {
    html! {
        section aria-labelledby="clients" {
            h2 id="clients" { "Clients" }
            @if config.clients.is_empty() { p { "There are no clients." } }
            ul class="cards" {
                @for client in &config.clients {
                    li {
                        h3 { (client.display_name()) }
                        dl class="facts" {
                            dt { "client id" }
                            dd { code { (client.id) } }
                            dt { "kind" }
                            dd { (kind(client)) }
                            dt { "grants" }
                            dd { (grants(client)) }
                            dt { "redirect URIs" }
                            dd { (redirect_uris(client)) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn apis(config: &TenantConfig) -> Markup {
    html! {
        section aria-labelledby="apis" {
            h2 id="apis" { "APIs" }
            ul class="cards" {
                @for api in &config.apis {
                    li {
                        h3 { (api.audience) }
                        dl class="facts" {
                            dt { "scopes" }
                            dd { @if api.scopes.is_empty() { "any" } @else { (codes(&api.scopes)) } }
                            dt { "tokens" }
                            dd { @if api.tokens == TokenFormat::Opaque { "opaque" } @else { "JWT" } }
                            dt { "lifetime" }
                            dd { (api.lifetime.unwrap_or(config.lifetimes.access_token)) " seconds" }
                        }
                    }
                }
            }
        }
    }
}

fn kind(client: &OAuthClient) -> &'static str {
    match (client.secret.is_some(), client.keys.is_empty()) {
        (false, true) => "public",
        (true, true) => "confidential, with a secret",
        (false, false) => "confidential, with keys",
        (true, false) => "confidential, with a secret and keys",
    }
}

fn grants(client: &OAuthClient) -> String {
    let grants = GrantType::ALL.into_iter().filter(|grant| client.may_use(*grant));
    let names = grants.map(|grant| match grant {
        GrantType::AuthorizationCode => "authorization code",
        GrantType::RefreshToken => "refresh token",
        GrantType::ClientCredentials => "client credentials",
        GrantType::DeviceCode => "device code",
        GrantType::TokenExchange => "token exchange",
    });
    names.collect::<Vec<_>>().join(", ")
}

fn redirect_uris(client: &OAuthClient) -> Markup {
    html! {
        @if client.any_loopback_redirect { "any on loopback " }
        @if client.redirect_uris.is_empty() && !client.any_loopback_redirect { "none" }
        (codes(&client.redirect_uris))
    }
}

fn codes(texts: &[String]) -> Markup {
    html! { @for text in texts { code { (text) } " " } }
}

/// A text without quotes, and everything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
