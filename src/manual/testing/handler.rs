use monocloud_backend::{Authenticated, Bearer, Caller, Claims, MaybeBearer};
use poem_openapi::{OpenApi, payload::PlainText};
use serde_json::json;

struct Posts;

#[OpenApi]
impl Posts {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, caller: Bearer) -> PlainText<String> {
        PlainText(format!("posts of {}", caller.claims().subject().unwrap_or_default()))
    }

    #[oai(path = "/greeting", method = "get")]
    async fn greet(&self, caller: MaybeBearer) -> PlainText<String> {
        let name = caller.claims().and_then(|claims| claims.subject());
        PlainText(format!("hello, {}", name.unwrap_or("stranger")))
    }
}

async fn greets_by_name() {
    let alice = Authenticated::for_tests(Claims::for_tests(json!({ "sub": "alice" })));
    assert_eq!(Posts.list(Bearer::for_tests(alice.clone())).await.0, "posts of alice");

    let greet = async |caller: Caller| Posts.greet(MaybeBearer::for_tests(caller)).await.0;
    assert_eq!(greet(Caller::for_tests(alice)).await, "hello, alice");
    assert_eq!(greet(Caller::anonymous_for_tests()).await, "hello, stranger");
}
