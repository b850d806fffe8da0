//! Output: with colours on a terminal, and none elsewhere or with `NO_COLOR`.

use std::io::{ErrorKind, Write as _};

use anstyle::Style;

use crate::failure::Failure;

pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Writes the whole text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::unread(),
        _ => Failure::other(format!("the output cannot be written: {error}")),
    })
}
