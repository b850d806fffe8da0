//! The rules for the claims of every token (RFC 7519 §4.1, RFC 9068 §2.2, RFC 7662 §2.2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    TokenKind,
    claims::{Claims, numeric_date, strings},
    object::Item,
};
use crate::error::InvalidToken;

/// What the registered claims of every token are held against.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    /// The tenant, as `iss` must name it, byte for byte.
    pub(crate) issuer: String,
    /// This API, as `aud` must hold it, byte for byte.
    pub(crate) audience: String,
    /// How far this clock is known to be behind.
    pub(crate) clock_skew: Duration,
    /// How far clocks may differ.
    pub(crate) clock_tolerance: Duration,
    /// Whether the claims RFC 9068 §2.2 requires must all be there.
    pub(crate) rfc9068: bool,
}

/// One rule about claims of a token of this kind, at an instant in seconds since the epoch.
type Rule = fn(&Expectations, &Claims, TokenKind, f64) -> Result<(), InvalidToken>;

/// What is validated, in this order.
const RULES: [Rule; 7] = [
    Expectations::check_issuer,
    Expectations::check_audience,
    Expectations::check_expiry,
    Expectations::check_not_before,
    Expectations::check_subject,
    Expectations::check_rfc9068,
    Expectations::check_token_type,
];

impl Expectations {
    /// Validates the claims of a JWT whose signature was verified, or of an introspection answer.
    pub(crate) fn validate(
        &self,
        claims: &Claims,
        kind: TokenKind,
        now: SystemTime,
    ) -> Result<(), InvalidToken> {
        let now = self.seconds(now);
        RULES.iter().try_for_each(|rule| rule(self, claims, kind, now))
    }

    /// Every rule that a token breaks, in the order of validation: for a diagnosis,
    /// which leaves nothing out.
    pub(crate) fn faults(
        &self,
        claims: &Claims,
        kind: TokenKind,
        now: SystemTime,
    ) -> Vec<InvalidToken> {
        let now = self.seconds(now);
        RULES.iter().filter_map(|rule| rule(self, claims, kind, now).err()).collect()
    }

    /// This clock, corrected by what is known of its error.
    fn seconds(&self, now: SystemTime) -> f64 {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_secs_f64() + self.clock_skew.as_secs_f64()
    }

    fn check_issuer(&self, claims: &Claims, _: TokenKind, _: f64) -> Result<(), InvalidToken> {
        let issuer = claims.issuer().ok_or(InvalidToken::Claim("iss"))?;
        if issuer == self.issuer {
            return Ok(());
        }
        tracing::debug!(
            name: "token.issuer",
            expected = self.issuer,
            found = issuer,
            "token of another issuer"
        );
        Err(InvalidToken::Issuer)
    }

    fn check_audience(&self, claims: &Claims, _: TokenKind, _: f64) -> Result<(), InvalidToken> {
        let audience = claims.item("aud").ok_or(InvalidToken::Claim("aud"))?;
        let is_list_of_strings = audience.is_array() && audience.elements().all(Item::is_string);
        if !audience.is_string() && !is_list_of_strings {
            return Err(InvalidToken::Claim("aud"));
        }
        if strings(Some(audience)).any(|entry| entry == self.audience) {
            return Ok(());
        }
        tracing::debug!(
            name: "token.audience",
            expected = self.audience,
            found = %audience,
            "token for another audience"
        );
        Err(InvalidToken::Audience)
    }

    fn check_expiry(&self, claims: &Claims, kind: TokenKind, now: f64) -> Result<(), InvalidToken> {
        let Some(expires) = claims.item("exp") else {
            // Optional in an introspection answer (RFC 7662 §2.2).
            return match kind {
                TokenKind::Jwt => Err(InvalidToken::Claim("exp")),
                TokenKind::Opaque => Ok(()),
            };
        };
        let expires = numeric_date(expires).ok_or(InvalidToken::Claim("exp"))?;
        let tolerance = self.clock_tolerance.as_secs_f64();
        if expires > now - tolerance {
            return Ok(());
        }
        tracing::debug!(name: "token.expired", exp = expires, now, tolerance, "expired token");
        Err(InvalidToken::Expired)
    }

    fn check_not_before(
        &self,
        claims: &Claims,
        _: TokenKind,
        now: f64,
    ) -> Result<(), InvalidToken> {
        let Some(not_before) = claims.item("nbf") else { return Ok(()) };
        let not_before = numeric_date(not_before).ok_or(InvalidToken::Claim("nbf"))?;
        let tolerance = self.clock_tolerance.as_secs_f64();
        if not_before <= now + tolerance {
            return Ok(());
        }
        tracing::debug!(
            name: "token.not_yet_valid",
            nbf = not_before,
            now,
            tolerance,
            "token from the future"
        );
        Err(InvalidToken::NotYetValid)
    }

    fn check_subject(&self, claims: &Claims, _: TokenKind, _: f64) -> Result<(), InvalidToken> {
        match claims.item("sub").is_none_or(Item::is_string) {
            true => Ok(()),
            false => Err(InvalidToken::Claim("sub")),
        }
    }

    /// RFC 9068 §2.2, as far as it goes beyond the rules for every token.
    fn check_rfc9068(&self, claims: &Claims, kind: TokenKind, _: f64) -> Result<(), InvalidToken> {
        if !self.rfc9068 || kind == TokenKind::Opaque {
            return Ok(());
        }
        for name in ["sub", "client_id", "jti"] {
            claims.string(name).ok_or(InvalidToken::Claim(name))?;
        }
        claims.item("iat").and_then(numeric_date).ok_or(InvalidToken::Claim("iat"))?;
        Ok(())
    }

    /// `token_type` of an introspection answer (RFC 7662 §2.2): absent, or that of an access token.
    /// What it says of a binding must agree with `cnf` (RFC 9449 §6.2).
    fn check_token_type(
        &self,
        claims: &Claims,
        kind: TokenKind,
        _: f64,
    ) -> Result<(), InvalidToken> {
        let Some(token_type) = claims.item("token_type").filter(|_| kind == TokenKind::Opaque)
        else {
            return Ok(());
        };
        let is = |name| token_type.as_str().is_some_and(|found| found.eq_ignore_ascii_case(name));
        let thumbprint = claims.item("cnf").and_then(|confirmation| confirmation.get("jkt"));
        if is("DPoP") {
            let is_bound = thumbprint.is_some_and(Item::is_string);
            return if is_bound { Ok(()) } else { Err(InvalidToken::Claim("cnf")) };
        }
        match is("Bearer") || is("access_token") {
            true if thumbprint.is_some() => Err(InvalidToken::KeyBinding),
            true => Ok(()),
            false => Err(InvalidToken::Type),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn claims(value: Value) -> Claims {
        Claims::for_tests(value)
    }

    /// Validates a good token in which one claim was replaced, or removed where it is null.
    fn validated(name: &str, value: Value) -> Result<(), InvalidToken> {
        let mut token = json!({"iss": "https://acme.test", "aud": "api", "exp": NOW + 60});
        match value {
            Value::Null => token.as_object_mut().unwrap().remove(name),
            value => token.as_object_mut().unwrap().insert(name.to_owned(), value),
        };
        let (expectations, claims) = (expectations(), claims(token));
        let verdict = expectations.validate(&claims, TokenKind::Jwt, now());
        let faults = expectations.faults(&claims, TokenKind::Jwt, now());
        assert_eq!(faults.first().copied().map_or(Ok(()), Err), verdict, "{claims:?}");
        verdict
    }

    fn expectations() -> Expectations {
        Expectations {
            issuer: "https://acme.test".to_owned(),
            audience: "api".to_owned(),
            clock_skew: Duration::from_secs(5),
            clock_tolerance: Duration::from_secs(60),
            rfc9068: false,
        }
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    #[test]
    fn exp_must_lie_after_now_plus_skew_minus_tolerance() {
        assert_eq!(validated("exp", json!(NOW - 54)), Ok(()));
        assert_eq!(validated("exp", json!(NOW as f64 - 54.5)), Ok(()));
        assert_eq!(validated("exp", json!(NOW - 55)), Err(InvalidToken::Expired));
        assert_eq!(validated("exp", json!(0)), Err(InvalidToken::Expired));
        assert_eq!(validated("exp", json!(253_402_300_799_u64)), Ok(()));
        for odd in [
            json!(253_402_300_800_u64),
            json!(-1),
            json!("9"),
            json!([9]),
            json!(u64::MAX),
            json!(1e300),
            Value::Null,
        ] {
            assert_eq!(validated("exp", odd.clone()), Err(InvalidToken::Claim("exp")), "{odd}");
        }
    }

    #[test]
    fn nbf_may_be_absent_and_must_not_lie_after_now_plus_skew_plus_tolerance() {
        assert_eq!(validated("nbf", Value::Null), Ok(()));
        assert_eq!(validated("nbf", json!(NOW + 65)), Ok(()));
        assert_eq!(validated("nbf", json!(NOW as f64 + 65.5)), Err(InvalidToken::NotYetValid));
        assert_eq!(validated("nbf", json!(NOW + 66)), Err(InvalidToken::NotYetValid));
        for odd in [json!(-0.5), json!("0"), json!(true), json!({})] {
            assert_eq!(validated("nbf", odd.clone()), Err(InvalidToken::Claim("nbf")), "{odd}");
        }
    }

    #[test]
    fn aud_is_a_string_or_an_array_of_nothing_but_strings_that_holds_the_audience() {
        assert_eq!(validated("aud", json!(["other", "api"])), Ok(()));
        for other in [json!("api2"), json!("Api"), json!(""), json!([]), json!(["ap", "i"])] {
            assert_eq!(validated("aud", other.clone()), Err(InvalidToken::Audience), "{other}");
        }
        for odd in
            [Value::Null, json!(["api", 5]), json!([["api"]]), json!({"api": "api"}), json!(1)]
        {
            assert_eq!(validated("aud", odd.clone()), Err(InvalidToken::Claim("aud")), "{odd}");
        }
    }

    #[test]
    fn iss_is_the_tenant_byte_for_byte() {
        for other in [
            "https://acme.test/",
            "https://ACME.test",
            "http://acme.test",
            "https://acme.test.evil",
            "",
        ] {
            assert_eq!(validated("iss", json!(other)), Err(InvalidToken::Issuer), "{other}");
        }
        for odd in [Value::Null, json!(["https://acme.test"]), json!(1)] {
            assert_eq!(validated("iss", odd.clone()), Err(InvalidToken::Claim("iss")), "{odd}");
        }
    }

    #[test]
    fn sub_may_be_absent_but_nothing_else_than_a_string() {
        assert_eq!(validated("sub", json!("")), Ok(()));
        assert_eq!(validated("sub", json!(7)), Err(InvalidToken::Claim("sub")));
    }

    #[test]
    fn rfc9068_wants_client_id_iat_jti_and_sub_as_well() {
        let validated = |name: &str, value: Option<Value>| {
            let mut token = json!({
                "iss": "https://acme.test", "aud": "api", "exp": NOW + 60,
                "client_id": "app", "iat": NOW, "jti": "1", "sub": "alice",
            });
            let members = token.as_object_mut().unwrap();
            match value {
                None => members.remove(name),
                Some(value) => members.insert(name.to_owned(), value),
            };
            Expectations { rfc9068: true, ..expectations() }.validate(
                &claims(token),
                TokenKind::Jwt,
                now(),
            )
        };
        assert_eq!(validated("x", None), Ok(()));
        for (name, odd) in
            [("client_id", json!(1)), ("iat", json!("1")), ("jti", json!([])), ("sub", json!(null))]
        {
            assert_eq!(validated(name, None), Err(InvalidToken::Claim(name)));
            assert_eq!(validated(name, Some(odd)), Err(InvalidToken::Claim(name)));
        }
    }

    #[test]
    fn an_introspection_response_is_validated_alike_but_may_leave_exp_out() {
        let validated = |name: &str, value: Value| {
            let mut answer = json!({"iss": "https://acme.test", "aud": "api"});
            answer.as_object_mut().unwrap().insert(name.to_owned(), value);
            expectations().validate(&claims(answer), TokenKind::Opaque, now())
        };
        assert_eq!(validated("sub", json!("alice")), Ok(()));
        assert_eq!(validated("exp", json!(NOW)), Ok(()));
        for (name, value, reason) in [
            ("iss", json!("https://evil.test"), InvalidToken::Issuer),
            ("aud", json!("other"), InvalidToken::Audience),
            ("exp", json!(NOW - 55), InvalidToken::Expired),
            ("exp", json!(null), InvalidToken::Claim("exp")),
            ("nbf", json!(NOW + 66), InvalidToken::NotYetValid),
            ("sub", json!(7), InvalidToken::Claim("sub")),
        ] {
            assert_eq!(validated(name, value), Err(reason));
        }
    }

    #[test]
    fn every_fault_is_told_in_the_order_of_the_rules() {
        let faults = |kind, rfc9068| {
            let token = claims(json!({"iss": "https://evil.test", "aud": 1, "nbf": NOW + 66}));
            Expectations { rfc9068, ..expectations() }.faults(&token, kind, now())
        };
        let [iss, aud, exp, nbf, sub] = [
            InvalidToken::Issuer,
            InvalidToken::Claim("aud"),
            InvalidToken::Claim("exp"),
            InvalidToken::NotYetValid,
            InvalidToken::Claim("sub"),
        ];
        assert_eq!(faults(TokenKind::Jwt, false), [iss, aud, exp, nbf]);
        assert_eq!(faults(TokenKind::Jwt, true), [iss, aud, exp, nbf, sub]);
        for rfc9068 in [false, true] {
            assert_eq!(faults(TokenKind::Opaque, rfc9068), [iss, aud, nbf]);
        }
    }
}
