//! The names of classes, as commands and reports write them: `alg-none`.

use std::fmt::{self, Debug, Write as _};

use super::{Class, ProofClass};

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_kebab_case(self, f)
    }
}

impl fmt::Display for ProofClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_kebab_case(self, f)
    }
}

fn write_kebab_case(class: &impl Debug, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, letter) in format!("{class:?}").char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            f.write_char('-')?;
        }
        f.write_char(letter.to_ascii_lowercase())?;
    }
    Ok(())
}
