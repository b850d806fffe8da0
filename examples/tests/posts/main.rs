//! The posts API on every host: one document, one behaviour.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a helper of a test may panic")]

#[path = "../../axum.rs"]
#[allow(dead_code, reason = "the example's own `main` is not called")]
mod axum_example;
#[path = "../../poem.rs"]
#[allow(dead_code, reason = "the example's own `main` is not called")]
mod poem_example;
#[path = "../../poem_openapi.rs"]
#[allow(dead_code, reason = "the example's own `main` is not called")]
mod poem_openapi_example;
#[path = "../../salvo.rs"]
#[allow(dead_code, reason = "the example's own `main` is not called")]
mod salvo_example;

#[cfg(feature = "audit")]
mod audit;
mod golden;
#[cfg(feature = "browser")]
mod login;
mod routes;
mod served;
