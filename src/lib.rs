//! Protects an API with the access tokens of a MonoCloud tenant.
//!
//! Each operation declares the scopes and groups it requires, in the terms of its framework. The
//! OpenAPI document shows them, and the server enforces exactly that. Where the two differ, or an
//! operation declares nothing, the API does not start.
//!
//! ```no_run
//! use monocloud_backend::{ConfigError, Policy, ProtectApi};
//!
//! # fn main() -> Result<(), ConfigError> {
//! // Reads MONOCLOUD_BACKEND_TENANT_DOMAIN and MONOCLOUD_BACKEND_AUDIENCE.
//! let protect = ProtectApi::from_env()?;
//! // A layer on axum, a middleware on poem, a hoop on salvo.
//! let guard = protect.require(Policy::ANY_TOKEN.scopes(&["posts:read"]));
//! # let _ = guard;
//! # Ok(())
//! # }
//! ```
//!
//! The repository's [examples](https://github.com/monocloud/backend-rust/tree/main/examples) are a
//! complete program for each host. The [manual] has the rest, such as [declaring](manual::declaring) what
//! an operation needs, [settings and features](manual::configuration), [tests](manual::testing) with the
//! mock tenant of `monocloud-testkit`, and [troubleshooting](manual::troubleshooting).
//!
//! # Hosts
//!
//! | feature | module | what declares the requirements |
//! |---|---|---|
//! | `poem-openapi` | `poem_openapi` | the arguments of each operation |
//! | `axum` | `axum` | a document, such as utoipa's, or a guard per route |
//! | `salvo` | `salvo` | the endpoints, or a guard per route |
//! | `poem` | `poem` | a document, with the feature `openapi`, or a guard per handler |
//!
//! The endpoint of an MCP server has policies per tool, on each host, with the feature `mcp`.
//!
//! For any other framework there is [`Guard::check`].
//!
//! # How a request is checked
//!
//! 1. The token is taken from the `Authorization` header, or by the application's resolver.
//! 2. It is parsed strictly, and rejected without a fetch if it is malformed.
//! 3. Its signature is verified with the tenant's keys. An opaque token is introspected instead.
//! 4. Its claims are validated: issuer, audience, lifetime, subject.
//! 5. If it is bound to a client certificate, the request must come with that certificate; if it is bound
//!    to a key, with a proof by that key.
//! 6. Scopes, then groups, are compared with what the operation requires.
//! 7. Only then are the body and other parameters read, and the handler runs.
//!
//! The first check that fails determines the answer, a [`Refusal`].

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "mcp",
        feature = "poem-openapi",
        feature = "redis",
        feature = "salvo",
        feature = "swagger-ui",
        feature = "tls",
        feature = "yaml"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "the core has what every host needs, compiled in or not"
    )
)]

pub mod certificate;
mod clock;
pub mod config;
mod doctor;
pub mod dpop;
pub mod error;
mod introspection;
#[cfg(feature = "mcp")]
pub mod mcp;
mod meter;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod policy;
mod protect;
#[cfg(feature = "redis")]
mod redis;
mod tenant;
pub mod token;
mod validator;

#[cfg(feature = "axum")]
pub mod axum;
pub mod manual;
#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "poem-openapi")]
pub mod poem_openapi;
#[cfg(feature = "salvo")]
pub mod salvo;

#[cfg(feature = "openapi")]
pub use crate::openapi::{ApiDocument, DocumentError};
pub use crate::{
    config::ConfigError,
    error::Error,
    policy::{Policy, Require},
    protect::{
        Authenticated, Caller, Guard, ProtectApi, RequestHead,
        bearer::{Bearer, MaybeBearer},
        builder::ProtectApiBuilder,
        refusal::Refusal,
    },
    token::claims::Claims,
};

/// The stores that introspection results may be shared in.
pub mod cache {
    pub use crate::introspection::cache::{CacheFuture, CacheKey, IntrospectionCache};
    #[cfg(feature = "redis")]
    pub use crate::redis::RedisCache;
}

/// The claims of a token in a type of the application's.
pub mod claims {
    pub use crate::token::typed::FromClaims;
}

/// What [`ProtectApi::diagnose`](crate::ProtectApi::diagnose) finds.
pub mod diagnosis {
    pub use crate::doctor::diagnosis::{Diagnosis, Finding, FindingKind, Severity};
}

/// What [`ProtectApi::health`](crate::ProtectApi::health) reports.
pub mod health {
    pub use crate::tenant::health::{
        DocumentHealth, DocumentState, Health, RefreshFailure, TenantHealth,
    };
}

/// The application's own decision about a request that is permitted otherwise.
pub mod decision {
    pub use crate::protect::decision::{Decision, DecisionRequest, Operation};
}

/// Streams that end when a token expires.
pub mod expiry {
    pub use crate::protect::expiry::UntilExpiry;
}

/// How an application brings its own HTTP client.
pub mod http_client {
    pub use crate::tenant::http::{HttpClient, HttpFuture};
}

/// The API's own metadata (RFC 9728).
pub mod resource {
    pub use crate::protect::resource::ResourceMetadata;
}
