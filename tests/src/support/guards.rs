//! The API of `hosts`, without a host: each route is a guard that is called directly.

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, Method, Response, Uri};
use monocloud_backend::{Claims, Guard, Policy, ProtectApi, Refusal, RequestHead};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Answer;

pub const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
pub const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:read", "posts:write"]);
pub const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
pub const BOTH: Policy = Policy::ANY_TOKEN.all_groups(&["a", "b"]);
pub const GROUPS: Policy = Policy::ANY_TOKEN.groups(&["a", "b"]);
pub const SCOPE_AND_GROUP: Policy = READ.any_group(&["admin"]);

static PATH: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/"));

/// What a guard sees of a `GET` request with these headers.
pub fn request_head(headers: &HeaderMap) -> RequestHead<'_> {
    RequestHead::new(&Method::GET, &PATH, headers)
}

/// What `/profile` reads of a token.
#[derive(Debug, Deserialize)]
pub struct Profile {
    email: String,
    plan: Option<String>,
}

impl Profile {
    /// What `/profile` answers.
    pub fn text(&self, token: &Claims) -> String {
        let subject = token.subject().unwrap_or("anonymous");
        format!("{subject} {} {}", self.email, self.plan.as_deref().unwrap_or("-"))
    }
}

/// The guard of each route.
#[derive(Clone, Debug)]
pub(super) struct Guards(Arc<[(&'static str, Guard)]>);

impl Guards {
    pub(super) fn new(protect: &ProtectApi) -> Self {
        let guards = [
            ("GET /any", protect.require(Policy::ANY_TOKEN)),
            ("GET /read", protect.require(READ)),
            ("POST /write", protect.require(WRITE)),
            ("GET /admin", protect.require(ADMIN)),
            ("GET /both", protect.require(BOTH)),
            ("GET /groups", protect.require(GROUPS)),
            ("GET /scope-and-group", protect.require(SCOPE_AND_GROUP)),
            ("GET /optional", protect.optional()),
            ("GET /profile", protect.require(Policy::ANY_TOKEN)),
        ];
        Self(guards.into())
    }

    /// Answers as a host does: with the guard's rejection or the handler's answer.
    pub(super) async fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Answer {
        // HEAD is authorized as GET.
        let route = format!("{method} {path}").replace("HEAD ", "GET ");
        let guard = self.0.iter().find(|(of, _)| *of == route);
        let (_, guard) = guard.unwrap_or_else(|| panic!("{route} exists only on hosts"));
        let uri = path.parse().unwrap();
        let head = RequestHead::new(method, &uri, headers);
        let caller = match guard.check(head).await {
            Ok(caller) => caller,
            Err(refusal) => return refused(&refusal),
        };
        let mut response = Response::new(());
        caller.complete(&mut response);
        let body = match path {
            "/any" => serde_json::to_string(caller.claims().unwrap()).unwrap(),
            "/optional" => {
                caller.claims().and_then(Claims::subject).unwrap_or("anonymous").to_owned()
            }
            "/profile" => match caller.require().unwrap().typed::<Profile>() {
                Ok(caller) => caller.claims().text(caller.token_claims()),
                Err(refusal) => return refused(&refusal),
            },
            "/write" => {
                let post: Value = serde_json::from_str(body).unwrap();
                post["title"].as_str().unwrap().to_owned()
            }
            "/scope-and-group" => "scope and group".to_owned(),
            other => other[1..].to_owned(),
        };
        Answer { status: 200, headers: response.into_parts().0.headers, body }
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let (head, body) = refusal.response().into_parts();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}
