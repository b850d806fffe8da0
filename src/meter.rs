//! What is counted, by the `metrics` facade; nothing without the feature.
//!
//! Names and labels are listed in the manual, and a test holds them there.

#![cfg_attr(not(feature = "metrics"), allow(unused_variables, reason = "nothing is counted"))]

use std::{sync::Arc, time::Duration};

#[cfg(feature = "metrics")]
use metrics::{Key, Label, Level, Metadata, counter, with_recorder};

/// Counts for one tenant.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// A label of every metric: there may be several tenants in one process.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "nothing is counted"))]
    issuer: Arc<str>,
    /// What is counted with each request is not put together each time.
    #[cfg(feature = "metrics")]
    usual: Arc<Usual>,
}

#[cfg(feature = "metrics")]
#[derive(Debug)]
struct Usual {
    /// By how the token was validated.
    accepted: [(&'static str, Key); 2],
    jwt_hit: Key,
    jwt_miss: Key,
    key_set_age: Key,
}

/// The outcome of a request that is authorized.
pub(crate) const ACCEPTED: &str = "accepted";

/// Whether a verdict of the tenant was at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cache {
    Hit,
    Miss,
}

/// What a token with an unknown `kid` cost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UnknownKid {
    /// A fetch, its own or one that was under way.
    Fetched,
    /// Nothing, as there was no fetch left to pay with.
    OverBudget,
    /// Nothing, as the last key set is known not to have it.
    Remembered,
}

impl Meter {
    pub(crate) fn new(issuer: &str) -> Self {
        let issuer: Arc<str> = issuer.into();
        Self {
            #[cfg(feature = "metrics")]
            usual: Arc::new(Usual::new(&issuer)),
            issuer,
        }
    }

    /// A request was accepted or rejected.
    pub(crate) fn validated(&self, outcome: &'static str, reason: &'static str) {
        #[cfg(feature = "metrics")]
        {
            let usual = self.usual.accepted.iter().find(|(usual, _)| *usual == reason);
            let key = match usual {
                Some((_, key)) if outcome == ACCEPTED => key,
                _ => &validations(&self.issuer, outcome, reason),
            };
            with_recorder(|recorder| recorder.register_counter(key, &METADATA)).increment(1);
        }
    }

    /// The tenant was asked about a token.
    pub(crate) fn introspected(&self, outcome: &'static str) {
        #[cfg(feature = "metrics")]
        counter!(
            "monocloud_backend_introspections",
            "issuer" => Arc::clone(&self.issuer),
            "outcome" => outcome
        )
        .increment(1);
    }

    /// A verdict was looked for in the cache.
    pub(crate) fn looked_up(&self, cache: Cache) {
        #[cfg(feature = "metrics")]
        {
            let result = match cache {
                Cache::Hit => "hit",
                Cache::Miss => "miss",
            };
            counter!(
                "monocloud_backend_introspection_cache_lookups",
                "issuer" => Arc::clone(&self.issuer),
                "result" => result
            )
            .increment(1);
        }
    }

    /// A JWT was looked for among those whose signature was verified.
    pub(crate) fn looked_up_jwt(&self, cache: Cache) {
        #[cfg(feature = "metrics")]
        {
            let key = match cache {
                Cache::Hit => &self.usual.jwt_hit,
                Cache::Miss => &self.usual.jwt_miss,
            };
            with_recorder(|recorder| recorder.register_counter(key, &METADATA)).increment(1);
        }
    }

    /// A document of the tenant was fetched, or could not be.
    pub(crate) fn refreshed(&self, document: &'static str, is_success: bool) {
        #[cfg(feature = "metrics")]
        {
            let outcome = if is_success { "succeeded" } else { "failed" };
            counter!(
                "monocloud_backend_refreshes",
                "issuer" => Arc::clone(&self.issuer),
                "document" => document,
                "outcome" => outcome
            )
            .increment(1);
        }
    }

    /// Tokens are validated with a key set of this age.
    pub(crate) fn key_set_is_used(&self, age: Duration) {
        #[cfg(feature = "metrics")]
        with_recorder(|recorder| recorder.register_gauge(&self.usual.key_set_age, &METADATA))
            .set(age.as_secs_f64());
    }

    /// A token was rejected because no key has its `kid`.
    pub(crate) fn refused_kid(&self, cost: UnknownKid) {
        #[cfg(feature = "metrics")]
        counter!(
            "monocloud_backend_unknown_kids",
            "issuer" => Arc::clone(&self.issuer),
            "cost" => cost.name()
        )
        .increment(1);
    }
}

#[cfg(feature = "metrics")]
impl Usual {
    fn new(issuer: &Arc<str>) -> Self {
        let issuer_label = || Label::new("issuer", Arc::clone(issuer));
        let jwt_lookups = |result| {
            let labels = vec![issuer_label(), Label::from_static_parts("result", result)];
            Key::from_parts("monocloud_backend_jwt_cache_lookups", labels)
        };
        Self {
            jwt_hit: jwt_lookups("hit"),
            jwt_miss: jwt_lookups("miss"),
            accepted: ["jwt", "opaque"].map(|kind| (kind, validations(issuer, ACCEPTED, kind))),
            key_set_age: Key::from_parts(
                "monocloud_backend_key_set_age_seconds",
                vec![issuer_label()],
            ),
        }
    }
}

#[cfg(feature = "metrics")]
fn validations(issuer: &Arc<str>, outcome: &'static str, reason: &'static str) -> Key {
    let labels = vec![
        Label::new("issuer", Arc::clone(issuer)),
        Label::from_static_parts("outcome", outcome),
        Label::from_static_parts("reason", reason),
    ];
    Key::from_parts("monocloud_backend_validations", labels)
}

/// What recorders are told beside names and labels.
#[cfg(feature = "metrics")]
static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl UnknownKid {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::OverBudget => "over_budget",
            Self::Remembered => "remembered",
        }
    }
}
