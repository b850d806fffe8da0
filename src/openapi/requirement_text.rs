//! An operation's requirement in words, for people who read the document: Swagger UI shows no
//! scopes on an operation.

use serde_json::{Map, Value};

use crate::policy::{Access, GroupMatch, Requirement};

/// What an operation requires beyond a valid token, as a sentence in `CommonMark`; `None` if it
/// requires nothing. `default_match` applies to groups that do not say whether any or all count.
pub(super) fn sentence(access: &Access, default_match: GroupMatch) -> Option<String> {
    let mut clauses: Vec<String> = Vec::new();
    for requirement in &access.alternatives {
        // Where any valid token is an alternative, the others require nothing.
        let clause = clause(requirement, default_match)?;
        if !clauses.contains(&clause) {
            clauses.push(clause);
        }
    }
    let clauses = Some(clauses.join(", or ")).filter(|clauses| !clauses.is_empty())?;
    Some(match access.is_optional() {
        false => format!("Requires {clauses}."),
        true => format!("A token that is sent requires {clauses}."),
    })
}

/// Appends the sentence to an operation's description as a paragraph of its own, unless it is there
/// already: a document that was served may be supplied again.
pub(super) fn append(operation: &mut Map<String, Value>, sentence: &str) {
    let description = match operation.get("description") {
        None => "",
        Some(Value::String(description)) => description.trim_end(),
        Some(_) => return,
    };
    let description = match description.rsplit("\n\n").next().map(str::trim) {
        Some("") | None => sentence.to_owned(),
        Some(last) if last == sentence => return,
        Some(_) => format!("{description}\n\n{sentence}"),
    };
    operation.insert("description".to_owned(), description.into());
}

/// What one alternative requires beyond a valid token; `None` if it requires nothing.
pub(super) fn clause(requirement: &Requirement, default_match: GroupMatch) -> Option<String> {
    let mut clauses = Vec::new();
    if !requirement.scopes.is_empty() {
        clauses.push(list(&requirement.scopes, "and"));
    }
    match (requirement.groups.as_slice(), requirement.group_match) {
        ([], _) => {}
        ([group], _) => clauses.push(format!("the group {}", code(group))),
        (groups, any_or_all) => clauses.push(match any_or_all.unwrap_or(default_match) {
            GroupMatch::Any => format!("one of the groups {}", list(groups, "or")),
            GroupMatch::All => format!("all of the groups {}", list(groups, "and")),
        }),
    }
    for (name, value) in &requirement.claims {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        clauses.push(format!("the claim {} to be {}", code(name), code(&value)));
    }
    if !requirement.acr_values.is_empty() {
        clauses.push(format!("authentication by {}", list(&requirement.acr_values, "or")));
    }
    if let Some(max_age) = requirement.max_age {
        let seconds = max_age.as_secs();
        clauses.push(format!("authentication at most {seconds} seconds ago"));
    }
    if requirement.is_sender_constrained {
        clauses
            .push("a token that is bound to its sender by certificate or by DPoP key".to_owned());
    }
    (!clauses.is_empty()).then(|| clauses.join(" and "))
}

/// Names as code, with a word before the last one.
pub(super) fn list(names: &[String], conjunction: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {conjunction} {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A code span (`CommonMark` §6.1): its fence is longer than any run of backticks in it.
pub(super) fn code(name: &str) -> String {
    let name: String =
        name.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let runs = name.split(|char| char != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default() + 1);
    match name.contains('`') {
        false => format!("{fence}{name}{fence}"),
        true => format!("{fence} {name} {fence}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::policy::Policy;

    fn of(access: &Access) -> Option<String> {
        sentence(access, GroupMatch::Any)
    }

    #[test]
    fn scopes_and_groups_are_named() {
        const ANY: Policy = Policy::ANY_TOKEN;
        for (policy, expected) in [
            (ANY.scopes(&["posts:read"]), "Requires `posts:read`."),
            (ANY.scopes(&["a", "b", "c"]), "Requires `a`, `b` and `c`."),
            (ANY.groups(&["admin"]), "Requires the group `admin`."),
            (ANY.groups(&["x", "y"]), "Requires one of the groups `x` or `y`."),
            (ANY.all_groups(&["x", "y"]), "Requires all of the groups `x` and `y`."),
            (ANY.scopes(&["a"]).any_group(&["x"]), "Requires `a` and the group `x`."),
            (ANY.any_group(&["a`b", "\n"]), "Requires one of the groups `` a`b `` or ` `."),
        ] {
            assert_eq!(of(&policy.into()).as_deref(), Some(expected));
        }
        let strong = ANY
            .scopes(&["a"])
            .acr_values(&["mfa", "phr"])
            .max_age(Duration::from_secs(300))
            .sender_constrained()
            .claim("plan", "pro");
        assert_eq!(
            of(&strong.into()).unwrap(),
            "Requires `a` and the claim `plan` to be `pro` and authentication by `mfa` or `phr` and \
             authentication at most 300 seconds ago and a token that is bound to its sender by \
             certificate or by DPoP key."
        );
        let all = sentence(&ANY.groups(&["x", "y"]).into(), GroupMatch::All);
        assert_eq!(all.as_deref(), Some("Requires all of the groups `x` and `y`."));
    }

    #[test]
    fn alternatives_are_joined_and_any_token_requires_nothing() {
        let [scope, group] =
            [Policy::ANY_TOKEN.scopes(&["a"]), Policy::ANY_TOKEN.any_group(&["x"])];
        let access = |alternatives: &[Policy]| Access {
            alternatives: alternatives.iter().map(|policy| (*policy).into()).collect(),
            ..Access::default()
        };
        let joined = of(&access(&[scope, group, scope]));
        assert_eq!(joined.as_deref(), Some("Requires `a`, or the group `x`."));
        assert_eq!(of(&access(&[scope, Policy::ANY_TOKEN])), None);
        assert_eq!(of(&Policy::ANY_TOKEN.into()), None);
        assert_eq!(of(&Access::default()), None);
        let optional = Access { is_anonymous_allowed: true, ..scope.into() };
        assert_eq!(of(&optional).as_deref(), Some("A token that is sent requires `a`."));
    }

    #[test]
    fn the_sentence_is_a_paragraph_of_its_own_and_stands_there_once() {
        for (before, after) in [
            (json!({}), "Requires `a`."),
            (json!({ "description": "" }), "Requires `a`."),
            (json!({ "description": "All posts\n" }), "All posts\n\nRequires `a`."),
            (json!({ "description": "Requires `a`." }), "Requires `a`."),
            (json!({ "description": "Requires `b`." }), "Requires `b`.\n\nRequires `a`."),
        ] {
            let Value::Object(mut operation) = before else { unreachable!() };
            for _ in 0..2 {
                append(&mut operation, "Requires `a`.");
                assert_eq!(operation["description"], after);
            }
        }
    }
}
