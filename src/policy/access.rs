//! Who may call an operation: the alternatives of its document, each of them whole.

use super::{constant::Policy, evidence::Evidence, owned::PolicyBuf, requirement::Requirement};
use crate::error::Error;

/// Who may call an operation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Access {
    /// A token must satisfy one of these; if there are none, no token is required.
    pub(crate) alternatives: Vec<Requirement>,
    /// Whether a request without any credentials may pass.
    pub(crate) is_anonymous_allowed: bool,
    /// Whether credentials of another scheme do, which the application authenticates.
    pub(crate) has_other_schemes: bool,
}

impl Access {
    /// Any valid token, or none at all.
    pub(crate) fn any_token_or_none() -> Self {
        Self { is_anonymous_allowed: true, ..Policy::ANY_TOKEN.into() }
    }

    /// Whether no token is required.
    pub(crate) fn is_public(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// Whether a request without a token may pass.
    pub(crate) fn is_optional(&self) -> bool {
        self.is_anonymous_allowed || self.has_other_schemes
    }

    /// Authorizes a request by any of the alternatives. The denial is that of the one of which the
    /// least is missing, and among equals of the first: the document lists it first.
    pub(crate) fn authorize(&self, evidence: &Evidence<'_>) -> Result<(), Error> {
        match self.nearest(evidence) {
            None | Some((0, _)) => Ok(()),
            Some((_, alternative)) => alternative.denial(evidence).map_or(Ok(()), Err),
        }
    }

    /// The alternative of which the least is missing, and how much that is.
    pub(crate) fn nearest(&self, evidence: &Evidence<'_>) -> Option<(usize, &Requirement)> {
        let mut nearest: Option<(usize, &Requirement)> = None;
        for requirement in &self.alternatives {
            let unmet = requirement.unmet(evidence).count();
            if nearest.is_none_or(|(fewest, _)| unmet < fewest) {
                nearest = Some((unmet, requirement));
            }
            if unmet == 0 {
                break;
            }
        }
        nearest
    }
}

impl From<PolicyBuf> for Access {
    fn from(policy: PolicyBuf) -> Self {
        Self { alternatives: policy.into_alternatives(), ..Self::default() }
    }
}

impl From<Policy> for Access {
    fn from(policy: Policy) -> Self {
        PolicyBuf::from(policy).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::requirement::tests::evidence, *};
    use crate::{
        error::{Denial, StepUpReason},
        token::claims::Claims,
    };

    fn authorized(access: &Access, claims: &Value) -> Result<(), Error> {
        let claims = Claims::for_tests(claims.clone());
        evidence(&claims, |evidence| access.authorize(evidence))
    }

    #[test]
    fn one_alternative_is_enough() {
        const EITHER: Policy = Policy::any_of(&[
            Policy::ANY_TOKEN.scopes(&["a"]),
            Policy::ANY_TOKEN.any_group(&["x"]),
        ]);
        for claims in [json!({"scope": "a"}), json!({"groups": ["x"]})] {
            assert!(authorized(&EITHER.into(), &claims).is_ok(), "{claims}");
        }
    }

    #[test]
    fn the_denial_is_that_of_the_alternative_of_which_the_least_is_missing() {
        const ALTERNATIVES: Policy = Policy::any_of(&[
            Policy::ANY_TOKEN.scopes(&["a", "b"]),
            Policy::ANY_TOKEN.any_group(&["x", "y"]),
            Policy::ANY_TOKEN.acr_values(&["mfa"]).scopes(&["c"]),
        ]);
        let scopes = |required: &str| {
            Error::InsufficientScope(Denial::Scopes { required: required.into() }).reason()
        };
        for (claims, expected) in [
            // Two scopes are missing, one group.
            (json!({}), Error::InsufficientScope(Denial::Groups).reason()),
            // One scope, one group: the first.
            (json!({"scope": "a"}), scopes("a b")),
            // One scope, one group, one acr: still the first.
            (json!({"scope": "b c"}), scopes("a b")),
            // Two scopes, one group, one acr: the group.
            (json!({"scope": "c"}), Error::InsufficientScope(Denial::Groups).reason()),
        ] {
            let error = authorized(&ALTERNATIVES.into(), &claims).unwrap_err();
            assert_eq!(error.reason(), expected, "{claims}");
        }
        const STRONG_OR_ADMIN: Policy = Policy::any_of(&[
            Policy::ANY_TOKEN.all_groups(&["x", "y"]),
            Policy::ANY_TOKEN.acr_values(&["mfa"]).scopes(&["c"]),
        ]);
        let error = authorized(&STRONG_OR_ADMIN.into(), &json!({"scope": "c"})).unwrap_err();
        assert!(
            matches!(&error, Error::InsufficientUserAuthentication(step_up) if step_up.reason == StepUpReason::Acr),
            "{error:?}"
        );
    }

    #[test]
    fn only_alternatives_ask_for_a_token_and_only_another_way_in_makes_it_optional() {
        let of_policy = Access::from(Policy::ANY_TOKEN);
        assert!(!of_policy.is_public() && !of_policy.is_optional());
        let optional = Access::any_token_or_none();
        assert!(!optional.is_public() && optional.is_optional());
        let other_scheme = Access { has_other_schemes: true, ..of_policy };
        assert!(!other_scheme.is_public() && other_scheme.is_optional());
        let nothing_asked = Access::default();
        assert!(nothing_asked.is_public() && !nothing_asked.is_optional());
    }
}
