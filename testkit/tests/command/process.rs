//! Processes of the command.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// The command with these arguments, independent of the environment of the test.
pub(crate) fn mock_tenant(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-tenant"));
    command.args(args).stdin(Stdio::null());
    for name in ["MOCK_TENANT_URL", "MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    pub(crate) fn of(mut command: Command) -> Self {
        let output = command.output().expect("the command starts");
        let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
        Self {
            code: output.status.code().expect("no signal ended it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// The standard output of a success.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        self.out
    }

    /// The message of a failure with code 2.
    #[track_caller]
    pub(crate) fn usage_error(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{self:?}");
        assert!(self.err.starts_with("error: ") && !self.err.contains("panicked"), "{self:?}");
        self.err
    }
}

pub(crate) fn run(args: &[&str]) -> Outcome {
    Outcome::of(mock_tenant(args))
}

/// Runs the command with this standard input.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Outcome {
    let mut command = mock_tenant(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // The command may end before it has read everything.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    let output = child.wait_with_output().expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    let code = output.status.code().expect("no signal ended it");
    Outcome { code, out: text(output.stdout), err: text(output.stderr) }
}

/// A tenant that runs until this value is dropped.
pub(crate) struct Running {
    child: Child,
    rest: BufReader<ChildStdout>,
    /// What it printed at its start.
    pub(crate) announcement: String,
}

impl Running {
    /// `mock-tenant run` on a free port, with these arguments as well.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(&[&["run", "--listen", "127.0.0.1:0"], args].concat())
    }

    pub(crate) fn of(args: &[&str]) -> Self {
        let mut child = mock_tenant(args).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut rest = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut announcement = String::new();
        while !announcement.contains("Ctrl-C") {
            let length = rest.read_line(&mut announcement).expect("the output is UTF-8");
            assert!(length > 0, "the tenant ended after {announcement:?}");
        }
        Self { child, rest, announcement }
    }

    pub(crate) fn issuer(&self) -> &str {
        let line = self.announcement.lines().next().expect("there is a first line");
        line.strip_prefix("mock tenant  ").expect("the first line names the issuer")
    }

    /// The value that the printed environment has for this variable.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        let prefix = format!("export MONOCLOUD_BACKEND_{name}=");
        self.announcement.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
    }

    /// A token by the command.
    pub(crate) fn token(&self, args: &[&str]) -> Outcome {
        run(&[&["token", "--tenant", self.issuer()], args].concat())
    }

    /// Sends a signal, and returns how the tenant ended and what it printed in the meantime.
    pub(crate) fn ended_by(mut self, signal: &str) -> (ExitStatus, String) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill starts");
        assert!(sent.success());
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.rest.read_to_string(&mut rest).expect("the output is UTF-8");
        (status, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
