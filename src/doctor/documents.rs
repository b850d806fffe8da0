//! The tenant's metadata, its endpoints and its keys.

use serde_json::{Map, Value};
use url::Url;

use super::examination::Doctor;
use crate::{
    config::Key,
    doctor::{
        diagnosis::{Finding, FindingKind, listed, quoted},
        examination::DemandedAcr,
    },
    tenant::metadata::{IntrospectionEndpoint, Metadata},
    token::{algorithm::SigningAlgorithm, json, keys::KeySet},
};

/// The endpoints whose host is looked at, introspection's apart.
const ENDPOINTS: [&str; 4] =
    ["jwks_uri", "authorization_endpoint", "token_endpoint", "device_authorization_endpoint"];

/// The metadata as this API reads it, and as the tenant wrote it.
pub(super) struct Published {
    pub(super) metadata: Metadata,
    pub(super) members: Map<String, Value>,
}

impl Doctor<'_> {
    pub(super) async fn metadata(&mut self) -> Option<Published> {
        let tenant = &self.validator.tenant;
        let asked = self.now();
        let answer = match tenant.current_metadata().await {
            Ok(answer) => answer,
            Err(error) => {
                self.find(self.failure("metadata", &error));
                return None;
            }
        };
        let metadata = tenant.read_metadata(answer.body());
        match &metadata {
            Ok(_) => {
                let message = format!("tenant {} is reachable", self.validator.expectations.issuer);
                self.find(Finding::note(FindingKind::Metadata, message));
            }
            Err(error) => self.find(self.failure("metadata", error)),
        }
        self.clock(answer.headers(), asked);
        // What was read before is read again without a failure.
        let members = json::parse_object(answer.body()).unwrap_or_default();
        self.endpoints(&members);
        Some(Published { metadata: metadata.ok()?, members })
    }

    /// The `acr` values that operations demand, and the tenant does not list.
    pub(super) fn acr_values(&mut self, metadata: &Metadata, demanded: &DemandedAcr) {
        let Some(supported) = &metadata.acr_values_supported else { return };
        for (value, operations) in demanded.iter().filter(|(it, _)| !supported.contains(it)) {
            let message = format!(
                "the tenant's acr_values_supported does not list {}, which is demanded by {}",
                quoted(value),
                listed(operations)
            );
            let advice = "unless the tenant issues it all the same, no user satisfies these \
                          operations by it: correct the value, or have the tenant support it";
            self.find(Finding::warning(FindingKind::AcrUnsupported, message).advise(advice));
        }
    }

    /// The key set, if it was there to be had.
    pub(super) async fn keys(&mut self, jwks_uri: &Url) -> Option<KeySet> {
        let answer = match self.validator.tenant.current_keys(jwks_uri).await {
            Ok(answer) => answer,
            Err(error) => {
                self.find(self.failure("key set", &error));
                return None;
            }
        };
        let keys = match KeySet::parse(answer.body()) {
            Ok(keys) => keys,
            Err(reason) => {
                let message = format!("the key set at {jwks_uri} is unusable: {reason}");
                self.find(Finding::error(FindingKind::Keys, message).advise(ASK_THE_TENANT));
                return None;
            }
        };
        self.find(match keys.is_usable() {
            true => Finding::note(FindingKind::Keys, usable(&keys)),
            false => {
                let message = format!(
                    "the key set at {jwks_uri} holds no key for any algorithm accepted here, so no \
                     JWT verifies{}",
                    ignored(&keys)
                );
                Finding::error(FindingKind::Keys, message).advise(
                    "have the tenant sign with RS, PS or ES at 256, 384 or 512, or with EdDSA, \
                     and publish public keys: RSA from 2048 bits on",
                )
            }
        });
        Some(keys)
    }

    /// Endpoints that browsers and clients are sent to, and that this API asks.
    fn endpoints(&mut self, members: &Map<String, Value>) {
        let is_introspecting = self.validator.introspector.is_some()
            && *self.validator.tenant.introspection_endpoint() == IntrospectionEndpoint::Plain;
        let introspection = is_introspecting.then_some("introspection_endpoint");
        for member in ENDPOINTS.into_iter().chain(introspection) {
            let Some(value) = members.get(member) else { continue };
            match self.validator.tenant.endpoint(member, Some(value)) {
                Ok(url) => self.endpoint_elsewhere(member, &url),
                // Of the others it is told where they are needed.
                Err(error) if member != "jwks_uri" && Some(member) != introspection => {
                    let advice = "documents of this API show no login with it; correct it at the \
                                  tenant, or at the proxy before it";
                    let found = quoted(value.as_str().unwrap_or_default());
                    let message = format!("{error}: {found}");
                    let finding = Finding::warning(FindingKind::EndpointUnusable, message);
                    self.find(finding.advise(advice));
                }
                Err(_) => {}
            }
        }
    }

    fn endpoint_elsewhere(&mut self, member: &str, url: &Url) {
        let own = self.validator.tenant.discovery_url().host_str().unwrap_or_default();
        let found = url.host_str().unwrap_or_default();
        if own == found {
            return;
        }
        let message = format!("{member} is at {found}, and the tenant at {own}");
        let advice = format!(
            "fine if both are the tenant's, as with a custom domain; otherwise look at what {} names",
            Key::TenantDomain.variable()
        );
        self.find(Finding::warning(FindingKind::EndpointElsewhere, message).advise(advice));
    }
}

/// Where nothing can be set here.
pub(super) const ASK_THE_TENANT: &str = "nothing can be set here: look at the tenant's console";

/// Which keys verify JWTs, by `kid`, and with which algorithms; and which are ignored.
fn usable(keys: &KeySet) -> String {
    let usable: Vec<_> = keys
        .usable()
        .map(|(kid, algorithms)| {
            let algorithms: Vec<_> = algorithms.map(SigningAlgorithm::name).collect();
            format!("{} ({})", named(kid), algorithms.join(" "))
        })
        .collect();
    let count = match usable.len() {
        1 => "one key verifies JWTs".to_owned(),
        count => format!("{count} keys verify JWTs"),
    };
    format!("{count}: {}{}", listed(&usable), ignored(keys))
}

/// The keys that are ignored, by `kid`, and why.
fn ignored(keys: &KeySet) -> String {
    let ignored: Vec<_> =
        keys.ignored().map(|(kid, reason)| format!("{} ({reason})", named(kid))).collect();
    match ignored.is_empty() {
        true => String::new(),
        false => format!("; ignored: {}", listed(&ignored)),
    }
}

fn named(kid: Option<&str>) -> String {
    kid.map_or_else(|| "a key without kid".to_owned(), quoted)
}
