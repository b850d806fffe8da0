//! Tokens that are bound to a key (DPoP, RFC 9449): whether the tenant issues them, and what the
//! instances of this API share.

use super::{
    diagnosis::{Finding, FindingKind, listed, quoted},
    examination::Doctor,
    reasons::algorithms,
};
use crate::{
    config::{DpopMode, Key},
    error::Chain,
    protect::api::ApiSettings,
    tenant::metadata::Metadata,
    token::algorithm::SigningAlgorithm,
};

impl Doctor<'_> {
    /// Compares what the tenant says of DPoP with what is configured here.
    pub(super) fn dpop(&mut self, metadata: &Metadata) {
        let variable = Key::Dpop.variable();
        let mode = self.settings.answering.dpop;
        let supported = metadata.dpop_signing_alg_values_supported.as_deref().unwrap_or_default();
        let common: Vec<_> = SigningAlgorithm::ALL
            .into_iter()
            .filter(|it| {
                supported.iter().any(|name| SigningAlgorithm::from_name(name) == Some(*it))
            })
            .map(SigningAlgorithm::name)
            .collect();
        let finding = match (mode, supported) {
            (DpopMode::Disabled, []) => return,
            (DpopMode::Disabled, _) => {
                let message = format!(
                    "the tenant supports DPoP, and {variable} is `disabled`: tokens that are bound to \
                     a key are rejected"
                );
                let advice = format!("if clients ask for them, set {variable} to `allowed`");
                Finding::note(FindingKind::Dpop, message).advise(advice)
            }
            (_, _) if !common.is_empty() => {
                let message = format!("the tenant supports DPoP with {}", common.join(" "));
                Finding::note(FindingKind::Dpop, message)
            }
            _ => {
                let message = match supported {
                    [] => "the tenant's metadata has no dpop_signing_alg_values_supported, so it \
                           may bind no tokens to a key"
                        .to_owned(),
                    names => {
                        let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
                        format!(
                            "of the tenant's dpop_signing_alg_values_supported, {}, none is accepted \
                             here",
                            listed(&names)
                        )
                    }
                };
                let support = format!("have the tenant support DPoP with one of {}", algorithms());
                match mode {
                    DpopMode::Required => Finding::error(FindingKind::Dpop, message)
                        .advise(format!("{support}, or set {variable} to `allowed`")),
                    _ => Finding::warning(FindingKind::Dpop, message).advise(support),
                }
            }
        };
        self.find(finding);
    }
}

/// What concerns the API, whichever tenant issued a token.
pub(super) async fn of_api(settings: &ApiSettings) -> Vec<Finding> {
    let Some(dpop) = &settings.dpop else { return Vec::new() };
    let fleet_key = Key::FleetKey.variable();
    let nonce = (dpop.requires_nonce() && !settings.has_fleet_key).then(|| {
        let message = "nonces for DPoP proofs are known to this process only";
        let advice = format!("where several instances serve this API, set {fleet_key}");
        Finding::note(FindingKind::DpopNonce, message).advise(advice)
    });
    let replay_cache = Key::DpopReplayCache.variable();
    let replay = match dpop.probe_store().await {
        None => {
            let message = "each DPoP proof is accepted once by each process";
            let advice = format!(
                "where several instances serve this API, set {replay_cache} and {fleet_key}"
            );
            Finding::note(FindingKind::DpopReplay, message).advise(advice)
        }
        Some(Ok(())) => {
            let message = "each DPoP proof is accepted once: the shared record answers";
            Finding::note(FindingKind::DpopReplay, message)
        }
        Some(Err(error)) => {
            let message = format!(
                "DPoP proofs cannot be recorded, so requests with them are rejected: {}",
                Chain(&error)
            );
            let advice =
                format!("check {replay_cache}, or `dpop_replay_store`, and the store itself");
            Finding::error(FindingKind::DpopReplay, message).advise(advice)
        }
    };
    nonce.into_iter().chain([replay]).collect()
}
