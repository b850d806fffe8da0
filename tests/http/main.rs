//! What the manual promises, case by case, on every host and over real HTTP.
//!
//! - `hosts`: one adapter a host; a further host is one file and one line
//! - `support`: calls and their expected answers, and a tenant that misbehaves
//! - the others: the cases, a file a behaviour

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test's mistake is best told by a panic"
)]

mod answers;
mod bearer;
mod binding;
mod binding_header;
mod binding_tls;
mod budget;
mod claims;
mod client_auth;
mod config;
mod diagnosis;
mod diagnosis_token;
mod document_endpoint;
mod documents;
mod error_body;
mod faults;
mod hosts;
mod introspection;
mod introspection_cache;
mod introspection_load;
mod jwt;
mod key_choice;
mod keys;
mod log;
mod manners;
#[path = "../memory/mod.rs"]
mod memory;
mod middleware;
mod mutual_tls;
mod openapi;
mod outage;
mod permissions;
mod refresh;
mod renewal;
mod resource;
mod shape;
mod shared_cache;
mod support;
mod tenants;
mod tls;
