//! A mock MonoCloud tenant that runs in the test's process. It serves what a tenant advertises, from
//! discovery to [login](#login-and-tokens), over HTTP or TLS on a random port, mints access tokens,
//! rotates its keys, counts its requests and owns the clock, so that an API and its clients can be
//! tested end to end without a network and without waiting.
//!
//! ```
//! use monocloud_testkit::{ClientAuth, Endpoint, MockTenant, Signer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::start().await;
//!
//! // The settings of the API under test, as environment variables.
//! let vars = tenant.vars();
//! assert!(vars.contains(&("MONOCLOUD_BACKEND_TENANT_DOMAIN".into(), tenant.issuer().into())));
//!
//! // A token that it accepts, and three that it must reject.
//! let good = tenant.token().subject("alice").scope("posts:read").mint();
//! let expired = tenant.token().expires_in(-3600).mint();
//! let elsewhere = tenant.token().claim("aud", "https://other.example.com").mint();
//! let forged = tenant.token().signed_by(Signer::Foreign).mint();
//! # let _ = (good, expired, elsewhere, forged);
//!
//! // A token that only the tenant can read, and settings for an API that introspects.
//! let opaque = tenant.opaque_token().subject("alice").mint();
//! let vars = tenant.vars_for(ClientAuth::SecretBasic);
//! # let _ = (opaque, vars);
//!
//! // All requests of the API are counted.
//! assert_eq!(tenant.requests(Endpoint::Jwks), 0);
//! # }
//! ```
//!
//! [`Hostile`] lists several hundred tokens that no API may accept, and [`Control`] unusual ones
//! that every API must accept. [`Insufficient`] tokens are valid, and fall short of the user
//! authentication that an operation demands (RFC 9470). [`HostileProof`] and [`ProofControl`] are
//! requests with [proofs of possession](#dpop). The tenant and the API share a [`Clock`].
//!
//! Start one tenant per test: it starts in a millisecond or two, shares no state, and frees its
//! ports when dropped. A mistake in a test panics at the line that made it, so no function returns
//! a `Result`. A tenant may also run for weeks: it remembers the last 50,000 tokens that it minted,
//! 10,000 codes, refresh tokens, logins and consents, a thousand introspections, registered clients,
//! and users who have yet to decide.
//!
//! # Login and tokens
//!
//! The tenant is an authorization server (RFC 6749) and an OpenID provider. Without a browser, a user
//! [signs in](MockTenant::sign_in) inside the process; with one, the user picks a name on a page,
//! without a password, and consents. The pages need the feature `pages`; without it, or in a hurry,
//! there is an [automatic login](MockTenantBuilder::auto_login).
//!
//! ```
//! use monocloud_testkit::{Api, MockTenant, OAuthClient, User};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::builder()
//!     .user(User::new("bob").group("sales").claim("email", "bob@example.com"))
//!     .oauth_client(OAuthClient::confidential("shop", "let me in").redirect_uri("https://shop/cb"))
//!     .api(Api::new("https://orders.example.com").scope("orders:read").lifetime(300))
//!     .start()
//!     .await;
//! let tokens = tenant.sign_in("bob").client("shop").scope("orders:read").await;
//! assert_eq!((&*tokens.scope, tokens.expires_in), ("openid orders:read", 300));
//! # }
//! ```
//!
//! There are the users `alice`, and `admin` in the group `admin`; the public client `web` with any
//! redirect URI on loopback, and the confidential client `service` with the secret `secret`; and one
//! API, with any scope. A file can name others: [`TenantConfig`].
//!
//! | [`Endpoint`] | what it does |
//! |---|---|
//! | `Discovery`, `AuthorizationServer`, `Jwks` | metadata (OpenID Connect Discovery §4, RFC 8414 §3, also with the path of the issuer inserted) and keys |
//! | `Authorize` | `response_type=code` by `query` and `form_post`; `prompt`, `max_age`, `acr_values`, `login_hint`, `id_token_hint`; PKCE by S256, which public clients must use (RFC 7636); `resource` (RFC 8707), `dpop_jkt` (RFC 9449 §10); answers with `iss` (RFC 9207) |
//! | `Token` | codes, which are used once; refresh tokens, which rotate, with the scope `offline_access`; client credentials; device codes (RFC 8628); token exchange (RFC 8693). Tokens are bound to the key of a proof (RFC 9449 §5) and to the certificate of an mTLS alias (RFC 8705 §3) |
//! | `DeviceAuthorization`, `Device` | devices, and the page where their users enter a code (RFC 8628); a test [decides](MockTenant::allow_device) for them |
//! | `Introspection`, `Revocation` | RFC 7662 and RFC 7009; a refresh token takes its family with it |
//! | `Userinfo`, `EndSession` | OpenID Connect Core §5.3, RP-Initiated Logout §2 |
//! | `Registration` | public and confidential clients (RFC 7591) |
//!
//! Clients authenticate by `client_secret_basic`, `client_secret_post`, `client_secret_jwt`,
//! `private_key_jwt` or not at all; the [client under test](MockTenant::client) by all of
//! [`ClientAuth`]. Browsers of any origin may call all endpoints but `Authorize`.
//!
//! The command `mock-tenant`, with the feature `command`, runs a tenant for programs in other
//! languages; its [control API](MockTenantBuilder::control) does over HTTP what tests in Rust call.
//! The same feature has a reader of OpenAPI documents, `document`.
//!
//! # Audits
//!
//! With the feature `audit`, an [`Audit`] calls each operation of an API by its OpenAPI document, in any
//! language, and reports what the API gets wrong about tokens.
//!
//! # Faults
//!
//! Every endpoint can [fail](MockTenant::fault) in the ways networks and servers do, and the key
//! set can be [wrong](KeySetState). A test can [wait](MockTenant::requested) for requests, and
//! [expect](MockTenant::expect) a number of them. [Mocks](MockTenant::mount) of wiremock stand in
//! for what the tenant does not model.
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
//! // Clients that wait for the keys receive them now.
//! drop(hanging);
//! tenant.publish_keys_as(KeySetState::Huge(10_000));
//! # }
//! ```
//!
//! # TLS
//!
//! A tenant with TLS serves `https://localhost`, and its settings name a file with the certificate
//! of the [`Authority`] to trust. It can present an invalid certificate, to test that the API
//! rejects the connection.
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
//! // The API's own certificate, and what its callers trust.
//! let authority = Authority::new();
//! let server = authority.server("localhost");
//! let files = [server.certificate_file(), server.key_file(), authority.certificate_file()];
//! # let _ = files;
//! # }
//! ```
//!
//! # Mutual TLS
//!
//! With mutual TLS the metadata names endpoints for clients with certificates, on a separate port
//! (RFC 8705 §5), and the API can authenticate with a certificate when it introspects. Every tenant
//! can bind tokens to a caller's certificate.
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
//! // Settings for an API that authenticates with a certificate; they name files.
//! let vars = tenant.vars_for(ClientAuth::Tls);
//! assert!(vars.iter().any(|(name, _)| name.ends_with("CLIENT_CERTIFICATE_FILE")));
//! // The files have other content from now on, and the old certificate is rejected.
//! tenant.renew_client_certificate();
//!
//! // A caller, a token that is bound to her certificate, and another caller.
//! let alice = tenant.client_certificate("alice");
//! let token = tenant.token().subject("alice").bound_to(&alice).mint();
//! let eve = tenant.client_certificate("eve");
//! # let _ = (token, eve);
//!
//! // Every request is recorded, with its port and certificate.
//! for seen in tenant.introspections() {
//!     println!("{:?} {:?} {:?}", seen.entrance, seen.certificate, seen.refusal);
//! }
//! # }
//! ```
//!
//! # DPoP
//!
//! A client proves possession of a key with each request (RFC 9449). The headers of a good request,
//! of several hundred that an API must reject, and of unusual ones that it must accept:
//!
//! ```
//! use monocloud_testkit::{Clock, DpopKey, DpopRequest, HostileProof, MockTenant, ProofControl};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
//! let (key, url) = (DpopKey::generate(), "https://api.example.com/posts");
//!
//! // A token that is bound to the key, and a client that uses both.
//! let token = tenant.token().scope("posts:read").bound_to_key(&key).mint();
//! let client = tenant.dpop_client(&key, &token);
//! let [authorization, dpop] = client.headers("GET", url).try_into().unwrap();
//! assert!(authorization.1.to_str().unwrap().starts_with("DPoP ey"));
//!
//! // A proof by hand.
//! let proof = tenant.proof(&key, "POST", url).for_token(&token).issued_ago(30).mint();
//! # let _ = (dpop, proof);
//!
//! // The catalogues for one operation of the API.
//! let request = DpopRequest::new(tenant.token().scope("posts:read"), "GET", url).key(&key);
//! let hostile = HostileProof::all(&request);
//! let controls = ProofControl::all(&request);
//! # let _ = (hostile, controls);
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`DpopKey`] | the key pair of a client, for any [`Algorithm`], and its thumbprint |
//! | [`TokenBuilder::bound_to_key`] | binds a token to it, also beside a certificate |
//! | [`ProofBuilder`] | a proof for one request, with any claim and header parameter |
//! | [`DpopClient`] | the headers of each request, repeated once with a demanded nonce |
//! | [`DpopRequest`] | a good request to one operation, from which the catalogues are made |
//! | [`HostileProof`] | the same with one thing changed, and how the API must reject it |
//! | [`ProofControl`] | unusual spellings of it that the API must accept |

// A mistake in a test is reported by a panic where it was made.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "audit")]
mod audit;
mod clock;
mod config;
mod control;
#[cfg(feature = "audit")]
pub mod document;
mod dpop;
mod hostile;
mod lock;
mod site;
mod tenant;
mod tls;
mod token;

#[cfg(feature = "audit")]
pub use crate::audit::{Audit, Finding, Format, Grade, Inconclusive, Report, Rule, Verdict};
pub use crate::clock::Clock;
pub use crate::config::{Api, GrantType, Lifetimes, OAuthClient, TenantConfig, TokenFormat, User};
pub use crate::dpop::{DpopClient, DpopKey, ProofBuilder};
pub use crate::hostile::{
    Class, Control, DpopRequest, Hostile, HostileProof, Insufficient, InsufficientClass,
    ProofClass, ProofControl, StepUp,
};
pub use crate::site::{Client, ClientAuth, Endpoint, Entrance, Fault, Introspection};
pub use crate::tenant::{
    FaultGuard, KeySetState, MockTenant, MockTenantBuilder, SignIn, Times, TokenBuilder, Tokens,
};
pub use crate::tls::{Authority, Certificate, ClientCertificate, ServerCertificate};
// For the command.
#[cfg(feature = "pages")]
#[doc(hidden)]
pub use crate::token::Decoded;
pub use crate::token::{Algorithm, Signer};
pub use wiremock;
