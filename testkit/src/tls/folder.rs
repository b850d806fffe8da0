//! Temporary files.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

/// A temporary directory, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory can be created"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, unless it has this text already, and returns its path.
    ///
    /// A new file is renamed over the old one, as tools that renew credentials do, so that no
    /// reader sees half of it.
    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let (draft, path) = (self.path(&format!("{name}.new")), self.path(name));
        if fs::read(&path).is_ok_and(|present| present == text.as_bytes()) {
            return path;
        }
        fs::write(&draft, text)
            .and_then(|()| fs::rename(draft, &path))
            .expect("a file can be written to a temporary directory");
        path
    }
}
