use monocloud_backend::{Bearer, DocumentError, ProtectApi};
use poem::{Request, Route};
use poem_openapi::{OpenApi, OpenApiService, SecurityScheme, auth::ApiKey};

#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "X-Api-Key", key_in = "header", checker = "known_key")]
struct Key(());

async fn known_key(_: &Request, key: ApiKey) -> Option<()> {
    (key.key == "open sesame").then_some(())
}

#[derive(SecurityScheme)]
enum TokenOrKey {
    Token(Bearer),
    Key(Key),
}

struct Posts;

#[OpenApi]
impl Posts {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, _caller: TokenOrKey) {}
}

fn app(protect: ProtectApi) -> Result<Route, DocumentError> {
    let secured = protect.secure(Posts);
    let (service, _) = secured.into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    Ok(Route::new().nest("/", service))
}
