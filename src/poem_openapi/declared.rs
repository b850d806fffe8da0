//! poem-openapi's raw document, turned into one that says what it requires in OpenAPI's own words.
//!
//! In the raw document each policy is a scheme of its own (see `policy_name`). Here they become one
//! scheme with scopes, and groups in an extension; defaults are added.

use std::{collections::BTreeSet, marker::PhantomData};

use poem_openapi::{
    OpenApi, OpenApiService,
    registry::{MetaApi, MetaOperation, MetaPath, Registry},
};
use serde_json::{Map, Value, json};

use super::{policy_name, raw, routes::RouteTable};
use crate::openapi::{
    document::{self, Document},
    plan::Plan,
    security::{self, OperationKey, Unclear},
};

/// What an API declares of its operations.
pub(super) struct Declared {
    pub(super) document: Document,
    /// Operations whose declaration is not clear.
    pub(super) unclear: Vec<(OperationKey, Unclear)>,
}

impl Declared {
    /// Reads what a type declares, without a value of it.
    ///
    /// # Errors
    ///
    /// What is wrong with the framework's document, if it cannot be parsed.
    pub(super) fn by<T: OpenApi>(plan: &Plan, scheme: &str) -> Result<Self, String> {
        let service = OpenApiService::new(Metadata::<T>(PhantomData), "", "");
        let mut declared = Self::of(raw::parse(&service.spec())?, plan, "", scheme);
        declared.unclear.extend(not_in_the_document::<T>());
        Ok(declared)
    }

    /// Reads a raw document whose paths begin with `prefix`.
    pub(super) fn of(mut document: Document, plan: &Plan, prefix: &str, scheme: &str) -> Self {
        let mut unclear = Vec::new();
        forget_policy_schemes(&mut document);
        document.rewrite(|path, method, operation| {
            if let Err(reason) = unite_schemes(operation, scheme) {
                let path = path.strip_prefix(prefix).unwrap_or(path).to_owned();
                unclear.push((OperationKey { path, method: method.clone() }, because(reason)));
            }
        });
        unclear.extend(plan.apply(&mut document, prefix, scheme));
        Self { document, unclear }
    }
}

fn because(reason: &str) -> Unclear {
    Unclear::Because(reason.to_owned())
}

/// Operations that a document has no place for: it shows one of each method and path, and knows
/// fewer methods than there are.
fn not_in_the_document<T: OpenApi>() -> Vec<(OperationKey, Unclear)> {
    let mut seen = Vec::new();
    let mut lost = Vec::new();
    for (key, _) in keys::<T>() {
        if !document::is_method(&key.method) {
            lost.push((key, because("OpenAPI has no such method; hide the operation")));
        } else if seen.contains(&key) {
            let reason = "two operations are documented there, and one would be lost; rename one";
            lost.push((key, because(reason)));
        } else {
            seen.push(key);
        }
    }
    lost
}

/// Every operation that an API wants documented.
pub(super) fn keys<T: OpenApi>() -> impl Iterator<Item = (OperationKey, MetaOperation)> {
    let paths = T::meta().into_iter().flat_map(|api| api.paths);
    paths.flat_map(|MetaPath { path, operations }| {
        operations.into_iter().map(move |operation| {
            let key = OperationKey { path: path.clone(), method: operation.method.clone() };
            (key, operation)
        })
    })
}

/// An API of which only the metadata is asked.
struct Metadata<T>(PhantomData<fn() -> T>);

impl<T: OpenApi> OpenApi for Metadata<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, _: &mut RouteTable) {}
}

fn forget_policy_schemes(document: &mut Document) {
    let components = document.members_mut().get_mut("components");
    let schemes = components.and_then(|components| components.get_mut("securitySchemes"));
    if let Some(schemes) = schemes.and_then(Value::as_object_mut) {
        schemes.retain(|name, _| policy_name::alternatives(name).is_none());
    }
}

/// Replaces the schemes of policies by the one scheme with scopes, in as many entries as the policy
/// has alternatives.
fn unite_schemes(operation: &mut Map<String, Value>, scheme: &str) -> Result<(), &'static str> {
    let Some(Value::Array(listed)) = operation.get("security") else { return Ok(()) };
    let mut entries = Vec::new();
    let mut bearers = 0;
    let mut declared_scopes = BTreeSet::new();
    for entry in listed {
        // poem-openapi writes one scheme an alternative.
        let Some((name, scopes)) = entry.as_object().and_then(|schemes| schemes.iter().next())
        else {
            entries.push((entry.clone(), None));
            continue;
        };
        let declared: Vec<String> = scopes
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        declared_scopes.insert(declared.clone());
        let Some(alternatives) = policy_name::alternatives(name) else {
            entries.push((entry.clone(), None));
            continue;
        };
        bearers += 1;
        for mut requirement in alternatives {
            requirement.scopes.extend(declared.iter().cloned());
            entries.push((json!({ scheme: requirement.scopes }), Some(requirement)));
        }
    }
    if bearers > 1 {
        return Err("two of its arguments are bearer tokens; take one, with all scopes on it");
    }
    // The scopes of an argument are written to every scheme of it.
    if bearers == 1 && declared_scopes.len() > 1 {
        return Err("a bearer token and another scheme are two arguments; make them one enum");
    }
    if bearers == 1 {
        security::write(operation, entries);
    }
    Ok(())
}
