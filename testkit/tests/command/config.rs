use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::process::{Running, run};

/// A file with this text, for as long as the folder exists.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenant.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn the_example_is_commented_valid_and_runs() {
    let example = run(&["config"]).success();
    assert!(example.starts_with("# ") && example.contains("[[users]]"), "{example}");
    let (_folder, path) = file(&example);
    let path = path.to_str().unwrap();
    let said = run(&["config", "--check", path]).success();
    assert_eq!(said, format!("{path} is valid (users: 2, clients: 2, APIs: 1)\n"));
    let tenant = Running::start(&["--config", path]);
    assert!(tenant.announcement.contains("admin (groups: admin)"), "{}", tenant.announcement);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = r#"colour = "red"
auto_login = "eve"
[[users]]
nme = "bob"
[[clients]]
id = "shop"
redirect_uris = ["/relative"]
[lifetimes]
session = 0
"#;
    let (_folder, path) = file(text);
    let path = path.to_str().unwrap();
    for args in [["config", "--check", path], ["run", "--config", path]] {
        let error = run(&args).usage_error();
        assert!(error.starts_with(&format!("error: {path} has 6 mistakes:\n")), "{error}");
        for expected in [
            "1: unknown field `colour`",
            "2: auto_login: there is no user \"eve\"",
            "3: missing field `name`",
            "4: unknown field `nme`",
            "7: client \"shop\": \"/relative\" is not",
            "9: lifetimes.session is 0",
        ] {
            assert!(error.contains(&format!("  {path}:{expected}")), "{expected}: {error}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for args in [["config", "--check", "/no/such/file"], ["run", "--config", "/no/such/file"]] {
        let error = run(&args).usage_error();
        assert!(error.starts_with("error: /no/such/file cannot be read: "), "{error}");
    }
    let (_folder, path) = file("users = [");
    let error = run(&["config", "--check", path.to_str().unwrap()]).usage_error();
    assert!(error.contains(":1: "), "{error}");
}
