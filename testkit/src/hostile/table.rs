//! The tables of tokens: under each rule, the tokens about it by name.

/// Name, reference, token.
pub(crate) type Row = (&'static str, &'static str, String);

/// Which tokens are needed, by name. Signatures take time, so that no others are minted.
pub(crate) type Chosen<'c> = &'c dyn Fn(&'static str) -> bool;

/// `"reference" { "name": token, … } …` as rows.
macro_rules! table {
    ($($reference:literal { $($name:literal: $token:expr,)+ })+) => {
        vec![$($(($name, $reference, $token),)+)+]
    };
}

/// The same, with those rows alone that `chosen` names.
macro_rules! chosen_rows {
    ($chosen:ident; $($reference:literal { $($name:literal: $token:expr,)+ })+) => {{
        let mut rows: Vec<Row> = Vec::new();
        $($(if $chosen($name) {
            rows.push(($name, $reference, $token));
        })+)+
        rows
    }};
}

pub(crate) use chosen_rows;
pub(crate) use table;
