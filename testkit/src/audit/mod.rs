//! The audit: convicts any API of what it gets wrong about tokens, by its OpenAPI document.

mod api;
mod base;
mod call;
mod case;
mod challenge;
mod check;
mod control;
mod diagnosis;
mod extent;
mod finding;
mod formats;
mod grant;
mod hostile;
mod mcp;
mod metadata;
mod operation;
mod options;
mod plan;
mod probe;
mod progress;
mod proofs;
mod report;
mod rule;
mod run;
mod sample;
mod subject;
mod tokens;
mod trust;
mod ways;
mod wire;

pub use finding::Finding;
pub use formats::Format;
pub use options::Audit;
pub use report::{Inconclusive, Report, Verdict};
pub use rule::{Grade, Rule};
