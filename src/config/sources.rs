//! Where settings come from, and which source wins. figment layers; it parses nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt, fs,
    path::PathBuf,
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Empty, Map, Tag, Value},
};

use super::{
    Config, ConfigError, ConfigProblem, Key,
    key::{self, PREFIX},
    settings::{Said, Settings},
};
use crate::certificate::key_pair::why_unreadable;

/// The configuration as its sources give it, before validation.
///
/// A builder call wins over the environment, the environment over a file, a later file over an
/// earlier one.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    files: Vec<PathBuf>,
    /// Without their prefix.
    vars: BTreeMap<String, Value>,
    /// Variables with the name of a setting and without the prefix.
    bare_names: BTreeSet<String>,
    calls: Dict,
}

impl Sources {
    /// Nothing said yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A builder call. A duration is a number in the unit of its variable.
    pub(crate) fn set(&mut self, key: Key, value: impl Into<Value>) {
        self.calls.insert(key.name().to_owned(), value.into());
    }

    /// Environment-shaped pairs, of which only those with this library's prefix count. A later one
    /// of the same name wins.
    pub(crate) fn vars(&mut self, vars: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in vars {
            self.var(&name, Value::from(value));
        }
    }

    /// The environment itself, where a value need not be UTF-8: such a value is a mistake.
    pub(crate) fn env(&mut self, vars: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in vars {
            let value =
                value.into_string().map_or(Value::Empty(Tag::Default, Empty::Unit), Value::from);
            self.var(&name.to_string_lossy(), value);
        }
    }

    fn var(&mut self, name: &str, value: Value) {
        if let Some(name) = name.strip_prefix(PREFIX) {
            self.vars.insert(name.to_owned(), value);
        } else if key::names().any(|known| known.eq_ignore_ascii_case(name)) {
            self.bare_names.insert(name.to_owned());
        }
    }

    /// A TOML file, which must exist.
    pub(crate) fn file(&mut self, path: impl Into<PathBuf>) {
        self.files.push(path.into());
    }

    /// The configuration, or every mistake there is. Unknown variables are logged either way.
    pub(crate) fn resolve(self) -> Result<Config, ConfigError> {
        let (settings, warnings) = self.settle();
        for warning in warnings {
            tracing::warn!(name: "configuration.unknown_variable", "{warning}");
        }
        Config::validate(settings)
    }

    /// What holds once the stronger sources have overridden the weaker, and the warnings.
    pub(super) fn settle(self) -> (Settings, Vec<String>) {
        let mut problems = Vec::new();
        let mut layers: Vec<Layer> = Vec::new();
        for path in self.files {
            layers.extend(Layer::file(path, &mut problems));
        }
        let (environment, unknown) = Layer::environment(self.vars);
        let warnings = unknown.iter().map(|name| unknown_variable(name)).collect();
        layers.push(environment);
        layers.push(Layer::new(Origin::Builder, self.calls));
        let settings = stack(layers, problems).with_mistyped(unknown, self.bare_names);
        (settings, warnings)
    }
}

impl fmt::Debug for Sources {
    /// Shows nothing: secrets are among what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// What one source says, untouched.
struct Layer {
    origin: Origin,
    values: Dict,
}

#[derive(Clone)]
enum Origin {
    Builder,
    Environment,
    File(String),
}

impl Layer {
    fn new(origin: Origin, values: Dict) -> Self {
        Self { origin, values }
    }

    /// The known variables, and the names of the unknown ones without their prefix.
    fn environment(vars: BTreeMap<String, Value>) -> (Self, Vec<String>) {
        let (mut values, mut unknown) = (Dict::new(), Vec::new());
        for (name, value) in vars {
            match key::names().find(|known| known.to_ascii_uppercase() == name) {
                Some(known) => {
                    values.insert(known, value);
                }
                None => unknown.push(name),
            }
        }
        (Self::new(Origin::Environment, values), unknown)
    }

    fn file(path: PathBuf, problems: &mut Vec<ConfigProblem>) -> Option<Self> {
        let name = path.display().to_string();
        let values = fs::read_to_string(path)
            .map_err(|error| format!("cannot be read: {}", why_unreadable(error.kind())))
            .and_then(|text| parse_toml(&text))
            .map_err(|message| problems.push(ConfigProblem::new(&name, message)))
            .ok()?;
        let origin = Origin::File(name);
        let (values, unknown): (Dict, Dict) =
            values.into_iter().partition(|(name, _)| key::names().any(|known| known == *name));
        problems.extend(unknown.keys().map(|name| {
            let nearest = key::nearest(name, key::names());
            let message = format!("is not a known setting; the nearest one is {nearest}");
            ConfigProblem::new(origin.name_of(name), message)
        }));
        Some(Self::new(origin, values))
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let origin = self.origin.clone();
        Metadata::default().interpolater(move |_, path| origin.name_of(&path.join(".")))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Origin {
    /// What a mistake in `key` is reported under.
    fn name_of(&self, key: &str) -> String {
        match self {
            Self::Builder => format!("builder: {key}"),
            Self::Environment => key::variable(key),
            Self::File(name) => format!("{name}: {key}"),
        }
    }
}

fn unknown_variable(name: &str) -> String {
    format!(
        "unknown variable {PREFIX}{name} is ignored; the nearest known one is {}",
        key::variable(&key::nearest(name, key::names())),
    )
}

/// Puts the layers, weakest first, on top of each other. A blank hides nothing below it.
fn stack(layers: Vec<Layer>, problems: Vec<ConfigProblem>) -> Settings {
    let mut figment = Figment::new();
    let mut blank = BTreeMap::new();
    let mut secrets = Vec::new();
    for mut layer in layers {
        layer.values.retain(|name, value| {
            let is_blank = value.as_str().is_some_and(|text| text.trim().is_empty());
            if is_blank {
                blank.insert(name.clone(), layer.origin.name_of(name));
            }
            !is_blank
        });
        // Those that a stronger layer overrides stay secret.
        let secret = Key::ALL.iter().filter(|key| key.is_secret());
        secrets.extend(secret.filter_map(|key| layer.values.get(key.name()).cloned()));
        figment = figment.merge(layer);
    }
    let known = Key::ALL.iter().map(|key| key.name().to_owned());
    let said = known.chain(key::names()).filter_map(|name| {
        let value = figment.find_value(&name).ok()?;
        let metadata = figment.get_metadata(value.tag())?;
        let source = metadata.interpolate(figment.profile(), &[&name]);
        Some((name, Said { value, source }))
    });
    Settings::new(said.collect(), blank, &secrets, problems)
}

/// The parser's own `Display` quotes the line, and a secret may be in it.
fn parse_toml(text: &str) -> Result<Dict, String> {
    Toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        format!("is not valid TOML, line {line}: {message}")
    })
}
