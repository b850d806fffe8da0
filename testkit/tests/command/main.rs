//! The command `mock-tenant` as its users see it: a process with arguments, output and a code.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, clippy::print_stderr)]

mod audit;
mod catalogue;
mod config;
mod decode;
mod help;
mod policy;
mod process;
mod python;
mod run;
mod token;
