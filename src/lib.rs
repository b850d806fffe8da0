//! Protects a Rust API with the access tokens of a MonoCloud tenant.
