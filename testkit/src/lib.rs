//! A mock MonoCloud tenant in the process: it answers discovery, JWKS and
//! introspection over HTTP on a random port, mints access tokens, rotates its
//! keys, counts its requests and owns the clock, so that an API's token checks
//! are tested end to end without a network and without waiting.
//!
//! ```
//! use monocloud_testkit::{ClientAuth, Endpoint, MockTenant, Signer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::start().await;
//!
//! // What the API under test needs to know, as its environment would say it.
//! let vars = tenant.vars();
//! assert!(vars.contains(&("MONOCLOUD_BACKEND_TENANT_DOMAIN".into(), tenant.issuer().into())));
//!
//! // A token it accepts, and three that it must refuse.
//! let good = tenant.token().subject("alice").scope("posts:read").mint();
//! let expired = tenant.token().expires_in(-3600).mint();
//! let elsewhere = tenant.token().claim("aud", "https://other.example.com").mint();
//! let forged = tenant.token().signed_by(Signer::Foreign).mint();
//! # let _ = (good, expired, elsewhere, forged);
//!
//! // A token that means nothing without the tenant, and settings for an API that asks.
//! let opaque = tenant.opaque_token().subject("alice").mint();
//! let vars = tenant.vars_for(ClientAuth::SecretBasic);
//! # let _ = (opaque, vars);
//!
//! // Whatever the API did, it was counted.
//! assert_eq!(tenant.requests(Endpoint::Jwks), 0);
//! # }
//! ```
//!
//! [`Hostile`] holds the tokens that no API may accept, several hundred of them,
//! and [`Control`] those it must. [`Clock`] is the time of both sides.
//!
//! Start one tenant per test: it costs about a millisecond, shares nothing, and
//! frees its port when dropped. Mistakes in a test panic at the line that made
//! them, so nothing here returns a `Result`.

// A test's mistake is best told by a panic where it was made.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod algorithm;
mod authority;
mod certificate;
mod client;
mod client_auth;
mod clock;
mod control;
mod endpoint;
mod entrance;
mod folder;
mod form;
mod front;
mod hostile;
mod introspection;
mod key_ring;
mod metadata;
mod registration;
mod rsa_pool;
mod server;
mod signing_key;
mod site;
mod table;
mod tenant;
mod tls;
mod token;

pub use crate::algorithm::Algorithm;
pub use crate::authority::Authority;
pub use crate::certificate::{Certificate, ClientCertificate};
pub use crate::client::{Client, ClientAuth};
pub use crate::clock::Clock;
pub use crate::control::Control;
pub use crate::endpoint::Endpoint;
pub use crate::entrance::Entrance;
pub use crate::hostile::{Class, Hostile};
pub use crate::introspection::Introspection;
pub use crate::key_ring::Signer;
pub use crate::tenant::{MockTenant, MockTenantBuilder};
pub use crate::tls::ServerCertificate;
pub use crate::token::TokenBuilder;
