//! `mock-tenant decode`.

use std::{
    fmt::Write as _,
    io::{self, Read as _},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use monocloud_testkit::Clock;
use serde_json::Value;

use crate::{
    failure::Failure,
    terminal::{FAINT, HEADING, print},
};

/// More than any server accepts as a token, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The last second of the year 9999, which HTTP dates can express.
const LATEST: u64 = 253_402_300_799;

/// A token whose parts can be read. Its signature is not verified.
#[derive(Debug)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

pub(crate) fn decode(token: &str) -> Result<(), Failure> {
    let text = if token == "-" { from_standard_input()? } else { token.to_owned() };
    let jwt = Jwt::parse(without_scheme(&text)).map_err(Failure::usage)?;
    print(&jwt.described(Clock::system().now()))
}

impl Jwt {
    pub(crate) fn parse(token: &str) -> Result<Self, String> {
        match &token.split('.').collect::<Vec<_>>()[..] {
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

    fn described(&self, now: SystemTime) -> String {
        let mut text = format!("{HEADING}header{HEADING:#}\n{:#}\n\n", self.header);
        let _ = writeln!(text, "{HEADING}claims{HEADING:#}\n{:#}\n", self.claims);
        for (claim, what) in [
            ("iat", "issued"),
            ("nbf", "valid from"),
            ("auth_time", "logged in"),
            ("exp", "expires"),
        ] {
            let Some(seconds) = self.claims.get(claim).and_then(Value::as_f64) else { continue };
            let _ = writeln!(text, "{HEADING}{what:<11}{HEADING:#}{}", in_words(seconds, now));
        }
        let _ = writeln!(text, "{FAINT}The signature is not verified.{FAINT:#}");
        text
    }
}

fn from_standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text)
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
        return format!("{seconds}, which is no time between 1970 and 9999");
    };
    let date = httpdate::fmt_http_date(time);
    match time.duration_since(now) {
        Ok(left) if left.as_secs() == 0 => format!("{date}, now"),
        Ok(left) => format!("{date}, in {}", roughly(left)),
        Err(past) => format!("{date}, {} ago", roughly(past.duration())),
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
            assert!(in_words(seconds, now).contains("no time between"), "{seconds}");
        }
    }

    #[test]
    fn a_copied_header_is_a_token_too() {
        for text in ["a.b.c", " a.b.c\n", "Bearer a.b.c", "Authorization: DPoP  a.b.c"] {
            assert_eq!(without_scheme(text), "a.b.c", "{text}");
        }
    }
}
