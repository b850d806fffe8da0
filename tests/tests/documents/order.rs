//! Authentication comes first; requests without an operation are not affected.

use monocloud_backend::{Bearer, Policy};
use poem::{
    EndpointExt, Route,
    http::{Method, header},
    middleware::Cors,
};
use poem_openapi::{
    ApiResponse, Object, OpenApi, OpenApiService, OperationId,
    param::{Path, Query},
    payload::Json,
};

use crate::world::{Client, Scope, World, challenges, serve};

#[derive(Object)]
struct Post {
    #[allow(dead_code)]
    title: String,
}

#[derive(ApiResponse)]
#[oai(bad_request_handler = "bad_request")]
enum Answer {
    #[oai(status = 200)]
    Fine,
    #[oai(status = 418)]
    Teapot,
}

fn bad_request(_: poem::Error) -> Answer {
    Answer::Teapot
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/posts/:id", method = "put")]
    async fn put(
        &self,
        _id: Path<u64>,
        _page: Query<u64>,
        _post: Json<Post>,
        #[oai(scope = "Scope::Write")] _caller: Bearer,
    ) {
    }

    #[oai(path = "/handled", method = "get", operation_id = "handled")]
    async fn handled(&self, _page: Query<Option<u64>>, _caller: Bearer) -> Answer {
        Answer::Fine
    }

    #[oai(path = "/options", method = "options")]
    async fn options(&self, _caller: Bearer) {}
}

#[tokio::test]
async fn authentication_comes_before_the_path_the_query_and_the_body() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    let put = |path: &str, token: &str| {
        let request = client.http().put(path).content_type("application/json").body("{");
        request.header("Authorization", format!("Bearer {token}")).send()
    };
    for path in ["/posts/x?page=x", "/posts/7?page=x", "/posts/7?page=1"] {
        assert_eq!(client.status(&format!("PUT {path}"), "").await, 401, "{path}");
        assert_eq!(put(path, &world.expired()).await.0.status(), 401, "{path}");
        assert_eq!(put(path, &world.token("posts:read")).await.0.status(), 403, "{path}");
        assert!(put(path, &world.token("posts:write")).await.0.status().is_client_error());
    }
    let accepted = put("/posts/7?page=1", &world.token("posts:write")).await;
    assert_eq!(accepted.0.status(), 400, "the body is bad");
}

#[tokio::test]
async fn a_bad_request_handler_does_not_get_rejections() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    let realm = r#"Bearer realm="https://api.example.com""#;
    let missing = client.send("GET /handled", "").await;
    assert_eq!((missing.0.status().as_u16(), challenges(&missing)), (401, vec![realm.to_owned()]));
    assert_eq!(client.status("GET /handled", &world.expired()).await, 401);
    // It does get other errors.
    assert_eq!(client.status("GET /handled?_page=x", &world.token("")).await, 418);
    assert_eq!(client.status("GET /handled", &world.token("")).await, 200);
}

#[tokio::test]
async fn all_answers_have_the_operations_id_including_rejections() {
    let world = World::new().await;
    let (client, document) = serve(world.protect.secure(Api));
    for token in ["", &world.expired(), &world.token("")] {
        let response = client.send("GET /handled", token).await;
        let id = response.0.data::<OperationId>().map(|id| id.0);
        assert_eq!(id, Some("handled"), "{}", response.0.status());
    }
    let document = document.render().await;
    assert_eq!(document["paths"]["/handled"]["get"]["operationId"], "handled");
}

#[tokio::test]
async fn head_is_authorized_as_get_and_has_no_body() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    assert_eq!(client.status("HEAD /handled", "").await, 401);
    assert_eq!(client.status("HEAD /handled", &world.expired()).await, 401);
    assert_eq!(client.status("HEAD /handled", &world.token("")).await, 200);
}

#[tokio::test]
async fn unknown_paths_are_404_and_unknown_methods_405() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api).by_default(Policy::ANY_TOKEN));
    for token in ["", &world.token("")] {
        assert_eq!(client.status("GET /nowhere", token).await, 404);
        assert_eq!(client.status("DELETE /handled", token).await, 405);
        assert_eq!(client.status("OPTIONS /handled", token).await, 405);
    }
}

#[tokio::test]
async fn a_preflight_is_left_to_the_application_and_an_options_operation_is_authorized() {
    let world = World::new().await;
    let (service, _) = (world.protect.secure(Api))
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))
        .unwrap();
    let cors = Cors::new().allow_method(Method::GET).allow_header("authorization");
    let client = Client::new(Route::new().nest("/", service.with(cors)));

    let preflight = client.http().options("/handled");
    let preflight = preflight.header(header::ORIGIN, "https://app.example.com");
    let preflight = preflight.header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let preflight = preflight.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    let allowed = preflight.send().await;
    allowed.assert_status_is_ok();
    allowed.assert_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "https://app.example.com");

    let (client, _) = serve(world.protect.secure(Api));
    assert_eq!(client.status("OPTIONS /options", "").await, 401);
    assert_eq!(client.status("OPTIONS /options", &world.token("")).await, 200);
}
