//! Clients in other languages, against the tenant.
//!
//! `npm ci` in this folder installs them.

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    process::Command,
};

use monocloud_testkit::{MockTenant, User};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

#[tokio::test]
async fn openid_client_logs_in_refreshes_and_proves_its_key() {
    let has_node = Command::new("node").arg("--version").output().is_ok();
    if !has_node || !Path::new(FOLDER).join("node_modules").exists() {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "node or its packages are missing in CI");
        // Written directly, as the test harness hides the output of a test that passes.
        let mut stderr = io::stderr();
        writeln!(stderr, "SKIPPED, needs node and `npm ci` in {FOLDER}: openid-client").unwrap();
        return;
    }
    let alice = User::new("alice").claim("email", "alice@example.com");
    let tenant = MockTenant::builder().user(alice).auto_login("alice").start().await;
    let mut node = Command::new("node");
    node.args(["--test", "openid_client.mjs"]).current_dir(FOLDER).env("ISSUER", tenant.issuer());
    let output = tokio::task::spawn_blocking(move || node.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" pass 6\n"), "{said}");
}
