//! What tokens are made of: algorithms, keys and signatures.

mod algorithm;
#[cfg(feature = "pages")]
mod decoded;
mod edits;
mod json;
mod jws;
mod key_ring;
mod public_key;
mod rsa_pool;
mod signing_key;

pub use algorithm::Algorithm;
#[cfg(feature = "pages")]
pub use decoded::Decoded;
pub(crate) use edits::{Edits, Members, members};
pub(crate) use json::to_json;
pub(crate) use jws::Unsigned;
pub(crate) use key_ring::KeyRing;
pub use key_ring::Signer;
pub(crate) use public_key::PublicKey;
pub(crate) use signing_key::{SigningKey, base64url, random_id};
