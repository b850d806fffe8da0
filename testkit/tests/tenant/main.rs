//! The tenant as its users see it: over HTTP, verified by independent code.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod api;
mod asker;
mod assertions;
mod broken_wires;
mod catalogue;
mod client_auth;
mod dpop;
mod expectations;
mod faults;
mod introspection;
mod key_states;
mod keys;
mod mocks;
mod mutual_tls;
mod proofs;
mod reader;
mod serving;
mod step_up;
mod timers;
mod tls;
mod tokens;
