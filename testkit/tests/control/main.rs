//! The control API over HTTP, as a program in another language uses it.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod caller;
mod clock;
mod document;
mod faults;
mod keys;
mod log;
mod properties;
mod requests;
mod reset;
mod tokens;
