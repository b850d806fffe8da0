//! What a token says (RFC 7519 §4).

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::object::{Item, Object};

/// The latest time a claim may name: the last second of the year 9999.
const MAX_NUMERIC_DATE: f64 = 253_402_300_799.0;

/// The claims of a validated token.
///
/// They serialise as the JSON object the token carried. Reach a claim of your own by
/// [`get`](Self::get), or take all of them in a type of yours, as
/// [`Authenticated`](crate::Authenticated) does.
pub struct Claims {
    object: Arc<Object>,
    /// The same, made when the application asks for a claim as a [`Value`].
    values: OnceLock<Map<String, Value>>,
}

impl Claims {
    pub(crate) fn new(object: Object) -> Self {
        Self { object: Arc::new(object), values: OnceLock::new() }
    }

    /// Claims that no token carried, for unit tests of handlers.
    ///
    /// # Panics
    ///
    /// If `claims` is not a JSON object, or one that a token cannot carry: it nests at most 32 levels.
    #[must_use]
    pub fn for_tests(claims: Value) -> Self {
        let object = Object::parse(claims.to_string());
        assert!(
            object.is_ok(),
            "claims are a JSON object of at most 32 levels, such as `json!({{\"sub\": \"alice\"}})`"
        );
        Self::new(object.unwrap_or_default())
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
        strings(self.item("aud"))
    }

    /// `exp`: when the token expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        let seconds = numeric_date(self.item("exp")?)?;
        UNIX_EPOCH.checked_add(Duration::from_secs_f64(seconds))
    }

    /// `auth_time`: when the user authenticated, in seconds since the epoch.
    pub(crate) fn authenticated_at_seconds(&self) -> Option<f64> {
        self.item("auth_time").and_then(numeric_date)
    }

    /// `acr`: how the user authenticated (RFC 9470 §6).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.string("acr")
    }

    /// `scope`: what the token permits, from a blank-separated string or an array of strings.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scope = self.item("scope");
        let joined = scope.and_then(Item::as_str).unwrap_or_default();
        let listed = scope.into_iter().flat_map(Item::elements).filter_map(Item::as_str);
        joined.split_ascii_whitespace().chain(listed)
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
        let is_group = |entry: Item<'_>| {
            let is = |item: Item<'_>| item.as_str() == Some(group);
            is(entry) || ["id", "name"].iter().any(|name| entry.get(name).is_some_and(is))
        };
        self.item(claim).is_some_and(|groups| groups.elements().any(is_group))
    }

    /// A claim by its name. The first call reads all claims into [`Value`]s, which no other method does.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values().get(name)
    }

    /// Reads the claims into a type of the application's.
    ///
    /// # Errors
    ///
    /// What serde finds missing or misshapen.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.object.deserialize()
    }

    /// A claim by its name, for those who need no [`Value`].
    pub(crate) fn item(&self, name: &str) -> Option<Item<'_>> {
        self.object.get(name)
    }

    /// The memory that a copy of them occupies beside the value itself, in bytes.
    pub(crate) fn heap_size(&self) -> usize {
        size_of::<Object>() + self.object.heap_size()
    }

    pub(super) fn values(&self) -> &Map<String, Value> {
        self.values.get_or_init(|| self.object.to_map())
    }

    pub(super) fn string(&self, name: &str) -> Option<&str> {
        self.item(name).and_then(Item::as_str)
    }
}

/// A copy shares the claims, and none of the values that were made of them: what a cache keeps does not
/// grow by what a handler asks for.
impl Clone for Claims {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), values: OnceLock::new() }
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(self.values()).finish()
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values().serialize(serializer)
    }
}

/// A `NumericDate` in seconds (RFC 7519 §2), fractions included.
pub(crate) fn numeric_date(value: Item<'_>) -> Option<f64> {
    value.as_f64().filter(|seconds| (0.0..=MAX_NUMERIC_DATE).contains(seconds))
}

/// The strings in a claim that is one string or an array.
pub(super) fn strings(claim: Option<Item<'_>>) -> impl Iterator<Item = &str> {
    let single = claim.and_then(Item::as_str);
    let listed = claim.into_iter().flat_map(Item::elements).filter_map(Item::as_str);
    single.into_iter().chain(listed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        Claims::for_tests(value)
    }

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
    fn a_copy_holds_no_values_that_were_made_of_the_original() {
        let claims = claims(json!({"sub": "alice"}));
        assert_eq!(claims.get("sub"), Some(&json!("alice")));
        let copy = claims.clone();
        assert!(claims.values.get().is_some() && copy.values.get().is_none());
        assert_eq!(copy, claims);
    }

    #[test]
    fn they_serialise_and_show_as_the_object_that_they_are() {
        let object = json!({"sub": "alice", "aud": ["a", "b"]});
        let claims = claims(object.clone());
        assert_eq!(serde_json::to_value(&claims).unwrap(), object);
        assert_eq!(format!("{claims:?}"), format!("Claims({:?})", object.as_object().unwrap()));
    }

    #[test]
    fn the_size_of_claims_is_that_of_their_object() {
        let claims = claims(json!({"sub": "a".repeat(1000)}));
        assert!(claims.heap_size() > 1000);
        assert_eq!(claims.heap_size(), size_of::<Object>() + claims.object.heap_size());
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
