//! What only salvo has: routes that are read from its routers, endpoints that describe themselves,
//! and hoops.

mod document;
mod endpoints;
mod enforced;
mod requirements;
mod start_up;
