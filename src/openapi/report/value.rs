//! The report as a value, and how it is read from a document.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    doctor::examination::DemandedAcr,
    openapi::{
        document::{Document, operation_place},
        extensions::strings,
        security::{self, OtherSchemes, Unclear},
    },
    policy::{GroupMatch, ImpliedScopes, Requirement},
    protect::ProtectApi,
};

/// What every operation of a document needs; made by
/// [`ApiDocument::report`](crate::ApiDocument::report) and
/// [`DeclaredApi::report`](crate::openapi::DeclaredApi::report).
///
/// Operations are in the order of their paths, and of their methods at each path. A route that the
/// document does not have is not part of it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PolicyReport {
    /// Every operation of the document.
    pub operations: Vec<OperationPolicy>,
    /// The scopes that a scope implies, by its name, as they are declared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub implied_scopes: BTreeMap<String, BTreeSet<String>>,
}

/// What one operation needs.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OperationPolicy {
    /// As the document writes it, such as `/posts/{id}`.
    pub path: String,
    /// In capitals.
    pub method: String,
    /// The `operationId`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Whether the document says that it should not be used any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// A token must satisfy one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenPolicy>,
    /// What may be presented instead of a token, which the application verifies: schemes that must be
    /// satisfied together, each with its scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_credentials: Vec<BTreeMap<String, Vec<String>>>,
    /// Whether a request without credentials may pass.
    pub anonymous: bool,
}

/// What a token must carry, all of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenPolicy {
    /// All of these scopes, or scopes that imply them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Which groups, and how many of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<RequiredGroups>,
    /// One of these `acr` values, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// How long ago the user may have authenticated, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// Whether the token must be bound to its sender, by certificate or by DPoP key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sender_constrained: bool,
    /// The values of claims, by the names of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Value>,
    /// Schemes that must be satisfied besides, which the application verifies, each with its scopes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_schemes: BTreeMap<String, Vec<String>>,
}

/// Which groups a token must carry. A policy that does not say how many has what the configuration
/// says.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequiredGroups {
    /// One of these.
    Any(Vec<String>),
    /// All of these.
    All(Vec<String>),
}

impl PolicyReport {
    /// The report as indented JSON: for a file that a later one is compared with.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// If the text is not such a report. Unknown members are errors: a requirement that is not
    /// understood could be missed where it is dropped later.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The `acr` values that operations demand, each with the operations.
    pub(in crate::openapi) fn demanded_acr(&self) -> DemandedAcr {
        let mut demanded = DemandedAcr::new();
        for operation in &self.operations {
            for value in operation.tokens.iter().flat_map(|it| &it.acr_values) {
                let operations = demanded.entry(value.clone()).or_default();
                // Several alternatives may list it.
                if operations.last() != Some(&operation.place()) {
                    operations.push(operation.place());
                }
            }
        }
        demanded
    }

    pub(super) fn implications(&self) -> ImpliedScopes {
        let mut implied = ImpliedScopes::default();
        for (scope, others) in &self.implied_scopes {
            implied.declare(scope.clone(), others.iter().cloned());
        }
        implied
    }
}

impl OperationPolicy {
    /// Whether any request may pass, and no token is looked at.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.tokens.is_empty() && (self.anonymous || self.other_credentials.is_empty())
    }

    pub(super) fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Reads what each operation of a document needs, and says of which that is unclear.
pub(in crate::openapi) fn read(
    document: &Document,
    protect: &ProtectApi,
) -> (PolicyReport, Vec<String>) {
    let scheme = protect.scheme_name();
    let root = document.members().get("security");
    let declared = security::declarations(document, scheme, &OtherSchemes::Extracted);
    let (mut operations, mut problems) = (Vec::new(), Vec::new());
    for (operation, (key, declared)) in document.operations().zip(declared) {
        let problem = match declared {
            Ok(access) => {
                let needed = access.unwrap_or_default().alternatives;
                let reader = Reader { scheme, default_match: protect.default_group_match() };
                let entries = operation.operation.get("security").or(root);
                let policy = reader.policy(&key.path, &key.method, operation.operation);
                operations.push(reader.with_entries(policy, entries, needed));
                continue;
            }
            Err(Unclear::Because(why)) => why,
            Err(Unclear::AtRoot) => "it inherits the root security, which is unclear".to_owned(),
        };
        problems.push(format!("{}: {problem}", operation_place(&key.method, &key.path)));
    }
    operations.sort_by(|one, other| (&one.path, &one.method).cmp(&(&other.path, &other.method)));
    let implied_scopes = protect.implied_scopes().declared().clone();
    (PolicyReport { operations, implied_scopes }, problems)
}

struct Reader<'d> {
    scheme: &'d str,
    default_match: GroupMatch,
}

impl Reader<'_> {
    /// What a document says of an operation besides its needs.
    fn policy(&self, path: &str, method: &Method, it: &Map<String, Value>) -> OperationPolicy {
        OperationPolicy {
            path: path.to_owned(),
            method: method.as_str().to_owned(),
            operation_id: it.get("operationId").and_then(Value::as_str).map(str::to_owned),
            deprecated: it.get("deprecated") == Some(&Value::Bool(true)),
            tokens: Vec::new(),
            other_credentials: Vec::new(),
            anonymous: true,
        }
    }

    /// Adds the entries of `security`; those of this library's scheme are `needed`, in their order.
    fn with_entries(
        &self,
        mut policy: OperationPolicy,
        entries: Option<&Value>,
        needed: Vec<Requirement>,
    ) -> OperationPolicy {
        let entries = entries.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let entries = || entries.iter().filter_map(Value::as_object);
        policy.anonymous = entries().all(Map::is_empty) || entries().any(Map::is_empty);
        let mut needed = needed.into_iter();
        for entry in entries().filter(|entry| !entry.is_empty()) {
            let others = entry.iter().filter(|(name, _)| *name != self.scheme);
            let others = others
                .map(|(name, scopes)| (name.clone(), strings(scopes).unwrap_or_default()))
                .collect();
            match entry.contains_key(self.scheme) {
                false => policy.other_credentials.push(others),
                true => policy.tokens.extend(needed.next().map(|it| self.token(it, others))),
            }
        }
        policy
    }

    fn token(&self, it: Requirement, other_schemes: BTreeMap<String, Vec<String>>) -> TokenPolicy {
        let groups = match it.group_match.unwrap_or(self.default_match) {
            _ if it.groups.is_empty() => None,
            GroupMatch::Any => Some(RequiredGroups::Any(it.groups)),
            GroupMatch::All => Some(RequiredGroups::All(it.groups)),
        };
        TokenPolicy {
            scopes: it.scopes,
            groups,
            acr_values: it.acr_values,
            max_age: it.max_age.map(|age| age.as_secs()),
            sender_constrained: it.is_sender_constrained,
            claims: it.claims,
            other_schemes,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
