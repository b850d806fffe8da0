//! Reports, as programs read them that others wrote: `npm ci` in `tests/clients` installs them.

use std::{
    env, fs,
    io::{self, Write as _},
    path::Path,
    process::Command,
};

use monocloud_testkit::{Audit, Clock, Format, MockTenant};

use crate::{OPENAPI, api::Api, defect::Defect};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

#[tokio::test]
async fn sarif_is_valid_by_its_schema_and_junit_by_a_reader_of_it() {
    let has_node = Command::new("node").arg("--version").output().is_ok();
    if !has_node || !Path::new(FOLDER).join("node_modules/ajv").exists() {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "node or its packages are missing in CI");
        // Written directly, as the test harness hides the output of a test that passes.
        let mut stderr = io::stderr();
        writeln!(stderr, "SKIPPED, needs node and `npm ci` in {FOLDER}: readers").unwrap();
        return;
    }
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::ForgotOneOperation).await;
    // Findings, advice, and operations that are not called.
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["no-token", "json"]);
    let report = audit.run(&tenant).await;
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("report.sarif", Format::Sarif), ("report.xml", Format::Junit)] {
        fs::write(folder.path().join(name), report.format(format)).unwrap();
    }
    let mut node = Command::new("node");
    node.args(["--test", "reports.mjs"]).current_dir(FOLDER).env("REPORTS", folder.path());
    let output = tokio::task::spawn_blocking(move || node.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" pass 2\n"), "{said}");
}
