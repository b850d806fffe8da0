//! Who may call an operation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::{
    DocumentError, Requirement, Scheme, SchemeKind, Security, extensions, pointer::Place,
};

/// Reads `security`, of the document or of an operation.
pub(super) fn read(value: &Value, place: &Place) -> Result<Security, DocumentError> {
    let error = |place: &Place, problem| Err(DocumentError::new(place, problem));
    let Some(entries) = value.as_array() else {
        return error(place, "not a list; `[]` makes an operation public");
    };
    let mut alternatives = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let place = place.at(&index.to_string());
        let Some(entry) = entry.as_object() else {
            return error(&place, "not an object that names security schemes");
        };
        let mut requirement = Requirement::default();
        for (name, scopes) in entry {
            let Some(scopes) = extensions::strings(scopes) else {
                return error(&place.at(name), "not a list of scopes; without any, it is `[]`");
            };
            requirement.schemes.insert(name.clone(), scopes);
        }
        alternatives.push(requirement);
    }
    Ok(match alternatives.is_empty() {
        true => Security::Public,
        false => Security::Alternatives(alternatives),
    })
}

/// Adds what the extensions of an operation demand, to each alternative that can be a token.
pub(super) fn extend(
    security: &mut Security,
    operation: &Map<String, Value>,
    schemes: &BTreeMap<String, Scheme>,
    place: &Place,
) -> Result<(), DocumentError> {
    extensions::check_names(operation, &extensions::ON_OPERATION, place)?;
    let own = operation.keys().find(|name| extensions::ON_OPERATION.contains(&name.as_str()));
    let Some(own) = own else { return Ok(()) };
    let all = match security {
        Security::Public => &mut [],
        Security::Alternatives(all) => all.as_mut_slice(),
    };
    let is_token = |requirement: &Requirement| {
        let kind = |name| schemes.get(name).map(|scheme| &scheme.kind);
        requirement.schemes.keys().any(|name| kind(name).is_none_or(SchemeKind::may_be_token))
    };
    if !all.iter().any(&is_token) {
        let problem = "it has no effect, because no `security` of the operation needs a token";
        return Err(DocumentError::new(&place.at(own), problem));
    }
    let none = Vec::new();
    let place_of_each = place.at(extensions::ALTERNATIVES);
    let each = match operation.get(extensions::ALTERNATIVES) {
        None => &none,
        Some(Value::Array(each)) if each.len() == all.len() => each,
        Some(_) => {
            let problem = "not a list with an object for each entry of `security`";
            return Err(DocumentError::new(&place_of_each, problem));
        }
    };
    for (index, requirement) in all.iter_mut().enumerate() {
        let is_token = is_token(requirement);
        if is_token {
            extensions::add(requirement, operation, place)?;
        }
        let Some(members) = each.get(index) else { continue };
        let place = place_of_each.at(&index.to_string());
        let members =
            members.as_object().ok_or_else(|| DocumentError::new(&place, "not an object"))?;
        let known: &[&str] = if is_token { &extensions::ON_ALTERNATIVE } else { &[] };
        extensions::check_names(members, known, &place)?;
        extensions::add(requirement, members, &place)?;
    }
    Ok(())
}
