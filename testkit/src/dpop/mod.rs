//! A client that proves possession of a key (RFC 9449).

mod challenge;
mod client;
mod key;
mod proof;

pub(crate) use challenge::challenges;
pub use client::DpopClient;
pub(crate) use client::header;
pub use key::DpopKey;
pub(crate) use key::thumbprint_of;
pub use proof::ProofBuilder;

use http::HeaderName;

/// The header with the proof (RFC 9449 §4.1).
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The header with a nonce for the next proof (RFC 9449 §8.1).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
