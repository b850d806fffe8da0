//! A route of each host, without a guard and with one.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ::poem::{Endpoint, EndpointExt, Route, get as poem_get, handler as poem_handler};
use ::poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
use ::salvo::{
    Router as SalvoRouter, Service as SalvoService, Writer as _, handler as salvo_handler,
};
use axum::{Router, routing::get};
use http::{Request, header::AUTHORIZATION, uri::Scheme};
use monocloud_backend::{Authenticated, Bearer, Policy, ProtectApi};
use salvo_core::ConnCtrl;
use tower::ServiceExt;

pub(crate) const HOSTS: [&str; 4] = ["axum", "poem", "poem_openapi", "salvo"];

const ANSWER: &str = "posts";

/// Handles one request with this token.
pub(crate) fn handling(
    host: &str,
    is_guarded: bool,
    protect: &ProtectApi,
    token: &str,
) -> Box<dyn Fn()> {
    let authorization = format!("Bearer {token}");
    let request = move || {
        let request = Request::get("/posts").header(AUTHORIZATION, &authorization);
        request.body(()).unwrap()
    };
    let guard = protect.require(Policy::ANY_TOKEN);
    match host {
        "axum" => {
            let app = match is_guarded {
                false => Router::new().route("/posts", get(async || ANSWER)),
                true => Router::new()
                    .route("/posts", get(async |_caller: Authenticated| ANSWER))
                    .route_layer(guard),
            };
            Box::new(move || {
                let request = request().map(|()| axum::body::Body::empty());
                let response = finished(app.clone().oneshot(request)).unwrap();
                assert!(response.status().is_success());
                black_box(response);
            })
        }
        "poem" => {
            let app = match is_guarded {
                false => Route::new().at("/posts", poem_get(open)).boxed(),
                true => Route::new().at("/posts", poem_get(guarded.with(guard))).boxed(),
            };
            Box::new(move || handle_by_poem(&app, request()))
        }
        "poem_openapi" => {
            let app = match is_guarded {
                false => Route::new().nest("/", OpenApiService::new(Open, "Posts", "1")).boxed(),
                true => {
                    let service = protect.secure(Guarded);
                    let service =
                        service.into_service(|api| OpenApiService::new(api, "Posts", "1"));
                    Route::new().nest("/", service.unwrap().0).boxed()
                }
            };
            Box::new(move || handle_by_poem(&app, request()))
        }
        "salvo" => {
            let posts = SalvoRouter::with_path("posts");
            let posts = match is_guarded {
                false => posts.get(salvo_open),
                true => posts.hoop(guard).get(salvo_guarded),
            };
            let service = SalvoService::new(posts);
            Box::new(move || {
                let request = request().map(|()| ::salvo::http::ReqBody::None);
                let request = ::salvo::Request::from_hyper(request, Scheme::HTTP);
                let (local, remote) = (request.local_addr().clone(), request.remote_addr().clone());
                let ctrl = ConnCtrl::new();
                let handler = service.hyper_handler(local, remote, Scheme::HTTP, None, ctrl, None);
                let response = finished(handler.handle(request));
                assert!(response.status_code.is_none_or(|status| status.is_success()));
                black_box(response);
            })
        }
        other => panic!("{other} is no host"),
    }
}

fn handle_by_poem(app: &impl Endpoint, request: Request<()>) {
    let (parts, ()) = request.into_parts();
    let request = ::poem::Request::builder().uri(parts.uri).method(parts.method);
    let request = parts
        .headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name.clone(), value.clone()));
    let response = finished(app.get_response(request.finish()));
    assert!(response.status().is_success());
    black_box(response);
}

fn finished<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing is waited for"),
    }
}

#[poem_handler]
fn open() -> &'static str {
    ANSWER
}

#[poem_handler]
fn guarded(_caller: Authenticated) -> &'static str {
    ANSWER
}

struct Open;

#[OpenApi]
impl Open {
    #[oai(path = "/posts", method = "get")]
    async fn posts(&self) -> PlainText<&'static str> {
        PlainText(ANSWER)
    }
}

struct Guarded;

#[OpenApi]
impl Guarded {
    #[oai(path = "/posts", method = "get")]
    async fn posts(&self, _caller: Bearer) -> PlainText<&'static str> {
        PlainText(ANSWER)
    }
}

#[salvo_handler]
async fn salvo_open() -> &'static str {
    ANSWER
}

#[salvo_handler]
async fn salvo_guarded(_caller: Authenticated) -> &'static str {
    ANSWER
}
