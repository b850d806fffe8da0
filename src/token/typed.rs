//! The claims of a token in a type of the application's.

use std::{any::type_name, sync::Arc};

use serde::de::DeserializeOwned;

use super::claims::Claims;

/// A type that a handler takes the caller's claims in: [`Claims`], or any that serde deserializes.
///
/// It is implemented for every `DeserializeOwned + Send + Sync + 'static`, and cannot be implemented
/// otherwise. See [`Authenticated`](crate::Authenticated).
#[diagnostic::on_unimplemented(
    message = "the claims of a token cannot be read into `{Self}`",
    note = "derive `serde::Deserialize` for it, and own what it holds: `String`, not `&str`"
)]
pub trait FromClaims: Read {}

impl<C: Read> FromClaims for C {}

/// What [`FromClaims`] does. Other crates cannot name it, so they cannot implement it.
#[allow(unnameable_types, reason = "that seals the trait")]
pub trait Read: Sized + Send + Sync + 'static {
    /// Reads the claims of a token.
    fn read(claims: &Arc<Claims>) -> Result<Arc<Self>, Unfit>;
}

/// The claims themselves: nothing is read or copied.
impl Read for Claims {
    fn read(claims: &Arc<Claims>) -> Result<Arc<Self>, Unfit> {
        Ok(Arc::clone(claims))
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Read for C {
    fn read(claims: &Arc<Claims>) -> Result<Arc<Self>, Unfit> {
        // Keeping track of the path copies every name, so that is for claims that do not fit.
        let fitting = claims.deserialize();
        fitting.map(Arc::new).map_err(|_| Unfit::new::<C>(claims))
    }
}

/// Where claims do not fit a type. What is found there is left out: serde's own messages quote it.
#[allow(unnameable_types, reason = "that seals the trait")]
#[derive(Debug, Eq, PartialEq)]
pub struct Unfit {
    /// Names and indices, such as `address.lines[2]`; a dot where it is the claims as a whole.
    pub(crate) path: String,
    /// The name of the type.
    pub(crate) expected: &'static str,
}

impl Unfit {
    fn new<C: DeserializeOwned>(claims: &Claims) -> Self {
        let path = match serde_path_to_error::deserialize::<_, C>(claims.values()) {
            Ok(_) => ".".to_owned(),
            Err(error) => path_of(&error),
        };
        Self { path, expected: type_name::<C>() }
    }
}

fn path_of(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path();
    // serde finds a missing member in the object without it, and names it in the message alone.
    let message = error.inner().to_string();
    let missing = message.strip_prefix("missing field `").and_then(|name| name.strip_suffix('`'));
    match missing {
        None => path.to_string(),
        Some(name) if path.iter().next().is_none() => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only read")]
    struct Profile {
        email: String,
        plan: Option<Plan>,
        #[serde(default)]
        address: Option<Address>,
        #[serde(default)]
        limits: BTreeMap<String, u8>,
    }

    #[derive(Debug, Deserialize)]
    enum Plan {
        Free,
        Team { seats: u8 },
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only read")]
    struct Address {
        city: String,
        lines: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(try_from = "BTreeMap<String, Value>")]
    struct Checked;

    impl TryFrom<BTreeMap<String, Value>> for Checked {
        type Error = String;

        fn try_from(claims: BTreeMap<String, Value>) -> Result<Self, String> {
            Err(format!("{claims:?}"))
        }
    }

    fn claims(members: Value) -> Arc<Claims> {
        Arc::new(Claims::for_tests(members))
    }

    fn path<C: FromClaims>(members: Value) -> Option<String> {
        C::read(&claims(members)).err().map(|unfit| unfit.path)
    }

    #[test]
    fn the_claims_themselves_are_the_same_allocation() {
        let claims = claims(json!({"sub": "alice"}));
        assert!(Arc::ptr_eq(&Claims::read(&claims).unwrap(), &claims));
    }

    #[test]
    fn claims_that_fit_are_read_and_others_are_ignored() {
        let members = json!({"email": "a@b.example", "sub": 7, "plan": {"Team": {"seats": 5}}});
        let profile = Profile::read(&claims(members)).unwrap();
        assert_eq!(profile.email, "a@b.example");
        assert!(matches!(profile.plan, Some(Plan::Team { seats: 5 })));
        for absent in [json!({"email": ""}), json!({"email": "", "plan": null})] {
            assert!(Profile::read(&claims(absent)).unwrap().plan.is_none());
        }
        let free = Profile::read(&claims(json!({"email": "", "plan": "Free"}))).unwrap();
        assert!(matches!(free.plan, Some(Plan::Free)));
    }

    #[test]
    fn the_path_leads_to_what_does_not_fit() {
        for (members, expected) in [
            (json!({}), "email"),
            (json!({"email": null}), "email"),
            (json!({"email": 7}), "email"),
            (json!({"email": "", "address": {"city": ""}}), "address.lines"),
            (json!({"email": "", "address": {"city": [], "lines": []}}), "address.city"),
            (json!({"email": "", "address": {"city": "", "lines": ["", 1]}}), "address.lines[1]"),
            (json!({"email": "", "limits": {"posts": 256}}), "limits.posts"),
            (json!({"email": "", "plan": {"Team": {}}}), "plan.Team.seats"),
        ] {
            assert_eq!(path::<Profile>(members.clone()).as_deref(), Some(expected), "{members}");
        }
        assert_eq!(path::<u8>(json!({"email": ""})).as_deref(), Some("."));
    }

    #[test]
    fn no_value_is_in_the_path() {
        for members in [
            json!({"email": {"canary": "canary"}}),
            json!({"email": ["canary"]}),
            json!({"email": "", "plan": "canary"}),
            json!({"email": "", "limits": {"posts": "canary"}}),
        ] {
            let path = path::<Profile>(members.clone()).unwrap();
            assert!(!path.contains("canary"), "{path} for {members}");
        }
        assert_eq!(path::<Checked>(json!({"email": "canary"})).as_deref(), Some("."));
    }
}
