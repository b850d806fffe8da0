//! What only axum has: routes that are found by probes, layers.

mod document;
mod enforced;
mod guards;
mod start_up;
