//! The manual quotes messages exactly: each quote is a string of the source.
//!
//! A quote is a code span of three words or more in `troubleshooting.md`, unless it is code (it
//! has a parenthesis), and each line of the report of a diagnosis there. A `…` at its end replaces
//! the rest. When a message changes, this test names the quote and the most similar string: copy
//! that into the manual.

use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../../src/manual/troubleshooting.md");

/// Quoted messages that are not from this library.
const FOREIGN: &[&str] = &["the trait bound Bearer: FromRequest<'_> is not satisfied"];

#[test]
fn every_message_is_quoted_exactly() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut texts = BTreeSet::new();
    read_texts(&source, &mut texts);
    let templates: Vec<Template> = texts.iter().filter_map(|text| Template::of(text)).collect();
    assert!(templates.len() > 100, "the source has messages");

    let quotes = quotes(PAGE);
    assert!(quotes.len() > 20, "{quotes:?}");
    let mut unknown = String::new();
    for quote in quotes {
        if !FOREIGN.contains(&&*quote) && !is_message(&quote, &templates) {
            let nearest = texts.iter().max_by_key(|text| words_in_common(text, &quote)).unwrap();
            unknown += &format!("\n  quoted:  {quote}\n  nearest: {nearest}\n");
        }
    }
    assert!(unknown.is_empty(), "troubleshooting.md has quotes that are not in src:\n{unknown}");
}

#[test]
fn a_quote_that_differs_in_one_word_is_detected() {
    let templates: Vec<_> = ["the token is meant for {audience}", "could not fetch {url}"]
        .iter()
        .filter_map(|text| Template::of(text))
        .collect();
    for (quote, is_right) in [
        ("the token is meant for another", true),
        ("the token is meant …", true),
        ("GET /posts: the token is meant for another", true),
        ("could not fetch the keys: the token is meant for another", true),
        ("the token is meant for", false),
        ("the token was meant for another", false),
        ("the token was meant …", false),
        ("could not fetch the keys: something else", false),
    ] {
        assert_eq!(is_message(quote, &templates), is_right, "{quote}");
    }
}

/// The messages that a page quotes, each in one line.
fn quotes(page: &str) -> Vec<String> {
    let mut quotes = Vec::new();
    let mut prose = String::new();
    for (number, part) in page.split("```").enumerate() {
        match part.strip_prefix("text\n") {
            _ if number % 2 == 0 => prose += part,
            None => {}
            Some(report) => quotes.extend(report.lines().map(|line| match line.split_once("→ ") {
                Some((_, remedy)) => remedy.to_owned(),
                // Severity and kind precede the text, in columns.
                None => line.splitn(3, "  ").last().unwrap_or_default().trim().to_owned(),
            })),
        }
    }
    for span in prose.split('`').skip(1).step_by(2) {
        let span = span.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = span
            .strip_prefix("error_description=\"")
            .and_then(|description| description.strip_suffix('"'))
            .unwrap_or(&span);
        if message.matches(' ').count() >= 2 && !message.contains('(') {
            quotes.push(message.to_owned());
        }
    }
    quotes
}

/// Whether a quote is a message, alone or after the operation or the setting that it concerns, or
/// several in a chain.
fn is_message(quote: &str, templates: &[Template]) -> bool {
    let is_one = |quote: &str| templates.iter().any(|template| template.fits(quote));
    if is_one(quote) {
        return true;
    }
    // The value of a setting.
    if let Some((_, rule)) = quote.strip_prefix('"').and_then(|value| value.split_once("\" ")) {
        return is_one(rule);
    }
    quote.match_indices(": ").any(|(at, _)| {
        let (before, after) = (&quote[..at], &quote[at + 2..]);
        let is_place = before.split(' ').count() <= 2
            && before.starts_with(|first: char| first.is_ascii_uppercase());
        (is_place || is_one(before)) && is_message(after, templates)
    })
}

/// A string of the source, as the parts between its placeholders.
struct Template(Vec<String>);

impl Template {
    /// `None` for a string that is little more than placeholders, as it would match anything.
    fn of(text: &str) -> Option<Self> {
        let mut parts = vec![String::new()];
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (literal, from) = rest.split_at(at);
            parts.last_mut()?.push_str(literal);
            let twice = from.starts_with("{{") || from.starts_with("}}");
            if twice {
                parts.last_mut()?.push_str(from.get(..1)?);
                rest = from.get(2..)?;
            } else {
                parts.push(String::new());
                rest = from.split_once('}').map_or("", |(_, rest)| rest);
            }
        }
        parts.last_mut()?.push_str(rest);
        let letters =
            parts.iter().flat_map(|part| part.chars()).filter(|char| char.is_alphabetic());
        (letters.count() >= 8 && parts.iter().any(|part| part.trim().contains(' ')))
            .then_some(Self(parts))
    }

    fn fits(&self, quote: &str) -> bool {
        match quote.strip_suffix('…') {
            Some(beginning) => begins(beginning, &self.0),
            None => fits(quote, &self.0) || begins_sentence(quote, &self.0),
        }
    }
}

/// Whether the text consists of the parts, with at least one character between them.
fn fits(text: &str, parts: &[String]) -> bool {
    let Some((first, others)) = parts.split_first() else { return text.is_empty() };
    let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
    if others.is_empty() {
        return rest.is_empty();
    }
    // A placeholder's value ends at a colon, after which the next message of a chain follows.
    let value = rest.split(": ").next().unwrap_or_default();
    let mut ends = value.char_indices().map(|(at, char)| at + char.len_utf8());
    ends.any(|at| fits(&rest[at..], others))
}

/// Whether the text is the beginning of the parts.
fn begins(text: &str, parts: &[String]) -> bool {
    let Some((first, others)) = parts.split_first() else { return false };
    let Some(rest) = text.strip_prefix(first.as_str()) else {
        return first.starts_with(text);
    };
    // The text may end before or within the placeholder's value.
    rest.is_empty()
        || (!others.is_empty()
            && rest.char_indices().any(|(at, char)| begins(&rest[at + char.len_utf8()..], others)))
}

/// Whether the text is the part of a message before its advice, which follows a semicolon.
fn begins_sentence(text: &str, parts: &[String]) -> bool {
    let Some(at) = parts.iter().position(|part| part.contains("; ")) else { return false };
    let mut before = parts[..at].to_vec();
    before.extend(parts[at].split("; ").next().map(str::to_owned));
    fits(text, &before)
}

fn words_in_common(text: &str, quote: &str) -> usize {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    words(text).intersection(&words(quote)).count()
}

/// Reads every string literal of the source, except for documentation and tests.
fn read_texts(folder: &Path, texts: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "tests" || name == "manual" {
            continue;
        }
        if path.is_dir() {
            read_texts(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            // Unit tests are at the end of a file.
            let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            texts.extend(string_literals(source));
        }
    }
}

/// The values of the string literals of Rust code, which is known to compile.
fn string_literals(code: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, from) = rest.split_at(at);
        rest = if from.starts_with("//") {
            from.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(literal) = from.strip_prefix('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with('r');
            let end = if is_raw {
                literal.find(&format!("\"{}", "#".repeat(hashes)))
            } else {
                end_of_literal(literal)
            };
            let (value, after) = literal.split_at(end.expect("the literal ends"));
            literals.push(if is_raw { value.to_owned() } else { unescaped(value) });
            &after[1..]
        } else if let Some(after) = from.strip_prefix('\'') {
            // A character, or a lifetime.
            let character = ["'\\", "'\"'", "'/'"].iter().find(|start| from.starts_with(**start));
            match character {
                Some(&"'\\") => {
                    from.get(3..).unwrap().split_once('\'').map_or("", |(_, after)| after)
                }
                Some(_) => &from[3..],
                None => after,
            }
        } else {
            &from[1..]
        };
    }
    literals
}

/// The position of the quotation mark that ends a literal.
fn end_of_literal(literal: &str) -> Option<usize> {
    let mut is_escaped = false;
    literal.find(|char| {
        let ends = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        ends
    })
}

/// Replaces the escapes that messages have. A continued line goes on at its first character.
fn unescaped(value: &str) -> String {
    let mut lines = value.split("\\\n");
    let mut text = lines.next().unwrap_or_default().to_owned();
    lines.for_each(|line| text += line.trim_start());
    text.replace("\\\"", "\"").replace("\\n", "\n").replace("\\\\", "\\")
}

#[test]
fn literals_are_read_from_code() {
    let code = r##"
        // A "comment", 'c'
        let a = "say \"hi\" \
                 twice"; let b: &'static str = r#"raw "text""#; let c = ['"', '\'', '/', 'x'];
        let d = "last / one";
    "##;
    assert_eq!(string_literals(code), ["say \"hi\" twice", "raw \"text\"", "last / one"]);
}
