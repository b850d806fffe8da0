//! The bodies of responses: whole ones, and streams of events.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

/// A part that is known at once, and further ones as they come.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    first: Option<Bytes>,
    rest: Option<mpsc::Receiver<Bytes>>,
}

impl ResponseBody {
    /// A body that goes on for as long as there is a sender.
    pub(crate) const fn stream(first: Bytes, rest: mpsc::Receiver<Bytes>) -> Self {
        Self { first: Some(first), rest: Some(rest) }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(whole: Bytes) -> Self {
        Self { first: (!whole.is_empty()).then_some(whole), rest: None }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        rest.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }

    /// The exact size of a whole body, which becomes its `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        match self.rest {
            None => SizeHint::with_exact(self.first.as_ref().map_or(0, |it| it.len() as u64)),
            Some(_) => SizeHint::default(),
        }
    }
}
