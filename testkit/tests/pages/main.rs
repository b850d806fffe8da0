//! The pages of the tenant, as a browser sees them.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod browser;
mod decoding;
mod document;
mod every_page;
mod live;
mod minting;
mod senders;
mod start_page;
