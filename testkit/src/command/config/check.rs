//! Finds every mistake in a configuration at once.

use std::{fmt::Display, ops::Range};

use monocloud_testkit::TenantConfig;
use serde::Deserialize as _;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Deserializer, Error},
};

/// More mistakes than anybody wants to read at once.
const MOST: usize = 100;

/// What is wrong, and on which line, counted from 1.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Mistake {
    line: Option<usize>,
    message: String,
}

impl Mistake {
    pub(super) fn at(&self, file: &impl Display) -> String {
        match self.line {
            Some(line) => format!("{file}:{line}: {}", self.message),
            None => format!("{file}: {}", self.message),
        }
    }
}

/// The configuration, or its mistakes in the order of their lines.
pub(super) fn checked(text: &str) -> Result<TenantConfig, Vec<Mistake>> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<_> = errors.iter().map(|error| mistake(text, error)).collect();
    if mistakes.is_empty() {
        let (config, found) = read(text, &mut table);
        mistakes = found;
        if let Some(config) = config {
            let found = config.mistakes();
            if found.is_empty() && mistakes.is_empty() {
                return Ok(config);
            }
            mistakes.extend(found.into_iter().map(|message| located(text, &table, message)));
        }
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    Err(mistakes)
}

/// Deserializes the table. serde stops at the first mistake, so each is taken out of the table
/// before the next attempt.
fn read(text: &str, table: &mut Spanned<DeTable<'_>>) -> (Option<TenantConfig>, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    while mistakes.len() < MOST {
        match TenantConfig::deserialize(Deserializer::from(table.clone())) {
            Ok(config) => return (Some(config), mistakes),
            Err(error) => {
                mistakes.push(mistake(text, &error));
                let is_mended = error.span().is_some_and(|span| match missing_key(&error) {
                    Some(key) => add(table.get_mut(), &span, key, mistakes.len()),
                    None => remove(table.get_mut(), &span),
                });
                if !is_mended {
                    break;
                }
            }
        }
    }
    (None, mistakes)
}

fn mistake(text: &str, error: &Error) -> Mistake {
    let line = error.span().map(|span| line_of(text, span.start));
    Mistake { line, message: error.message().trim_end().replace('\n', "; ") }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The key whose absence the error is about.
fn missing_key(error: &Error) -> Option<&str> {
    error.message().strip_prefix("missing field `")?.split('`').next()
}

/// Adds a unique text under this key to the table with this span.
fn add(table: &mut DeTable<'_>, span: &Range<usize>, key: &str, number: usize) -> bool {
    let mut values = table.iter_mut().map(|(_, value)| value);
    values.any(|value| add_in(value, span, key, number))
}

fn add_in(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, key: &str, number: usize) -> bool {
    let is_it = value.span() == *span;
    match value.get_mut() {
        DeValue::Table(table) if is_it => {
            let text = DeValue::String(format!("missing-{number}").into());
            let key = Spanned::new(span.clone(), key.to_owned().into());
            table.insert(key, Spanned::new(span.clone(), text));
            true
        }
        DeValue::Table(table) => add(table, span, key, number),
        DeValue::Array(array) => array.iter_mut().any(|value| add_in(value, span, key, number)),
        _ => false,
    }
}

/// Removes the key or value with this span, and returns whether there is one.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let is_it =
        |(key, value): &(&Spanned<_>, &Spanned<_>)| key.span() == *span || value.span() == *span;
    let key = table.iter().find(is_it).map(|(key, _)| key.clone());
    if let Some(key) = key {
        return table.remove(&key).is_some();
    }
    table.iter_mut().any(|(_, value)| remove_in(value, span))
}

fn remove_in(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(array) => {
            let mut others = DeArray::new();
            for value in array.iter().filter(|value| value.span() != *span) {
                others.push(value.clone());
            }
            let is_removed = others.len() < array.len();
            *array = others;
            is_removed || array.iter_mut().any(|value| remove_in(value, span))
        }
        _ => false,
    }
}

/// Finds the line of a mistake that names a key, or has a text of the file in quotation marks.
fn located(text: &str, table: &Spanned<DeTable<'_>>, message: String) -> Mistake {
    let mut places = Vec::new();
    collect(table.get_ref(), &mut places);
    let key = message.split([':', ' ']).next().unwrap_or_default();
    let key = key.rsplit('.').next().unwrap_or_default();
    let by_key = places.iter().find(|(kind, text, _)| *kind == Kind::Key && *text == key);
    let by_text = || {
        let quoted = message.split('"').skip(1).step_by(2);
        let found = |quoted: &str| {
            let mut same = places.iter().filter(|(kind, text, _)| {
                *kind == Kind::Text && format!("{text:?}") == format!("\"{quoted}\"")
            });
            // Of two that have the same name, the second is one too many.
            let first = same.next()?;
            let is_repeated = message.starts_with("there are two");
            Some(same.next().filter(|_| is_repeated).unwrap_or(first))
        };
        quoted.filter_map(found).last()
    };
    let line = by_key.or_else(by_text).map(|(.., start)| line_of(text, *start));
    Mistake { line, message }
}

#[derive(Eq, PartialEq)]
enum Kind {
    Key,
    Text,
}

/// The keys and texts, with their offsets, in the order of the file.
fn collect<'t>(table: &'t DeTable<'_>, places: &mut Vec<(Kind, &'t str, usize)>) {
    for (key, value) in table {
        places.push((Kind::Key, key.get_ref(), key.span().start));
        collect_from(value, places);
    }
    places.sort_by_key(|(.., start)| *start);
}

fn collect_from<'t>(value: &'t Spanned<DeValue<'_>>, places: &mut Vec<(Kind, &'t str, usize)>) {
    match value.get_ref() {
        DeValue::String(text) => places.push((Kind::Text, text, value.span().start)),
        DeValue::Table(table) => collect(table, places),
        DeValue::Array(array) => array.iter().for_each(|value| collect_from(value, places)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EXAMPLE;

    /// The lines and messages of the mistakes in a text.
    fn mistakes(text: &str) -> Vec<String> {
        let mistakes = checked(text).unwrap_err();
        mistakes.iter().map(|mistake| mistake.at(&"f")).collect()
    }

    #[test]
    fn the_example_is_valid_and_shows_every_key() {
        let config = checked(EXAMPLE).unwrap();
        assert_eq!(config.users.len(), 2);
        // Every line that is commented out is an example too.
        let enabled: Vec<_> = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix("#").filter(|it| !it.starts_with(' ')).unwrap_or(line))
            .collect();
        let config = checked(&enabled.join("\n")).unwrap();
        assert!(config.auto_login.is_some() && config.apis.len() > 1, "{config:?}");
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let text = r#"
auto_login = "eve"
colour = "red"

[[users]]
nme = "bob"
groups = "admin"

[[users]]
name = "carol"

[[users]]
name = "carol"
subject = "c"

[[clients]]
id = "shop"
redirect_uris = [1, "/relative", "https://shop.example.com/#top"]

[[apis]]
audience = "https://orders.example.com"
tokens = "paper"
lifetime = -1
scopes = ["a b"]

[lifetimes]
session = 0
"#;
        let found = mistakes(text);
        for (line, expected) in [
            (2, "auto_login: there is no user \"eve\""),
            (3, "unknown field `colour`"),
            (5, "missing field `name`"),
            (6, "unknown field `nme`"),
            (7, "invalid type: string"),
            (13, "there are two of the user \"carol\""),
            (18, "invalid type: integer"),
            (18, "\"/relative\""),
            (18, "#top"),
            (22, "unknown variant `paper`"),
            (23, "invalid value"),
            (24, "\"a b\" is not a scope"),
            (27, "lifetimes.session is 0"),
        ] {
            let is_it =
                |it: &&String| it.starts_with(&format!("f:{line}: ")) && it.contains(expected);
            assert_eq!(found.iter().filter(is_it).count(), 1, "{line} {expected}: {found:#?}");
        }
        assert_eq!(found.len(), 13, "{found:#?}");
    }

    #[test]
    fn broken_toml_is_reported_with_its_lines() {
        let found = mistakes("users = [\n\n[[clients]\nid = \n");
        assert!(found.iter().any(|mistake| mistake.starts_with("f:4: ")), "{found:#?}");
    }
}
