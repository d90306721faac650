//! What is in force, and what another configuration would change, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::LazyLock;

use rand::TryRng as _;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use super::{Config, schema};

/// Where a server says in its data directory what is in force.
pub const IN_FORCE: &str = "configuration.json";
/// Changes that are told one by one.
const TOLD_MAX: usize = 20;
/// Sections that a running server takes over.
const TAKEN_OVER: &[&str] = &["providers", "models", "billing", "options"];
/// The longest description: that of the longest configuration.
const BYTES_MAX: u64 = 64 << 20;

/// Keys of a provider's section; its name, before them, may have dots.
static PROVIDER_KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let section = schema::member(schema::schema(), "providers").map(schema::followed);
    let provider = section.and_then(|all| schema::member(all, ""));
    let names = provider
        .map(schema::followed)
        .into_iter()
        .flat_map(schema::names);
    names.chain([super::written::KEYS]).collect()
});

/// What was written, without its secrets: of these only hashes, with a salt that
/// no other description has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    salt: [u8; 32],
    values: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    shown: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// What another configuration changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What a running server takes over.
    pub at_once: Vec<String>,
    /// What waits for a restart.
    pub after_restart: Vec<String>,
}

impl Description {
    /// Describes a configuration with a new salt.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn of(config: &Config) -> std::io::Result<Self> {
        let mut salt = [0; 32];
        SysRng
            .try_fill_bytes(&mut salt)
            .map_err(std::io::Error::other)?;
        Ok(Self::salted(config, salt))
    }

    fn salted(config: &Config, salt: [u8; 32]) -> Self {
        let values = config.written.iter().map(|(path, item)| {
            let hash = |secret: &bourse_providers::Key| {
                let hash = blake3::keyed_hash(&salt, secret.expose().as_bytes());
                hash.to_hex().to_string()
            };
            let value = Value {
                shown: item.shown.clone(),
                secret: item.secret.as_ref().map(hash),
            };
            (path.clone(), value)
        });
        Self {
            salt,
            values: values.collect(),
        }
    }

    /// What a configuration changes of it.
    #[must_use]
    pub fn changes(&self, new: &Config) -> Changes {
        let new = Self::salted(new, self.salt);
        let mut all = Changes::default();
        let mut differ: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let paths: BTreeSet<&String> = self.values.keys().chain(new.values.keys()).collect();
        for path in paths {
            if self.values.get(path) != new.values.get(path) {
                differ.entry(subject(path)).or_default().push(path);
            }
        }
        for (subject, paths) in differ {
            let told = self.told(&new, &subject, &paths);
            match is_taken_over(&subject) {
                true => all.at_once.extend(told),
                false => all.after_restart.extend(told),
            }
        }
        for list in [&mut all.at_once, &mut all.after_restart] {
            let others = list.len().saturating_sub(TOLD_MAX);
            if others > 0 {
                list.truncate(TOLD_MAX);
                list.push(format!("and {others} more"));
            }
        }
        all
    }

    /// Takes over what a running server does.
    pub fn take_over(&mut self, new: &Config) {
        let new = Self::salted(new, self.salt);
        self.values.retain(|path, _| !is_taken_over(path));
        let taken = new.values.into_iter();
        self.values
            .extend(taken.filter(|(path, _)| is_taken_over(path)));
    }

    fn has(&self, subject: &str) -> bool {
        // Names that go on with another letter sort between.
        let from = self.values.range(subject.to_owned()..);
        from.take_while(|(path, _)| path.starts_with(subject))
            .any(|(path, _)| {
                let rest = path.strip_prefix(subject).unwrap_or_default();
                rest.is_empty() || rest.starts_with(['.', '['])
            })
    }

    fn told(&self, new: &Self, of: &str, paths: &[&str]) -> Vec<String> {
        let (kind, name) = named(of);
        if let (Some(name), false) = (name, kind.is_empty()) {
            match (self.has(of), new.has(of)) {
                (false, _) => return vec![format!("+ {kind} {name}")],
                (_, false) => return vec![format!("- {kind} {name}")],
                _ => {}
            }
        }
        let is_price = |path: &&&str| path.contains(".price.");
        let prices = paths.iter().filter(is_price).count();
        let mut told = Vec::new();
        match (prices, name) {
            (0, _) | (_, None) => {}
            (1, Some(name)) => told.push(format!("1 price of {name} changed")),
            (many, Some(name)) => told.push(format!("{many} prices of {name} changed")),
        }
        let mut keys = 0;
        for path in paths.iter().filter(|path| !is_price(path)) {
            let (before, after) = (self.values.get(*path), new.values.get(*path));
            let secret = before.or(after).and_then(|value| value.secret.as_ref());
            if secret.is_some() {
                keys = 1;
                continue;
            }
            told.push(changed(path, before, after));
        }
        if keys > 0 {
            let whose = name.unwrap_or(of);
            told.push(format!("a key of {whose} changed"));
        }
        told
    }

    /// Writes it where `bourse check` finds it. Only the server's user reads it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let path = data_dir.join(IN_FORCE);
        let new = path.with_extension("json.new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        drop(file);
        std::fs::rename(&new, &path)
    }

    /// What a server wrote; nothing where none has.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(data_dir: &Path) -> std::io::Result<Option<Self>> {
        let file = match std::fs::File::open(data_dir.join(IN_FORCE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }
}

fn is_taken_over(path: &str) -> bool {
    let section = path.split(['.', '[']).next().unwrap_or_default();
    TAKEN_OVER.contains(&section)
}

/// What a path is about: a provider, a model, or a key by itself. The last
/// part is the key, and a name may have dots.
fn subject(path: &str) -> String {
    if let Some(rest) = path.strip_prefix("models[") {
        let end = rest.find(']').map_or(rest.len(), |end| end);
        let name = rest.get(..end).unwrap_or_default();
        return format!("models[{name}]");
    }
    if let Some(rest) = path.strip_prefix("providers.") {
        let keys = PROVIDER_KEYS.iter().filter_map(|key| {
            let at = rest.find(&format!(".{key}"))?;
            let behind = rest.get(at.saturating_add(key.len()).saturating_add(1)..)?;
            (behind.is_empty() || behind.starts_with(['.', '['])).then_some(at)
        });
        let name = keys.min().and_then(|at| rest.get(..at)).unwrap_or(rest);
        return format!("providers.{name}");
    }
    path.to_owned()
}

fn named(subject: &str) -> (&'static str, Option<&str>) {
    if let Some(rest) = subject.strip_prefix("models[") {
        return ("model", rest.strip_suffix(']'));
    }
    match subject.strip_prefix("providers.") {
        Some(name) => ("provider", Some(name)),
        None => ("", None),
    }
}

fn changed(path: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    if path == "billing.markup_ppm" {
        let percent = |value: Option<&Value>| {
            let ppm = value.and_then(|value| value.shown.parse::<u64>().ok());
            percent(ppm.unwrap_or(0))
        };
        return format!("markup {} -> {}", percent(before), percent(after));
    }
    let shown = |value: Option<&Value>| match value {
        Some(value) => super::source::shortened(&value.shown),
        None => "not written".to_owned(),
    };
    format!("{path} {} -> {}", shown(before), shown(after))
}

/// Parts per million as a percentage, exactly.
fn percent(ppm: u64) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    let rest = format!("{rest:04}");
    match rest.trim_end_matches('0') {
        "" => format!("{whole} %"),
        rest => format!("{whole}.{rest} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Environment;
    use super::*;

    const BEFORE: &str = "[billing]\nmarkup_ppm = 55000\n[providers.openai]\napi_key = \"sk-one\"\n\
        [providers.old]\nformat = \"openai-chat\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
        [[models]]\nslug = \"acme/llama\"\n[[models.endpoints]]\nprovider = \"old\"\n\
        price = { prompt = \"1\", completion = \"2\", request = \"3\" }\n";

    fn config(text: &str) -> Config {
        Config::parse("bourse.toml", text, &Environment::default()).unwrap()
    }

    fn changes(text: &str) -> Changes {
        Description::of(&config(BEFORE))
            .unwrap()
            .changes(&config(text))
    }

    #[test]
    fn what_changes_is_said_in_words_and_secrets_are_not() {
        assert_eq!(changes(BEFORE), Changes::default());
        assert_eq!(changes(&format!("# moved\n\n{BEFORE}")), Changes::default());
        for (from, to, said) in [
            ("55000", "60000", "markup 5.5 % -> 6 %"),
            ("sk-one", "sk-two", "a key of openai changed"),
            (
                "prompt = \"1\", completion = \"2\", request = \"3\"",
                "prompt = \"2\", completion = \"3\", request = \"4\"",
                "3 prices of acme/llama changed",
            ),
            ("\"1\"", "\"4\"", "1 price of acme/llama changed"),
            (
                "127.0.0.1:1",
                "127.0.0.1:2",
                "providers.old.base_url \"http://127.0.0.1:1/v1\" -> \"http://127.0.0.1:2/v1\"",
            ),
        ] {
            let found = changes(&BEFORE.replace(from, to));
            assert_eq!(found.at_once, [said]);
            assert!(found.after_restart.is_empty(), "{found:?}");
        }
        let more = format!(
            "{BEFORE}\n[providers.groq]\napi_key = \"gsk-1\"\n[[models]]\nslug = \"acme/new\"\n"
        );
        assert_eq!(
            changes(&more).at_once,
            ["+ model acme/new", "+ provider groq"]
        );
        let restart = changes(&format!("server.workers = 7\n{BEFORE}"));
        assert_eq!(restart.after_restart, ["server.workers not written -> 7"]);
        assert!(restart.at_once.is_empty(), "{restart:?}");
    }

    #[test]
    fn what_is_kept_holds_no_secret_and_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Description::read(dir.path()).unwrap(), None);
        let described = Description::of(&config(BEFORE)).unwrap();
        described.write(dir.path()).unwrap();
        let path = dir.path().join(IN_FORCE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("sk-one"), "{text}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Description::read(dir.path()).unwrap().unwrap();
        assert_eq!(again, described);
        assert_eq!(again.changes(&config(BEFORE)), Changes::default());
        // Nobody else's description of the same key looks alike.
        assert_ne!(Description::of(&config(BEFORE)).unwrap(), described);
    }

    #[test]
    fn what_waits_for_a_restart_is_not_in_force_after_a_reload() {
        let new = config(&format!(
            "server.workers = 7\n{}",
            BEFORE.replace("55000", "60000")
        ));
        let mut described = Description::of(&config(BEFORE)).unwrap();
        described.take_over(&new);
        let left = described.changes(&new);
        assert!(left.at_once.is_empty(), "{left:?}");
        assert_eq!(left.after_restart, ["server.workers not written -> 7"]);
    }
}
