//! What changed between two documents.

use std::collections::{BTreeMap, BTreeSet};

use monocloud_testkit::document::{Document, Operation, Scheme, SchemeKind, Security};
use serde_json::Value;

use super::{callers::Implications, compare::differences, words};

const DPOP: &str = "x-monocloud-dpop";
const CERTIFICATES: &str = "x-monocloud-certificate-binding";

/// What became weaker, stronger or neither, a line each, which begins with an operation or a scheme.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Changes {
    pub(super) weakened: BTreeSet<String>,
    pub(super) strengthened: BTreeSet<String>,
    /// Operations that permit the same callers, and new ones that are not weak.
    pub(super) neutral: Vec<String>,
}

impl Changes {
    pub(super) fn between(old: &Document, new: &Document) -> Self {
        let mut changes = Self::default();
        // Scopes that imply others are a change of their own, and not one of every operation.
        let implied = Implications::of(old);
        changes.of_schemes(old, new, &implied);
        let pairs = Pairs::of(old, new);
        for (before, after) in &pairs.both {
            changes.of_operation(before, after, &implied);
        }
        for operation in pairs.removed {
            changes.strengthened.insert(format!("{}: removed", words::place(operation)));
        }
        for operation in pairs.added {
            changes.of_new(operation, old.default_security.as_ref(), &implied);
        }
        changes
    }

    fn of_operation(&mut self, old: &Operation, new: &Operation, implied: &Implications) {
        let place = words::place(new);
        let weaker = differences(&old.security, &new.security, implied);
        let stronger = differences(&new.security, &old.security, implied);
        if weaker.is_empty() && stronger.is_empty() {
            self.neutral.push(place);
            return;
        }
        self.weakened.extend(weaker.iter().map(|it| format!("{place}: {}", it.weakened())));
        let stronger = stronger.iter().map(|it| format!("{place}: {}", it.strengthened()));
        self.strengthened.extend(stronger);
    }

    fn of_new(&mut self, new: &Operation, default: Option<&Security>, implied: &Implications) {
        let place = words::place(new);
        if new.security.permits_anonymous() {
            let is_all = new.security.alternatives().iter().all(|one| one.schemes.is_empty());
            let what = if is_all { "new and public" } else { "new, with optional credentials" };
            self.weakened.insert(format!("{place}: {what}"));
            return;
        }
        let weaker = default.map(|default| differences(default, &new.security, implied));
        let weaker = weaker.unwrap_or_default();
        if weaker.is_empty() {
            self.neutral.push(format!("{place}: new, needs {}", words::security(&new.security)));
        }
        let below = weaker
            .iter()
            .map(|it| format!("{place}: new, and weaker than the default: {}", it.weakened()));
        self.weakened.extend(below);
    }

    fn of_schemes(&mut self, old: &Document, new: &Document, implied: &Implications) {
        let implied_now = Implications::of(new);
        for (name, after) in &new.schemes {
            let Some(before) = old.schemes.get(name) else { continue };
            let place = words::clean(&format!("scheme {name}"));
            if before.kind != after.kind {
                self.weakened.insert(format!("{place}: {} became {}", before.kind, after.kind));
            }
            let (issuers, issuers_now) = (issuers(before), issuers(after));
            if !issuers.is_empty() {
                let added = issuers_now.difference(&issuers);
                self.weakened.extend(added.map(|it| format!("{place}: issuer {it} accepted too")));
                let gone = issuers.difference(&issuers_now);
                self.strengthened
                    .extend(gone.map(|it| format!("{place}: issuer {it} no longer accepted")));
            }
            let (pairs, pairs_now) = (implied.pairs(name), implied_now.pairs(name));
            let said = |(scope, other): &(&str, &str), verb| {
                words::clean(&format!("{place}: scope {scope} {verb} {other}"))
            };
            let added = pairs_now.difference(&pairs);
            self.weakened.extend(added.map(|pair| said(pair, "now implies")));
            let gone = pairs.difference(&pairs_now);
            self.strengthened.extend(gone.map(|pair| said(pair, "no longer implies")));
            for extension in [DPOP, CERTIFICATES] {
                let (was, is) = (word(before, extension), word(after, extension));
                let line = format!("{place}: {extension} changed from {was} to {is}");
                match (strictness(was), strictness(is)) {
                    (was, is) if was > is => self.weakened.insert(line),
                    (was, is) if was < is => self.strengthened.insert(line),
                    _ => false,
                };
            }
        }
    }
}

/// The operations of two documents.
#[derive(Default)]
struct Pairs<'d> {
    both: Vec<(&'d Operation, &'d Operation)>,
    removed: Vec<&'d Operation>,
    added: Vec<&'d Operation>,
}

impl<'d> Pairs<'d> {
    /// Pairs operations by method and path, and what is left regardless of the names of parameters.
    fn of(old: &'d Document, new: &'d Document) -> Self {
        let exact = |it: &Operation| (it.method.to_string(), it.path.clone());
        let mut left: BTreeMap<_, _> = old.operations.iter().map(|it| (exact(it), it)).collect();
        let mut pairs = Self::default();
        for operation in &new.operations {
            match left.remove(&exact(operation)) {
                Some(before) => pairs.both.push((before, operation)),
                None => pairs.added.push(operation),
            }
        }
        let mut renamed: BTreeMap<_, _> =
            left.into_values().map(|it| ((it.method.to_string(), unnamed(&it.path)), it)).collect();
        let added = std::mem::take(&mut pairs.added);
        for operation in added {
            match renamed.remove(&(operation.method.to_string(), unnamed(&operation.path))) {
                Some(before) => pairs.both.push((before, operation)),
                None => pairs.added.push(operation),
            }
        }
        pairs.removed = renamed.into_values().collect();
        pairs
    }
}

/// A path without the names of its parameters.
fn unnamed(path: &str) -> String {
    let mut parts = path.split('{');
    let mut unnamed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        unnamed.push_str("{}");
        unnamed.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    unnamed
}

/// The issuers of the tokens of a scheme: the document of an OpenID provider, or the origins of an
/// authorization server, whose endpoints can have any path.
fn issuers(scheme: &Scheme) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().map(words::clean);
    if scheme.kind == SchemeKind::OpenIdConnect {
        return scheme.members.get("openIdConnectUrl").and_then(text).into_iter().collect();
    }
    let flows = scheme.members.get("flows").and_then(Value::as_object);
    let flows = flows.into_iter().flat_map(|flows| flows.values());
    let urls = flows.flat_map(|flow| {
        let names = ["tokenUrl", "authorizationUrl", "deviceAuthorizationUrl"];
        names.into_iter().filter_map(|name| flow.get(name))
    });
    urls.filter_map(text).filter_map(|url| origin(&url)).collect()
}

fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{authority}").to_ascii_lowercase())
}

fn word<'s>(scheme: &'s Scheme, extension: &str) -> &'s str {
    scheme.members.get(extension).and_then(Value::as_str).unwrap_or("unset")
}

fn strictness(word: &str) -> u8 {
    match word {
        "required" => 2,
        "dangerously_ignore" => 0,
        _ => 1,
    }
}
