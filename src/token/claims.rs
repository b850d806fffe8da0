//! What a token says (RFC 7519 §4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::json;

/// The latest time a claim may name: the last second of the year 9999.
const MAX_NUMERIC_DATE: f64 = 253_402_300_799.0;

/// The claims of a validated token.
///
/// They serialise as the JSON object the token carried. Reach a claim of your own by
/// [`get`](Self::get), or take all of them in a type of yours, as
/// [`Authenticated`](crate::Authenticated) does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) const fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Claims that no token carried, for unit tests of handlers.
    ///
    /// # Panics
    ///
    /// If `claims` is not a JSON object.
    #[must_use]
    pub fn for_tests(claims: Value) -> Self {
        let is_object = claims.is_object();
        assert!(is_object, "claims are a JSON object, such as `json!({{\"sub\": \"alice\"}})`");
        match claims {
            Value::Object(members) => Self(members),
            _ => Self(Map::new()),
        }
    }

    /// `sub`: who the token is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.string("sub")
    }

    /// `iss`: who issued the token.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.string("iss")
    }

    /// `client_id`: the application the token was issued to (RFC 9068 §2.2).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.string("client_id")
    }

    /// `aud`: the APIs the token is for.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        strings(self.get("aud"))
    }

    /// `exp`: when the token expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        let seconds = numeric_date(self.get("exp")?)?;
        UNIX_EPOCH.checked_add(Duration::from_secs_f64(seconds))
    }

    /// `auth_time`: when the user authenticated, in seconds since the epoch.
    pub(crate) fn authenticated_at_seconds(&self) -> Option<f64> {
        self.get("auth_time").and_then(numeric_date)
    }

    /// `acr`: how the user authenticated (RFC 9470 §6).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.string("acr")
    }

    /// `scope`: what the token permits, from a blank-separated string or an array of strings.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scope = self.get("scope");
        let joined = scope.and_then(Value::as_str).unwrap_or_default();
        let listed = scope.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        joined.split_ascii_whitespace().chain(listed.iter().filter_map(Value::as_str))
    }

    /// Whether the token carries a scope, compared exactly.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    /// Whether the claim named `claim` lists a group, by a string or by the `id` or the `name` of
    /// an object; other entries are skipped, and another shape holds no groups.
    #[must_use]
    pub fn has_group(&self, claim: &str, group: &str) -> bool {
        let entries = self.get(claim).and_then(Value::as_array).map(Vec::as_slice);
        entries.unwrap_or_default().iter().any(|entry| match entry {
            Value::String(name) => name == group,
            Value::Object(members) => ["id", "name"]
                .iter()
                .any(|key| members.get(*key).and_then(Value::as_str) == Some(group)),
            _ => false,
        })
    }

    /// A claim by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Reads the claims into a type of the application's.
    ///
    /// # Errors
    ///
    /// What serde finds missing or misshapen.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.0)
    }

    pub(super) const fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// About how much memory they occupy beside the value itself, in bytes.
    pub(crate) fn heap_size(&self) -> usize {
        json::heap_size_of_object(&self.0)
    }

    pub(super) fn string(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }
}

/// A `NumericDate` in seconds (RFC 7519 §2), fractions included.
pub(crate) fn numeric_date(value: &Value) -> Option<f64> {
    value.as_f64().filter(|seconds| (0.0..=MAX_NUMERIC_DATE).contains(seconds))
}

/// The strings in a claim that is one string or an array.
pub(super) fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    list.iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        let Value::Object(members) = value else { panic!("an object") };
        Claims::new(members)
    }

    /// Validates a good token in which one claim was replaced, or removed where it is null.
    #[test]
    fn the_registered_claims_can_be_asked_for_by_name() {
        let full = claims(json!({
            "iss": "https://acme.test", "sub": "alice", "client_id": "app", "aud": ["api", "other"],
            "exp": 1.5,
        }));
        assert_eq!(full.issuer(), Some("https://acme.test"));
        assert_eq!(full.subject(), Some("alice"));
        assert_eq!(full.client_id(), Some("app"));
        assert_eq!(full.audience().collect::<Vec<_>>(), ["api", "other"]);
        assert_eq!(full.expires_at(), Some(UNIX_EPOCH + Duration::from_millis(1500)));
        assert_eq!(claims(json!({"aud": "api"})).audience().collect::<Vec<_>>(), ["api"]);
        for odd in [json!({}), json!({"sub": 1, "client_id": 1, "aud": 1, "exp": "1"})] {
            let odd = claims(odd);
            assert_eq!((odd.issuer(), odd.subject(), odd.client_id()), (None, None, None));
            assert_eq!((odd.audience().count(), odd.expires_at()), (0, None));
        }
    }

    #[test]
    fn claims_for_tests_are_those_of_an_object_and_nothing_else_is_taken() {
        let taken = Claims::for_tests(json!({"sub": "alice"}));
        assert_eq!(taken, claims(json!({"sub": "alice"})));
        for odd in [json!(null), json!([]), json!("alice")] {
            assert!(std::panic::catch_unwind(|| Claims::for_tests(odd)).is_err());
        }
    }

    #[test]
    fn the_size_of_claims_is_that_of_their_object() {
        let claims = claims(json!({"sub": "a".repeat(1000)}));
        assert!(claims.heap_size() > 1000);
        assert_eq!(claims.heap_size(), json::heap_size_of_object(&claims.0));
    }

    #[test]
    fn all_claims_can_be_read_into_a_type_of_the_applications() {
        let read = |value: Value| {
            claims(value).deserialize::<std::collections::BTreeMap<String, u8>>().ok()
        };
        assert_eq!(read(json!({"level": 7})), Some([("level".to_owned(), 7)].into()));
        assert_eq!(read(json!({"level": "7"})), None);
    }

    #[test]
    fn scopes_come_from_a_string_or_an_array_and_are_exact() {
        for scope in [json!("a b:c  d"), json!(["a", "b:c", "d", 7, null])] {
            let claims = claims(json!({"scope": scope}));
            assert_eq!(claims.scopes().collect::<Vec<_>>(), ["a", "b:c", "d"]);
            assert!(claims.has_scope("b:c"));
            assert!(!claims.has_scope("B:C") && !claims.has_scope("b") && !claims.has_scope(""));
        }
        // Blanks are those of ASCII.
        assert_eq!(claims(json!({"scope": "a\u{a0}b"})).scopes().collect::<Vec<_>>(), ["a\u{a0}b"]);
        for odd in
            [json!({}), json!({"scope": 7}), json!({"scope": {"a": 1}}), json!({"scope": null})]
        {
            assert_eq!(claims(odd).scopes().count(), 0);
        }
    }

    #[test]
    fn groups_are_strings_or_objects_and_odd_entries_are_skipped() {
        let claims = claims(json!({
            "groups": [null, 7, ["nested"], "plain", {"id": "g1", "name": "Admins"}, {"name": "only"}, {"id": 9}],
            "roles": "plain",
        }));
        for group in ["plain", "g1", "Admins", "only"] {
            assert!(claims.has_group("groups", group), "{group}");
        }
        for group in ["nested", "admins", "9", ""] {
            assert!(!claims.has_group("groups", group), "{group}");
        }
        assert!(!claims.has_group("roles", "plain") && !claims.has_group("absent", "plain"));
    }
}
