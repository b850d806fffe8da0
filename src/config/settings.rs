//! The settings as they were said, read one by one; whatever breaks a rule is noted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs,
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use figment::value::{Num, Value};
use secrecy::{ExposeSecret, SecretString};

use super::{
    ConfigProblem, Key,
    key::{self, PREFIX, nearest},
    text,
};
use crate::certificate::key_pair::why_unreadable;

/// What stands for a value that is, or may hold, a secret.
const HIDDEN: &str = "[not shown]";

/// What the sources said once layered, and the mistakes found so far.
///
/// Text is taken byte for byte. Booleans, numbers and fixed words lose the blanks around them.
pub(super) struct Settings {
    said: BTreeMap<String, Said>,
    blank: BTreeMap<String, String>,
    /// Variables without a meaning, by their names without the prefix.
    unknown: Vec<String>,
    /// Variables with the name of a setting and without the prefix.
    bare_names: BTreeSet<String>,
    secrets: BTreeMap<Key, SecretString>,
    /// All that must not be quoted, from any source and in any value.
    hidden: Vec<SecretString>,
    problems: Vec<(Option<Key>, ConfigProblem)>,
}

/// A value, and the source that gave it.
pub(super) struct Said {
    pub(super) value: Value,
    pub(super) source: String,
}

impl Settings {
    /// Settings by name; the sources of blank ones by name; every secret any source gave; and what
    /// was wrong with the sources themselves.
    pub(super) fn new(
        said: BTreeMap<String, Said>,
        blank: BTreeMap<String, String>,
        secrets: &[Value],
        problems: Vec<ConfigProblem>,
    ) -> Self {
        let hidden = secrets.iter().filter_map(scalar).map(SecretString::from);
        let mut settings = Self {
            said,
            blank,
            unknown: Vec::new(),
            bare_names: BTreeSet::new(),
            secrets: BTreeMap::new(),
            hidden: hidden.collect(),
            problems: problems.into_iter().map(|it| (None, it)).collect(),
        };
        // First of all, so that no message about another setting can quote them.
        for &key in Key::ALL {
            if let Some(secret) = settings.read_secret(key) {
                settings.hidden.push(secret.clone());
                settings.secrets.insert(key, secret);
            }
        }
        settings
    }

    /// Adds what may have been meant as a setting that is missing.
    pub(super) fn with_mistyped(self, unknown: Vec<String>, bare_names: BTreeSet<String>) -> Self {
        Self { unknown, bare_names, ..self }
    }

    /// Whether a source gave a value, be it right or wrong.
    pub(super) fn is_set(&self, key: Key) -> bool {
        self.origin(key).is_some()
    }

    /// A text, byte for byte. One in quotes is rejected: an `--env-file` of Docker's keeps them.
    pub(super) fn text(&mut self, key: Key) -> Option<String> {
        let text = self.string(key)?;
        if text::is_quoted(&text) {
            let message = format!("{} is in quotes; write it without them", self.shown(&text));
            self.refuse(key, message);
            return None;
        }
        Some(text)
    }

    fn string(&mut self, key: Key) -> Option<String> {
        let value = &self.said.get(key.name())?.value;
        match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                let message = format!("must be a string, not {}", kind(value));
                self.refuse(key, message);
                None
            }
        }
    }

    /// A text, read by a parser of its own.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        key: Key,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let error = match parse(&text) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        // The parser's words may quote a part of the value.
        let message = if self.is_hidden(&text) {
            format!("{HIDDEN} is not valid, and holds what may be a secret")
        } else {
            format!("{} {error}", self.shown(&text))
        };
        self.refuse(key, message);
        None
    }

    /// `true` or `false`; false when unset.
    pub(super) fn flag(&mut self, key: Key) -> bool {
        let flag = self.scalar(key, "true or false", |text| {
            let is = |word| text.eq_ignore_ascii_case(word);
            is("true").then_some(true).or(is("false").then_some(false))
        });
        flag.unwrap_or_default()
    }

    /// A number of seconds.
    pub(super) fn seconds(
        &mut self,
        key: Key,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(key, "seconds", default, &range))
    }

    /// A number of milliseconds.
    pub(super) fn bytes(&mut self, key: Key, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.number(key, "bytes", default, &range)
    }

    pub(super) fn milliseconds(
        &mut self,
        key: Key,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(key, "milliseconds", default, &range))
    }

    /// One of a few words; nothing when it is none of them.
    pub(super) fn word<T: Copy>(&mut self, key: Key, words: &[(&str, T)], default: T) -> Option<T> {
        if !self.is_set(key) {
            return Some(default);
        }
        let text = self.text(key)?;
        let known = |&&(word, _): &&(&str, T)| word == text.trim();
        if let Some(&(_, meaning)) = words.iter().find(known) {
            return Some(meaning);
        }
        let names: Vec<String> = words.iter().map(|(word, _)| (*word).to_owned()).collect();
        let message = format!(
            "must be one of {}, not {}; did you mean {}?",
            names.join(", "),
            self.shown(&text),
            nearest(text.trim(), names.into_iter()),
        );
        self.refuse(key, message);
        None
    }

    /// A secret, byte for byte, from its own setting or the file its twin names.
    pub(super) fn secret(&self, key: Key) -> Option<SecretString> {
        self.secrets.get(&key).cloned()
    }

    /// The file a setting names, which must hold something.
    pub(super) fn file(&mut self, key: Key) -> Option<(PathBuf, Vec<u8>)> {
        let path = self.text(key)?;
        match self.read(&path) {
            Ok(content) => Some((path.into(), content)),
            Err(message) => {
                self.refuse(key, message);
                None
            }
        }
    }

    /// A value as a message may quote it.
    pub(super) fn shown(&self, value: &str) -> String {
        // `user:password@host`, in a URL or not
        let may_hold_a_password = value.contains('@') && value.contains(':');
        if may_hold_a_password || self.is_hidden(value) {
            HIDDEN.to_owned()
        } else {
            format!("{value:?}")
        }
    }

    /// Notes a mistake in a setting. The message must quote values with [`Self::shown`] only.
    pub(super) fn refuse(&mut self, key: Key, message: impl Into<String>) {
        let source = self.origin(key).unwrap_or_else(|| key.variable());
        self.note(key, source, message);
    }

    /// Notes that a setting which is needed was not given.
    pub(super) fn missing(&mut self, key: Key, why: &str) {
        let twin = || self.blank.get(&key.file_twin()?);
        match self.blank.get(key.name()).or_else(twin).cloned() {
            Some(source) => self.note(key, source, format!("is set but blank; {why}")),
            None => {
                let message = format!("is not set; {why}{}", self.hint(key));
                self.note(key, key.variable(), message);
            }
        }
    }

    /// The variable that may have been meant as this one, as the end of a message.
    pub(super) fn hint(&self, key: Key) -> String {
        let names = [Some(key.name().to_owned()), key.file_twin()];
        let is_meant = |word: &str| names.iter().flatten().any(|name| key::is_meant_as(word, name));
        let is_bare =
            |word: &str| names.iter().flatten().any(|name| name.eq_ignore_ascii_case(word));
        let unknown = self.unknown.iter().find(|word| is_meant(word));
        let unknown = unknown.map(|word| format!("{PREFIX}{word}"));
        let meant = unknown.or_else(|| self.bare_names.iter().find(|word| is_bare(word)).cloned());
        meant.map_or_else(String::new, |name| format!(" ({name} is set; was that meant?)"))
    }

    /// Whether nothing was wrong so far.
    pub(super) fn is_flawless(&self) -> bool {
        self.problems.is_empty()
    }

    /// The mistakes: those of whole files first, then in the order of the settings.
    pub(super) fn into_problems(mut self) -> Vec<ConfigProblem> {
        self.problems.sort_by_key(|&(key, _)| key);
        self.problems.into_iter().map(|(_, it)| it).collect()
    }

    fn note(&mut self, key: Key, source: String, message: impl Into<String>) {
        let problem = (Some(key), ConfigProblem::new(source, message));
        // A setting that two rules read is wrong once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Who gave a setting, directly or as a file.
    fn origin(&self, key: Key) -> Option<String> {
        let twin = || self.said.get(&key.file_twin()?);
        let said = self.said.get(key.name()).or_else(twin)?;
        Some(said.source.clone())
    }

    fn read_secret(&mut self, key: Key) -> Option<SecretString> {
        let twin = key.file_twin()?;
        let Some(file) = self.said.get(&twin) else {
            return self.string(key).map(SecretString::from);
        };
        if self.said.contains_key(key.name()) {
            let message = format!("is set, and so is {}; keep one of them", file.source);
            self.refuse(key, message);
            return None;
        }
        let content = match file.value.as_str() {
            Some(path) => self.read_secret_file(path),
            None => Err(format!("must be a path, not {}", kind(&file.value))),
        };
        content.map_err(|message| self.refuse(key, message)).ok()
    }

    fn read_secret_file(&self, path: &str) -> Result<SecretString, String> {
        let text = String::from_utf8(self.read(path)?)
            .map_err(|_| format!("{} is not UTF-8", self.shown(path)))?;
        // An editor's newline is not part of the secret; a second one may be.
        let line = text.strip_suffix('\n');
        let line = line.map(|text| text.strip_suffix('\r').unwrap_or(text));
        Ok(SecretString::from(line.unwrap_or(&text)))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let content = fs::read(path).map_err(|error| {
            format!("cannot read {}: {}", self.shown(path), why_unreadable(error.kind()))
        })?;
        if content.trim_ascii().is_empty() {
            return Err(format!("names {}, which is empty", self.shown(path)));
        }
        Ok(content)
    }

    fn number(&mut self, key: Key, unit: &str, default: u64, range: &RangeInclusive<u64>) -> u64 {
        let (least, most) = (range.start(), range.end());
        let rule = format!("a whole number of {unit} from {least} to {most}");
        let number = self.scalar(key, &rule, |text| {
            // `parse` alone would take `+5`.
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits);
            number.filter(|number| range.contains(number))
        });
        number.unwrap_or(default)
    }

    /// A boolean or a number: as a string, or as itself where the source has such a type.
    fn scalar<T>(
        &mut self,
        key: Key,
        rule: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = &self.said.get(key.name())?.value;
        let text = scalar(value);
        let read = text.as_deref().and_then(|text| read(text.trim()));
        if read.is_none() {
            let shown = match text {
                Some(text) => self.shown(&text),
                None => kind(value).to_owned(),
            };
            self.refuse(key, format!("must be {rule}, not {shown}"));
        }
        read
    }

    /// Whether a value holds a secret we know of, or looks like a key in PEM or JSON.
    fn is_hidden(&self, value: &str) -> bool {
        let holds = |secret: &SecretString| {
            let secret = secret.expose_secret().trim();
            // A shorter one inside a longer value tells nothing.
            value.trim() == secret || secret.len() >= 4 && value.contains(secret)
        };
        value.contains("-----BEGIN")
            || value.trim_start().starts_with('{') && value.contains('"')
            || self.hidden.iter().any(holds)
    }
}

/// The text of a string, boolean or integer.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => match (number.to_u128(), number.to_i128()) {
            (Some(number), _) => Some(number.to_string()),
            (None, Some(number)) => Some(number.to_string()),
            (None, None) => None,
        },
        _ => None,
    }
}

/// A type as a message names it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a string",
        Value::Bool(..) => "a boolean",
        Value::Num(_, Num::F32(_) | Num::F64(_)) => "a fraction",
        Value::Num(..) => "an integer",
        // TOML has no such value; the environment has.
        Value::Empty(..) => "bytes that are not UTF-8",
        Value::Dict(..) => "a table or a date",
        Value::Array(..) => "an array",
    }
}
