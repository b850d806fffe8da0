//! Checks what a response says about the request. It is pure.

use crate::audit::{
    challenge::{Challenge, challenges},
    rule::{Grade, Rule},
    wire::Reply,
};

/// What a response breaks, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Violation {
    pub(super) rule: &'static Rule,
    pub(super) grade: Grade,
    pub(super) detail: String,
}

/// How an operation answers the right token.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Whether the requests are invalid, so that none succeeds.
    pub(super) is_invalid: bool,
}

/// What a request deserves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expected<'e> {
    /// It has no token.
    Missing { scopes: &'e [String] },
    /// Its token is invalid.
    Invalid,
    /// Its token lacks a scope.
    Scope,
    /// Its token lacks a group or a claim, for which there is no error.
    Permission,
    /// Its user's authentication is too weak or too old.
    StepUp,
}

impl Standing {
    /// Whether a response is like that to the right token, so that the token was not refused.
    pub(super) fn accepts(&self, reply: &Reply) -> bool {
        let status = reply.status;
        if (200..300).contains(&status) {
            return true;
        }
        let is_refusal = matches!(status, 401 | 403 | 429 | 500..) || names_invalid_request(reply);
        let is_like_invalid = self.is_invalid && matches!(status, 400 | 409 | 415 | 422);
        !is_refusal && (status == self.status || is_like_invalid)
    }
}

/// Checks the response to a request that must be refused: with `rule` if it is not.
pub(super) fn refusal(
    rule: &'static str,
    grade: Grade,
    what: &str,
    expected: Expected<'_>,
    reply: &Reply,
    standing: &Standing,
) -> Vec<Violation> {
    let status = reply.status;
    if standing.accepts(reply) {
        return violation(rule, grade, format!("{what} is answered with {status}"));
    }
    // Too many requests, and what `faults` checks.
    if status == 429 || status >= 500 {
        return Vec::new();
    }
    let says = |text: &str| format!("{what} is answered with {status}{text}");
    let mut all = Vec::new();
    match expected {
        Expected::Missing { .. } if status != 401 => {
            return violation("status-without-token", Grade::Finding, says(" instead of 401"));
        }
        // A token outside the syntax of RFC 6750 §2.1 may be a malformed request.
        Expected::Invalid if status == 400 => return all,
        Expected::Invalid if status != 401 => {
            return violation("status-invalid-token", Grade::Finding, says(" instead of 401"));
        }
        Expected::Scope | Expected::Permission if status != 403 => {
            return violation("status-scope", Grade::Advice, says(" instead of 403"));
        }
        Expected::Permission => return all,
        Expected::StepUp if status != 401 => {
            return violation("step-up-challenge", Grade::Finding, says(" instead of 401"));
        }
        _ => {}
    }
    let challenges = match challenges(&reply.headers) {
        Ok(challenges) => challenges,
        Err(why) => {
            return violation("challenge-malformed", Grade::Finding, says(&format!(", and {why}")));
        }
    };
    let Some(challenge) = challenges.iter().find(|it| matches!(&*it.scheme, "bearer" | "dpop"))
    else {
        return violation(
            "challenge-missing",
            Grade::Finding,
            says(" without a challenge for Bearer"),
        );
    };
    if let Some(name) = challenges.iter().find_map(Challenge::repeated) {
        all.extend(violation(
            "challenge-repeated-attribute",
            Grade::Finding,
            says(&format!(" and {name:?} twice")),
        ));
    }
    let error = challenges.iter().find_map(|challenge| challenge.parameter("error"));
    all.extend(error_of(expected, error, challenge, &says));
    all
}

fn error_of(
    expected: Expected<'_>,
    error: Option<&str>,
    challenge: &Challenge,
    says: &dyn Fn(&str) -> String,
) -> Vec<Violation> {
    let right = match expected {
        Expected::Missing { scopes } => {
            let mut all = Vec::new();
            if let Some(error) = error {
                let detail = says(&format!(" and the error {error:?}"));
                all.extend(violation("challenge-error-without-token", Grade::Advice, detail));
            }
            if let Some(named) = challenge.parameter("scope") {
                let named: Vec<_> = named.split(' ').collect();
                let are_same = named.len() == scopes.len()
                    && scopes.iter().all(|scope| named.contains(&scope.as_str()));
                if !are_same {
                    let detail = says(&format!(" and the scope {:?}", named.join(" ")));
                    all.extend(violation("challenge-scope", Grade::Advice, detail));
                }
            }
            return all;
        }
        Expected::Invalid => "invalid_token",
        Expected::Scope => "insufficient_scope",
        Expected::StepUp => "insufficient_user_authentication",
        Expected::Permission => return Vec::new(),
    };
    match error {
        Some(error) if error == right => Vec::new(),
        _ if right == "insufficient_user_authentication" => violation(
            "step-up-challenge",
            Grade::Finding,
            says(&format!(" and the error {error:?}")),
        ),
        Some(error) => violation(
            "challenge-wrong-error",
            Grade::Finding,
            says(&format!(" and the error {error:?} instead of {right:?}")),
        ),
        None => violation(
            "challenge-error",
            Grade::Advice,
            says(&format!(" without the error {right:?}")),
        ),
    }
}

/// What no response may show.
pub(super) fn faults(what: &str, reply: &Reply) -> Vec<Violation> {
    let status = reply.status;
    let mut all = Vec::new();
    // Others of the class are deliberate answers: 501, 502, 503 and 504 (RFC 9110 §15.6).
    if status == 500 {
        all.extend(violation("crash", Grade::Finding, format!("{what} is answered with {status}")));
    }
    let body = String::from_utf8_lossy(&reply.body);
    if let Some(trace) = TRACES.iter().find(|trace| body.contains(**trace)) {
        let detail = format!("the response to {what} contains {trace:?}");
        all.extend(violation("stack-trace", Grade::Finding, detail));
    }
    if reply.headers.contains_key("x-injected") {
        let detail = format!("{what} adds the header X-Injected to the response");
        all.extend(violation("header-injection", Grade::Finding, detail));
    }
    all
}

/// The connection ended without a response.
pub(super) fn crash(what: &str) -> Vec<Violation> {
    violation("crash", Grade::Finding, format!("{what} ends the connection without a response"))
}

pub(super) fn violation(rule: &str, grade: Grade, detail: impl Into<String>) -> Vec<Violation> {
    let rule = Rule::of(rule);
    let detail = detail.into();
    rule.map(|rule| Violation { rule, grade: grade.max(rule.grade), detail }).into_iter().collect()
}

fn names_invalid_request(reply: &Reply) -> bool {
    let is_it = |challenge: &Challenge| challenge.parameter("error") == Some("invalid_request");
    reply.status == 400 && challenges(&reply.headers).is_ok_and(|all| all.iter().any(is_it))
}

/// Lines that only stack traces have.
const TRACES: &[&str] = &[
    "Traceback (most recent call last)",
    "stack backtrace:",
    "' panicked at ",
    "goroutine 1 [running]",
    "\n\tat java.",
    "\n\tat org.",
    "   at System.",
    "   at Microsoft.",
    "(node:internal/",
    "/node_modules/",
    "\\node_modules\\",
    ".rb:in `",
    "#0 /",
];
