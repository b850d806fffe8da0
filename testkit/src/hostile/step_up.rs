//! Tokens whose user authentication is not what an operation demands.

use serde_json::{Value, json};

use crate::{
    Control, TokenBuilder,
    hostile::table::{Row, table},
};

/// What a server must tolerate of its clock, in seconds.
const TOLERANCE: i64 = 60;

const HOUR: i64 = 3600;

/// What an operation demands of the user's authentication (RFC 9470 §3): one of several `acr`
/// values, a maximum age, or both.
///
/// ```
/// use monocloud_testkit::{Insufficient, MockTenant, StepUp};
/// # async fn publish(_: &str) -> (u16, Option<String>) {
/// #     (401, Some(r#"Bearer error="insufficient_user_authentication""#.into()))
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::start().await;
/// let demanded = StepUp::new().acr_values(["urn:example:mfa"]).max_age(300);
/// // What else the operation needs.
/// let token = tenant.token().scope("posts:write");
/// for insufficient in Insufficient::all(&token, &demanded) {
///     let (status, challenge) = publish(&insufficient.token).await; // with the token as Bearer
///     insufficient.assert_refused(status, challenge.as_deref());
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct StepUp {
    acr_values: Vec<String>,
    max_age: Option<u32>,
}

impl StepUp {
    /// Demands nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands that `acr` is one of these values.
    #[must_use]
    pub fn acr_values(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Demands that the user authenticated at most this many seconds ago.
    #[must_use]
    pub const fn max_age(mut self, seconds: u32) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// Makes a token satisfy what is demanded: the first of the `acr` values, and an `auth_time` of
    /// now. It gets no claim that is not demanded.
    pub fn satisfied_by<'t>(&self, token: TokenBuilder<'t>) -> TokenBuilder<'t> {
        let token = match self.acr_values.first() {
            Some(acr) => token.acr(acr),
            None => token,
        };
        match self.max_age {
            Some(_) => token.authenticated_ago(0),
            None => token,
        }
    }

    /// Tokens that must be accepted: `token` with the first and the last of the `acr` values, and
    /// with authentications at the edges of the maximum age.
    #[must_use]
    pub fn controls(&self, token: &TokenBuilder<'_>) -> Vec<Control> {
        let good = || self.satisfied_by(token.clone());
        let mut rows = table! {
            "RFC 9470 §3" {
                "step-up-satisfied": good().mint(),
            }
        };
        if let [_, .., last] = self.acr_values.as_slice() {
            rows.push(("step-up-last-acr-of-the-list", "RFC 9470 §3", good().acr(last).mint()));
        }
        if let Some(max_age) = self.max_age.map(i64::from) {
            let ago = |seconds| good().authenticated_ago(seconds).mint();
            rows.extend(table! {
                "RFC 9470 §3" {
                    "step-up-at-the-maximum-age": ago(max_age),
                    "step-up-at-the-tolerance": ago(max_age + TOLERANCE),
                    "step-up-ahead-inside-the-tolerance": ago(-TOLERANCE / 2),
                }
            });
        }
        let control = |(name, reference, token)| Control { name, token, reference };
        rows.into_iter().map(control).collect()
    }
}

/// A valid access token that an operation with a [`StepUp`] must reject with 401 and
/// `error="insufficient_user_authentication"` (RFC 9470 §3), and every other operation must accept.
///
/// Each is a token that [satisfies](StepUp::satisfied_by) what is demanded with exactly one thing
/// changed. With a builder of an [opaque token](crate::MockTenant::opaque_token), introspection
/// reports the same claims (RFC 9470 §6.2). Times are chosen for a tolerance of 60 seconds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Insufficient {
    /// What was changed, in kebab-case. Names are unique.
    pub name: &'static str,
    /// How it falls short.
    pub class: InsufficientClass,
    /// The token.
    pub token: String,
    /// The rule by which it falls short.
    pub reference: &'static str,
}

/// How a token falls short of what is demanded.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum InsufficientClass {
    /// Another `acr`.
    Weak,
    /// An `auth_time` that is too long ago.
    Stale,
    /// No `acr`, or no `auth_time`.
    Missing,
    /// An `acr` that is not a string, or an `auth_time` that is not a number.
    Mistyped,
    /// An `auth_time` in the future.
    Future,
}

impl Insufficient {
    /// All tokens that fall short of what is demanded, made from `token`.
    #[must_use]
    pub fn all(token: &TokenBuilder<'_>, demanded: &StepUp) -> Vec<Self> {
        let classes = InsufficientClass::ALL.into_iter();
        classes.flat_map(|class| Self::of(token, demanded, class)).collect()
    }

    /// The tokens of one class. There are none of a class about a claim that is not demanded.
    #[must_use]
    pub fn of(token: &TokenBuilder<'_>, demanded: &StepUp, class: InsufficientClass) -> Vec<Self> {
        let good = demanded.satisfied_by(token.clone());
        let of_acr = demanded.acr_values.first().map(|acr| class.rows_of_acr(&good, acr, demanded));
        let of_age = demanded.max_age.map(|max_age| class.rows_of_age(&good, max_age.into()));
        let rows = of_acr.into_iter().chain(of_age).flatten();
        let insufficient = |(name, reference, token): Row| Self { name, class, token, reference };
        rows.map(insufficient).collect()
    }

    /// Checks a response to a request with this token: the status, and the value of the
    /// `WWW-Authenticate` header.
    ///
    /// # Panics
    ///
    /// If the token was not rejected as it should be.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, www_authenticate: Option<&str>) {
        let challenge = www_authenticate.unwrap_or_default();
        let refused =
            status == 401 && challenge.contains(r#"error="insufficient_user_authentication""#);
        assert!(
            refused,
            "{} ({:?}, {}) must be rejected with 401 and insufficient_user_authentication, \
             not with {status} and {challenge:?}",
            self.name, self.class, self.reference,
        );
    }
}

impl InsufficientClass {
    /// All classes.
    pub const ALL: [Self; 5] =
        [Self::Weak, Self::Stale, Self::Missing, Self::Mistyped, Self::Future];

    fn rows_of_acr(self, good: &TokenBuilder<'_>, acr: &str, demanded: &StepUp) -> Vec<Row> {
        match self {
            Self::Weak => other_acr(good, acr, &demanded.acr_values),
            Self::Missing => missing_acr(good, acr),
            Self::Mistyped => mistyped_acr(good, acr),
            Self::Stale | Self::Future => Vec::new(),
        }
    }

    fn rows_of_age(self, good: &TokenBuilder<'_>, max_age: i64) -> Vec<Row> {
        match self {
            Self::Stale => stale(good, max_age),
            Self::Missing => missing_auth_time(good),
            Self::Mistyped => mistyped_auth_time(good),
            Self::Future => future(good),
            Self::Weak => Vec::new(),
        }
    }
}

/// Values that resemble a demanded one; those that are demanded themselves are left out.
fn other_acr(good: &TokenBuilder<'_>, acr: &str, demanded: &[String]) -> Vec<Row> {
    let shortened: String = acr.chars().take(acr.chars().count().saturating_sub(1)).collect();
    let others = table! {
        "RFC 9470 §3" {
            "acr-other": "urn:example:other".to_owned(),
            "acr-empty": String::new(),
            "acr-shortened": shortened,
            "acr-longer": format!("{acr}2"),
            "acr-upper-case": acr.to_uppercase(),
            "acr-blank-before": format!(" {acr}"),
            "acr-blank-after": format!("{acr} "),
            "acr-nul-after": format!("{acr}\0"),
            "acr-wildcard": "*".to_owned(),
            "acr-blank-separated": format!("urn:example:other {acr}"),
        }
        "OpenID Connect Core §2" {
            "acr-of-no-confidence": "0".to_owned(),
        }
    };
    let is_other = |(_, _, acr): &Row| !demanded.contains(acr);
    let minted = |(name, reference, acr): Row| (name, reference, good.clone().acr(&acr).mint());
    others.into_iter().filter(is_other).map(minted).collect()
}

fn missing_acr(good: &TokenBuilder<'_>, acr: &str) -> Vec<Row> {
    let without = || good.clone().without("acr");
    table! {
        "RFC 9470 §6, RFC 9068 §2.2.1" {
            "acr-missing": without().mint(),
            "acr-in-amr-only": without().claim("amr", [acr]).mint(),
            "acr-in-another-claim": without().claim("acr_values", acr).mint(),
        }
    }
}

fn mistyped_acr(good: &TokenBuilder<'_>, acr: &str) -> Vec<Row> {
    let mint = |value: Value| good.clone().claim("acr", value).mint();
    table! {
        "RFC 9068 §2.2.1, RFC 9470 §6.2" {
            "acr-null": mint(json!(null)),
            "acr-true": mint(json!(true)),
            // The value itself where it is one.
            "acr-number": mint(json!(acr.parse::<i64>().unwrap_or(1))),
            "acr-array": mint(json!([acr])),
            "acr-array-with-another": mint(json!(["urn:example:other", acr])),
            "acr-array-empty": mint(json!([])),
            "acr-object": mint(json!({ "acr": acr })),
            "acr-object-keyed": mint(json!({ acr: true })),
        }
    }
}

fn stale(good: &TokenBuilder<'_>, max_age: i64) -> Vec<Row> {
    let ago = |seconds| good.clone().authenticated_ago(seconds).mint();
    let mint = |value: Value| good.clone().claim("auth_time", value).mint();
    let oldest = good.now() - max_age - TOLERANCE;
    table! {
        "RFC 9470 §3" {
            "auth-time-past-the-tolerance": ago(max_age + TOLERANCE + 1),
            "auth-time-past-the-tolerance-by-a-fraction": mint(json!(oldest as f64 - 0.5)),
            "auth-time-an-hour-past": ago(max_age + TOLERANCE + HOUR),
            "auth-time-a-year-past": ago(max_age + 365 * 24 * HOUR),
        }
        "RFC 7519 §2, RFC 8259 §6" {
            "auth-time-negative": mint(json!(-1)),
            "auth-time-most-negative": mint(json!(i64::MIN)),
            "auth-time-hugely-negative": mint(json!(-1e300)),
        }
    }
}

fn missing_auth_time(good: &TokenBuilder<'_>) -> Vec<Row> {
    let (without, now) = (|| good.clone().without("auth_time"), good.now());
    table! {
        "RFC 9470 §6, RFC 9068 §2.2.1" {
            // `iat`, which is there, is when the token was issued.
            "auth-time-missing": without().mint(),
            "auth-time-in-another-claim": without().claim("auth_instant", now).mint(),
        }
    }
}

fn mistyped_auth_time(good: &TokenBuilder<'_>) -> Vec<Row> {
    let (mint, now) = (|value: Value| good.clone().claim("auth_time", value).mint(), good.now());
    table! {
        "RFC 9068 §2.2.1, RFC 9470 §6.2" {
            "auth-time-null": mint(json!(null)),
            "auth-time-true": mint(json!(true)),
            "auth-time-empty": mint(json!("")),
            "auth-time-string": mint(json!(now.to_string())),
            "auth-time-date": mint(json!("2999-12-31T23:59:59Z")),
            "auth-time-not-a-number": mint(json!("NaN")),
            "auth-time-array": mint(json!([now])),
            "auth-time-object": mint(json!({ "auth_time": now })),
        }
    }
}

fn future(good: &TokenBuilder<'_>) -> Vec<Row> {
    let ago = |seconds| good.clone().authenticated_ago(seconds).mint();
    let mint = |value: Value| good.clone().claim("auth_time", value).mint();
    table! {
        "RFC 9470 §3" {
            "auth-time-ahead-past-the-tolerance": ago(-TOLERANCE - 1),
            "auth-time-in-an-hour": ago(-HOUR),
        }
        "RFC 7519 §2, RFC 8259 §6" {
            "auth-time-in-milliseconds": mint(json!(good.now() * 1000)),
            "auth-time-past-the-year-9999": mint(json!(253_402_300_800_i64)),
            "auth-time-two-to-the-63": mint(json!(1_u64 << 63)),
            "auth-time-two-to-the-64-less-one": mint(json!(u64::MAX)),
            "auth-time-huge": mint(json!(1e300)),
        }
    }
}
