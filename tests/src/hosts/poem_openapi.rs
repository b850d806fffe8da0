//! poem-openapi: the host enforces what its document says. Beyond the common routes:
//!
//! | route | what | answers |
//! |---|---|---|
//! | `GET /public-asks` | a public operation that asks for the caller | 500 |
//! | `GET /hidden` | not in the document, listed with the group `admin` | `hidden` |
//! | `POST /hidden` | not in the document, listed, takes a body before its caller | the title |
//! | `GET /hidden-optional` | not in the document, listed, optional token by type | the subject |

use std::net::TcpListener;

use monocloud_backend::{
    Authenticated, Bearer, Claims, MaybeBearer, Policy, ProtectApi, Require,
    certificate::ServerTls, policy::AnyToken,
};
use poem::{EndpointExt, Route, middleware::Cors};
use poem_openapi::{
    OAuthScopes, Object, OpenApi, OpenApiService,
    payload::{Json, PlainText},
};

use super::poem::{branded, run};
use crate::support::{ADMIN, BOTH, GROUPS, Profile};

pub(super) fn serve(protect: &ProtectApi, listener: TcpListener, tls: Option<ServerTls>) {
    let protect = protect.clone().describe_scopes::<Scope>();
    let api = || {
        let secured = (protect.secure(Api))
            .public("GET", "/health")
            .public("GET", "/public-asks")
            .hidden("GET", "/hidden", ADMIN)
            .hidden("POST", "/hidden", ADMIN)
            .hidden("GET", "/hidden-optional", Policy::ANY_TOKEN);
        let (service, _) =
            secured.into_service(|api| OpenApiService::new(api, "Posts", "1.0")).unwrap();
        service
    };
    let unguarded = OpenApiService::new(Unguarded, "Unguarded", "1.0");
    let app = Route::new()
        .nest("/", api())
        .nest("/branded", branded(Route::new().nest("/", api())))
        .nest("/unguarded", unguarded);
    run(app.with(Cors::new()), listener, tls);
}

#[derive(OAuthScopes)]
enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
    /// Write posts
    #[oai(rename = "posts:write")]
    Write,
}

named_policies! {
    Admins = ADMIN;
    Both = BOTH;
    Groups = GROUPS;
}

type Text = PlainText<String>;

#[derive(Object)]
struct Post {
    title: String,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/health", method = "get")]
    async fn health(&self) -> Text {
        text("up")
    }

    #[oai(path = "/any", method = "get")]
    async fn any(&self, caller: Bearer) -> Json<serde_json::Value> {
        all(caller.claims())
    }

    #[oai(path = "/read", method = "get")]
    async fn read(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) -> Text {
        text("read")
    }

    #[oai(path = "/write", method = "post")]
    async fn write(
        &self,
        #[oai(scope = "Scope::Read", scope = "Scope::Write")] _caller: Bearer,
        Json(post): Json<Post>,
    ) -> Text {
        PlainText(post.title)
    }

    #[oai(path = "/admin", method = "get")]
    async fn admin(&self, _caller: Bearer<Admins>) -> Text {
        text("admin")
    }

    #[oai(path = "/both", method = "get")]
    async fn both(&self, _caller: Bearer<Both>) -> Text {
        text("both")
    }

    #[oai(path = "/groups", method = "get")]
    async fn groups(&self, _caller: Bearer<Groups>) -> Text {
        text("groups")
    }

    #[oai(path = "/scope-and-group", method = "get")]
    async fn scope_and_group(&self, #[oai(scope = "Scope::Read")] _caller: Bearer<Admins>) -> Text {
        text("scope and group")
    }

    #[oai(path = "/optional", method = "get")]
    async fn optional(&self, caller: MaybeBearer) -> Text {
        text(caller.claims().and_then(Claims::subject).unwrap_or("anonymous"))
    }

    #[oai(path = "/profile", method = "get")]
    async fn profile(&self, caller: Bearer<AnyToken, Profile>) -> Text {
        PlainText(caller.claims().text(caller.token_claims()))
    }

    #[oai(path = "/public-asks", method = "get")]
    async fn public_asks(&self, _caller: Authenticated) -> Text {
        text("public asks")
    }

    #[oai(path = "/hidden", method = "get", hidden)]
    async fn hidden(&self, _caller: Bearer<Admins>) -> Text {
        text("hidden")
    }

    #[oai(path = "/hidden", method = "post", hidden)]
    async fn hidden_body(&self, Json(post): Json<Post>, _caller: Bearer<Admins>) -> Text {
        PlainText(post.title)
    }

    #[oai(path = "/hidden-optional", method = "get", hidden)]
    async fn hidden_optional(&self, caller: MaybeBearer) -> Text {
        text(caller.claims().and_then(Claims::subject).unwrap_or("anonymous"))
    }
}

/// An API without `secure`.
struct Unguarded;

#[OpenApi]
impl Unguarded {
    #[oai(path = "/", method = "get")]
    async fn any(&self, caller: Bearer) -> Json<serde_json::Value> {
        all(caller.claims())
    }
}

fn text(text: &str) -> Text {
    PlainText(text.to_owned())
}

fn all(claims: &Claims) -> Json<serde_json::Value> {
    Json(serde_json::to_value(claims).unwrap())
}
