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

mod certificate;
mod clock;
mod config;
mod doctor;
mod error;
mod introspection;
mod meter;
#[cfg(feature = "openapi")]
mod openapi;
mod policy;
mod protect;
mod tenant;
mod token;
mod validator;

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

#[cfg(feature = "tls")]
pub use crate::certificate::server::ServerTls;
#[cfg(feature = "redis")]
pub use crate::introspection::cache::RedisCache;
#[cfg(feature = "swagger-ui")]
pub use crate::openapi::SwaggerUi;
#[cfg(feature = "openapi")]
pub use crate::openapi::{ApiDocument, DeclaredApi, DocumentEndpoint, DocumentError, Routes};
pub use crate::{
    certificate::{CertificateBinding, NotACertificate, PeerCertificate},
    config::{ConfigError, ConfigProblem},
    doctor::diagnosis::{Diagnosis, Finding, FindingKind, Severity},
    error::{
        Cause, Denial, Error, ForgetError, Internal, InvalidRequest, InvalidToken, TenantError,
    },
    introspection::cache::{CacheFuture, CacheKey, IntrospectionCache},
    policy::{AnyToken, Policy, Require},
    protect::{
        Authenticated, Caller, Guard, ProtectApi,
        bearer::{Bearer, MaybeBearer},
        builder::ProtectApiBuilder,
        refusal::Refusal,
        resource::ResourceMetadata,
    },
    tenant::{
        health::{DocumentHealth, DocumentState, Health, RefreshFailure, TenantHealth},
        http::{HttpClient, HttpFuture},
    },
    token::{AccessToken, TokenKind, algorithm::SigningAlgorithm, claims::Claims},
};
