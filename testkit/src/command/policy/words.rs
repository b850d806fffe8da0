//! Operations and what they need, in words that are the same in every output.

use monocloud_testkit::document::{Groups, Operation, Requirement, Security};

/// The method and the path.
pub(super) fn place(operation: &Operation) -> String {
    clean(&format!("{} {}", operation.method, operation.path))
}

pub(super) fn security(security: &Security) -> String {
    match security {
        Security::Alternatives(all) => all.iter().map(requirement).collect::<Vec<_>>().join(" or "),
        _ => "public".to_owned(),
    }
}

pub(super) fn requirement(requirement: &Requirement) -> String {
    if requirement.schemes.is_empty() {
        return "no credentials".to_owned();
    }
    let schemes = requirement.schemes.iter().map(|(name, scopes)| match scopes.as_slice() {
        [] => name.clone(),
        scopes => format!("{name}({})", scopes.join(", ")),
    });
    let acr = (!requirement.acr_values.is_empty()).then(|| acr(&requirement.acr_values));
    let claims = requirement.claims.iter().map(|(name, value)| format!("claim {name}={value}"));
    let parts = schemes
        .chain(requirement.groups.as_ref().map(groups))
        .chain(acr)
        .chain(requirement.max_age.map(|seconds| format!("max age {seconds} s")))
        .chain(requirement.sender_constrained.then(|| "sender-constrained".to_owned()))
        .chain(claims);
    clean(&parts.collect::<Vec<_>>().join(" + "))
}

pub(super) fn groups(groups: &Groups) -> String {
    match (groups.names.as_slice(), groups.all) {
        ([name], _) => format!("group {name}"),
        (names, Some(true)) => format!("groups {}", names.join(", ")),
        (names, _) => format!("any group of {}", names.join(", ")),
    }
}

pub(super) fn acr(values: &[String]) -> String {
    format!("acr {}", values.join(" or "))
}

/// Without control characters, which would break lines and reach terminals.
pub(super) fn clean(text: &str) -> String {
    let clean = |letter: char| match letter.is_control() {
        true => letter.escape_unicode().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(clean).collect()
}
