//! A mock MonoCloud tenant in the process: it answers discovery, JWKS and
//! introspection over HTTP or TLS on a random port, mints access tokens, rotates
//! its keys, counts its requests and owns the clock, so that an API's token checks
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
//! Start one tenant per test: it costs a millisecond or two, shares nothing, and
//! frees its ports when dropped. Mistakes in a test panic at the line that made
//! them, so nothing here returns a `Result`.
//!
//! # Trouble
//!
//! Every endpoint can [fail](MockTenant::fault) as networks and servers do, the key set
//! can be [wrong](KeySetState), and a test can [wait](MockTenant::requested) for requests
//! and say [how many](MockTenant::expect) are right.
//!
//! ```
//! use monocloud_testkit::{Endpoint, Fault, KeySetState, MockTenant};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::start().await;
//! tenant.expect(Endpoint::Discovery, ..=2);
//! tenant.fault(Endpoint::Discovery, Fault::Reset).times(1);
//! let hanging = tenant.fault(Endpoint::Jwks, Fault::NeverAnswer);
//! // Whoever waits for the keys gets them now.
//! drop(hanging);
//! tenant.publish_keys_as(KeySetState::Huge(10_000));
//! # }
//! ```
//!
//! # TLS
//!
//! A tenant with TLS answers on `https://localhost`, and its settings name a file with
//! the certificate of the [`Authority`] to trust. What it shows can be spoilt, to see
//! that the API under test believes nothing from there.
//!
//! ```
//! use monocloud_testkit::{Authority, MockTenant, ServerCertificate};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::builder().tls().start().await;
//! assert!(tenant.issuer().starts_with("https://localhost:"));
//! let file = tenant.authority().certificate_file();
//! let file = file.to_str().unwrap().to_owned();
//! assert!(tenant.vars().contains(&("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE".into(), file)));
//!
//! tenant.serve_certificate(ServerCertificate::Expired);
//!
//! // What the API itself serves TLS with, and what its callers trust.
//! let authority = Authority::new();
//! let server = authority.server("localhost");
//! let files = [server.certificate_file(), server.key_file(), authority.certificate_file()];
//! # let _ = files;
//! # }
//! ```
//!
//! # Mutual TLS
//!
//! With mutual TLS the metadata names endpoints for clients with certificates, on a
//! port of their own (RFC 8705 §5), and the API can prove by one who it is when it
//! introspects. Tokens can be bound to a caller's certificate on every tenant.
//!
//! ```
//! use monocloud_testkit::{ClientAuth, Endpoint, Entrance, MockTenant};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::builder().mutual_tls().trust_store("partners").start().await;
//! let aliases = &tenant.metadata()["mtls_endpoint_aliases"];
//! let url = tenant.url_at(&Entrance::MutualTls, Endpoint::Introspection);
//! assert_eq!(aliases["introspection_endpoint"], url);
//!
//! // Settings for an API that authenticates by a certificate, which are files.
//! let vars = tenant.vars_for(ClientAuth::Tls);
//! assert!(vars.iter().any(|(name, _)| name.ends_with("CLIENT_CERTIFICATE_FILE")));
//! // Others are in the files from now on, and the old ones are refused.
//! tenant.renew_client_certificate();
//!
//! // A caller, a token that nobody else may use, and the thief of it.
//! let alice = tenant.client_certificate("alice");
//! let token = tenant.token().subject("alice").bound_to(&alice).mint();
//! let eve = tenant.client_certificate("eve");
//! # let _ = (token, eve);
//!
//! // Every request tells where it came in, and with which certificate.
//! for seen in tenant.introspections() {
//!     println!("{:?} {:?} {:?}", seen.entrance, seen.certificate, seen.refusal);
//! }
//! # }
//! ```

// A test's mistake is best told by a panic where it was made.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod clock;
mod hostile;
mod lock;
mod site;
mod tenant;
mod tls;
mod token;

pub use crate::clock::Clock;
pub use crate::hostile::{Class, Control, Hostile};
pub use crate::site::{Client, ClientAuth, Endpoint, Entrance, Fault, Introspection};
pub use crate::tenant::{
    FaultGuard, KeySetState, MockTenant, MockTenantBuilder, Times, TokenBuilder,
};
pub use crate::tls::{Authority, Certificate, ClientCertificate, ServerCertificate};
pub use crate::token::{Algorithm, Signer};
pub use wiremock;
