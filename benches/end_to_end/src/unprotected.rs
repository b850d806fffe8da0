//! Each host without authentication: what a request costs before a library is asked about its token.

use std::net::TcpListener;

use poem::listener::TcpAcceptor;
use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
use salvo::conn::tcp::TcpAcceptor as SalvoAcceptor;

use crate::Done;

/// As long as the subject of a token, with which the protected servers answer.
pub(crate) const ANSWER: &str = "usr_5kNvXbmzXHpvSyTVgQ0000";

pub(crate) async fn poem(listener: TcpListener) -> Done {
    #[poem::handler]
    fn posts() -> &'static str {
        ANSWER
    }

    let app = poem::Route::new().at("/posts", poem::get(posts));
    Ok(poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}

pub(crate) async fn poem_openapi(listener: TcpListener) -> Done {
    struct Posts;

    #[OpenApi]
    impl Posts {
        #[oai(path = "/posts", method = "get")]
        async fn posts(&self) -> PlainText<&'static str> {
            PlainText(ANSWER)
        }
    }

    let app = poem::Route::new().nest("/", OpenApiService::new(Posts, "Posts", "1.0"));
    Ok(poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}

pub(crate) async fn axum(listener: TcpListener) -> Done {
    let app = axum::Router::new().route("/posts", axum::routing::get(async || ANSWER));
    Ok(axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await?)
}

pub(crate) async fn salvo(listener: TcpListener) -> Done {
    #[salvo::handler]
    async fn posts() -> &'static str {
        ANSWER
    }

    let app = salvo::Router::with_path("posts").get(posts);
    let acceptor = SalvoAcceptor::try_from(tokio::net::TcpListener::from_std(listener)?)?;
    salvo::Server::new(acceptor).serve(app).await;
    Ok(())
}
