//! Checks what a response says about the request. It is pure.

use crate::{
    audit::{
        challenge::{Challenge, challenges},
        rule::{Grade, Rule},
        wire::Reply,
    },
    document::Requirement,
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
pub(super) struct RightAnswer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Whether the requests are invalid, so that none succeeds.
    pub(super) is_invalid: bool,
}

/// Why an authentication is not enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Weakness {
    Acr,
    Age,
}

/// What a request deserves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expected<'e> {
    /// It has no token.
    Missing { scopes: &'e [String] },
    /// Its token is invalid.
    Invalid,
    /// Its token is not even well-formed.
    Malformed,
    /// Its token lacks a scope: what is needed, and what it has.
    Scope { needed: &'e [String], held: &'e [String] },
    /// Its token lacks a group or a claim, for which there is no error.
    Permission,
    /// Its user's authentication is too weak or too old.
    StepUp(&'e Requirement, Weakness),
}

impl RightAnswer {
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
    right_answer: &RightAnswer,
) -> Vec<Violation> {
    let status = reply.status;
    if right_answer.accepts(reply) {
        return violation(rule, grade, format!("{what} is answered with {status}"));
    }
    // Too many requests, and what `faults` checks.
    if status == 429 || status >= 500 {
        return Vec::new();
    }
    let says = |text: &str| format!("{what} is answered with {status}{text}");
    let mut all = Vec::new();
    match expected {
        // The right token may be answered so too.
        Expected::Missing { .. } if right_answer.status == 0 && !matches!(status, 401 | 403) => {
            return all;
        }
        Expected::Missing { .. } if status != 401 => {
            return violation("status-without-token", Grade::Finding, says(" instead of 401"));
        }
        // A malformed token may make a malformed request.
        Expected::Malformed if status == 400 => return all,
        Expected::Invalid | Expected::Malformed if status != 401 => {
            return violation("status-invalid-token", Grade::Finding, says(" instead of 401"));
        }
        Expected::Scope { .. } | Expected::Permission if status != 403 => {
            return violation("status-scope", Grade::Advice, says(" instead of 403"));
        }
        Expected::Permission => return all,
        Expected::StepUp(..) if status != 401 => {
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
        Expected::Invalid | Expected::Malformed => "invalid_token",
        Expected::Scope { .. } => "insufficient_scope",
        Expected::StepUp(..) => "insufficient_user_authentication",
        Expected::Permission => return Vec::new(),
    };
    match error {
        Some(error) if error == right => parameters_of(expected, challenge, says),
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

/// The parameters beside the error.
fn parameters_of(
    expected: Expected<'_>,
    challenge: &Challenge,
    says: &dyn Fn(&str) -> String,
) -> Vec<Violation> {
    match expected {
        Expected::Scope { needed, held } => scope_of(needed, held, challenge, says),
        Expected::StepUp(requirement, weakness) => {
            let mut all = acr_values_of(requirement, weakness, challenge, says);
            all.extend(max_age_of(requirement, weakness, challenge, says));
            all
        }
        _ => Vec::new(),
    }
}

/// RFC 6750 §3 has the scopes that are necessary, which a client asks for.
fn scope_of(
    needed: &[String],
    held: &[String],
    challenge: &Challenge,
    says: &dyn Fn(&str) -> String,
) -> Vec<Violation> {
    const RULE: &str = "challenge-scope";
    let Some(text) = challenge.parameter("scope") else {
        return violation(RULE, Grade::Advice, says(" without the scopes that are needed"));
    };
    let named: Vec<_> = text.split(' ').collect();
    let is_named = |scope: &&String| named.contains(&scope.as_str());
    let are_all_named = needed.iter().filter(is_named).count() == needed.len();
    if are_all_named && named.len() == needed.len() {
        return Vec::new();
    }
    let mut missing = needed.iter().filter(|scope| !held.contains(scope));
    let grade = if missing.all(|it| is_named(&it)) { Grade::Advice } else { Grade::Finding };
    let detail = says(&format!(" and the scope {text:?} instead of {:?}", needed.join(" ")));
    violation(RULE, grade, detail)
}

fn acr_values_of(
    requirement: &Requirement,
    weakness: Weakness,
    challenge: &Challenge,
    says: &dyn Fn(&str) -> String,
) -> Vec<Violation> {
    let needed = &requirement.acr_values;
    match challenge.parameter("acr_values") {
        Some(text) if text.split(' ').any(|it| !needed.iter().any(|acr| acr == it)) => {
            let detail =
                says(&format!(" and the acr_values {text:?} instead of {:?}", needed.join(" ")));
            violation("step-up-parameters", Grade::Finding, detail)
        }
        None if weakness == Weakness::Acr => {
            violation("step-up-parameters", Grade::Advice, says(" without acr_values"))
        }
        _ => Vec::new(),
    }
}

fn max_age_of(
    requirement: &Requirement,
    weakness: Weakness,
    challenge: &Challenge,
    says: &dyn Fn(&str) -> String,
) -> Vec<Violation> {
    let needed = requirement.max_age;
    match challenge.parameter("max_age") {
        // One that is too short asks for more than is needed, and helps.
        Some(text)
            if text.parse().ok().zip(needed).is_none_or(|(age, most): (u64, _)| age > most) =>
        {
            let detail = says(&format!(" and the max_age {text:?} instead of {needed:?}"));
            violation("step-up-parameters", Grade::Finding, detail)
        }
        None if weakness == Weakness::Age => {
            violation("step-up-parameters", Grade::Advice, says(" without max_age"))
        }
        _ => Vec::new(),
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
    if all.iter().all(|it| it.rule.id != "stack-trace")
        && status >= 400
        && let Some(name) = exception(&body)
    {
        let detail = format!("the response to {what} contains {name:?}");
        all.extend(violation("error-details", Grade::Finding, detail));
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

/// The name of an exception with its packages, such as `jwt.exceptions.DecodeError`.
fn exception(body: &str) -> Option<&str> {
    const BETWEEN: [char; 3] = ['.', ':', '\\'];
    let is_inside =
        |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || BETWEEN.contains(&letter);
    let words = body.split(|letter| !is_inside(letter)).map(|word| word.trim_matches(BETWEEN));
    words.filter(|word| !word.starts_with("urn:")).find(|word| {
        let parts: Vec<_> = word.split(BETWEEN).filter(|part| !part.is_empty()).collect();
        parts.len() > 2
            && parts.last().is_some_and(|name| {
                name.starts_with(|letter: char| letter.is_ascii_uppercase())
                    && (name.ends_with("Error") || name.ends_with("Exception"))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qualified_name_of_an_exception_is_a_detail_and_a_code_is_none() {
        for body in [
            "jwt.exceptions.InvalidSignatureError: Signature verification failed",
            r#"{"error":"java.lang.IllegalArgumentException: no kid"}"#,
            r#"{"exception":"Firebase\\JWT\\SignatureInvalidException"}"#,
        ] {
            assert!(exception(body).is_some(), "{body}");
        }
        for body in [
            r#"{"code":"ValidationError","message":"unauthorized"}"#,
            "https://errors.example.com/InvalidToken",
            "UnauthorizedError: no token",
            "code:TokenError",
            "urn:problem:posts.ValidationError",
            "see docs.example.com.",
        ] {
            assert_eq!(exception(body), None, "{body}");
        }
    }
}
