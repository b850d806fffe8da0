//! What only axum has: routes that are found by probing, and layers.

mod document;
mod enforced;
mod guards;
mod start_up;
