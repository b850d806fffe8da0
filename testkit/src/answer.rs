//! What becomes of the right answer, where something goes wrong.

use crate::ending::Ending;
use crate::gate::{Effect, Met};
use crate::{Clock, Fault};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

pub(crate) type Answer = Response<Bytes>;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

/// An answer with this document.
pub(crate) fn json_answer(status: StatusCode, document: &Value) -> Answer {
    raw_answer(status, document.to_string())
}

/// An answer with this text, which is labelled as JSON.
pub(crate) fn raw_answer(status: StatusCode, text: String) -> Answer {
    let mut answer = empty(status).map(|_| text.into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer set by hand, to every request.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    status: StatusCode,
    /// Seconds, for a `Retry-After` header (RFC 9110 §10.2.3).
    retry_after: Option<u64>,
    content_type: HeaderValue,
    body: Bytes,
}

impl Met {
    /// What the client gets for a request that `arrived` then.
    pub(crate) async fn instead_of(
        self,
        right: Answer,
        arrived: Instant,
        clock: &Clock,
    ) -> Result<Answer, Ending> {
        let effect = self.effect.clone();
        let fault = match &*effect {
            Effect::Canned(canned) => return Ok(canned.instead_of(&right)),
            Effect::Fault(fault) => fault,
        };
        let failure = |status, retry_after| Canned::failure(status, retry_after).instead_of(&right);
        Ok(match fault {
            Fault::Status(status) => failure(crate::fault::checked(*status), None),
            Fault::TooManyRequests { retry_after } => {
                failure(StatusCode::TOO_MANY_REQUESTS, Some(whole_seconds(*retry_after)))
            }
            Fault::Unavailable { retry_after } => {
                failure(StatusCode::SERVICE_UNAVAILABLE, Some(whole_seconds(*retry_after)))
            }
            Fault::Latency(latency) => {
                clock.reaches(arrived + *latency).await;
                right
            }
            Fault::NeverAnswer => {
                self.lifted().await;
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
                answer.headers_mut().insert(CONTENT_TYPE, header(content_type));
                answer
            }
            Fault::DeepJson(depth) => right.map(|body| deepened(&body, *depth)),
            Fault::Redirect(url) => {
                let mut answer = failure(StatusCode::TEMPORARY_REDIRECT, None);
                answer.headers_mut().insert(LOCATION, header(url));
                answer
            }
            // An answer has the one or the other of these members.
            Fault::WrongIssuer(issuer) => edited(right, |object| {
                let name = if object.contains_key("issuer") { "issuer" } else { "iss" };
                object.insert(name.into(), issuer.as_str().into());
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

impl Canned {
    pub(crate) fn failure(status: StatusCode, retry_after: Option<u64>) -> Self {
        let body = json!({ "error": "the test told this endpoint to fail" });
        let answer = Self::new(status, header("application/json"), body.to_string().into());
        Self { retry_after, ..answer }
    }

    pub(crate) const fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self { status, retry_after: None, content_type, body }
    }

    /// Whoever may read the right answer may read this one.
    fn instead_of(&self, right: &Answer) -> Answer {
        let mut answer = Response::new(self.body.clone());
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        if let Some(origin) = right.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        answer
    }
}

#[track_caller]
pub(crate) fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| panic!("{value:?} cannot be in a header"))
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// An answer that is no JSON object, as a test may have set by hand, stays as it is.
fn edited(answer: Answer, edit: impl FnOnce(&mut Map<String, Value>)) -> Answer {
    answer.map(|body| match serde_json::from_slice(&body) {
        Ok(Value::Object(mut object)) => {
            edit(&mut object);
            Value::Object(object).to_string().into()
        }
        _ => body,
    })
}

/// By hand, as serde_json would go as deep on the stack.
fn deepened(body: &[u8], depth: usize) -> Bytes {
    let object = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    let rest: String =
        object.iter().map(|(name, value)| format!(",{}:{value}", json!(name))).collect();
    format!(r#"{{"deep":{}{}{rest}}}"#, "[".repeat(depth), "]".repeat(depth)).into()
}
