//! How tokens are listed: under the rule they are about, each with its name.

/// Name, reference, token.
pub(crate) type Row = (&'static str, &'static str, String);

/// `"reference" { "name": token, … } …` as rows.
macro_rules! table {
    ($($reference:literal { $($name:literal: $token:expr,)+ })+) => {
        vec![$($(($name, $reference, $token),)+)+]
    };
}

pub(crate) use table;
