//! What an object is made of.

use std::ops::Range;

/// The text is not a JSON object, or not a strict one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it is not a JSON object whose members are unique")]
pub(crate) struct NotAnObject;

/// A name or a value.
#[derive(Clone, Copy)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Fraction(f64),
    /// A part of the text.
    Text(Part),
    /// A part of the unescaped strings.
    Unescaped(Part),
    /// The number of nodes that belong to it.
    Array(u32),
    Object(u32),
}

/// Where a string is, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Part {
    start: u32,
    length: u32,
}

impl Node {
    /// How many nodes belong to it.
    pub(super) const fn nested(&self) -> usize {
        match self {
            Self::Array(nodes) | Self::Object(nodes) => *nodes as usize,
            _ => 0,
        }
    }
}

impl Part {
    pub(super) const fn new(start: usize, length: usize) -> Self {
        Self { start: start as u32, length: length as u32 }
    }

    pub(super) const fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.length as usize
    }

    pub(super) const fn has_length(self, length: usize) -> bool {
        self.length as usize == length
    }
}
