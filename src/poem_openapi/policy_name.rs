//! A policy as the name of a security scheme, and back.
//!
//! poem-openapi hands an operation's scheme names to a reader of its metadata, and nothing
//! else of an argument's type. So the name is the policy, in characters a component's name may
//! have (OpenAPI 3.0 §4.7.7): `MonoCloud` is any token, `MonoCloud.any-group-admin` one in the
//! group `admin`. Equal policies have equal names and different policies different ones.

use crate::policy::{GroupMatch, Policy, Require, Requirement};

/// The scheme of a policy that needs any token, and the beginning of every other's.
pub(super) const SCHEME: &str = crate::config::SCHEME_NAME;

const SCOPE: &str = "scope";
const GROUP: &str = "group";
const ANY_GROUP: &str = "any-group";
const ALL_GROUPS: &str = "all-groups";

/// The name of a policy, made at compile time.
pub(super) fn policy_name<P: Require>() -> &'static str {
    let name = const { &PolicyName::of(P::POLICY) };
    let (text, _) = name.text.split_at(name.length);
    // The encoding is ASCII.
    std::str::from_utf8(text).unwrap_or(SCHEME)
}

/// The requirement a name stands for; `None` if this library did not write it.
pub(super) fn requirement(name: &str) -> Option<Requirement> {
    let mut requirement = Requirement::default();
    let rest = name.strip_prefix(SCHEME)?;
    if rest.is_empty() {
        return Some(requirement);
    }
    for part in rest.strip_prefix('.')?.split('.') {
        let (kind, value) = part.rsplit_once('-')?;
        let value = decode(value)?;
        match kind {
            SCOPE => requirement.scopes.push(value),
            GROUP => requirement.groups.push(value),
            ANY_GROUP => {
                requirement.groups.push(value);
                requirement.group_match = Some(GroupMatch::Any);
            }
            ALL_GROUPS => {
                requirement.groups.push(value);
                requirement.group_match = Some(GroupMatch::All);
            }
            _ => return None,
        }
    }
    Some(requirement)
}

/// Undoes [`PolicyName::push_encoded`].
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('_');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (hexadecimal, plain) = part.split_at_checked(2)?;
        octets.push(u8::from_str_radix(hexadecimal, 16).ok()?);
        octets.extend_from_slice(plain.as_bytes());
    }
    String::from_utf8(octets).ok()
}

/// A name in the making; long enough for every policy one would write down.
struct PolicyName {
    text: [u8; 1024],
    length: usize,
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index is a compile error"
)]
impl PolicyName {
    const fn of(policy: Policy) -> Self {
        let name = Self { text: [0; 1024], length: 0 }.push(SCHEME);
        let group_kind = match policy.group_match {
            None => GROUP,
            Some(GroupMatch::Any) => ANY_GROUP,
            Some(GroupMatch::All) => ALL_GROUPS,
        };
        name.push_all(SCOPE, policy.scopes).push_all(group_kind, policy.groups)
    }

    const fn push_all(self, kind: &str, values: &[&str]) -> Self {
        let mut name = self;
        let mut index = 0;
        while index < values.len() {
            name = name.push(".").push(kind).push("-").push_encoded(values[index]);
            index += 1;
        }
        name
    }

    /// Letters and digits stand for themselves, every other octet for `_` and two digits.
    const fn push_encoded(self, value: &str) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let octets = value.as_bytes();
        let mut name = self;
        let mut index = 0;
        while index < octets.len() {
            let octet = octets[index];
            name = if octet.is_ascii_alphanumeric() {
                name.push_octet(octet)
            } else {
                name.push_octet(b'_')
                    .push_octet(DIGITS[(octet >> 4) as usize])
                    .push_octet(DIGITS[(octet & 15) as usize])
            };
            index += 1;
        }
        name
    }

    const fn push(self, text: &str) -> Self {
        let octets = text.as_bytes();
        let mut name = self;
        let mut index = 0;
        while index < octets.len() {
            name = name.push_octet(octets[index]);
            index += 1;
        }
        name
    }

    const fn push_octet(mut self, octet: u8) -> Self {
        assert!(
            self.length < self.text.len(),
            "the policy is too long to be a type's: name fewer scopes and groups"
        );
        self.text[self.length] = octet;
        self.length += 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::AnyToken;

    struct Odd;

    impl Require for Odd {
        const POLICY: Policy =
            Policy::ANY_TOKEN.scopes(&["a:b", "", "ü_-."]).all_groups(&["x y", "Z"]);
    }

    struct Unsaid;

    impl Require for Unsaid {
        const POLICY: Policy = Policy::ANY_TOKEN.groups(&["admin"]);
    }

    #[test]
    fn a_policy_survives_the_way_through_its_name() {
        assert_eq!(policy_name::<AnyToken>(), "MonoCloud");
        assert_eq!(policy_name::<Unsaid>(), "MonoCloud.group-admin");
        assert_eq!(requirement(policy_name::<AnyToken>()), Some(Policy::ANY_TOKEN.into()));
        assert_eq!(requirement(policy_name::<Unsaid>()), Some(Unsaid::POLICY.into()));
        assert_eq!(requirement(policy_name::<Odd>()), Some(Odd::POLICY.into()));
    }

    #[test]
    fn a_name_has_only_characters_a_component_may_have() {
        let is_allowed = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        assert!(policy_name::<Odd>().chars().all(is_allowed), "{}", policy_name::<Odd>());
    }

    #[test]
    fn other_names_are_no_policies() {
        for name in [
            "",
            "ApiKey",
            "MonoCloudish",
            "MonoCloud.",
            "MonoCloud.group",
            "MonoCloud.role-a",
            "MonoCloud.group-_f",
            "MonoCloud.group-_ff",
        ] {
            assert_eq!(requirement(name), None, "{name}");
        }
    }
}
