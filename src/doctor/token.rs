//! Whether this API would accept a token.
//!
//! Every fault is reported, not just the first.

use super::{examination::Doctor, introspection::configure_a_client, reasons::Seen};
use crate::{
    config::{DpopMode, Key},
    doctor::diagnosis::{Finding, FindingKind},
    error::{Error, InvalidToken},
    introspection::Answer,
    token::{
        AccessToken, TokenKind,
        claims::Claims,
        confirmation::Confirmation,
        credentials::Scheme,
        jwt::{DecodedJwt, unverified_header},
        keys::KeySet,
        object::Object,
    },
};

/// A token that can be validated.
pub(super) struct Presented {
    token: AccessToken,
    kind: TokenKind,
}

impl Presented {
    /// The token, if it is the tenant that says what it is worth.
    pub(super) fn asked_about(&self) -> Option<&AccessToken> {
        (self.kind == TokenKind::Opaque).then_some(&self.token)
    }
}

impl Doctor<'_> {
    /// Takes a token as a request would bring it.
    pub(super) fn read(&self, text: &str) -> Result<Presented, Finding> {
        let max_length = self.settings.max_token_length;
        let token = AccessToken::from_bytes(text.as_bytes(), max_length);
        let token = token.map_err(|error| match error {
            Error::InvalidToken(InvalidToken::Oversized) => {
                let message = format!("the token has {} bytes; {max_length} are read", text.len());
                let advice = "have the tenant put less into it, or raise `max_token_length`";
                Finding::error(FindingKind::TokenOversized, message).advise(advice)
            }
            _ => malformed(text),
        })?;
        match token.kind() {
            Ok(TokenKind::Jwt) if !self.validator.introspect_jwt_tokens => {
                Ok(Presented { token, kind: TokenKind::Jwt })
            }
            Ok(_) => Ok(Presented { token, kind: TokenKind::Opaque }),
            Err(reason) => Err(self.reason(reason, &Seen::nothing_of(&token))),
        }
    }

    /// Validates a token with the keys, or with the tenant's introspection answer.
    pub(super) fn token(
        &mut self,
        presented: &Presented,
        keys: Option<&KeySet>,
        answer: Option<&Answer>,
    ) {
        match presented.kind {
            TokenKind::Jwt => self.jwt(&presented.token, keys),
            TokenKind::Opaque if self.validator.introspector.is_none() => {
                let message = "the token is opaque, and no client is configured to ask what it is";
                let advice =
                    format!("{}, or have the tenant issue JWTs for this API", configure_a_client());
                self.find(Finding::error(FindingKind::TokenOpaque, message).advise(advice));
            }
            TokenKind::Opaque => self.introspected(&presented.token, answer),
        }
    }

    fn jwt(&mut self, token: &AccessToken, keys: Option<&KeySet>) {
        let header = unverified_header(token.expose()).unwrap_or_default();
        let mut seen = Seen { header, ..Seen::nothing_of(token) };
        let rfc9068 = self.validator.expectations.rfc9068;
        let decoded = DecodedJwt::decode(token.expose());
        let (header, jwt) = match decoded.and_then(|jwt| Ok((jwt.header(rfc9068)?, jwt))) {
            Ok(decoded) => decoded,
            Err(reason) => {
                self.find(self.reason(reason, &seen));
                return;
            }
        };
        seen.claims = jwt.unverified_claims().clone();
        let mut faults = Vec::new();
        match keys {
            None => self.find(unverified("the tenant's keys could not be had")),
            Some(keys) => {
                seen.ignored_key = header.kid.as_deref().and_then(|kid| {
                    keys.ignored().find(|(ignored, _)| *ignored == Some(kid)).map(|(_, why)| why)
                });
                let key = keys.find(header.kid.as_deref(), header.algorithm);
                faults.extend(key.and_then(|key| jwt.verified_by(key)).err());
            }
        }
        self.claims(seen, TokenKind::Jwt, faults, keys.is_some());
    }

    fn introspected(&mut self, token: &AccessToken, answer: Option<&Answer>) {
        match answer {
            None => self.find(unverified("the tenant did not say what the token is")),
            Some(Answer { is_active: false, .. }) => {
                self.find(self.reason(InvalidToken::Inactive, &Seen::nothing_of(token)));
            }
            Some(Answer { claims, .. }) => {
                let seen = Seen { claims: claims.clone(), ..Seen::nothing_of(token) };
                self.claims(seen, TokenKind::Opaque, Vec::new(), true);
            }
        }
    }

    /// Validates the claims, then the binding, and reports a token without a fault.
    fn claims(
        &mut self,
        mut seen: Seen,
        kind: TokenKind,
        mut faults: Vec<InvalidToken>,
        is_verified: bool,
    ) {
        let Seen { claims, unfit, .. } = &mut seen;
        faults.extend(self.validator.expectations.faults(
            claims,
            kind,
            self.validator.clock().wall(),
        ));
        *unfit = self.typed.and_then(|read| read(claims).err());
        faults.extend(unfit.as_ref().map(|_| InvalidToken::TypedClaims));
        let confirmation = Confirmation::of(claims);
        let mut beside = Vec::new();
        match (self.settings.answering.dpop, confirmation.key) {
            (DpopMode::Disabled, Some(_)) => faults.push(InvalidToken::KeyBinding),
            (DpopMode::Required, None) => faults.push(InvalidToken::KeyUnbound),
            (_, None) => {}
            (_, Some(_)) => {
                beside.push("a proof by its key");
                self.find(proof_needed());
            }
        }
        let mut lacks_certificate = false;
        let bound = self.validator.binding.validate(&confirmation, || {
            lacks_certificate = true;
            Ok(None)
        });
        match bound {
            Err(_) if lacks_certificate => {
                beside.push("its certificate");
                self.find(self.certificate_needed());
            }
            bound => faults.extend(bound.err()),
        }
        // `token_type` and `cnf` may give the same reason.
        faults.dedup();
        if faults.is_empty() && is_verified {
            let beside = match beside.is_empty() {
                true => String::new(),
                false => format!(" beside {}", beside.join(" and ")),
            };
            let message = format!("this API accepts the token{beside}: {}", self.summary(&seen));
            self.find(Finding::note(FindingKind::TokenAccepted, message));
        }
        for reason in faults {
            self.find(self.reason(reason, &seen));
        }
    }

    fn certificate_needed(&self) -> Finding {
        let message = "the token is bound to a certificate, and good only beside it";
        let advice = match &self.settings.certificate_header {
            Some(header) => {
                format!("requests must carry that certificate, in the header {}", header.name())
            }
            None => format!(
                "requests must come by TLS with that certificate; where a proxy ends TLS, set {}",
                Key::ClientCertificateHeader.variable()
            ),
        };
        Finding::warning(FindingKind::TokenBinding, message).advise(advice)
    }
}

fn proof_needed() -> Finding {
    let message = "the token is bound to a key, and good only beside a proof by it";
    let advice = "requests must carry the token as `Authorization: DPoP …`, and the proof in the \
                  header `DPoP` (RFC 9449 §7.1)";
    Finding::warning(FindingKind::TokenBinding, message).advise(advice)
}

impl Seen {
    fn nothing_of(token: &AccessToken) -> Self {
        let token = token.expose();
        // Where this is in a text, so is the token.
        let signature = token.rsplit('.').next().filter(|signature| !signature.is_empty());
        Self {
            secret: signature.unwrap_or(token).to_owned(),
            header: serde_json::Map::new(),
            claims: Claims::new(Object::default()),
            ignored_key: None,
            unfit: None,
        }
    }
}

/// What no `Authorization` header could carry; most of the time something stuck to it.
fn malformed(text: &str) -> Finding {
    let first = text.split_once(' ').map_or("", |(first, _)| first);
    let is_scheme = |scheme: Scheme| first.eq_ignore_ascii_case(scheme.name());
    let advice = match () {
        () if text.is_empty() => "it is empty: see where it comes from",
        () if is_scheme(Scheme::Bearer) => "leave out the `Bearer` before it",
        () if is_scheme(Scheme::Dpop) => "leave out the `DPoP` before it",
        () if text.trim() != text => "there is white space around it: cut that off",
        () => "copy it whole, and nothing else: letters, digits and -._~+/ with = at the end",
    };
    let message = "this is not a bearer token (RFC 6750 §2.1)";
    Finding::error(FindingKind::TokenMalformed, message).advise(advice)
}

fn unverified(why: &str) -> Finding {
    let message = format!("whether the token is valid cannot be told: {why}");
    Finding::warning(FindingKind::TokenUnverified, message)
}
