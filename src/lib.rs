//! What happens to a request, in order:
//!
//! 1. the token is found, in the `Authorization` header or by the application's resolver;
//! 2. it is taken apart, strictly, and refused without a fetch if it is not what it should be;
//! 3. its signature is verified with the tenant's keys;
//! 4. its claims are judged: issuer, audience, lifetime, subject;
//! 5. possession is proved before permission is asked: the certificate it is bound to;
//! 6. scopes, then groups, as the operation declares them;
//! 7. only then is anything else of the request parsed, and the handler runs.
//!
//! The first rule that is broken is the answer, a [`Refusal`]. Where it is not clear what an
//! operation needs, nobody passes.
//!
#![cfg_attr(
    all(feature = "axum", feature = "poem-openapi", feature = "salvo", feature = "swagger-ui", feature = "tls"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "poem-openapi",
        feature = "redis",
        feature = "salvo",
        feature = "swagger-ui",
        feature = "tls"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "the core has what every host needs, compiled in or not"
    )
)]

mod algorithm;
mod builder;
mod certificate;
mod certificate_header;
mod claims;
mod clock;
mod config;
mod diagnosis;
mod doctor;
mod error;
mod error_body;
mod json;
mod jwks;
mod jwt;
mod key_pair;
mod meter;
#[cfg(feature = "openapi")]
mod openapi;
mod policy;
mod protect;
mod refusal;
mod resource;
#[cfg(test)]
mod rfc_vectors;
#[cfg(feature = "tls")]
mod server_tls;
mod tenant;
mod tenants;
mod token;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "poem-openapi")]
pub mod manual;
#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "poem-openapi")]
pub mod poem_openapi;
#[cfg(feature = "salvo")]
pub mod salvo;

#[cfg(feature = "swagger-ui")]
pub use crate::openapi::SwaggerUi;
#[cfg(feature = "openapi")]
pub use crate::openapi::{ApiDocument, DeclaredApi, DocumentEndpoint, DocumentError, Routes};
#[cfg(feature = "tls")]
pub use crate::server_tls::ServerTls;
#[cfg(feature = "redis")]
pub use crate::tenant::cache::RedisCache;
pub use crate::{
    algorithm::SigningAlgorithm,
    builder::ProtectApiBuilder,
    certificate::{CertificateBinding, NotACertificate, PeerCertificate},
    claims::Claims,
    config::{ConfigError, ConfigProblem},
    diagnosis::{Diagnosis, Finding, FindingKind, Severity},
    error::{
        Cause, Denial, Error, ForgetError, Internal, InvalidRequest, InvalidToken, TenantError,
    },
    policy::{AnyToken, Policy, Require},
    protect::{Authenticated, Caller, Guard, ProtectApi},
    refusal::Refusal,
    resource::ResourceMetadata,
    tenant::{
        cache::{CacheFuture, CacheKey, IntrospectionCache},
        health::{DocumentHealth, DocumentState, Health, RefreshFailure, TenantHealth},
        http::{HttpClient, HttpFuture},
    },
    token::{AccessToken, TokenKind},
};
