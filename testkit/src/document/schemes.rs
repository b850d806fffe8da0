//! Security schemes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::{
    DocumentError, Scheme, SchemeKind, extensions,
    pointer::{Place, chain},
};

impl SchemeKind {
    /// Whether callers may present a token, of which `x-monocloud-…` members can demand more.
    pub(super) fn may_be_token(&self) -> bool {
        match self {
            Self::Http(scheme) => scheme != "basic",
            Self::ApiKey { .. } | Self::MutualTls => false,
            Self::OAuth2 | Self::OpenIdConnect | Self::Other(_) => true,
        }
    }
}

pub(super) fn read(root: &Map<String, Value>) -> Result<BTreeMap<String, Scheme>, DocumentError> {
    let place = Place::default().at("components").at("securitySchemes");
    let components = root.get("components").and_then(Value::as_object);
    let schemes = match components.and_then(|components| components.get("securitySchemes")) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(schemes)) => schemes,
        Some(_) => return Err(DocumentError::new(&place, "not an object")),
    };
    let named = schemes.iter().filter(|(name, _)| !name.starts_with("x-"));
    named
        .map(|(name, scheme)| Ok((name.clone(), scheme_at(root, scheme, place.at(name))?)))
        .collect()
}

fn scheme_at(
    root: &Map<String, Value>,
    scheme: &Value,
    place: Place,
) -> Result<Scheme, DocumentError> {
    let mut chain = chain(root, scheme, place.clone())?;
    let (members, place) = chain.pop().unwrap_or((scheme, place));
    let Some(members) = members.as_object() else {
        return Err(DocumentError::new(&place, "not an object"));
    };
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let needed = |name: &str| {
        let missing = || DocumentError::new(&place.at(name), "missing, or not a text");
        text(name).ok_or_else(missing)
    };
    let kind = match needed("type")? {
        "apiKey" => {
            SchemeKind::ApiKey { place: needed("in")?.to_owned(), name: needed("name")?.to_owned() }
        }
        "http" => SchemeKind::Http(needed("scheme")?.to_ascii_lowercase()),
        "mutualTLS" => SchemeKind::MutualTls,
        "oauth2" => SchemeKind::OAuth2,
        "openIdConnect" => SchemeKind::OpenIdConnect,
        other => SchemeKind::Other(other.to_owned()),
    };
    extensions::check_names(members, &extensions::ON_SCHEME, &place)?;
    let implies = extensions::implies(members, &place)?;
    Ok(Scheme { kind, implies, members: members.clone() })
}
