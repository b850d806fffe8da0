use axum::{
    BoxError,
    response::sse::{Event, Sse},
};
use futures_util::Stream;
use monocloud_backend::Authenticated;

async fn events(caller: Authenticated) -> Sse<impl Stream<Item = Result<Event, BoxError>>> {
    Sse::new(caller.until_expiry(news()))
}

fn news() -> impl Stream<Item = Result<Event, BoxError>> {
    futures_util::stream::iter([Ok(Event::default().data("hello"))])
}
