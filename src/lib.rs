#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
mod builder;
mod certificate;
mod claims;
mod clock;
#[allow(
    dead_code,
    unused_imports,
    reason = "introspection and its client are configured and not yet built"
)]
mod config;
mod error;
mod json;
mod jwks;
mod jwt;
mod policy;
mod protect;
mod refusal;
#[cfg(test)]
mod rfc_vectors;
mod tenant;
mod token;

#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "poem-openapi")]
pub mod poem_openapi;

pub use crate::{
    algorithm::SigningAlgorithm,
    builder::ProtectApiBuilder,
    certificate::CertificateBinding,
    claims::Claims,
    config::{ConfigError, ConfigProblem},
    error::{Cause, Denial, Error, Internal, InvalidRequest, InvalidToken, TenantError},
    policy::{AnyToken, Policy, Require},
    protect::{Authenticated, Caller, Guard, ProtectApi},
    refusal::Refusal,
    tenant::http::{HttpClient, HttpFuture},
    token::{AccessToken, TokenKind},
};
