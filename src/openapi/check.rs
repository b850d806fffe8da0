//! What a given document may not say, because it would be read otherwise, or not at all.

use http::Method;
use serde_json::{Map, Value};

use super::{
    document::{ADDITIONAL, custom_method, is_extension, method_of, operation_place, schemes},
    extensions::{
        ACR_VALUES, ALTERNATIVES, CERTIFICATE_BINDING, CLAIMS, DPOP, GROUPS, IMPLIES, INCOMPLETE,
        MAX_AGE, OF_REQUIREMENT, SENDER_CONSTRAINED, strings,
    },
    pointer::follow,
    read::Version,
    references::schemes_behind,
};
use crate::{
    certificate::CertificateBinding,
    config::{DpopMode, Key},
    token::json::Place,
};

/// The extensions of an operation.
const ON_OPERATIONS: [&str; 6] =
    [GROUPS, ACR_VALUES, MAX_AGE, SENDER_CONSTRAINED, CLAIMS, ALTERNATIVES];

/// The extensions of this library's security scheme.
const ON_SCHEME: [&str; 4] = [CERTIFICATE_BINDING, DPOP, IMPLIES, INCOMPLETE];

/// What every extension of this library begins with.
const PREFIX: &str = "x-monocloud";

/// The member that holds requirements.
const SECURITY: &str = "security";

/// By how many letters a name may differ from an extension's and still be taken for a misspelling.
const MAX_TYPOS: usize = 3;

/// Finds extensions of this library, and `security`, where they are not read.
pub(super) fn extensions(
    members: &Map<String, Value>,
    scheme: &str,
    binding: CertificateBinding,
    dpop: DpopMode,
) -> Vec<String> {
    let own_schemes = schemes_behind(members, scheme);
    let own_schemes = own_schemes.iter().map(|name| &**name).collect();
    let configured = [
        (CERTIFICATE_BINDING, binding.word(), Key::ValidateCertificateBinding),
        (DPOP, dpop.word(), Key::Dpop),
    ];
    let mut walk = Walk { own_schemes, configured, problems: Vec::new() };
    walk.members(Kind::Document, &Place::Root, members);
    walk.problems
}

/// Checks that each security scheme can be read.
pub(super) fn security_schemes(members: &Map<String, Value>, problems: &mut Vec<String>) {
    for (name, scheme) in schemes(members) {
        let problem = match follow(members, scheme) {
            Ok(Value::Object(_)) => continue,
            Ok(_) => "it is not an object".to_owned(),
            Err(problem) => problem,
        };
        problems.push(format!("components.securitySchemes.{name}: {problem}"));
    }
}

/// Checks that what scopes of this library's scheme imply can be read.
pub(super) fn implied_scopes(
    members: &Map<String, Value>,
    scheme: &str,
    problems: &mut Vec<String>,
) {
    let own = schemes(members).find(|(name, _)| *name == scheme);
    let implies = own.and_then(|(_, own)| follow(members, own).ok()?.get(IMPLIES));
    let is_lists = |implies: &Map<String, Value>| {
        implies.values().all(|implied| strings(implied).is_some_and(|names| !names.is_empty()))
    };
    if implies.is_some_and(|implies| !implies.as_object().is_some_and(is_lists)) {
        problems.push(format!(
            "components.securitySchemes.{scheme}: its {IMPLIES:?} is not an object with lists of scopes by the scope that implies them"
        ));
    }
}

/// Checks that each operation can be read; references have been followed.
pub(super) fn paths(members: &Map<String, Value>, version: Version, problems: &mut Vec<String>) {
    let needs_paths = version == Version::V3_0
        || !(members.contains_key("components") || members.contains_key("webhooks"));
    match members.get("paths") {
        None if needs_paths => problems.push("it has no `paths`".to_owned()),
        None => {}
        Some(Value::Object(paths)) => {
            for (path, item) in paths.iter().filter(|(path, _)| !is_extension(path)) {
                if path.starts_with('/') {
                    path_item(path, item, version, problems);
                } else {
                    problems.push(format!("{path}: a path begins with `/`"));
                }
            }
        }
        Some(_) => problems.push("its `paths` is not an object".to_owned()),
    }
}

fn path_item(path: &str, item: &Value, version: Version, problems: &mut Vec<String>) {
    let Value::Object(members) = item else {
        return problems.push(format!("{path}: a path item is an object"));
    };
    for (name, value) in members {
        let lower = name.to_ascii_lowercase();
        let is_new = lower == "query" || name == ADDITIONAL;
        if is_new && version < Version::V3_2 {
            problems.push(format!(
                "{path}: {name:?} is of OpenAPI 3.2; write `openapi: 3.2.0`, or remove it"
            ));
        } else if let Some(method) = method_of(name) {
            operation(path, &method, value, problems);
        } else if method_of(&lower).is_some() {
            problems.push(format!("{path}: {name:?} is not read; write `{lower}`"));
        } else if lower == "connect" {
            problems.push(format!(
                "{path}: {name:?} is not read; OpenAPI 3.2 has CONNECT in `{ADDITIONAL}`"
            ));
        } else if name == ADDITIONAL {
            additional_operations(path, value, problems);
        }
    }
}

fn additional_operations(path: &str, operations: &Value, problems: &mut Vec<String>) {
    let Value::Object(operations) = operations else {
        return problems.push(format!("{path}: its `{ADDITIONAL}` is not an object"));
    };
    for (name, value) in operations {
        match custom_method(name) {
            Some(method) => operation(path, &method, value, problems),
            None => problems.push(format!(
                "{path}: {name:?} does not belong in `{ADDITIONAL}`, which is for methods that have no member of their own"
            )),
        }
    }
}

fn operation(path: &str, method: &Method, operation: &Value, problems: &mut Vec<String>) {
    if !operation.is_object() {
        let place = operation_place(method, path);
        problems.push(format!("{place}: an operation is an object"));
    }
}

/// What an object of a document is, as far as it decides what its members mean.
#[derive(Clone, Copy)]
enum Kind {
    Document,
    Components,
    /// Path items by path or name; those that are `served` are the API's own.
    PathItems {
        served: bool,
    },
    PathItem {
        served: bool,
    },
    Operations {
        served: bool,
    },
    Operation {
        served: bool,
    },
    /// What each alternative of an operation requires, and one of them.
    Alternatives,
    Alternative,
    Responses,
    Callbacks,
    SecuritySchemes,
    /// The security scheme of this library.
    OwnScheme,
    /// Objects by names that the author chose.
    Names,
    /// Any other object.
    Object,
    /// Values that are not part of the description, such as examples: they may hold anything.
    Data,
}

impl Kind {
    /// What a member is.
    fn of_member(self, name: &str, value: &Value, own_schemes: &[&str]) -> Self {
        match (self, name) {
            (Self::Document, "components") => Self::Components,
            (Self::Document, "paths") => Self::PathItems { served: true },
            (Self::Document, "webhooks") => Self::PathItems { served: false },
            (Self::Components, "callbacks") => Self::Callbacks,
            (Self::Components, "examples") => Self::Data,
            (Self::Components, "pathItems") => Self::PathItems { served: true },
            (Self::Components, "securitySchemes") => Self::SecuritySchemes,
            (Self::Components, _) => Self::Names,
            (Self::PathItems { served }, _) => Self::PathItem { served },
            (Self::PathItem { served }, ADDITIONAL) => Self::Operations { served },
            (Self::PathItem { served }, name) if method_of(name).is_some() => {
                Self::Operation { served }
            }
            (Self::Operations { served }, _) => Self::Operation { served },
            (Self::Operation { served: true }, ALTERNATIVES) => Self::Alternatives,
            (_, CLAIMS | IMPLIES) => Self::Data,
            (Self::Callbacks, _) => Self::PathItems { served: false },
            (Self::SecuritySchemes, name) if own_schemes.contains(&name) => Self::OwnScheme,
            (Self::SecuritySchemes | Self::Names | Self::Responses, _) => Self::Object,
            (_, "callbacks") => Self::Callbacks,
            (_, "const" | "default" | "enum" | "example" | "examples") => Self::Data,
            // A link's; those of an operation are a list.
            (_, "parameters") if value.is_object() => Self::Data,
            (_, "responses") => Self::Responses,
            (_, "$defs" | "content" | "definitions" | "dependentRequired" | "dependentSchemas")
            | (_, "encoding" | "headers" | "links" | "mapping" | "patternProperties")
            | (_, "properties" | "scopes" | "variables") => Self::Names,
            _ => Self::Object,
        }
    }

    /// Whether the author chose the names of the members, so that they mean nothing.
    fn has_own_names(self) -> bool {
        matches!(
            self,
            Self::Callbacks | Self::Names | Self::Operations { .. } | Self::SecuritySchemes
        )
    }

    /// Whether `security` means something; paths and names are checked elsewhere.
    fn has_security(self) -> bool {
        matches!(self, Self::Document | Self::Operation { .. } | Self::PathItems { .. })
    }

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Operation { served: true } => &ON_OPERATIONS,
            Self::Alternative => &OF_REQUIREMENT,
            Self::OwnScheme => &ON_SCHEME,
            _ => &[],
        }
    }
}

struct Walk<'d> {
    own_schemes: Vec<&'d str>,
    /// The extensions of the scheme that repeat a setting, with its value.
    configured: [(&'static str, &'static str, Key); 2],
    problems: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, kind: Kind, place: &Place<'_>, value: &Value) {
        match (kind, value) {
            (Kind::Data, _) => {}
            (_, Value::Object(members)) => self.members(kind, place, members),
            (_, Value::Array(elements)) => {
                let kind = match kind {
                    Kind::Alternatives => Kind::Alternative,
                    _ => Kind::Object,
                };
                for (index, element) in elements.iter().enumerate() {
                    self.value(kind, &Place::Element(place, index), element);
                }
            }
            _ => {}
        }
    }

    fn members(&mut self, kind: Kind, place: &Place<'_>, members: &Map<String, Value>) {
        for (name, value) in members {
            let problem = match name.to_ascii_lowercase() {
                _ if kind.has_own_names() => None,
                lower if is_meant_for_us(&lower) => self.problem_of_extension(kind, name, value),
                lower if lower.starts_with("x-") => continue,
                lower if name != SECURITY && strsim::osa_distance(&lower, SECURITY) <= 2 => {
                    Some(format!("{name:?} is not read; write `{SECURITY}`"))
                }
                _ if name == SECURITY && !kind.has_security() => Some(
                    "`security` is not read here; write it on each operation, or at the root of the document".to_owned(),
                ),
                _ => None,
            };
            self.problems.extend(problem.map(|problem| format!("{}: {problem}", described(place))));
            let kind = kind.of_member(name, value, &self.own_schemes);
            self.value(kind, &Place::Member(place, name), value);
        }
    }

    fn problem_of_extension(&self, kind: Kind, name: &str, value: &Value) -> Option<String> {
        // `http` schemes have no scopes, so what the operations need is not in it.
        if kind.extensions().contains(&name) && name == INCOMPLETE && *value != false {
            return Some(
                "the document was served while the tenant's metadata was unavailable, and lacks the scopes; take it again once it is complete"
                    .to_owned(),
            );
        }
        if kind.extensions().contains(&name) {
            let differing = self.configured.iter().find(|(it, set, _)| *it == name && value != set);
            return differing.map(|(_, set, key)| {
                format!(
                    "its {name:?} is {value}, and this API is configured for {set:?}; write that, or set {}",
                    key.variable()
                )
            });
        }
        let problem = if ON_OPERATIONS.contains(&name) {
            format!("{name:?} is not read here; write it on each operation")
        } else if ON_SCHEME.contains(&name) {
            format!("{name:?} is read only on the security scheme of this API")
        } else {
            match nearest(&name.to_ascii_lowercase()) {
                Some(nearest) => format!("{name:?} is unknown; write {nearest:?}"),
                None => {
                    format!("{name:?} is unknown; operations may have {}", ON_OPERATIONS.join(", "))
                }
            }
        };
        Some(problem)
    }
}

/// Whether a name, in lower case, is an extension of this library, or a misspelling of one.
fn is_meant_for_us(name: &str) -> bool {
    name.starts_with(PREFIX) || (name.starts_with("x-") && nearest(name).is_some())
}

/// The extension that a misspelt name, in lower case, is meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    let known = ON_OPERATIONS.iter().chain(&ON_SCHEME);
    let typos = known.map(|known| (strsim::osa_distance(name, known), *known));
    typos.filter(|(typos, _)| *typos <= MAX_TYPOS).min().map(|(_, known)| known)
}

/// An object's place: the operation or the path it belongs to, and where it is there.
fn described(place: &Place<'_>) -> String {
    let names = place.names();
    let names: Vec<_> = names.iter().map(|name| &**name).collect();
    let (operation, rest) = match names.as_slice() {
        ["paths", path, ADDITIONAL, method, rest @ ..] => (format!("{method} {path}"), rest),
        ["paths", path, method, rest @ ..] if method_of(method).is_some() => {
            (format!("{} {path}", method.to_ascii_uppercase()), rest)
        }
        ["paths", path, rest @ ..] => ((*path).to_owned(), rest),
        _ => return place.to_string(),
    };
    match rest {
        [] => operation,
        rest => format!("{operation}, at {}", rest.join(".")),
    }
}
