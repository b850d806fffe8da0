//! Whether the tenant tells this API's client about tokens (RFC 7662).

use aws_lc_rs::rand;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::{documents::Published, examination::Doctor, failures::answered};
use crate::{
    config::Key,
    doctor::diagnosis::{Finding, FindingKind, listed, quoted},
    error::TenantError,
    introspection::{Answer, client_auth::ClientAuthentication},
    tenant::metadata::IntrospectionEndpoint,
    token::AccessToken,
};

impl Doctor<'_> {
    /// Asks about `token`, or about one that was never issued. Gives back what the tenant says of
    /// `token`.
    pub(super) async fn introspection(
        &mut self,
        published: Option<&Published>,
        token: Option<&AccessToken>,
    ) -> Option<Answer> {
        let Some(introspector) = &self.validator.introspector else {
            let message = "no client is configured: opaque tokens are rejected";
            let finding = Finding::note(FindingKind::Introspection, message);
            self.find(finding.advise(format!("if there are any, {}", configure_a_client())));
            return None;
        };
        let published = published?;
        let endpoint = match &published.metadata.introspection_endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                let advice = self.advice_without_endpoint(published);
                self.find(self.failure("introspection endpoint", error).advise(advice));
                return None;
            }
        };
        let made_up = made_up()?;
        let answer = introspector.ask_once(endpoint, token.unwrap_or(&made_up)).await;
        let client = introspector.client();
        match answer.and_then(|answer: Response<Bytes>| Answer::read(answer.body())) {
            Ok(answer) if token.is_none() && answer.is_active => {
                let message = "the tenant calls a token active that was made up just now";
                let finding = Finding::error(FindingKind::Introspection, message);
                self.find(finding.advise("trust no opaque token until it is known why"));
                None
            }
            Ok(answer) => {
                let message = format!(
                    "the tenant answers the client {} by {}",
                    quoted(&client.client_id),
                    client.method_name
                );
                self.find(Finding::note(FindingKind::Introspection, message));
                token.is_some().then_some(answer)
            }
            Err(TenantError::Status { status: status @ (400 | 401 | 403), code, .. }) => {
                self.find(refused((status, code.as_deref()), client, published));
                None
            }
            Err(error) => {
                self.find(self.failure("introspection answer", &error));
                None
            }
        }
    }

    fn advice_without_endpoint(&self, published: &Published) -> String {
        let method = Key::ClientAuthMethod.variable();
        match self.validator.tenant.introspection_endpoint() {
            IntrospectionEndpoint::Plain => {
                "turn on introspection at the tenant, or configure no client".to_owned()
            }
            IntrospectionEndpoint::MutualTls => format!(
                "the tenant has no endpoint for certificates: turn on mutual TLS there, or set \
                 {method} to another method"
            ),
            IntrospectionEndpoint::TrustStore(_) => {
                let stores = published.members.get("mtls_additional_endpoint_aliases");
                let stores = stores.and_then(Value::as_object);
                let ids: Vec<_> = stores.into_iter().flatten().map(|(id, _)| quoted(id)).collect();
                let offered = match ids.is_empty() {
                    true => "the metadata has no trust stores".to_owned(),
                    false => format!("the metadata has {}", listed(&ids)),
                };
                format!("{offered}: check {}", Key::TrustStoreId.variable())
            }
        }
    }
}

/// What to set so that opaque tokens are taken.
pub(super) fn configure_a_client() -> String {
    format!("set {} and {}", Key::ClientId.variable(), Key::ClientSecret.variable())
}

/// RFC 6749 §5.2, which RFC 7662 §2.3 follows: the client is not who it says, or may not ask.
fn refused(
    (status, code): (u16, Option<&str>),
    client: &ClientAuthentication,
    published: &Published,
) -> Finding {
    let ClientAuthentication { client_id, method_name, .. } = client;
    let message = format!(
        "the tenant does not answer the client {} about tokens: {} by {method_name}; {}",
        quoted(client_id),
        answered(status, code),
        offered(published)
    );
    let credentials = match *method_name {
        "spiffe_jwt" => vec![Key::ClientAssertionFile],
        "tls_client_auth" | "self_signed_tls_client_auth" | "spiffe_x509" => {
            vec![Key::ClientCertificateFile, Key::ClientKeyFile]
        }
        _ => vec![Key::ClientSecret],
    };
    let keys = [Key::ClientId].into_iter().chain(credentials).chain([Key::ClientAuthMethod]);
    let variables: Vec<_> = keys.map(Key::variable).collect();
    let right = match status {
        403 => "; this client may lack the right to ask",
        _ => "",
    };
    let advice = format!("check {}{right}", variables.join(", "));
    Finding::error(FindingKind::ClientCredentials, message).advise(advice)
}

/// By which methods a client may authenticate (RFC 8414 §2).
fn offered(published: &Published) -> String {
    const MEMBERS: [&str; 2] =
        ["introspection_endpoint_auth_methods_supported", "token_endpoint_auth_methods_supported"];
    let found = MEMBERS.into_iter().find_map(|member| {
        let methods = published.members.get(member)?.as_array()?;
        Some((member, methods.iter().filter_map(Value::as_str)))
    });
    let Some((member, methods)) = found else {
        return "the metadata does not say which methods it takes".to_owned();
    };
    let methods: Vec<_> = methods.map(|method| quoted(method).replace('"', "")).collect();
    format!("{member}: {}", listed(&methods))
}

/// A token that was never issued; nothing if no random bytes are available.
fn made_up() -> Option<AccessToken> {
    let mut random = [0; 32];
    rand::fill(&mut random).ok()?;
    AccessToken::new(&BASE64_URL_SAFE_NO_PAD.encode(random)).ok()
}
