//! Faults.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{Endpoint, Fault, MockTenant, control::mistake::Mistake, lock::locked};

/// The number of faults that an endpoint can have at once.
const MOST: usize = 100;

/// The longest time that a fault waits.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The deepest JSON that is made, in arrays.
const DEEPEST: usize = 10_000_000;

/// The names of the faults, each with its members. A fault's only value has the name of the fault.
pub(super) const FAULTS: [(&str, &[&str]); 18] = [
    ("status", &["status"]),
    ("retry_after", &["status", "after"]),
    ("answer", &["status", "content_type", "body"]),
    ("latency", &["latency"]),
    ("never_answer", &[]),
    ("empty", &[]),
    ("malformed", &[]),
    ("content_type", &["content_type"]),
    ("huge", &["huge"]),
    ("deep_json", &["deep_json"]),
    ("redirect", &["redirect"]),
    ("truncated", &["after"]),
    ("slow_drip", &["chunk", "every"]),
    ("reset", &[]),
    ("close_before_answer", &[]),
    ("broken_tls", &[]),
    ("wrong_issuer", &["wrong_issuer"]),
    ("missing_field", &["missing_field"]),
];

#[derive(Deserialize)]
pub(super) struct Order {
    endpoint: String,
    fault: String,
    /// For how many requests; until it is lifted, if it is not given.
    #[serde(default)]
    times: Option<usize>,
    /// The members of the fault.
    #[serde(flatten)]
    members: Map<String, Value>,
}

pub(super) fn put(tenant: &MockTenant, order: Order) -> Result<Value, Mistake> {
    let mut endpoints = Endpoint::ALL.into_iter();
    let endpoint = endpoints.find(|endpoint| endpoint.name() == order.endpoint);
    let names = Endpoint::ALL.map(Endpoint::name);
    let endpoint = endpoint.ok_or_else(|| Mistake::unknown("endpoint", &order.endpoint, names))?;
    let fault = Members::of(&order)?.fault()?;
    tenant.check_fault(endpoint, &fault).map_err(Mistake::new)?;
    if order.times == Some(0) {
        return Err(Mistake::new("`times` is a number from 1 on"));
    }
    if tenant.site.endpoint(endpoint).faults() >= MOST {
        return Err(Mistake::too_many_faults());
    }
    let guard = tenant.fault(endpoint, fault);
    match order.times {
        Some(times) => guard.times(times),
        None => guard.until_recovered(),
    }
    Ok(json!({}))
}

pub(super) fn lift_all(tenant: &MockTenant) -> Value {
    for endpoint in Endpoint::ALL {
        tenant.recover(endpoint);
    }
    json!({})
}

/// The members of a fault: all are there, and no others.
struct Members<'a> {
    fault: &'a str,
    members: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    fn of(order: &'a Order) -> Result<Self, Mistake> {
        let fault = order.fault.as_str();
        let Some((_, names)) = FAULTS.iter().find(|(name, _)| *name == fault) else {
            return Err(Mistake::unknown("fault", fault, FAULTS.map(|(name, _)| name)));
        };
        let members = &order.members;
        if let Some(other) = members.keys().find(|name| !names.contains(&name.as_str())) {
            let valid = ["endpoint", "fault", "times"].iter().chain(*names).copied();
            return Err(Mistake::unknown(&format!("member of the fault {fault}"), other, valid));
        }
        if let Some(missing) = names.iter().find(|name| !members.contains_key(**name)) {
            return Err(Mistake::new(format!("the fault {fault} needs the member `{missing}`")));
        }
        Ok(Self { fault, members })
    }

    fn fault(&self) -> Result<Fault, Mistake> {
        Ok(match self.fault {
            "status" => Fault::Status(self.number("status")?),
            "retry_after" => {
                Fault::RetryAfter { status: self.number("status")?, after: self.duration("after")? }
            }
            "answer" => Fault::Answer {
                status: self.number("status")?,
                content_type: self.lasting_text("content_type")?,
                body: self.text("body")?.to_owned(),
            },
            "latency" => Fault::Latency(self.duration("latency")?),
            "never_answer" => Fault::NeverAnswer,
            "empty" => Fault::Empty,
            "malformed" => Fault::Malformed,
            "content_type" => Fault::ContentType(self.lasting_text("content_type")?),
            "huge" => Fault::Huge(self.number("huge")?),
            "deep_json" => {
                let depth = self.number("deep_json")?;
                if depth > DEEPEST {
                    return Err(Mistake::new(format!("`deep_json` is at most {DEEPEST}")));
                }
                Fault::DeepJson(depth)
            }
            "redirect" => Fault::Redirect(self.text("redirect")?.to_owned()),
            "truncated" => Fault::Truncated { after: self.number("after")? },
            "slow_drip" => {
                let (chunk, every) = (self.number("chunk")?, self.duration("every")?);
                Fault::SlowDrip { chunk, every }
            }
            "reset" => Fault::Reset,
            "close_before_answer" => Fault::CloseBeforeAnswer,
            "broken_tls" => Fault::BrokenTls,
            "wrong_issuer" => Fault::WrongIssuer(self.text("wrong_issuer")?.to_owned()),
            _ => Fault::MissingField(self.lasting_text("missing_field")?),
        })
    }

    fn number<N: TryFrom<u64>>(&self, name: &str) -> Result<N, Mistake> {
        let number = self.members.get(name).and_then(Value::as_u64);
        let number = number.and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| self.wrong(name, "a whole number"))
    }

    fn duration(&self, name: &str) -> Result<Duration, Mistake> {
        let seconds = self.members.get(name).and_then(Value::as_f64);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // Times are sums of instants and durations, which must not overflow.
        let duration = duration.filter(|duration| *duration <= LONGEST);
        duration.ok_or_else(|| self.wrong(name, "a number of seconds, at most a day"))
    }

    fn text(&self, name: &str) -> Result<&str, Mistake> {
        let text = self.members.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.wrong(name, "a text"))
    }

    fn lasting_text(&self, name: &str) -> Result<&'static str, Mistake> {
        lasting(self.text(name)?)
    }

    fn wrong(&self, name: &str, expected: &str) -> Mistake {
        Mistake::new(format!("`{name}` of the fault {} is not {expected}", self.fault))
    }
}

/// The text for as long as the process runs, which [`Fault`] asks for. Equal ones share their
/// memory, and their number and length are limited.
fn lasting(text: &str) -> Result<&'static str, Mistake> {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

    let mut texts = locked(&TEXTS);
    if let Some(known) = texts.get(text) {
        return Ok(known);
    }
    if text.len() > 256 || texts.len() >= 1000 {
        return Err(Mistake::new("the names in faults are too long, or too many different ones"));
    }
    let text: &'static str = text.to_owned().leak();
    texts.insert(text);
    Ok(text)
}
