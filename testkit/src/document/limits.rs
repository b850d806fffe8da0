//! What references may copy: a small document can refer to one large part many times.

use std::cell::Cell;

use serde_json::Value;

use crate::document::{DocumentError, pointer::Place};

/// How many values the operations of a document may consist of.
const MAX_COPIED: usize = 5_000_000;

/// Counts the values that have been copied.
#[derive(Debug, Default)]
pub(super) struct Copies(Cell<usize>);

impl Copies {
    pub(super) fn copy(&self, value: &Value, place: &Place) -> Result<Value, DocumentError> {
        self.add(size(value), place)?;
        Ok(value.clone())
    }

    pub(super) fn add(&self, size: usize, place: &Place) -> Result<(), DocumentError> {
        let copied = self.0.get().saturating_add(size);
        self.0.set(copied);
        match copied {
            0..=MAX_COPIED => Ok(()),
            _ => Err(DocumentError::new(place, "the references up to here repeat too much")),
        }
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}
