//! `mock-tenant decode`.

use std::{
    fmt::Write as _,
    io::{self, Read as _},
    time::SystemTime,
};

use monocloud_testkit::{Clock, Decoded};

use crate::{
    failure::Failure,
    terminal::{FAINT, HEADING, print},
};

/// More than any server accepts as a token, in bytes.
const LONGEST: u64 = 1024 * 1024;

pub(crate) fn decode(token: &str) -> Result<(), Failure> {
    let text = if token == "-" { from_standard_input()? } else { token.to_owned() };
    let decoded = Decoded::parse(&text).map_err(Failure::usage)?;
    print(&described(&decoded, Clock::system().now()))
}

fn described(decoded: &Decoded, now: SystemTime) -> String {
    let mut text = format!("{HEADING}header{HEADING:#}\n{:#}\n\n", decoded.header);
    let _ = writeln!(text, "{HEADING}claims{HEADING:#}\n{:#}\n", decoded.claims);
    for (what, when) in decoded.times(now) {
        let _ = writeln!(text, "{HEADING}{what:<11}{HEADING:#}{when}");
    }
    let _ = writeln!(text, "{FAINT}The signature is not verified.{FAINT:#}");
    text
}

fn from_standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}
