//! What only salvo has: routes that are read from its routers, endpoints that describe themselves,
//! hoops.

mod document;
mod endpoints;
mod enforced;
mod start_up;
