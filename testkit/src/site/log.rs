//! The log of a tenant's requests.

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{Method, Request, header::AUTHORIZATION};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{Endpoint, lock::locked, site::form};

/// The number of requests that the log keeps.
const KEPT: usize = 1000;

/// The number of readers that can follow the log at once.
const FOLLOWERS: usize = 64;

/// The longest path and client id that the log keeps, in bytes. They come from the request.
const LONGEST: usize = 256;

/// The latest requests, and the connections that receive each new one.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<LoggedRequest>,
    /// The number of requests so far, and so the id of the last one.
    last_id: u64,
    followers: Vec<mpsc::Sender<Bytes>>,
}

/// A request, without its query, its body and its credentials: they can contain secrets and tokens.
#[derive(Clone, Debug)]
pub(crate) struct LoggedRequest {
    /// Counts from 1.
    pub(crate) id: u64,
    /// When it arrived, by the tenant's clock.
    pub(crate) time: SystemTime,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) endpoint: Option<Endpoint>,
    /// The status of the response; `None` if the connection ended without one.
    pub(crate) status: Option<u16>,
    /// The client that the request names. It need not be authentic.
    pub(crate) client_id: Option<String>,
}

/// A request that is logged when this value is dropped, however it ends.
#[derive(Debug)]
pub(crate) struct PendingEntry<'a> {
    log: &'a RequestLog,
    entry: Option<LoggedRequest>,
}

impl RequestLog {
    /// Starts the entry of a request that has just arrived.
    pub(crate) fn arrived(
        &self,
        time: SystemTime,
        method: &Method,
        path: &str,
        endpoint: Option<Endpoint>,
    ) -> PendingEntry<'_> {
        let entry = LoggedRequest {
            id: 0,
            time,
            method: method.clone(),
            path: shortened(path),
            endpoint,
            status: None,
            client_id: None,
        };
        PendingEntry { log: self, entry: Some(entry) }
    }

    /// The latest requests, the newest last.
    pub(crate) fn latest(&self) -> Vec<LoggedRequest> {
        locked(&self.0).entries.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        locked(&self.0).entries.clear();
    }

    /// The requests after the one with this id, and all further ones, as server-sent events. It is
    /// `None` if too many readers follow the log already.
    pub(crate) fn follow(&self, after: u64) -> Option<(Bytes, mpsc::Receiver<Bytes>)> {
        let mut state = locked(&self.0);
        state.followers.retain(|follower| !follower.is_closed());
        if state.followers.len() >= FOLLOWERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(KEPT);
        state.followers.push(sender);
        // The comment makes proxies and clients see the response before the first request.
        let mut text = String::from(": the requests of this tenant, as they are answered\n\n");
        // A reader that has followed an earlier tenant at this address has missed everything.
        let after = if after > state.last_id { 0 } else { after };
        let missed = state.entries.iter().filter(|entry| entry.id > after);
        text.extend(missed.map(LoggedRequest::event));
        Some((text.into(), receiver))
    }

    fn push(&self, mut entry: LoggedRequest) {
        let mut state = locked(&self.0);
        state.last_id += 1;
        entry.id = state.last_id;
        if !state.followers.is_empty() {
            let event = Bytes::from(entry.event());
            // One that has left, or that reads too slowly, is disconnected.
            state.followers.retain(|follower| follower.try_send(event.clone()).is_ok());
        }
        if state.entries.len() == KEPT {
            state.entries.pop_front();
        }
        state.entries.push_back(entry);
    }
}

impl LoggedRequest {
    pub(crate) fn to_json(&self) -> Value {
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "id": self.id,
            "time": since_epoch.as_millis() as f64 / 1000.0,
            "method": self.method.as_str(),
            "path": self.path,
            "endpoint": self.endpoint.map(Endpoint::name),
            "status": self.status,
            "client_id": self.client_id,
        })
    }

    fn event(&self) -> String {
        format!("id: {}\nevent: request\ndata: {}\n\n", self.id, self.to_json())
    }
}

impl PendingEntry<'_> {
    pub(crate) fn set_client(&mut self, request: &Request<Bytes>) {
        if let Some(entry) = &mut self.entry {
            entry.client_id = client_id(request).map(|id| shortened(&id));
        }
    }

    pub(crate) const fn set_status(&mut self, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.status = Some(status);
        }
    }
}

impl Drop for PendingEntry<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.log.push(entry);
        }
    }
}

/// The client that a request names: in its form, its query, its Basic credentials or the subject of
/// its assertion (RFC 6749 §2.3.1, RFC 7523 §3).
fn client_id(request: &Request<Bytes>) -> Option<String> {
    let mut form = form::fields(request.body()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let by_name = form.remove("client_id").or_else(|| {
        let mut query = form::fields(query.as_bytes()).unwrap_or_default();
        query.remove("client_id")
    });
    let by_basic = || {
        let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, credentials) = value.split_once(' ')?;
        let is_basic = scheme.eq_ignore_ascii_case("basic");
        let credentials = is_basic.then(|| STANDARD.decode(credentials).ok()).flatten()?;
        let (id, _) = str::from_utf8(&credentials).ok()?.split_once(':')?;
        form::decoded(id)
    };
    let by_assertion = || {
        let payload = form.get("client_assertion")?.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Value = serde_json::from_slice(&payload).ok()?;
        payload.get("sub")?.as_str().map(str::to_owned)
    };
    by_name.or_else(by_basic).or_else(by_assertion)
}

fn shortened(text: &str) -> String {
    match text.char_indices().find(|(start, letter)| start + letter.len_utf8() > LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(log: &RequestLog, path: &str) {
        drop(log.arrived(UNIX_EPOCH, &Method::GET, path, None));
    }

    #[test]
    fn the_log_keeps_the_latest_requests() {
        let log = RequestLog::default();
        for n in 1..=KEPT + 5 {
            request(&log, &format!("/{n}"));
        }
        let latest = log.latest();
        assert_eq!(latest.len(), KEPT);
        assert_eq!((latest[0].id, latest[0].path.as_str()), (6, "/6"));
        assert_eq!(latest[KEPT - 1].id, 1005);
        log.clear();
        assert!(log.latest().is_empty());
    }

    #[test]
    fn a_reader_that_does_not_read_is_disconnected() {
        let log = RequestLog::default();
        request(&log, "/before");
        request(&log, "/missed");
        let (start, mut events) = log.follow(1).unwrap();
        let start = str::from_utf8(&start).unwrap();
        assert!(start.contains("/missed") && !start.contains("/before"), "{start}");
        for _ in 0..=KEPT {
            request(&log, "/later");
        }
        assert_eq!(events.len(), KEPT);
        assert!(events.try_recv().unwrap().starts_with(b"id: 3\nevent: request\ndata: {"));
        assert!(locked(&log.0).followers.is_empty());
    }

    #[test]
    fn the_number_of_readers_is_limited() {
        let log = RequestLog::default();
        let mut readers: Vec<_> = (0..FOLLOWERS).map(|_| log.follow(0).unwrap()).collect();
        assert!(log.follow(0).is_none());
        readers.pop();
        assert!(log.follow(0).is_some());
    }

    #[test]
    fn long_paths_are_cut_between_characters() {
        let log = RequestLog::default();
        request(&log, &format!("/{}", "é".repeat(LONGEST)));
        assert_eq!(log.latest()[0].path, format!("/{}…", "é".repeat(127)));
    }

    #[test]
    fn the_client_is_known_by_form_query_basic_or_assertion() {
        let assertion = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"sub":"signed"}"#));
        let basic = format!("Basic {}", STANDARD.encode("a%3Ab:secret"));
        for (uri, authorization, body, expected) in [
            ("/", "", "client_id=form&client_secret=x".to_owned(), Some("form")),
            ("/?client_id=query", "", String::new(), Some("query")),
            ("/", basic.as_str(), String::new(), Some("a:b")),
            ("/", "", format!("client_assertion={assertion}"), Some("signed")),
            ("/", "Bearer x", "token=a".to_owned(), None),
            ("/", "Basic !", "client_assertion=..".to_owned(), None),
        ] {
            let request = Request::builder().uri(uri).header(AUTHORIZATION, authorization);
            let request = request.body(Bytes::from(body)).unwrap();
            assert_eq!(client_id(&request).as_deref(), expected, "{uri} {authorization}");
        }
    }
}
