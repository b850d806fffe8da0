//! What every operation of a document needs, for reviewers and for snapshot tests.
//!
//! - `value`: the report, and how it is read from a document
//! - `markdown`: the report as a table
//! - `weakening`: what a later report permits that an earlier one did not
//! - `coverage`: what one alternative permits that another one did not

mod coverage;
mod markdown;
pub(super) mod value;
mod weakening;

#[cfg(test)]
mod tests;

pub use self::{
    coverage::WeakeningKind,
    value::{OperationPolicy, PolicyReport, RequiredGroups, TokenPolicy},
    weakening::Weakening,
};
