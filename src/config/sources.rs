//! Where settings come from, and which source wins. figment layers; it parses nothing.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{
    Config, ConfigError, ConfigProblem, Key,
    key::{self, PREFIX},
    settings::{Said, Settings},
};

/// What was said about the configuration, before it is judged.
///
/// A builder call wins over the environment, the environment over a file, a later file over an
/// earlier one.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    files: Vec<PathBuf>,
    vars: BTreeMap<String, String>,
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

    /// Environment-shaped pairs, of which only those of our prefix count. A later one of the same
    /// name wins.
    pub(crate) fn vars(&mut self, vars: impl IntoIterator<Item = (String, String)>) {
        let ours = vars.into_iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(PREFIX)?.to_owned();
            Some((name, value))
        });
        self.vars.extend(ours);
    }

    /// A TOML file, which must exist.
    pub(crate) fn file(&mut self, path: impl Into<PathBuf>) {
        self.files.push(path.into());
    }

    /// The configuration, and the warnings to log; or every mistake there is.
    pub(crate) fn resolve(self) -> Result<(Config, Vec<String>), ConfigError> {
        let (settings, warnings) = self.settle();
        Ok((Config::judge(settings)?, warnings))
    }

    /// What holds once the stronger sources have overridden the weaker, and the warnings.
    pub(super) fn settle(self) -> (Settings, Vec<String>) {
        let mut problems = Vec::new();
        let mut layers: Vec<Layer> = Vec::new();
        for path in self.files {
            layers.extend(Layer::file(path, &mut problems));
        }
        let (environment, warnings) = Layer::environment(self.vars);
        layers.push(environment);
        layers.push(Layer::new(Origin::Builder, self.calls));
        (stack(layers, problems), warnings)
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

    /// The known variables, and a warning for each unknown one.
    fn environment(vars: BTreeMap<String, String>) -> (Self, Vec<String>) {
        let (mut values, mut warnings) = (Dict::new(), Vec::new());
        for (name, value) in vars {
            match key::names().find(|known| known.to_ascii_uppercase() == name) {
                Some(known) => {
                    values.insert(known, Value::from(value));
                }
                None => warnings.push(format!(
                    "unknown variable {PREFIX}{name} is ignored; the nearest known one is {}",
                    key::variable(&key::nearest(&name, key::names())),
                )),
            }
        }
        (Self::new(Origin::Environment, values), warnings)
    }

    fn file(path: PathBuf, problems: &mut Vec<ConfigProblem>) -> Option<Self> {
        let name = path.display().to_string();
        let values = fs::read_to_string(path)
            .map_err(|error| format!("cannot be read: {}", error.kind()))
            .and_then(|text| parse_toml(&text))
            .map_err(|message| problems.push(ConfigProblem::new(&name, message)))
            .ok()?;
        let origin = Origin::File(name);
        let (values, unknown): (Dict, Dict) =
            values.into_iter().partition(|(name, _)| key::names().any(|known| known == *name));
        problems.extend(unknown.keys().map(|name| {
            let nearest = key::nearest(name, key::names());
            let message = format!("is no known setting; the nearest known one is {nearest}");
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
        format!("is not TOML, line {line}: {message}")
    })
}
