use crate::process::{Outcome, mock_tenant, run};

#[test]
fn the_help_of_every_command_teaches() {
    insta::assert_snapshot!("help", run(&["--help"]).success());
    for command in ["run", "token", "decode", "hostile", "policy", "audit", "config", "completions"]
    {
        insta::assert_snapshot!(command, run(&[command, "--help"]).success());
    }
    for command in ["report", "diff"] {
        let name = format!("policy_{command}");
        insta::assert_snapshot!(name, run(&["policy", command, "--help"]).success());
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = format!("mock-tenant {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]).success(), expected);
}

#[test]
fn wrong_options_are_usage_errors_that_name_them() {
    for (args, expected) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["--lisen", "127.0.0.1:0"], "--listen"),
        (&["--listen", "here"], "not an IP address with a port"),
        (&["run", "--listen", "127.0.0.1:99999"], "not an IP address with a port"),
        (&["--issuer", "tenant"], "not an http or https URL"),
        (&["--issuer", "ftp://tenant"], "not an http or https URL"),
        (&["--issuer", "http://tenant/?a=b"], "not an http or https URL"),
        (&["--listen", "127.0.0.1:0", "--auto-login", "eve"], "no user \"eve\""),
        (&["token", "--user", "a", "--client", "b"], "--client"),
        (&["token", "--expires-in", "soon"], "soon"),
        (&["token", "--claim", "plan"], "NAME=VALUE"),
        (&["token", "--claim", "=pro"], "the name is empty"),
        (&["token", "--hostile", "none-unsigned", "--opaque"], "--opaque"),
        (&["token", "-o", "xml"], "possible values: token, header, curl, json"),
        (&["token", "--tenant", "tenant"], "not an http or https URL"),
        (&["hostile", "--format", "xml"], "possible values: text, json"),
        (&["policy", "report"], "<FILE|URL>"),
        (&["policy", "report", "a", "--format", "xml"], "possible values: text, markdown, json"),
        (&["policy", "diff", "a"], "<NEW>"),
        (&["policy", "diff", "-", "-"], "only one of the documents"),
        (&["completions", "cmd"], "possible values: bash"),
        (&["decode"], "<TOKEN>"),
        (&["run", "token"], "token"),
    ] {
        let error = run(args).usage_error();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn completions_are_scripts_of_each_shell() {
    for (shell, expected) in [
        ("bash", "complete -F _mock__tenant"),
        ("zsh", "#compdef mock-tenant"),
        ("fish", "complete -c mock-tenant"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "set edit:completion"),
    ] {
        let script = run(&["completions", shell]).success();
        assert!(script.contains(expected) && script.contains("hostile"), "{shell}: {script}");
    }
}

#[test]
fn colours_are_for_terminals_alone() {
    let mut plain = mock_tenant(&["hostile"]);
    plain.env("NO_COLOR", "1");
    let plain = Outcome::of(plain).success();
    assert!(!plain.contains('\u{1b}'));
    // A pipe has none either, unless the user forces them.
    assert_eq!(run(&["hostile"]).success(), plain);
    let mut forced = mock_tenant(&["hostile"]);
    forced.env("CLICOLOR_FORCE", "1");
    assert!(Outcome::of(forced).success().contains('\u{1b}'));
}
