//! Protects a Rust API with the access tokens of a MonoCloud tenant.

// Nothing builds a `Config` yet; the allow goes when the first caller comes.
#[allow(dead_code, unreachable_pub, unused_imports)]
mod config;
