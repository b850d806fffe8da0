//! A fault that a request has met, and its effect on the right answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{
    HeaderValue, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::{
    Clock,
    site::{
        answer::{Answer, answer_of, json_answer},
        cors,
        ending::Ending,
        fault::{self, Fault},
    },
};

/// A fault that one request has met.
#[derive(Debug)]
pub(crate) struct ActiveFault {
    fault: Arc<Fault>,
    /// Ends once the fault is lifted.
    lifted: watch::Receiver<()>,
}

impl ActiveFault {
    pub(crate) const fn new(fault: Arc<Fault>, lifted: watch::Receiver<()>) -> Self {
        Self { fault, lifted }
    }

    /// Replaces or delays the `right` answer to a request that `arrived` then.
    pub(crate) async fn apply(
        mut self,
        right: Answer,
        arrived: Instant,
        clock: &Clock,
    ) -> Result<Answer, Ending> {
        Ok(match &*self.fault {
            Fault::Status(status) => failure(status_code(*status), &right),
            Fault::RetryAfter { status, after } => {
                let mut answer = failure(status_code(*status), &right);
                answer.headers_mut().insert(RETRY_AFTER, whole_seconds(*after).into());
                answer
            }
            Fault::Redirect(url) => {
                let mut answer = failure(StatusCode::TEMPORARY_REDIRECT, &right);
                answer.headers_mut().insert(LOCATION, header_value(url));
                answer
            }
            Fault::Answer { status, content_type, body } => {
                let content_type = header_value(content_type);
                let answer = answer_of(status_code(*status), content_type, body.clone());
                across_origins_like(&right, answer)
            }
            Fault::Latency(latency) => {
                clock.reaches(arrived + *latency).await;
                right
            }
            Fault::NeverAnswer => {
                // Nothing is ever sent: the wait ends when the sender is dropped.
                let _ = self.lifted.changed().await;
                right
            }
            Fault::Empty => {
                let mut empty = right.map(|_| Bytes::new());
                *empty.status_mut() = StatusCode::OK;
                empty
            }
            Fault::Malformed => right.map(|body| body.slice(..body.len() / 2)),
            Fault::ContentType(content_type) => {
                let mut answer = right;
                answer.headers_mut().insert(CONTENT_TYPE, header_value(content_type));
                answer
            }
            Fault::DeepJson(depth) => right.map(|body| deepened(&body, *depth)),
            // An answer has one of these two members.
            Fault::WrongIssuer(issuer) => edited(right, |object| {
                let name = if object.contains_key("issuer") { "issuer" } else { "iss" };
                object.insert(name.to_owned(), issuer.as_str().into());
            }),
            Fault::MissingField(name) => edited(right, |object| {
                object.remove(*name);
            }),
            Fault::Huge(length) => return Err(Ending::Padded { answer: right, length: *length }),
            Fault::Truncated { after } => {
                return Err(Ending::Truncated { answer: right, after: *after });
            }
            Fault::SlowDrip { chunk, every } => {
                let (chunk, every) = (*chunk, *every);
                return Err(Ending::Dripped { answer: right, chunk, every, arrived });
            }
            Fault::Reset => return Err(Ending::Reset),
            Fault::CloseBeforeAnswer => return Err(Ending::Closed),
            Fault::BrokenTls => return Err(Ending::Garbled),
        })
    }
}

/// An answer with this status and a document that no client can use.
fn failure(status: StatusCode, right: &Answer) -> Answer {
    let body = json!({ "error": "the test made this endpoint fail" });
    across_origins_like(right, json_answer(status, &body))
}

/// A browser that may read the right answer may read this one too.
fn across_origins_like(right: &Answer, mut answer: Answer) -> Answer {
    if right.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        answer.headers_mut().extend(cors::OPEN);
    }
    answer
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// An answer that is not a JSON object, as a test may have set, stays as it is.
fn edited(answer: Answer, edit: impl FnOnce(&mut Map<String, Value>)) -> Answer {
    answer.map(|body| match serde_json::from_slice(&body) {
        Ok(Value::Object(mut object)) => {
            edit(&mut object);
            Value::Object(object).to_string().into()
        }
        _ => body,
    })
}

/// Written by hand, because serde_json would recurse as deep.
fn deepened(body: &[u8], depth: usize) -> Bytes {
    let object = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    let rest: String =
        object.iter().map(|(name, value)| format!(",{}:{value}", json!(name))).collect();
    format!(r#"{{"deep":{}{}{rest}}}"#, "[".repeat(depth), "]".repeat(depth)).into()
}

/// A fault is [checked](Fault::check) before it is in force.
fn status_code(status: u16) -> StatusCode {
    fault::status_code(status).expect("the fault was checked")
}

fn header_value(value: &str) -> HeaderValue {
    fault::header_value(value).expect("the fault was checked")
}
