//! How a tenant's documents stand.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{documents::Documents, lifecycle::State};
use crate::{clock::Now, error::Chain};

/// How an API stands with its tenants, at one moment: fit to be the body of a readiness probe.
///
/// It holds nothing of a token and no secret. The texts of failures name the tenant's URLs, so show
/// it to operators only. As JSON, times are in seconds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether tokens of at least one tenant can be validated.
    pub ready: bool,
    /// Every tenant, the API's own first.
    pub tenants: Vec<TenantHealth>,
}

impl Health {
    pub(crate) fn new(tenants: Vec<TenantHealth>) -> Self {
        Self { ready: tenants.iter().any(|tenant| tenant.ready), tenants }
    }
}

/// How one tenant stands.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TenantHealth {
    /// Which tenant.
    pub issuer: String,
    /// Whether its tokens can be validated.
    pub ready: bool,
    /// The discovery document.
    pub metadata: DocumentHealth,
    /// The key set.
    pub keys: DocumentHealth,
    /// The `kid`s of the keys that can verify a token.
    pub kids: Vec<String>,
}

/// How a document stands.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DocumentHealth {
    /// Whether there is one that may serve, and which.
    pub state: DocumentState,
    /// How old it is.
    #[serde(serialize_with = "seconds_if_any")]
    pub age: Option<Duration>,
    /// When it is to be fetched next; none while a fetch is under way, or before the first one.
    #[serde(serialize_with = "seconds_if_any")]
    pub next_refresh: Option<Duration>,
    /// How much longer it may serve if it cannot be fetched again.
    #[serde(serialize_with = "seconds_if_any")]
    pub serves_for: Option<Duration>,
    /// Why it could not be fetched the last time, until it could be.
    pub failure: Option<RefreshFailure>,
}

/// Whether a document may serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// There was none yet.
    Absent,
    /// It could not be fetched for so long that it serves no more.
    Expired,
    /// It is as young as configured.
    Fresh,
    /// It is older than configured, and serves until it can be fetched again.
    Stale,
}

/// Why a document cannot be fetched.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RefreshFailure {
    /// The last failure in one line, with its reasons.
    pub error: String,
    /// How many attempts have failed.
    pub attempts: u32,
    /// How long ago the first of them failed.
    #[serde(serialize_with = "seconds")]
    pub since: Duration,
}

impl TenantHealth {
    pub(crate) fn new(issuer: &str, documents: &Documents) -> Self {
        let (keys, kids) = documents.key_set().look(|state, now| {
            let kids = state.value().map(|kept| kept.value.kids().map(str::to_owned).collect());
            (DocumentHealth::new(state, now), kids.unwrap_or_default())
        });
        let metadata = documents.configuration().look(DocumentHealth::new);
        Self { issuer: issuer.to_owned(), ready: keys.state.serves(), metadata, keys, kids }
    }
}

impl DocumentHealth {
    fn new<T>(state: &State<T>, now: Now) -> Self {
        let serves_for = state.usable_for(now);
        Self {
            state: match (state.value(), serves_for) {
                (None, _) | (_, None) => DocumentState::Absent,
                (Some(kept), _) if kept.is_fresh(now) => DocumentState::Fresh,
                (_, Some(Duration::ZERO)) => DocumentState::Expired,
                (_, Some(_)) => DocumentState::Stale,
            },
            age: state.value().map(|kept| kept.age(now)),
            next_refresh: state.due(now),
            serves_for,
            failure: state.failure().map(|failure| RefreshFailure {
                error: Chain(&failure.error).to_string(),
                attempts: failure.attempts,
                since: now.monotonic.saturating_duration_since(failure.since),
            }),
        }
    }
}

impl DocumentState {
    const fn serves(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}

/// Seconds with their fraction.
fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(serializer)
}

fn seconds_if_any<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
