//! The manual: how to do things, and what to expect.
//!
//! How to: [declare](declaring) what operations need, take callers who may be
//! [anonymous](optional), require [groups], offer [several schemes](several_schemes), take
//! [opaque] tokens, serve the callers of [several tenants](several_tenants), pass client certificates
//! on [behind a proxy](proxies), put CORS, a log and other [middleware] around an API,
//! [test](testing) it, and get out of [trouble](troubleshooting).
//!
//! What to expect: which [tokens] are accepted, what a refused request is
//! [answered](answers) with, how the tenant's [keys] are kept, and what to [watch](watching) while it
//! runs.

#[doc = include_str!("answers.md")]
pub mod answers {}

#[doc = include_str!("declaring.md")]
pub mod declaring {}

#[doc = include_str!("groups.md")]
pub mod groups {}

#[doc = include_str!("keys.md")]
pub mod keys {}

#[doc = include_str!("opaque.md")]
pub mod opaque {}

#[doc = include_str!("middleware.md")]
#[cfg_attr(feature = "axum", doc = "\n# axum\n\n```no_run")]
#[cfg_attr(feature = "axum", doc = include_str!("middleware/axum.rs"))]
#[cfg_attr(feature = "axum", doc = "```")]
#[doc = "\n# poem\n\n```no_run"]
#[doc = include_str!("middleware/poem.rs")]
#[doc = "```\n\n# poem-openapi\n\n```no_run"]
#[doc = include_str!("middleware/poem_openapi.rs")]
#[doc = "```"]
#[cfg_attr(feature = "salvo", doc = "\n# salvo\n\n```no_run")]
#[cfg_attr(feature = "salvo", doc = include_str!("middleware/salvo.rs"))]
#[cfg_attr(feature = "salvo", doc = "```")]
pub mod middleware {}

#[doc = include_str!("optional.md")]
pub mod optional {}

#[doc = include_str!("proxies.md")]
pub mod proxies {}

#[doc = include_str!("several_schemes.md")]
pub mod several_schemes {}

#[doc = include_str!("several_tenants.md")]
pub mod several_tenants {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("tokens.md")]
pub mod tokens {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("watching.md")]
pub mod watching {}
