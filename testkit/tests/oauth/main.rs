//! The tenant as an authorization server, as its clients see it.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod authorize;
mod bounds;
mod client;
mod code_flow;
mod cors;
mod credentials;
mod device;
mod dpop;
mod exchange;
mod faults;
mod hostile;
mod independent;
mod login;
mod metadata;
mod mutual_tls;
#[cfg(feature = "pages")]
mod pages;
mod refresh;
mod registration;
mod revocation;
mod sign_in;
mod userinfo;
