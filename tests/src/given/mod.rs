//! Tests shared by hosts whose router takes a document.

pub mod alternatives;
pub mod promises;
pub mod world;
