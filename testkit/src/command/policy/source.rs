//! Where documents come from: files, standard input and URLs.

use std::{
    fs,
    io::{self, Read as _},
};

use monocloud_testkit::document::{Document, Security};

use crate::{failure::Failure, http};

/// Reads a document. Groups that do not say whether any or all are needed need all if `match_all`.
pub(super) fn read(name: &str, match_all: bool) -> Result<Document, Failure> {
    let mut document = Document::read(&bytes(name)?)
        .map_err(|error| Failure::usage(format!("{}: {error}", shown(name))))?;
    let default = document.default_security.iter_mut();
    let each = document.operations.iter_mut().map(|operation| &mut operation.security);
    for security in default.chain(each) {
        let Security::Alternatives(alternatives) = security else { continue };
        let groups = alternatives.iter_mut().filter_map(|it| it.groups.as_mut());
        groups.for_each(|groups| groups.all = groups.all.or(Some(match_all)));
    }
    Ok(document)
}

fn bytes(name: &str) -> Result<Vec<u8>, Failure> {
    if name.starts_with("http://") || name.starts_with("https://") {
        return http::get(name, Document::MAX_LENGTH);
    }
    // One byte more, so that the reader notices.
    let limit = u64::try_from(Document::MAX_LENGTH).map_or(u64::MAX, |length| length + 1);
    let mut bytes = Vec::new();
    let read = match name {
        "-" => io::stdin().take(limit).read_to_end(&mut bytes),
        name => fs::File::open(name).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    let failed = |error| Failure::usage(format!("{} cannot be read: {error}", shown(name)));
    read.map(|_| bytes).map_err(failed)
}

fn shown(name: &str) -> &str {
    match name {
        "-" => "standard input",
        name => name,
    }
}
