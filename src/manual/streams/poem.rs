use std::io;

use futures_util::Stream;
use monocloud_backend::Authenticated;
use poem::{Body, Response, handler};

#[handler]
fn events(caller: Authenticated) -> Response {
    let events = Body::from_bytes_stream(caller.until_expiry(news()));
    Response::builder().content_type("text/event-stream").body(events)
}

fn news() -> impl Stream<Item = io::Result<&'static str>> + Send {
    futures_util::stream::iter([Ok("data: hello\n\n")])
}
