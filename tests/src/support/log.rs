//! What the library logs on this thread.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// Collects lines until it is dropped. A test's runtime must stay on the test's thread.
pub struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

/// With a single collector, tracing caches for all threads whether the thread that first reaches an
/// event wants it. Others prevent that.
static OTHER_COLLECTORS: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Dispatch::new(Collector(Lines::default()))));

type Lines = Arc<Mutex<Vec<(Level, String)>>>;

impl Log {
    pub fn capture() -> Self {
        LazyLock::force(&OTHER_COLLECTORS);
        let lines = Lines::default();
        let guard = tracing::subscriber::set_default(Collector(Arc::clone(&lines)));
        Self { lines, _guard: guard }
    }

    /// The lines at this level or a more severe one.
    pub fn lines(&self, level: Level) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|(of, _)| *of <= level).map(|(_, line)| line.clone()).collect()
    }

    pub fn count(&self, text: &str) -> usize {
        self.lines(Level::TRACE).iter().filter(|line| line.contains(text)).count()
    }

    /// Lets the other tasks of this thread run until this many lines contain this text.
    pub async fn wait_for(&self, text: &str, count: usize) {
        let logged = async {
            while self.count(text) < count {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, logged).await.expect("it is logged");
    }
}

struct Collector(Lines);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The library, and the examples of the manual.
        ["monocloud_backend", "hosts::middleware"]
            .iter()
            .any(|target| metadata.target().starts_with(target))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
