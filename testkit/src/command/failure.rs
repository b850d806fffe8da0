//! Why the command ends without success.

use std::{io::Write as _, process::ExitCode};

use anstyle::{AnsiColor, Style};

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// What went wrong, for standard error.
#[derive(Debug)]
pub(crate) struct Failure {
    /// `None` if there is no reader left, or nothing to add to the output.
    message: Option<String>,
    code: u8,
}

impl Failure {
    /// What the user can put right: options, files, a tenant that does not run.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 2 }
    }

    /// Anything else.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 1 }
    }

    /// What the output says already.
    pub(crate) const fn found() -> Self {
        Self { message: None, code: 1 }
    }

    /// The reader of the output has left, as `head` does.
    pub(crate) const fn unread() -> Self {
        Self { message: None, code: 0 }
    }

    pub(crate) fn report(self) -> ExitCode {
        if let Some(message) = self.message {
            // Without standard error, the code has to be enough.
            let _ = writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#} {message}");
        }
        ExitCode::from(self.code)
    }
}
