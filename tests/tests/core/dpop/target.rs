//! The URL that a proof is for, and where the API knows its own from.

use monocloud_backend::dpop::DpopMode;
use monocloud_testkit::ProofBuilder;

use super::{World, proven, reason};

const OTHER: &str = "the proof is for another URI";

fn htu(url: &str) -> impl FnOnce(ProofBuilder) -> ProofBuilder {
    let url = url.to_owned();
    move |proof| proof.claim("htu", url)
}

#[tokio::test]
async fn the_origin_is_that_of_the_resource_and_never_that_of_the_host_header() {
    let world = World::with(|builder| {
        builder.dpop(DpopMode::Required).resource("https://public.example.com:8443/posts")
    })
    .await;
    let token = world.bound();
    for (url, status) in [
        ("https://public.example.com:8443/any", 200),
        ("https://public.example.com/any", 401),
        ("https://public.example.com:8443/posts/any", 401),
        ("https://api.example.com/any", 401),
        ("http://public.example.com:8443/any", 401),
    ] {
        let proof = htu(url)(world.proof("/any", &token)).mint();
        for host in ["public.example.com:8443", "evil.example.com", "api.example.com"] {
            let call = proven("GET", "/any", &token, &proof).header("host", host);
            let call =
                call.header("x-forwarded-host", host).header("forwarded", format!("host={host}"));
            let answer = world.api.send(call).await;
            // The same proof again.
            let is_used = reason(&answer) == "the proof was used before";
            assert!(answer.status == status || status == 200 && is_used, "{url} {answer:?}");
            assert!(answer.status == 200 || is_used || reason(&answer) == OTHER, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn query_and_fragment_are_not_a_part_of_it() {
    let world = World::new(DpopMode::Required).await;
    let token = world.bound();
    let url = "https://api.example.com/any";
    for odd in [format!("{url}?"), format!("{url}?a=b"), format!("{url}#"), format!("{url}#a")] {
        let answer = world.get("/any", &token, htu(&odd)).await;
        assert_eq!((answer.status, reason(&answer)), (401, OTHER), "{odd}");
    }
}

#[tokio::test]
async fn a_prefix_that_a_proxy_removes_is_put_back() {
    let world =
        World::with(|builder| builder.dpop(DpopMode::Required).stripped_path_prefix("/api/v1"))
            .await;
    let token = world.bound();
    let answer = world.get("/any", &token, htu("https://api.example.com/api/v1/any")).await;
    assert_eq!(answer.status, 200);
    for url in ["https://api.example.com/any", "https://api.example.com/api/any"] {
        let answer = world.get("/any", &token, htu(url)).await;
        assert_eq!((answer.status, reason(&answer)), (401, OTHER), "{url}");
    }
}
