//! The tables of tokens: under each rule, the tokens about it by name.

/// Name, reference, token.
pub(crate) type Row = (&'static str, &'static str, String);

/// `"reference" { "name": token, … } …` as rows.
macro_rules! table {
    ($($reference:literal { $($name:literal: $token:expr,)+ })+) => {
        vec![$($(($name, $reference, $token),)+)+]
    };
}

pub(crate) use table;
