//! DPoP (RFC 9449): a token that is bound to a key of the client is worth nothing without a proof by
//! that key, made for the one request.
//!
//! - `proof`: what a proof is, and whether it is valid for a request
//! - `target`: the URI that a proof is for
//! - `known_keys`: the keys of earlier proofs
//! - `nonce`: nonces that this API issues
//! - `replay`: which proofs were used
//!
//! [`ProtectApiBuilder::dpop`](crate::ProtectApiBuilder::dpop) turns it on.

mod known_keys;
mod nonce;
mod proof;
mod replay;
mod target;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use aws_lc_rs::{error::Unspecified, rand};
use http::HeaderMap;

pub use self::replay::{ReplayFuture, ReplayKey, ReplayStore};
use self::{
    known_keys::KnownKeys,
    nonce::{Nonces, Recognised},
    proof::{ProvenRequest, UnverifiedProof},
    replay::Replays,
    target::PublicUrl,
};
pub use crate::config::DpopMode;
use crate::{
    clock::Clock,
    config::{DpopConfig, FleetKey},
    error::{Error, InvalidProof, InvalidToken, NonceProblem, ReplayStoreError},
    token::{AccessToken, confirmation::KeyConfirmation},
};

/// The header with the proof (RFC 9449 §4.1).
const PROOF_HEADER: &str = "dpop";

/// Validates the proofs of an API.
pub(crate) struct Dpop {
    pub(crate) mode: DpopMode,
    api: PublicUrl,
    proof_lifetime: Duration,
    /// How far this clock is known to be behind.
    clock_skew: Duration,
    /// Nothing where proofs need no nonce.
    nonces: Option<Nonces>,
    replays: Replays,
    keys: KnownKeys,
    clock: Clock,
}

/// What a request presents beside its token.
pub(crate) struct PresentedProof<'r> {
    proof: Result<UnverifiedProof<'r>, InvalidProof>,
    nonce: Result<(), NonceProblem>,
    /// For the client's next proof. It rides on every answer to the request.
    pub(crate) next_nonce: Option<Arc<str>>,
}

/// Secrets from which the keys of nonces and records are derived, or random ones for this process.
pub(crate) struct DpopKeys {
    nonces: [u8; 32],
    replays: [u8; 32],
}

impl DpopKeys {
    /// Those that every instance with the same fleet key has.
    pub(crate) fn new(fleet_key: Option<&FleetKey>) -> Result<Self, Unspecified> {
        let key = |purpose: &[u8]| match fleet_key {
            Some(fleet_key) => fleet_key.derive(purpose),
            None => {
                let mut key = [0; 32];
                rand::fill(&mut key).map(|()| key)
            }
        };
        Ok(Self { nonces: key(b"dpop nonces")?, replays: key(b"dpop replays")? })
    }
}

impl Dpop {
    /// Validates proofs as configured. They are recorded in `store`, or in the memory of this process.
    pub(crate) fn new(
        config: &DpopConfig,
        keys: &DpopKeys,
        store: Option<Arc<dyn ReplayStore>>,
        clock_skew: Duration,
        clock_tolerance: Duration,
        clock: &Clock,
    ) -> Self {
        let lifetime = config.proof_lifetime;
        Self {
            mode: config.mode,
            api: PublicUrl::new(&config.url, &config.path_prefix),
            proof_lifetime: lifetime,
            clock_skew,
            nonces: config.requires_nonce.then(|| Nonces::new(&keys.nonces, lifetime)),
            replays: match store {
                None => Replays::in_memory(&keys.replays, clock.clone()),
                Some(store) => {
                    Replays::shared(&keys.replays, store, clock_tolerance, clock.clone())
                }
            },
            keys: KnownKeys::new(),
            clock: clock.clone(),
        }
    }

    /// Whether every proof must contain a nonce of this API.
    pub(crate) const fn requires_nonce(&self) -> bool {
        self.nonces.is_some()
    }

    /// Whether the store of proofs works; nothing where they are recorded in this process.
    pub(crate) async fn probe_store(&self) -> Option<Result<(), ReplayStoreError>> {
        self.replays.probe().await
    }

    /// Reads the proof of a request, and its nonce. What is wrong with them counts once the token was
    /// validated.
    pub(crate) fn read<'r>(&self, headers: &'r HeaderMap) -> PresentedProof<'r> {
        let header = headers.get(PROOF_HEADER).ok_or(InvalidProof::Missing);
        let proof = header.and_then(|header| UnverifiedProof::decode(header.as_bytes()));
        let Some(nonces) = &self.nonces else {
            return PresentedProof { proof, nonce: Ok(()), next_nonce: None };
        };
        let now = self.clock.wall();
        let claimed = proof.as_ref().ok().and_then(UnverifiedProof::unverified_nonce);
        let nonce = match claimed {
            None => Err(NonceProblem::Missing),
            Some(nonce) => nonces.recognise(nonce, now).ok_or(NonceProblem::Unusable),
        };
        let is_current = matches!(nonce, Ok(Recognised { is_due: false }));
        let next_nonce = (!is_current).then(|| nonces.issue(now).into());
        PresentedProof { proof, nonce: nonce.map(drop), next_nonce }
    }

    /// Verifies that the request was made with the key that its token is bound to, for the first time.
    pub(crate) async fn verify(
        &self,
        presented: &PresentedProof<'_>,
        method: &http::Method,
        path: &str,
        token: &AccessToken,
        binding: &KeyConfirmation<'_>,
    ) -> Result<(), Error> {
        let unverified = presented.proof.as_ref().map_err(|reason| Error::InvalidProof(*reason))?;
        let now = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = (now + self.clock_skew).as_secs_f64();
        let request = ProvenRequest { method, path, token, api: &self.api };
        let (key, is_known) = self.keys.get(unverified.header()).map_err(Error::InvalidProof)?;
        let proof = unverified
            .validate(&key, request, now, self.proof_lifetime)
            .map_err(Error::InvalidProof)?;
        if !binding.is_to(&proof.thumbprint) {
            return Err(Error::InvalidToken(InvalidToken::KeyBinding));
        }
        if !is_known {
            self.keys.keep(unverified.header(), key);
        }
        presented.nonce.map_err(Error::UseNonce)?;
        let expires = proof.issued_at + self.proof_lifetime.as_secs_f64();
        let left = Duration::try_from_secs_f64(expires - now).unwrap_or_default();
        self.replays.record(&proof, left).await
    }
}

/// Whether a request has more than one proof (RFC 9449 §4.3).
pub(crate) fn is_proof_repeated(headers: &HeaderMap) -> bool {
    headers.get_all(PROOF_HEADER).iter().nth(1).is_some()
}
