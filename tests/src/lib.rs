//! Helpers for the tests; `README.md` says where a test goes.

#[cfg(feature = "full")]
pub mod given;
#[cfg(feature = "full")]
pub mod hosts;
pub mod memory;
pub mod support;
