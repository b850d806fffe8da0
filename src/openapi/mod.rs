//! OpenAPI documents, whatever framework they come from: what they require, and how they end.
//!
//! - `declared`: an API whose document is given
//! - `document`: a document as JSON, and the operations in it
//! - `read`, `yaml`: the text of a given document, parsed strictly
//! - `references`, `pointer`: local references, followed
//! - `check`: what a given document may not say
//! - `extensions`: the names of this library's extensions
//! - `error`: why an API does not start
//! - `order`: the order in which a document is written
//! - `operations`: which documented operation a route is, and what a request to it needs
//! - `problems`: what prevents an API from starting
//! - `nearest`: what was probably meant by a name that does not exist
//! - `plan`: defaults, public and hidden operations
//! - `security`: an operation's requirement, read and written
//! - `finish`: the document that is served, with the tenant's own endpoints in it
//! - `requirement_text`, `refusals`: what it says of an operation that can reject a request
//! - `report`: what every operation needs, for reviewers, and what became weaker
//! - `serve`: the document as a response
//! - `swagger_ui`: the page that shows it
//!
//! What a document says an operation needs is all there is: the same text is enforced and shown.

mod check;
mod declared;
pub(crate) mod document;
mod error;
pub mod extensions;
mod finish;
mod nearest;
pub(crate) mod operations;
pub(crate) mod order;
pub(crate) mod plan;
mod pointer;
mod problems;
mod read;
mod references;
mod refusals;
mod report;
mod requirement_text;
pub(crate) mod security;
mod serve;
#[cfg(feature = "swagger-ui")]
mod swagger_ui;
#[cfg(feature = "yaml")]
mod yaml;

pub(crate) use self::declared::Declaration;
#[cfg(test)]
pub(crate) use self::declared::{UNCLEAR_PATHS, unclear_api};
#[cfg(feature = "swagger-ui")]
pub use self::swagger_ui::SwaggerUi;
pub use self::{
    declared::{DeclaredApi, Routes},
    error::DocumentError,
    report::{
        OperationPolicy, PolicyReport, RequiredGroups, TokenPolicy, Weakening, WeakeningKind,
    },
    serve::{ApiDocument, DocumentEndpoint},
};
