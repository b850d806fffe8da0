//! The examples on free ports of loopback, until the test's runtime ends.

use std::{
    future::Future,
    net::{Ipv4Addr, TcpListener},
};

use monocloud_backend::ProtectApi;

use crate::{axum_example, poem_example, poem_openapi_example, salvo_example};

/// Serves an example, and returns its URL.
pub(crate) type Serve = fn(ProtectApi) -> String;

pub(crate) fn axum(protect: ProtectApi) -> String {
    let (app, _) = axum_example::app(protect).unwrap();
    serve(|listener| async {
        axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
    })
}

pub(crate) fn poem(protect: ProtectApi) -> String {
    let (app, _) = poem_example::app(protect).unwrap();
    serve(|listener| run_poem(listener, app))
}

pub(crate) fn poem_openapi(protect: ProtectApi) -> String {
    let (app, _) = poem_openapi_example::app(protect).unwrap();
    serve(|listener| run_poem(listener, app))
}

pub(crate) fn salvo(protect: ProtectApi) -> String {
    use salvo::conn::tcp::TcpAcceptor;

    let (app, _) = salvo_example::app(protect).unwrap();
    serve(|listener| async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        salvo::Server::new(TcpAcceptor::try_from(listener).unwrap()).serve(app).await;
    })
}

fn serve<F>(run: impl FnOnce(TcpListener) -> F) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(run(listener));
    url
}

async fn run_poem(listener: TcpListener, app: impl poem::Endpoint + 'static) {
    let acceptor = poem::listener::TcpAcceptor::from_std(listener).unwrap();
    poem::Server::new_with_acceptor(acceptor).run(app).await.unwrap();
}
