//! `mock-tenant config`, and the file that `run` reads.

mod check;

use std::{fs, path::Path};

use monocloud_testkit::TenantConfig;

use crate::{config::check::checked, failure::Failure, terminal::print};

pub(crate) const EXAMPLE: &str = include_str!("example.toml");

/// Reads a file. The failure has every mistake in it.
pub(crate) fn load(file: &Path) -> Result<TenantConfig, Failure> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    checked(&text).map_err(|mistakes| {
        let number = match mistakes.len() {
            1 => "a mistake".to_owned(),
            number => format!("{number} mistakes"),
        };
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.at(&name)).collect();
        Failure::usage(format!("{name} has {number}:\n  {}", lines.join("\n  ")))
    })
}

pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    let config = load(file)?;
    let (users, clients, apis) = (config.users.len(), config.clients.len(), config.apis.len());
    let name = file.display();
    print(&format!("{name} is valid (users: {users}, clients: {clients}, APIs: {apis})\n"))
}
