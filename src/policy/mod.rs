//! What an operation needs of a token.
//!
//! - `constant`: a [`Policy`], a constant with a name
//! - `owned`: a [`PolicyBuf`], the same at run time
//! - `requirement`: one alternative of either, and what of it a token does not meet
//! - `access`: who may call an operation: its alternatives, and whether a token is needed at all
//! - `evidence`: what a request is authorized by
//! - `implied`: scopes that stand for others

mod access;
mod constant;
mod evidence;
mod implied;
mod owned;
mod requirement;

pub(crate) use self::{
    access::Access,
    constant::is_acr_value,
    evidence::{AuthorizationRules, Evidence, GroupMatch},
    implied::ImpliedScopes,
    requirement::{Requirement, is_claim_value},
};
pub use self::{
    constant::{AnyToken, Policy, Require},
    owned::{PolicyBuf, PolicyError},
};
