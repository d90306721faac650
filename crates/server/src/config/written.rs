//! What was written, key by key: for whoever asks what is in force, and for
//! saying in words what a new text changes. Secrets are compared and never
//! shown.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use bourse_providers::Key;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::shape::below;
use super::source::{Laid, Source};

/// What a secret is shown as.
pub(super) const HIDDEN: &str = "***";
/// What the keys are listed as that variables and files hold.
pub(super) const KEYS: &str = "keys";
/// Keys whose values are paths of files with secrets in them.
const FILE_KEYS: &[&str] = &["file", "token_file"];

/// A value that somebody wrote.
#[derive(Debug, Clone)]
pub struct Item {
    /// As TOML, or `***`.
    pub shown: String,
    /// What is not shown. It prints as `***` here too.
    pub secret: Option<Key>,
}

/// Everything that was written, by the path of its key. Models and endpoints go
/// by their names, so that one more is not a change of all that follow.
pub type Written = BTreeMap<String, Item>;

pub(super) struct Writer<'s> {
    source: &'s Source,
    secrets: Vec<Range<usize>>,
    line_ends: Vec<usize>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(source: &'s Source, table: &DeTable<'_>) -> Self {
        let mut secrets = super::source::secrets(table);
        secrets.sort_unstable_by_key(|span| (span.start, span.end));
        Self {
            source,
            secrets,
            line_ends: memchr::memchr_iter(b'\n', source.text.as_bytes()).collect(),
        }
    }

    pub(super) fn all(&self, table: &DeTable<'_>) -> Written {
        let mut out = Written::new();
        self.table(table, "", &mut out);
        out
    }

    /// Where something is written that begins at a byte.
    pub(super) fn origin(&self, at: usize) -> String {
        let behind = at.checked_sub(self.source.text.len().saturating_add(1));
        if let Some(Laid { variable, .. }) = behind.and_then(|index| self.source.laid.get(index)) {
            return format!("variable {variable}");
        }
        let line = self.line_ends.partition_point(|end| *end < at);
        format!("{}:{}", self.source.name, line.saturating_add(1))
    }

    fn is_secret(&self, span: &Range<usize>) -> bool {
        let wanted = (span.start, span.end);
        self.secrets
            .binary_search_by_key(&wanted, |span| (span.start, span.end))
            .is_ok()
    }

    fn table(&self, table: &DeTable<'_>, path: &str, out: &mut Written) {
        for (key, value) in table {
            self.value(value, &below(path, key.get_ref()), out);
        }
    }

    fn value(&self, value: &Spanned<DeValue<'_>>, path: &str, out: &mut Written) {
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => self.table(inner, path, out),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                for (index, item) in items.iter().enumerate() {
                    let mut named = format!("{path}[{}]", name_of(item.get_ref(), index));
                    if out
                        .range(named.clone()..)
                        .next()
                        .is_some_and(|(key, _)| key.starts_with(&named))
                    {
                        named = format!("{path}[{index}]");
                    }
                    self.value(item, &named, out);
                }
            }
            _ => {
                let secret = self.is_secret(&value.span()).then(|| bare(value.get_ref()));
                let item = Item {
                    shown: self.inline(value),
                    secret: secret.map(|secret| Key::new(&secret)),
                };
                out.insert(path.to_owned(), item);
            }
        }
    }

    /// A value as TOML on one line, without secrets.
    pub(super) fn inline(&self, value: &Spanned<DeValue<'_>>) -> String {
        if self.is_secret(&value.span()) && !value.get_ref().is_table() {
            return format!("\"{HIDDEN}\"");
        }
        match value.get_ref() {
            DeValue::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.inline(item)).collect();
                format!("[{}]", items.join(", "))
            }
            DeValue::Table(table) if table.is_empty() => "{}".to_owned(),
            DeValue::Table(table) => {
                let members: Vec<_> = table
                    .iter()
                    .map(|(key, value)| {
                        format!("{} = {}", key_text(key.get_ref()), self.inline(value))
                    })
                    .collect();
                format!("{{ {} }}", members.join(", "))
            }
            DeValue::String(text) => quoted(text),
            other => bare(other),
        }
    }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key as TOML.
pub(super) fn key_text(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !name.is_empty() && name.bytes().all(is_bare) {
        true => name.to_owned(),
        false => serde_json::Value::from(name).to_string(),
    }
}

fn bare(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => String::new(),
    }
}

/// What a model, or an endpoint of one, is called.
fn name_of(item: &DeValue<'_>, index: usize) -> String {
    let text = |key: &str| item.get(key).and_then(|value| value.get_ref().as_str());
    match (text("slug"), text("tag").or_else(|| text("provider"))) {
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => index.to_string(),
    }
}

impl Config {
    /// Adds what keys come to that are in variables and files, so that a new one
    /// behind the same name is a change.
    pub(super) fn write_down_keys(&mut self) {
        let own = self.providers.iter();
        let own = own.flat_map(|given| {
            let keys = given.keys.iter().enumerate();
            keys.map(|(index, key)| (given.slug.as_str(), index, key))
        });
        let ambient = self.ambient_keys.iter().map(|(slug, key)| (*slug, 0, key));
        let mut keys = Vec::new();
        for (slug, index, key) in own.chain(ambient) {
            let item = Item {
                shown: HIDDEN.to_owned(),
                secret: Some(key.key.clone()),
            };
            keys.push((format!("providers.{slug}.{KEYS}[{index}]"), item));
        }
        self.written.extend(keys);
    }

    /// Files whose contents are part of the configuration.
    #[must_use]
    pub fn secret_files(&self) -> Vec<PathBuf> {
        let is_file = |path: &str| {
            let key = path.rsplit('.').next().unwrap_or_default();
            FILE_KEYS.contains(&key)
        };
        let found = self.written.iter().filter(|(path, _)| is_file(path));
        found.filter_map(|(_, item)| path_of(&item.shown)).collect()
    }
}

/// A path that was written down as TOML.
fn path_of(shown: &str) -> Option<PathBuf> {
    let value = DeValue::parse(shown).ok()?;
    Some(PathBuf::from(value.get_ref().as_str()?))
}
