//! What the manual promises, case by case, on every host and over real HTTP.
//!
//! - `hosts`: one adapter a host; a further host is one file and one line
//! - `support`: calls and their expected answers, and a tenant that misbehaves
//! - the others: the cases, a file a behaviour

mod answers;
mod bearer;
mod binding;
mod binding_header;
mod binding_tls;
mod budget;
mod claims;
mod client_auth;
mod config;
mod cross_check;
mod diagnosis;
mod diagnosis_token;
mod document_endpoint;
mod documents;
mod error_body;
mod faults;
mod introspection;
mod introspection_cache;
mod introspection_load;
mod jwt;
mod key_choice;
mod keys;
mod log;
mod manners;
mod manual;
mod middleware;
mod mutual_tls;
mod openapi;
mod outage;
mod permissions;
mod properties;
mod refresh;
mod renewal;
mod resource;
mod shape;
mod shared_cache;
mod telemetry;
mod tenants;
mod tls;
