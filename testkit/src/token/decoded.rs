//! Reading a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// The last second of the year 9999, which HTTP dates can express.
const LATEST: u64 = 253_402_300_799;

/// A token whose parts can be read. Its signature is not verified.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The JOSE header.
    pub header: Value,
    /// The payload.
    pub claims: Value,
}

impl Decoded {
    /// Reads a token, which may be the value of an `Authorization` header.
    ///
    /// # Errors
    ///
    /// What it is instead of a JWT.
    pub fn parse(text: &str) -> Result<Self, String> {
        match &without_scheme(text).split('.').collect::<Vec<_>>()[..] {
            [header, claims, _signature] => {
                Ok(Self { header: part("header", header)?, claims: part("payload", claims)? })
            }
            [_] => Err("this is not a JWT; if it is an opaque token, only the introspection \
                        endpoint knows its claims"
                .to_owned()),
            [_, _, _, _, _] => Err("this JWT is encrypted, and cannot be decoded".to_owned()),
            parts => Err(format!("a JWT has three parts, but this has {}", parts.len())),
        }
    }

    /// The times among the claims, in words: what happens then, and when.
    #[must_use]
    pub fn times(&self, now: SystemTime) -> Vec<(&'static str, String)> {
        let times = [
            ("iat", "issued"),
            ("nbf", "valid from"),
            ("auth_time", "logged in"),
            ("exp", "expires"),
        ];
        let seconds = |claim| self.claims.get(claim).and_then(Value::as_f64);
        let words = |(claim, what)| Some((what, in_words(seconds(claim)?, now)));
        times.into_iter().filter_map(words).collect()
    }
}

/// The token of an `Authorization` header, as it may have been copied.
fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("Authorization:").unwrap_or(text).trim_start();
    text.rsplit_once(char::is_whitespace).map_or(text, |(_, token)| token)
}

fn part(name: &str, text: &str) -> Result<Value, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    let bytes = bytes.map_err(|error| format!("the {name} is not base64url: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the {name} is not JSON: {error}"))
}

/// A time in seconds since the epoch, as a date and in relation to now.
fn in_words(seconds: f64, now: SystemTime) -> String {
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|it| it.as_secs() <= LATEST);
    let Some(time) = time.and_then(|since| UNIX_EPOCH.checked_add(since)) else {
        return format!("{seconds}, which is not a time between 1970 and 9999");
    };
    let date = httpdate::fmt_http_date(time);
    match time.duration_since(now) {
        Ok(left) if left.as_secs() > 0 => format!("{date}, in {}", roughly(left)),
        Err(past) if past.duration().as_secs() > 0 => {
            format!("{date}, {} ago", roughly(past.duration()))
        }
        _ => format!("{date}, now"),
    }
}

fn roughly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_relation_to_now() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (seconds, words) in [
            (1_000_000.0, "now"),
            (1_000_000.5, "now"),
            (999_999.5, "now"),
            (1_000_001.0, "in 1 second"),
            (1_000_119.0, "in 119 seconds"),
            (1_000_120.0, "in 2 minutes"),
            (1_007_200.0, "in 2 hours"),
            (1_172_800.0, "in 2 days"),
            (999_999.0, "1 second ago"),
            (996_400.0, "60 minutes ago"),
        ] {
            let told = in_words(seconds, now);
            assert!(told.ends_with(&format!("GMT, {words}")), "{seconds}: {told}");
        }
        for seconds in [-1.0, 1e18, f64::MAX] {
            assert!(in_words(seconds, now).contains("not a time between"), "{seconds}");
        }
    }

    #[test]
    fn a_copied_header_is_a_token_too() {
        for text in ["a.b.c", " a.b.c\n", "Bearer a.b.c", "Authorization: DPoP  a.b.c"] {
            assert_eq!(without_scheme(text), "a.b.c", "{text}");
        }
    }
}
