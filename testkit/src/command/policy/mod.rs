//! `mock-tenant policy`: who may call an API, by its OpenAPI documents.

mod accept;
mod callers;
mod change;
mod compare;
mod diff;
mod difference;
mod report;
mod source;
mod warnings;
mod words;

pub(crate) use diff::diff;
pub(crate) use report::report;

#[cfg(test)]
mod tests;
