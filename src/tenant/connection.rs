//! Whether an exchange used a connection of its own or one that was kept from an earlier exchange.
//!
//! A server may close a kept connection at any time, also when the next request is already on its
//! way (RFC 9112 §9.5). Only then is a failed request worth repeating.

use std::cell::Cell;

tokio::task_local! {
    /// Whether the exchange that this task makes has opened a connection.
    static HAS_OPENED: Cell<bool>;
}

/// Makes an exchange, and tells whether it had to open a connection.
pub(super) async fn observed<F: Future>(exchange: F) -> (F::Output, bool) {
    let exchange = async {
        let outcome = exchange.await;
        (outcome, HAS_OPENED.with(Cell::get))
    };
    HAS_OPENED.scope(Cell::new(false), exchange).await
}

/// Reports a connection that a connector has opened to [`observed`].
pub(super) fn report<C, E>(connection: Result<C, E>) -> Result<C, E> {
    if connection.is_ok() {
        // A connection that is finished in the background serves another exchange.
        let _ = HAS_OPENED.try_with(|has_opened| has_opened.set(true));
    }
    connection
}
