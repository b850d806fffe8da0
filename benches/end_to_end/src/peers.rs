//! What else a Rust API can be protected with, each as its documentation shows.

use std::{collections::HashMap, env, error::Error, net::TcpListener, sync::Arc};

use axum::routing::get;
use axum_07 as axum_of_jwt_authorizer;
use jsonwebtoken::{DecodingKey, Validation, crypto::aws_lc, decode, decode_header, jwk::JwkSet};
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims};
use oauth_resource_server::{
    AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator, axum::AuthLayer, static_token_policy,
};
use poem::{EndpointExt as _, Request, http::StatusCode, listener::TcpAcceptor, web::Data};
use serde::Deserialize;

use crate::Done;

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
    scope: String,
}

impl Claims {
    fn may_read(&self) -> bool {
        self.scope.split(' ').any(|scope| scope == "posts:read")
    }
}

/// By hand, as examples of poem do it: the key of the header's `kid`, then `decode`.
pub(crate) async fn poem_jsonwebtoken(listener: TcpListener) -> Done {
    struct Keys(HashMap<String, (DecodingKey, Validation)>);

    impl Keys {
        fn claims(&self, request: &Request) -> Option<Claims> {
            let token = request.header("Authorization")?.strip_prefix("Bearer ")?;
            let (key, validation) = self.0.get(&decode_header(token).ok()?.kid?)?;
            Some(decode::<Claims>(token, key, validation).ok()?.claims)
        }
    }

    #[poem::handler]
    fn posts(request: &Request, keys: Data<&Arc<Keys>>) -> poem::Result<String> {
        let refusal = |status| poem::Error::from_status(status);
        let claims = keys.claims(request).ok_or_else(|| refusal(StatusCode::UNAUTHORIZED))?;
        if claims.may_read() { Ok(claims.sub) } else { Err(refusal(StatusCode::FORBIDDEN)) }
    }

    aws_lc::DEFAULT_PROVIDER.install_default().map_err(|_| "another provider is installed")?;
    let set = reqwest::get(var("JWKS_URI")?).await?.bytes().await?;
    let set: JwkSet = serde_json::from_slice(&set)?;
    let mut keys = HashMap::new();
    for key in set.keys {
        let Some(kid) = key.common.key_id.clone() else { continue };
        let Some(algorithm) = key.common.key_algorithm else { continue };
        let Ok(algorithm) = algorithm.to_string().parse() else { continue };
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[issuer()?]);
        validation.set_audience(&[audience()?]);
        validation.validate_nbf = true;
        keys.insert(kid, (DecodingKey::from_jwk(&key)?, validation));
    }
    let app = poem::Route::new().at("/posts", poem::get(posts).data(Arc::new(Keys(keys))));
    Ok(poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}

pub(crate) async fn axum_oauth_resource_server(listener: TcpListener) -> Done {
    let config = OAuthConfig {
        enabled: true,
        issuer: issuer()?,
        audience: audience()?,
        resource: audience()?,
        required_scope: Some("posts:read".to_owned()),
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth"))?.ok_or("it is not enabled")?;
    let validator = Arc::new(OAuthValidator::new(&config)?);
    validator.refresh_now().await?;
    let decision = static_token_policy(None, Some(&config), false)?;
    let layer = AuthLayer::from_decision(decision, Some(validator))?;
    let posts = async |token: AuthorizedToken| token.subject.unwrap_or_default();
    let app = axum::Router::new().route("/posts", get(posts)).route_layer(layer);
    Ok(axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await?)
}

pub(crate) async fn axum_jwt_authorizer(listener: TcpListener) -> Done {
    use axum_of_jwt_authorizer::{Router, routing::get, serve};

    let validation =
        jwt_authorizer::Validation::new().iss(&[issuer()?]).aud(&[audience()?]).nbf(true);
    let authorizer = JwtAuthorizer::from_jwks_url(&var("JWKS_URI")?)
        .validation(validation)
        .check(Claims::may_read)
        .build()
        .await?;
    let posts = async |JwtClaims(claims): JwtClaims<Claims>| claims.sub;
    let app = Router::new().route("/posts", get(posts)).layer(authorizer.into_layer());
    Ok(serve(tokio::net::TcpListener::from_std(listener)?, app).await?)
}

fn issuer() -> Result<String, Box<dyn Error>> {
    var("MONOCLOUD_BACKEND_TENANT_DOMAIN")
}

fn audience() -> Result<String, Box<dyn Error>> {
    var("MONOCLOUD_BACKEND_AUDIENCE")
}

fn var(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|_| format!("{name} is not set").into())
}
