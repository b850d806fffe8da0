use std::{
    env,
    process::{Command, Stdio},
};

use crate::process::Running;

/// The control API is for tests in any language: this one is written in Python, with nothing but
/// its standard library.
#[test]
fn a_program_in_python_controls_the_tenant() {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        assert!(env::var_os("CI").is_none(), "python3 is missing");
        eprintln!("SKIPPED: a_program_in_python_controls_the_tenant needs python3");
        return;
    }
    let tenant = Running::start(&[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control.py");
    let output = Command::new("python3").args([script, tenant.issuer()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    assert!(said.ends_with("8 passed\n"), "{said}");
}
