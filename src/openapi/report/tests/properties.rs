//! Random policies and tokens: a report says what is enforced, and a comparison misses nothing.

use std::{
    collections::BTreeSet,
    time::{Duration, UNIX_EPOCH},
};

use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};

use super::{PROTECT, PROTECT_ALL, declared};
use crate::{
    clock::Clock,
    openapi::{
        document::Document,
        order::Order,
        report::{OperationPolicy, PolicyReport, RequiredGroups, TokenPolicy},
        security,
    },
    policy::{Access, AuthorizationRules, Evidence, GroupMatch, Requirement},
    protect::ProtectApi,
    token::claims::Claims,
};

const NOW: u64 = 1_800_000_000;

/// An operation's policy, and what scopes imply.
#[derive(Clone, Debug)]
struct Declared {
    alternatives: Vec<Requirement>,
    is_anonymous_allowed: bool,
    implied: Vec<(&'static str, &'static str)>,
    all_by_default: bool,
}

impl Declared {
    fn protect(&self) -> ProtectApi {
        let protect = if self.all_by_default { &PROTECT_ALL } else { &PROTECT };
        let implied = self.implied.iter();
        implied
            .fold((*protect).clone(), |protect, (scope, other)| protect.implies(*scope, &[*other]))
    }

    fn paths(&self) -> Value {
        let mut entries: Vec<_> = self
            .alternatives
            .iter()
            .map(|it| (json!({ "MonoCloud": it.scopes }), Some(it.clone())))
            .collect();
        if self.is_anonymous_allowed {
            entries.push((json!({}), None));
        }
        let mut operation = Map::new();
        security::write(&mut operation, entries);
        json!({ "/posts": { "get": operation } })
    }

    fn report(&self) -> PolicyReport {
        declared(&self.protect(), &self.paths()).report().unwrap()
    }

    /// What is enforced.
    fn access(&self) -> Access {
        let members = json!({ "paths": self.paths() });
        let document = Document::new(members.as_object().unwrap().clone(), Order::Unknown);
        let [(_, access)] = security::compile(&document, "MonoCloud").try_into().unwrap();
        access.unwrap()
    }

    fn authorize(&self, access: &Access, token: &Token) -> Result<(), Vec<String>> {
        let mut clock = Clock::SYSTEM;
        let started = Clock::SYSTEM.monotonic();
        clock.set_reading(move || (UNIX_EPOCH + Duration::from_secs(NOW), started));
        let default_match = if self.all_by_default { GroupMatch::All } else { GroupMatch::Any };
        let rules = AuthorizationRules {
            groups_claim: "groups".to_owned(),
            default_match,
            clock,
            clock_skew: Duration::ZERO,
            clock_tolerance: Duration::ZERO,
        };
        let (protect, claims) = (self.protect(), token.claims());
        let evidence = Evidence {
            claims: &claims,
            is_sender_constrained: token.is_bound,
            rules: &rules,
            implied: protect.implied_scopes(),
        };
        match access.nearest(&evidence) {
            Some((unmet, nearest)) if unmet > 0 => Err(nearest.scopes.clone()),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug)]
struct Token {
    scopes: Vec<String>,
    groups: Vec<String>,
    acr: Option<String>,
    age: Option<u64>,
    plan: Option<String>,
    is_bound: bool,
}

impl Token {
    fn claims(&self) -> Claims {
        let mut claims = json!({ "scope": self.scopes.join(" "), "groups": self.groups });
        if let Some(acr) = &self.acr {
            claims["acr"] = acr.clone().into();
        }
        if let Some(age) = self.age {
            claims["auth_time"] = (NOW - age).into();
        }
        if let Some(plan) = &self.plan {
            claims["plan"] = plan.clone().into();
        }
        Claims::for_tests(claims)
    }

    /// Tokens that have just what is needed: one for each group and each `acr` value that suffices.
    fn barely(needed: &TokenPolicy) -> Vec<Self> {
        let groups: Vec<Vec<String>> = match &needed.groups {
            None => vec![Vec::new()],
            Some(RequiredGroups::Any(groups)) => groups.iter().map(|it| vec![it.clone()]).collect(),
            Some(RequiredGroups::All(groups)) => vec![groups.clone()],
        };
        let acr: Vec<Option<String>> = match needed.acr_values.as_slice() {
            [] => vec![None],
            values => values.iter().cloned().map(Some).collect(),
        };
        let pairs = groups.iter().flat_map(|groups| acr.iter().map(move |acr| (groups, acr)));
        let token = |(groups, acr): (&Vec<String>, &Option<String>)| Self {
            scopes: needed.scopes.clone(),
            groups: groups.clone(),
            acr: acr.clone(),
            age: needed.max_age,
            plan: needed.claims.get("plan").and_then(Value::as_str).map(str::to_owned),
            is_bound: needed.sender_constrained,
        };
        pairs.map(token).collect()
    }

    /// What the report says, read plainly.
    fn satisfies(&self, operation: &OperationPolicy, report: &PolicyReport) -> bool {
        let mut scopes: BTreeSet<String> = self.scopes.iter().cloned().collect();
        for _ in 0..=report.implied_scopes.len() {
            for (scope, implied) in &report.implied_scopes {
                if scopes.contains(scope) {
                    scopes.extend(implied.iter().cloned());
                }
            }
        }
        let has_group = |group: &String| self.groups.contains(group);
        let is_met = |needed: &TokenPolicy| {
            needed.scopes.iter().all(|scope| scopes.contains(scope))
                && match &needed.groups {
                    None => true,
                    Some(RequiredGroups::Any(groups)) => groups.iter().any(has_group),
                    Some(RequiredGroups::All(groups)) => groups.iter().all(has_group),
                }
                && (needed.acr_values.is_empty()
                    || needed.acr_values.iter().any(|acr| self.acr.as_ref() == Some(acr)))
                && needed.max_age.is_none_or(|max| self.age.is_some_and(|age| age <= max))
                && (self.is_bound || !needed.sender_constrained)
                && needed
                    .claims
                    .values()
                    .all(|plan| self.plan.as_ref().is_some_and(|it| plan == it))
        };
        operation.is_public() || operation.tokens.iter().any(is_met)
    }
}

fn names(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let some = prop_oneof![Just(vec![]), subsequence(of, 0..=2)];
    some.prop_map(|names: Vec<&str>| names.into_iter().map(str::to_owned).collect())
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let group_match =
        prop_oneof![Just(None), Just(Some(GroupMatch::Any)), Just(Some(GroupMatch::All))];
    let plan = option::of(prop_oneof![Just("pro"), Just("free")]);
    let parts = (
        names(&["a", "b", "c"]),
        names(&["x", "y", "z"]),
        group_match,
        names(&["mfa", "phr", "pwd"]),
        option::of(0..4_u64),
        any::<bool>(),
        plan,
    );
    parts.prop_map(|(scopes, groups, group_match, acr_values, max_age, is_bound, plan)| {
        let group_match = group_match.filter(|_| !groups.is_empty());
        let claims = plan.into_iter().map(|plan| ("plan".to_owned(), plan.into())).collect();
        let (max_age, is_sender_constrained) = (max_age.map(Duration::from_secs), is_bound);
        Requirement {
            scopes,
            groups,
            group_match,
            acr_values,
            max_age,
            is_sender_constrained,
            claims,
        }
    })
}

fn implications() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    const ALL: [(&str, &str); 4] = [("a", "b"), ("b", "c"), ("all", "a"), ("all", "c")];
    subsequence(&ALL[..], 0..=2)
}

fn policies() -> impl Strategy<Value = Declared> {
    (vec(requirements(), 0..3), any::<bool>(), implications(), any::<bool>()).prop_map(
        |(alternatives, is_anonymous_allowed, implied, all_by_default)| {
            valid(Declared { alternatives, is_anonymous_allowed, implied, all_by_default })
        },
    )
}

/// Where an alternative requires nothing, it is the only one.
fn valid(mut policy: Declared) -> Declared {
    if policy.alternatives.iter().any(Requirement::requires_nothing) {
        policy.alternatives = vec![Requirement::default()];
    }
    policy
}

/// A policy and another one of which most is the same.
fn changed() -> impl Strategy<Value = (Declared, Declared)> {
    let donors = vec((requirements(), 0_u8..7), 3);
    (policies(), policies(), donors, 0_u8..8).prop_map(|(old, other, donors, kept)| {
        let mut new = old.clone();
        for (alternative, (donor, part)) in new.alternatives.iter_mut().zip(donors) {
            match part {
                0 => alternative.scopes = donor.scopes,
                1 => {
                    (alternative.groups, alternative.group_match) =
                        (donor.groups, donor.group_match)
                }
                2 => alternative.acr_values = donor.acr_values,
                3 => alternative.max_age = donor.max_age,
                4 => alternative.is_sender_constrained = donor.is_sender_constrained,
                5 => alternative.claims = donor.claims,
                _ => {}
            }
        }
        match kept {
            0 => new.alternatives = other.alternatives,
            1 => new.alternatives.extend(other.alternatives),
            2 => new.implied = other.implied,
            3 => new.all_by_default = other.all_by_default,
            4 => new.is_anonymous_allowed = other.is_anonymous_allowed,
            5 => new = other,
            _ => {}
        }
        (old, valid(new))
    })
}

fn tokens() -> impl Strategy<Value = Token> {
    const SCOPES: [&str; 4] = ["a", "all", "b", "c"];
    const GROUPS: [&str; 3] = ["x", "y", "z"];
    let acr = option::of(prop_oneof![Just("mfa"), Just("phr"), Just("pwd")]);
    let plan = option::of(prop_oneof![Just("pro"), Just("free")]);
    let (scopes, groups) = (subsequence(&SCOPES[..], 0..=4), subsequence(&GROUPS[..], 0..=3));
    (scopes, groups, acr, option::of(0..5_u64), plan, any::<bool>()).prop_map(
        |(scopes, groups, acr, age, plan, is_bound)| Token {
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            groups: groups.into_iter().map(str::to_owned).collect(),
            acr: acr.map(str::to_owned),
            age,
            plan: plan.map(str::to_owned),
            is_bound,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_report_says_what_is_enforced(policy in policies(), tokens in vec(tokens(), 16)) {
        let (report, access) = (policy.report(), policy.access());
        let operation = &report.operations[0];
        prop_assert_eq!(operation.is_public(), access.is_public());
        for token in tokens {
            match policy.authorize(&access, &token) {
                Ok(()) => prop_assert!(token.satisfies(operation, &report), "{token:?}"),
                Err(challenged) => {
                    prop_assert!(!token.satisfies(operation, &report), "{token:?}");
                    prop_assert!(operation.tokens.iter().any(|it| it.scopes == challenged));
                }
            }
        }
        prop_assert_eq!(report.weakened_since(&report), []);
    }

    #[test]
    fn where_nothing_is_weaker_no_other_request_passes(
        (old, new) in changed(),
        tokens in vec(tokens(), 16),
    ) {
        let report = new.report();
        if report.weakened_since(&old.report()).is_empty() {
            let (before, after) = (old.access(), new.access());
            let passes = |access: &Access| access.is_public() || access.is_optional();
            prop_assert!(passes(&before) || !passes(&after));
            let barely = report.operations[0].tokens.iter().flat_map(Token::barely);
            for token in tokens.into_iter().chain(barely) {
                if new.authorize(&after, &token).is_ok() {
                    prop_assert!(old.authorize(&before, &token).is_ok(), "{token:?}");
                }
            }
        }
    }
}
