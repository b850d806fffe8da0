use monocloud_backend::{Bearer, DocumentError, ProtectApi};
use poem::{Route, Server, listener::TcpListener};
use poem_openapi::{OAuthScopes, OpenApi, OpenApiService, payload::PlainText};

#[derive(OAuthScopes)]
enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
}

struct PostsApi;

#[OpenApi]
impl PostsApi {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] caller: Bearer) -> PlainText<String> {
        PlainText(format!("posts of {:?}", caller.claims().subject()))
    }
}

fn app(protect: ProtectApi) -> Result<Route, DocumentError> {
    let (service, document) = protect
        .describe_scopes::<Scope>()
        .secure(PostsApi)
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    let docs = document.swagger_ui("/openapi.json");
    Ok(Route::new().nest("/", service).at("/openapi.json", document.json()).nest("/docs", docs))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app(ProtectApi::from_env()?)?;
    Ok(Server::new(TcpListener::bind("127.0.0.1:3000")).run(app).await?)
}

#[tokio::test]
async fn posts_need_a_scope() {
    let tenant = monocloud_testkit::MockTenant::start().await;
    let protect = ProtectApi::from_vars(tenant.vars()).unwrap();
    let api = poem::test::TestClient::new(app(protect).unwrap());
    let get = |token| api.get("/posts").header("Authorization", format!("Bearer {token}")).send();
    get(tenant.token().scope("posts:read").mint()).await.assert_status_is_ok();
    assert_eq!(get(tenant.token().mint()).await.0.status(), 403);
}
