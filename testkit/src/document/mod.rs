//! OpenAPI documents: the operations of an API, and what a caller of each needs.

mod extensions;
mod limits;
mod operations;
mod pointer;
mod schemes;
mod security;
mod servers;
mod text;

use std::{collections::BTreeMap, fmt};

use http::Method;
use serde_json::{Map, Value};

use crate::document::{limits::Copies, operations::Reader, pointer::Place};

/// An OpenAPI document of version 3.0, 3.1 or 3.2, in JSON or YAML.
///
/// What would change who may call an operation is read strictly: a member that is written twice, a
/// reference that leads nowhere or in a circle, and a requirement of an unknown shape are errors.
/// References are followed within the document.
///
/// ```
/// use monocloud_testkit::document::Document;
///
/// let document = Document::read(br##"
/// openapi: 3.1.0
/// components:
///   securitySchemes:
///     login: { type: openIdConnect, openIdConnectUrl: https://login.example.com }
/// paths:
///   /posts/{id}:
///     parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
///     get: { security: [{ login: [posts:read] }] }
/// "##).unwrap();
/// let [read] = document.operations.as_slice() else { panic!() };
/// assert_eq!((read.method.as_str(), read.path.as_str()), ("GET", "/posts/{id}"));
/// assert_eq!(read.security.alternatives()[0].schemes["login"], ["posts:read"]);
/// assert_eq!(read.parameters[0].name, "id");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Document {
    /// The version of the OpenAPI Specification, such as `3.1.0`.
    pub version: String,
    /// The title of the API.
    pub title: Option<String>,
    /// The security schemes, by their names.
    pub schemes: BTreeMap<String, Scheme>,
    /// What operations need that say nothing of their own; `None` if the document has no default.
    pub default_security: Option<Security>,
    /// The operations, in the order of their paths and methods.
    pub operations: Vec<Operation>,
    members: Map<String, Value>,
}

impl Document {
    /// The longest text that is read, in bytes: 16 MiB.
    pub const MAX_LENGTH: usize = 16 * 1024 * 1024;

    /// Reads a text, which is JSON if it begins with `{`, and YAML otherwise.
    pub fn read(text: &[u8]) -> Result<Self, DocumentError> {
        let members = text::parse(text)?;
        let version = text::version(&members)?;
        let copies = Copies::default();
        let reader = Reader::new(&members, &version, &copies)?;
        Ok(Self {
            title: reader.title(),
            default_security: reader.default_security()?,
            operations: reader.operations()?,
            schemes: reader.into_schemes(),
            version,
            members,
        })
    }

    /// What a value of this document stands for: the target of its `$ref`, through further ones, or
    /// the value itself. Schemas may contain themselves, so that they are not replaced by their
    /// targets while the document is read.
    pub fn follow<'v>(&'v self, value: &'v Value) -> Result<&'v Value, DocumentError> {
        let chain = pointer::chain(&self.members, value, Place::default())?;
        Ok(chain.last().map_or(value, |(value, _)| value))
    }
}

/// A method on a path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path as the document has it, with parameters in braces.
    pub path: String,
    /// The path of the first server that applies, with the defaults of its variables and without a
    /// `/` at its end: `/v1`, or nothing.
    pub base_path: String,
    /// Its `operationId`.
    pub id: Option<String>,
    /// What it does, in a few words.
    pub summary: Option<String>,
    /// Whether the document discourages its use.
    pub deprecated: bool,
    /// Who may call it.
    pub security: Security,
    /// Its parameters, and those of its path.
    pub parameters: Vec<Parameter>,
    /// The body of its requests.
    pub request_body: Option<RequestBody>,
    /// Its responses by their status: `200`, `4XX` or `default`.
    pub responses: BTreeMap<String, Value>,
}

/// Who may call an operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Security {
    /// Any caller: `security` is empty, or absent from operation and document.
    Public,
    /// Callers that satisfy one of these.
    Alternatives(Vec<Requirement>),
}

impl Security {
    /// The alternatives; none for public operations.
    #[must_use]
    pub fn alternatives(&self) -> &[Requirement] {
        match self {
            Self::Public => &[],
            Self::Alternatives(alternatives) => alternatives,
        }
    }

    /// Whether a request without credentials is accepted, among others or alone.
    #[must_use]
    pub fn permits_anonymous(&self) -> bool {
        match self {
            Self::Public => true,
            Self::Alternatives(all) => all.iter().any(|one| one.schemes.is_empty()),
        }
    }
}

/// What a caller needs, all of it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Requirement {
    /// Credentials of each of these security schemes, with these scopes or roles. If there is none, a
    /// request without credentials is accepted.
    pub schemes: BTreeMap<String, Vec<String>>,
    /// The groups of the caller.
    pub groups: Option<Groups>,
    /// One of these ways to have authenticated (RFC 9470 §4); any if there is none.
    pub acr_values: Vec<String>,
    /// How long ago the user may have authenticated, in seconds (RFC 9470 §4).
    pub max_age: Option<u64>,
    /// Whether the token must be bound to its sender, by certificate or key (RFC 8705, RFC 9449).
    pub sender_constrained: bool,
    /// The values that claims must have or contain.
    pub claims: BTreeMap<String, Value>,
}

/// The groups that a requirement names.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Groups {
    /// Their names; at least one.
    pub names: Vec<String>,
    /// Whether all of them are needed, or any one; `None` if the API's configuration says.
    pub all: Option<bool>,
}

impl Groups {
    /// These groups; see [`all`](Self::all).
    #[must_use]
    pub const fn new(names: Vec<String>, all: Option<bool>) -> Self {
        Self { names, all }
    }
}

/// A security scheme.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scheme {
    /// What a caller presents.
    pub kind: SchemeKind,
    /// The scopes that a scope implies: `x-monocloud-implies`.
    pub implies: BTreeMap<String, Vec<String>>,
    /// All members, as the document has them.
    pub members: Map<String, Value>,
}

/// What a caller presents. `Display` describes it in a few words.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SchemeKind {
    /// A key at this place, `header`, `query` or `cookie`, under this name.
    ApiKey {
        /// `header`, `query` or `cookie`.
        place: String,
        /// The name of the header, the query parameter or the cookie.
        name: String,
    },
    /// The `Authorization` header with this scheme, in lower case: `basic`, `bearer` or another.
    Http(String),
    /// A client certificate.
    MutualTls,
    /// An access token (OAuth 2.0).
    OAuth2,
    /// An access token of an OpenID provider.
    OpenIdConnect,
    /// A type that OpenAPI does not have.
    Other(String),
}

impl fmt::Display for SchemeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey { place, name } => write!(f, "API key in the {place} {name:?}"),
            Self::Http(scheme) => write!(f, "HTTP {scheme}"),
            Self::MutualTls => f.write_str("client certificate"),
            Self::OAuth2 => f.write_str("OAuth 2.0"),
            Self::OpenIdConnect => f.write_str("OpenID Connect"),
            Self::Other(kind) => write!(f, "unknown type {kind:?}"),
        }
    }
}

/// A parameter of a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `path`, `query`, `header`, `cookie` or `querystring`.
    pub location: String,
    /// Whether a request must have it.
    pub required: bool,
    /// All members, as the document has them: `schema`, `content`, `style`, `example` and others.
    pub members: Map<String, Value>,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RequestBody {
    /// Whether a request must have one.
    pub required: bool,
    /// Schemas and examples by media type.
    pub content: BTreeMap<String, Value>,
}

/// Why a text cannot be read as a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DocumentError {
    place: Place,
    problem: String,
}

impl DocumentError {
    fn new(place: &Place, problem: impl Into<String>) -> Self {
        Self { place: place.clone(), problem: problem.into() }
    }

    fn of_all(problem: impl Into<String>) -> Self {
        Self::new(&Place::default(), problem)
    }

    /// Where, as a JSON pointer (RFC 6901); empty if it concerns the document as a whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        self.place.pointer()
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer() {
            "" => f.write_str(&self.problem),
            pointer => write!(f, "#{pointer}: {}", self.problem),
        }
    }
}

impl std::error::Error for DocumentError {}

#[cfg(test)]
mod tests;
