//! The challenges of a response (RFC 9110 §11.6.1): one for each scheme that the API accepts.

use http::HeaderValue;

use crate::{
    config::DpopMode,
    error::{Denial, Error, InvalidProof, InvalidToken},
    token::{algorithm::SigningAlgorithm, credentials::Scheme},
};

/// What the challenges of an API have in common.
pub(super) struct ProtectionSpace<'a> {
    /// RFC 9110 §11.5.
    pub(super) realm: &'a str,
    /// Which schemes it accepts.
    pub(super) dpop: DpopMode,
    /// Where its metadata is (RFC 9728 §5.1), once that is served.
    pub(super) metadata: Option<&'a str>,
}

impl ProtectionSpace<'_> {
    /// What is to be said about an error, to a request that used a scheme, for an operation that needs
    /// these scopes; nothing where it is not the caller's fault.
    ///
    /// The error is in the challenge of the scheme that the request used, or in each where it used none
    /// or several (RFC 9449 §7.2).
    pub(super) fn challenges(
        &self,
        error: &Error,
        needed: Option<&str>,
        used: Option<Scheme>,
    ) -> Vec<HeaderValue> {
        let Some(Parameters { of_error, scope }) = Parameters::of(error, needed) else {
            return Vec::new();
        };
        let schemes = accepted(self.dpop);
        let write = |scheme: &Scheme| {
            let mut challenge = Challenge::new(*scheme, self.realm);
            if *scheme == Scheme::Dpop {
                let names = SigningAlgorithm::ALL.map(SigningAlgorithm::name);
                challenge.parameter("algs", &names.join(" "));
            }
            let is_used = used.is_none_or(|used| used == *scheme) || schemes.len() == 1;
            for (name, value) in of_error.iter().filter(|_| is_used) {
                challenge.parameter(name, value);
            }
            if let Some(scope) = scope {
                challenge.parameter("scope", scope);
            }
            if let Some(url) = self.metadata {
                challenge.parameter("resource_metadata", url);
            }
            challenge.into_header()
        };
        schemes.iter().filter_map(write).collect()
    }
}

/// The schemes of an API, in the order of its challenges.
const fn accepted(dpop: DpopMode) -> &'static [Scheme] {
    match dpop {
        DpopMode::Disabled => &[Scheme::Bearer],
        DpopMode::Allowed => &[Scheme::Bearer, Scheme::Dpop],
        DpopMode::Required => &[Scheme::Dpop],
    }
}

struct Parameters<'e> {
    of_error: Vec<(&'static str, String)>,
    scope: Option<&'e str>,
}

impl<'e> Parameters<'e> {
    /// RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3.
    fn of(error: &'e Error, needed: Option<&'e str>) -> Option<Self> {
        let mut of_error = Vec::new();
        let mut scope = needed;
        match error {
            Error::MissingToken => {}
            Error::InvalidRequest(_) => scope = None,
            Error::InvalidProof(_) | Error::InvalidToken(_) | Error::UseNonce(_) => {}
            Error::InsufficientUserAuthentication(step_up) => scope = step_up.scope.as_deref(),
            Error::InsufficientScope(denial) => {
                scope = match denial {
                    Denial::Scopes { required } => Some(required),
                    _ => None,
                };
            }
            Error::Internal(_) | Error::Overloaded { .. } | Error::Unavailable { .. } => {
                return None;
            }
        }
        if !matches!(error, Error::MissingToken) {
            of_error.push(("error", error.code().to_owned()));
        }
        if let Some(description) = description(error) {
            of_error.push(("error_description", description));
        }
        if let Error::InsufficientUserAuthentication(step_up) = error {
            let acr_values = step_up.acr_values.as_ref().map(ToString::to_string);
            of_error.extend(acr_values.map(|values| ("acr_values", values)));
            let max_age = step_up.max_age.map(|max_age| max_age.as_secs().to_string());
            of_error.extend(max_age.map(|seconds| ("max_age", seconds)));
        }
        Some(Self { of_error, scope })
    }
}

/// A fixed phrase for each reason, with the name of the claim that is meant.
pub(super) fn description(error: &Error) -> Option<String> {
    let (phrase, claim) = match error {
        Error::InsufficientUserAuthentication(step_up) => (step_up.reason.to_string(), None),
        Error::InvalidProof(reason @ InvalidProof::Claim(name)) => (reason.to_string(), Some(name)),
        Error::InvalidProof(reason) => (reason.to_string(), None),
        Error::InvalidToken(reason @ InvalidToken::Claim(name)) => (reason.to_string(), Some(name)),
        Error::InvalidToken(reason) => (reason.to_string(), None),
        Error::UseNonce(problem) => (problem.to_string(), None),
        _ => return None,
    };
    Some(match claim {
        None => phrase,
        Some(name) => format!("{phrase} ({name})"),
    })
}

/// A `WWW-Authenticate` value in the making.
struct Challenge(String);

impl Challenge {
    fn new(scheme: Scheme, realm: &str) -> Self {
        let mut challenge = Self(scheme.name().to_owned());
        challenge.write(" realm", realm);
        challenge
    }

    fn parameter(&mut self, name: &str, value: &str) {
        self.0.push_str(", ");
        self.write(name, value);
    }

    /// Writes a quoted string (RFC 9110 §5.6.4) of printable ASCII; whatever else the value holds
    /// becomes a question mark.
    fn write(&mut self, name: &str, value: &str) {
        self.0.push_str(name);
        self.0.push_str("=\"");
        for char in value.chars() {
            match char {
                '"' | '\\' => self.0.extend(['\\', char]),
                ' '..='~' => self.0.push(char),
                _ => self.0.push('?'),
            }
        }
        self.0.push('"');
    }

    fn into_header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.0).ok()
    }
}
