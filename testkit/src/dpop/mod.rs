//! A client that proves possession of a key (RFC 9449).

mod challenge;
mod client;
mod key;
mod proof;

use challenge::challenges;
pub use client::DpopClient;
pub use key::DpopKey;
pub use proof::ProofBuilder;

use http::HeaderName;

/// The header with the proof (RFC 9449 §4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The header with a nonce for the next proof (RFC 9449 §8.1).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
