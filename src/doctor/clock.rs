//! How far this machine's clock is off.
//!
//! By the `Date` of the tenant's answer (RFC 9110 §6.6.1), which has whole seconds, and the time
//! that the exchange took: so the clock is off by so much *at least*.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{
    HeaderMap,
    header::{AGE, DATE},
};

use super::examination::{Doctor, spoken};
use crate::{
    config::Key,
    doctor::diagnosis::{Finding, FindingKind},
};

/// More than this is worth a word, whatever the tolerance, in seconds.
const REMARKABLE: f64 = 120.0;

/// No setting of the clock is greater, in seconds.
const MAX_SETTING: f64 = 3_600.0;

impl Doctor<'_> {
    /// Compares the clock to an answer that was asked for at `asked` and is there now.
    pub(super) fn clock(&mut self, headers: &HeaderMap, asked: SystemTime) {
        let Some(date) = date(headers) else {
            let message = "the tenant's answer has no `Date` to compare this machine's clock to";
            self.find(Finding::note(FindingKind::Clock, message));
            return;
        };
        let behind = date - seconds(self.now());
        let ahead = seconds(asked) - (date + 1.0);
        let tolerance = self.validator.expectations.clock_tolerance.as_secs_f64();
        let off = behind.max(ahead);
        if off <= tolerance.min(REMARKABLE) {
            let message = "this machine's clock is within tolerance";
            self.find(Finding::note(FindingKind::Clock, message));
            return;
        }
        let message = format!(
            "this machine's clock is {} {} the tenant's{}; {} are tolerated",
            spoken(off),
            if behind > ahead { "behind" } else { "ahead of" },
            self.skewed(),
            spoken(tolerance)
        );
        let finding = match off > tolerance {
            true => Finding::error(FindingKind::Clock, message),
            false => Finding::warning(FindingKind::Clock, message),
        };
        let advice = match behind > ahead {
            true => self.advice_behind(behind),
            false => self.advice_ahead(ahead),
        };
        self.find(finding.advise(advice));
    }

    fn skew(&self) -> f64 {
        self.validator.expectations.clock_skew.as_secs_f64()
    }

    fn skewed(&self) -> String {
        match self.skew() {
            0.0 => String::new(),
            skew => {
                format!(", {} seconds of {} included", skew.round(), Key::ClockSkew.variable())
            }
        }
    }

    fn advice_behind(&self, behind: f64) -> String {
        let skew = (self.skew() + behind).ceil();
        let advice = "set the clock, by NTP for one";
        match skew <= MAX_SETTING {
            true => format!("{advice}; until then, set {}={skew}", Key::ClockSkew.variable()),
            false => advice.to_owned(),
        }
    }

    fn advice_ahead(&self, ahead: f64) -> String {
        let (skew, tolerance) = (self.skew(), ahead.ceil());
        let advice = "set the clock, by NTP for one";
        if skew > 0.0 {
            let skew = (skew - ahead).max(0.0).round();
            return format!("set {}={skew}; then {advice}", Key::ClockSkew.variable());
        }
        match tolerance <= MAX_SETTING {
            true => {
                format!("{advice}; until then, set {}={tolerance}", Key::ClockTolerance.variable())
            }
            false => advice.to_owned(),
        }
    }
}

/// When the answer was made, on the tenant's clock; one out of a cache is as old as it says
/// (RFC 9111 §5.1).
fn date(headers: &HeaderMap) -> Option<f64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = httpdate::parse_http_date(text(DATE)?).ok()?;
    let age = text(AGE).and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or_default();
    Some(seconds(date) + f64::from(age))
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
