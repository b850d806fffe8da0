use std::convert::Infallible;

use futures_util::Stream;
use monocloud_backend::Authenticated;
use salvo::{
    http::header::{CONTENT_TYPE, HeaderValue},
    prelude::*,
};

#[handler]
async fn events(caller: Authenticated, response: &mut Response) {
    let event_stream = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, event_stream);
    response.stream(caller.until_expiry(news()));
}

fn news() -> impl Stream<Item = Result<&'static str, Infallible>> + Send {
    futures_util::stream::iter([Ok("data: hello\n\n")])
}
