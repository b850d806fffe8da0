//! A policy as the name of a security scheme, and back.
//!
//! poem-openapi hands an operation's scheme names to a reader of its metadata, and nothing
//! else of an argument's type. So the name is the policy, in characters a component's name may
//! have (OpenAPI 3.0 §4.7.7): `MonoCloud` is any token, `MonoCloud.any-group-admin` one in the
//! group `admin`. Equal policies have equal names and different policies different ones.

use std::{mem, time::Duration};

use crate::policy::{GroupMatch, Policy, Require, Requirement};

/// The scheme of a policy that needs any token, and the beginning of every other's.
pub(super) const SCHEME: &str = crate::config::SCHEME_NAME;

const SCOPE: &str = "scope";
const GROUP: &str = "group";
const ANY_GROUP: &str = "any-group";
const ALL_GROUPS: &str = "all-groups";
const ACR: &str = "acr";
const MAX_AGE: &str = "age";
const CLAIM: &str = "claim";
const SENDER_CONSTRAINED: &str = "bound";
/// Stands between alternatives.
const OR: &str = "or";

/// The name of a policy, made at compile time.
pub(super) fn policy_name<P: Require>() -> &'static str {
    let name = const { &PolicyName::of(P::POLICY) };
    let (text, _) = name.text.split_at(name.length);
    // The encoding is ASCII.
    std::str::from_utf8(text).unwrap_or(SCHEME)
}

/// The alternatives a name stands for; `None` if this library did not write it.
pub(super) fn alternatives(name: &str) -> Option<Vec<Requirement>> {
    let mut alternatives = Vec::new();
    let mut requirement = Requirement::default();
    let rest = name.strip_prefix(SCHEME)?;
    let parts = match rest.is_empty() {
        true => None,
        false => Some(rest.strip_prefix('.')?.split('.')),
    };
    for part in parts.into_iter().flatten() {
        match part {
            OR => alternatives.push(mem::take(&mut requirement)),
            SENDER_CONSTRAINED => requirement.is_sender_constrained = true,
            part => add(&mut requirement, part)?,
        }
    }
    alternatives.push(requirement);
    Some(alternatives)
}

/// Adds what one part of a name says.
fn add(requirement: &mut Requirement, part: &str) -> Option<()> {
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
        ACR => requirement.acr_values.push(value),
        MAX_AGE => requirement.max_age = Some(Duration::from_secs(value.parse().ok()?)),
        kind => {
            let name = kind.strip_prefix(CLAIM)?.strip_prefix('-')?;
            requirement.claims.insert(decode(name)?, value.into());
        }
    }
    Some(())
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
        let mut name = Self { text: [0; 1024], length: 0 }.push(SCHEME);
        if policy.alternatives.is_empty() {
            return name.push_requirement(policy);
        }
        let mut index = 0;
        while index < policy.alternatives.len() {
            if index > 0 {
                name = name.push(".").push(OR);
            }
            name = name.push_requirement(policy.alternatives[index]);
            index += 1;
        }
        name
    }

    const fn push_requirement(self, policy: Policy) -> Self {
        let group_kind = match policy.group_match {
            None => GROUP,
            Some(GroupMatch::Any) => ANY_GROUP,
            Some(GroupMatch::All) => ALL_GROUPS,
        };
        let mut name = self
            .push_all(SCOPE, policy.scopes)
            .push_all(group_kind, policy.groups)
            .push_all(ACR, policy.acr_values);
        if let Some(max_age) = policy.max_age {
            name = name.push(".").push(MAX_AGE).push("-").push_number(max_age.as_secs());
        }
        if policy.is_sender_constrained {
            name = name.push(".").push(SENDER_CONSTRAINED);
        }
        let mut index = 0;
        while index < policy.claims.len() {
            if let Some((claim, value)) = policy.claims[index] {
                name = name.push(".").push(CLAIM).push("-").push_encoded(claim);
                name = name.push("-").push_encoded(value);
            }
            index += 1;
        }
        name
    }

    const fn push_number(self, number: u64) -> Self {
        let name = if number > 9 { self.push_number(number / 10) } else { self };
        name.push_octet(b'0' + (number % 10) as u8)
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
    use crate::policy::{Access, AnyToken};

    struct Odd;

    impl Require for Odd {
        const POLICY: Policy =
            Policy::ANY_TOKEN.scopes(&["a:b", "", "ü_-."]).all_groups(&["x y", "Z"]);
    }

    struct Unsaid;

    impl Require for Unsaid {
        const POLICY: Policy = Policy::ANY_TOKEN.groups(&["admin"]);
    }

    struct Whole;

    impl Require for Whole {
        const POLICY: Policy = Policy::any_of(&[
            Odd::POLICY
                .acr_values(&["urn:example:mfa", "phr"])
                .max_age(Duration::from_secs(3_600))
                .sender_constrained()
                .claim("plan-b", "pro.x")
                .claim("or", ""),
            Unsaid::POLICY,
            Policy::ANY_TOKEN.max_age(Duration::ZERO),
        ]);
    }

    #[test]
    fn a_policy_survives_the_way_through_its_name() {
        fn survives<P: Require>() {
            let name = policy_name::<P>();
            let expected = Access::from(P::POLICY).alternatives;
            assert_eq!(alternatives(name), Some(expected), "{name}");
        }
        assert_eq!(policy_name::<AnyToken>(), "MonoCloud");
        assert_eq!(policy_name::<Unsaid>(), "MonoCloud.group-admin");
        survives::<AnyToken>();
        survives::<Unsaid>();
        survives::<Odd>();
        survives::<Whole>();
    }

    #[test]
    fn a_name_has_only_characters_a_component_may_have() {
        let is_allowed = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        assert!(policy_name::<Whole>().chars().all(is_allowed), "{}", policy_name::<Whole>());
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
            "MonoCloud.age-x",
            "MonoCloud.claim-x",
        ] {
            assert_eq!(alternatives(name), None, "{name}");
        }
    }
}
