//! Each host, protected by this library. `MONOCLOUD_BACKEND_JWT_CACHE` says whether it remembers
//! tokens.

use std::net::TcpListener;

use monocloud_backend::{Authenticated, Bearer, Policy, ProtectApi};
use poem::{EndpointExt as _, listener::TcpAcceptor};
use poem_openapi::{OAuthScopes, OpenApi, OpenApiService, payload::PlainText};
use salvo::{Writer as _, conn::tcp::TcpAcceptor as SalvoAcceptor};

use crate::Done;

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);

pub(crate) async fn poem(listener: TcpListener) -> Done {
    #[poem::handler]
    fn posts(caller: Authenticated) -> String {
        subject(&caller)
    }

    let guard = protect().await?.require(READ);
    let app = poem::Route::new().at("/posts", poem::get(posts.with(guard)));
    Ok(poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}

pub(crate) async fn poem_openapi(listener: TcpListener) -> Done {
    #[derive(OAuthScopes)]
    enum Scope {
        /// Read posts
        #[oai(rename = "posts:read")]
        Read,
    }

    struct Posts;

    #[OpenApi]
    impl Posts {
        #[oai(path = "/posts", method = "get")]
        async fn posts(&self, #[oai(scope = "Scope::Read")] caller: Bearer) -> PlainText<String> {
            PlainText(caller.claims().subject().unwrap_or_default().to_owned())
        }
    }

    let (service, _) = protect()
        .await?
        .describe_scopes::<Scope>()
        .secure(Posts)
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    let app = poem::Route::new().nest("/", service);
    Ok(poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}

pub(crate) async fn axum(listener: TcpListener) -> Done {
    let posts = async |caller: Authenticated| subject(&caller);
    let guard = protect().await?.require(READ);
    let app = axum::Router::new().route("/posts", axum::routing::get(posts).route_layer(guard));
    Ok(axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await?)
}

pub(crate) async fn salvo(listener: TcpListener) -> Done {
    #[salvo::handler]
    async fn posts(caller: Authenticated) -> String {
        subject(&caller)
    }

    let guard = protect().await?.require(READ);
    let app = salvo::Router::with_path("posts").hoop(guard).get(posts);
    let acceptor = SalvoAcceptor::try_from(tokio::net::TcpListener::from_std(listener)?)?;
    salvo::Server::new(acceptor).serve(app).await;
    Ok(())
}

async fn protect() -> Result<ProtectApi, Box<dyn std::error::Error>> {
    let protect = ProtectApi::from_env()?;
    protect.warm_up().await?;
    Ok(protect)
}

fn subject(caller: &Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}
