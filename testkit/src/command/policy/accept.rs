//! The file of changes that were reviewed and accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::failure::Failure;

/// The lines of the file, with their numbers from 1. Blank lines and comments (`#`) are none.
#[derive(Debug, Default)]
pub(super) struct Accepted(BTreeMap<String, usize>);

impl Accepted {
    pub(super) fn load(file: &Path) -> Result<Self, Failure> {
        let name = file.display();
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().zip(1..).map(|(line, number)| (line.trim().to_owned(), number));
        Self(lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')).collect())
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.0.contains_key(line.trim())
    }

    /// The lines that name none of these changes, in the order of the file.
    pub(super) fn unused(&self, changes: &BTreeSet<String>) -> Vec<(usize, &str)> {
        let changes: BTreeSet<_> = changes.iter().map(|change| change.trim()).collect();
        let unused = self.0.iter().filter(|(line, _)| !changes.contains(line.as_str()));
        let mut unused: Vec<_> = unused.map(|(line, number)| (*number, line.as_str())).collect();
        unused.sort_unstable();
        unused
    }
}
