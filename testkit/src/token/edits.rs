//! The header and the payload of a JWT, as a test changes them.

use serde_json::{Map, Value};

use crate::token::{jws::Unsigned, signing_key::SigningKey};

pub(crate) type Members = Map<String, Value>;

/// Changes to a default header and a default payload. Later ones win.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    header: Vec<Edit>,
    claims: Vec<Edit>,
    raw_header: Option<String>,
    raw_payload: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Edit {
    Set(String, Value),
    Remove(String),
    /// Sets a member of a member, which becomes an object if it is not one.
    Extend(String, &'static str, Value),
}

impl Edits {
    pub(crate) fn set_claim(&mut self, name: &str, value: Value) {
        self.claims.push(Edit::Set(name.to_owned(), value));
    }

    pub(crate) fn remove_claim(&mut self, name: &str) {
        self.claims.push(Edit::Remove(name.to_owned()));
    }

    /// Sets a member of the claim `cnf` and keeps its others (RFC 7800 §3.1).
    pub(crate) fn confirm(&mut self, member: &'static str, value: impl Into<Value>) {
        self.claims.push(Edit::Extend("cnf".to_owned(), member, value.into()));
    }

    pub(crate) fn set_header(&mut self, name: &str, value: Value) {
        self.header.push(Edit::Set(name.to_owned(), value));
    }

    pub(crate) fn remove_header(&mut self, name: &str) {
        self.header.push(Edit::Remove(name.to_owned()));
    }

    /// Makes the header exactly this text.
    pub(crate) fn replace_header(&mut self, text: String) {
        self.raw_header = Some(text);
    }

    /// Makes the payload exactly these bytes.
    pub(crate) fn replace_payload(&mut self, bytes: Vec<u8>) {
        self.raw_payload = Some(bytes);
    }

    /// The changed header and payload, to be signed with `key`.
    pub(crate) fn apply(self, header: Members, claims: Members, key: SigningKey) -> Unsigned {
        let header = self.raw_header.unwrap_or_else(|| edited(header, self.header));
        let edited_claims = || edited(claims, self.claims).into_bytes();
        let payload = self.raw_payload.unwrap_or_else(edited_claims);
        Unsigned { header: header.into_bytes(), payload, key }
    }
}

pub(crate) fn members<const N: usize>(members: [(&str, Value); N]) -> Members {
    members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn edited(mut object: Members, edits: Vec<Edit>) -> String {
    for edit in edits {
        match edit {
            Edit::Set(name, value) => {
                object.insert(name, value);
            }
            Edit::Remove(name) => {
                object.remove(&name);
            }
            Edit::Extend(name, member, value) => {
                let outer = object.entry(name).or_insert(Value::Null);
                if !outer.is_object() {
                    *outer = Members::new().into();
                }
                outer[member] = value;
            }
        }
    }
    Value::Object(object).to_string()
}
