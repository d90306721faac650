//! Secrets in configuration.

use std::fmt;
use std::io::Read as _;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::Environment;

/// A secret, or where to find it.
#[derive(Clone)]
pub enum RawSecret {
    /// Written out.
    Text(String),
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(String),
    /// Handed over by the service manager, by this name.
    Credential(String),
}

/// Where a service manager puts what it hands over (systemd.exec(5),
/// "Credentials", read 2026-11).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("***"),
            Self::Env(name) => write!(f, "{{ env = {name:?} }}"),
            Self::File(path) => write!(f, "{{ file = {path:?} }}"),
            Self::Credential(name) => write!(f, "{{ credential = {name:?} }}"),
        }
    }
}

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Secret;
        impl<'de> Visitor<'de> for Secret {
            type Value = RawSecret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a string, { env = \"NAME\" }, { file = \"path\" } or { credential = \"name\" }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawSecret, E> {
                Ok(RawSecret::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawSecret, A::Error> {
                let Some((kind, place)) = map.next_entry::<String, String>()? else {
                    return Err(A::Error::custom("expected `env`, `file` or `credential`"));
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom(
                        "expected only one of `env`, `file` and `credential`",
                    ));
                }
                match kind.as_str() {
                    "env" => Ok(RawSecret::Env(place)),
                    "file" => Ok(RawSecret::File(place)),
                    "credential" => Ok(RawSecret::Credential(place)),
                    other => Err(A::Error::unknown_field(
                        other,
                        &["env", "file", "credential"],
                    )),
                }
            }
        }
        deserializer.deserialize_any(Secret)
    }
}

/// What may be written for a secret.
const SECRET_WORDS: &str =
    "a string, { env = \"NAME\" }, { file = \"path\" } or { credential = \"name\" }";
/// And for one of several keys.
const KEY_WORDS: &str = "a string, { env = \"NAME\" }, { file = \"path\" }, { credential = \"name\" } or { key = ..., weight = 1 }";

impl JsonSchema for RawSecret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": SECRET_WORDS,
            "anyOf": [
                { "type": "string", "writeOnly": true },
                {
                    "type": "object",
                    "properties": { "env": { "type": "string" } },
                    "required": ["env"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "file": { "type": "string" } },
                    "required": ["file"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "credential": { "type": "string" } },
                    "required": ["credential"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for RawKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": KEY_WORDS,
            "anyOf": [
                { "type": "string", "writeOnly": true },
                {
                    "type": "object",
                    "properties": {
                        "key": generator.subschema_for::<RawSecret>(),
                        "env": { "type": "string" },
                        "file": { "type": "string" },
                        "credential": { "type": "string" },
                        "weight": { "type": "integer", "minimum": 1, "maximum": WEIGHT_MAX },
                    },
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for RawUrls {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Urls".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<RawSecret>();
        json_schema!({
            "title": format!("{SECRET_WORDS}, or a list of such"),
            "anyOf": [one, { "type": "array", "items": one }],
        })
    }
}

impl RawSecret {
    /// Where the secret is, in words, without it.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::Text(_) => "written in the configuration".to_owned(),
            Self::Env(name) => format!("variable {name}"),
            Self::File(path) => format!("file {path}"),
            Self::Credential(name) => format!("credential {name}"),
        }
    }

    /// Fetches the secret. Errors name the place and never the secret.
    ///
    /// # Errors
    /// The variable or the file is not there, or is not text.
    pub fn resolve(&self, environment: &Environment) -> Result<String, String> {
        let secret = match self {
            Self::Text(text) => match reference(text.trim()) {
                Some(name) => {
                    return Err(format!(
                        "is this text as it stands, not the variable; write {{ env = \"{name}\" }}"
                    ));
                }
                None => text.clone(),
            },
            Self::Env(name) => environment
                .get(name)?
                .ok_or_else(|| format!("the environment variable {name} is not set"))?
                .to_owned(),
            Self::File(path) => file(path).map_err(|why| format!("{path}: {why}"))?,
            Self::Credential(name) => credential(name, environment)?,
        };
        Ok(secret.trim().to_owned())
    }

    /// The same for a key, which goes into a header.
    ///
    /// # Errors
    /// As [`Self::resolve`], and what no header can hold.
    pub fn resolve_key(&self, environment: &Environment) -> Result<String, String> {
        let key = self.resolve(environment)?;
        let place = match self {
            Self::Text(_) => "the key".to_owned(),
            other => format!("the key in {}", other.source()),
        };
        if key.is_empty() {
            return Err(format!("{place} is empty"));
        }
        if key.contains(char::is_control) {
            return Err(format!(
                "{place} has a line break or another control character in it; a key is one line"
            ));
        }
        Ok(key)
    }
}

/// The longest secret: a file of credentials has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn file(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut file = file.take(FILE_BYTES_MAX.saturating_add(1));
    file.read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// The variable that is meant where other programs would put its value in:
/// `$NAME`, `${NAME}`, `os.environ/NAME`, `env:NAME`.
pub(super) fn reference(text: &str) -> Option<&str> {
    let braced = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let name = braced
        .or_else(|| text.strip_prefix("os.environ/"))
        .or_else(|| text.strip_prefix("env:"))
        .or_else(|| text.strip_prefix('$'))?;
    // A password may begin with a dollar, and is hardly spelled like a variable.
    let is_name = name.starts_with(|char: char| char.is_ascii_uppercase() || char == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then_some(name)
}

/// Reads what the service manager has handed over.
fn credential(name: &str, environment: &Environment) -> Result<String, String> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(format!("`{name}` is not the name of a credential"));
    }
    let directory = environment.get(CREDENTIALS_DIRECTORY)?.ok_or_else(|| {
        format!(
            "no service manager has handed credentials over ({CREDENTIALS_DIRECTORY} is not set); a unit of systemd says LoadCredential={name}:/path"
        )
    })?;
    let path = std::path::Path::new(directory).join(name);
    std::fs::read_to_string(&path)
        .map_err(|error| format!("credential {name}: {}: {error}", path.display()))
}

/// How often one key can be used, to another: beyond that one of them is all
/// but unused.
pub const WEIGHT_MAX: u32 = 1_000;

/// One of several keys of a provider.
#[derive(Debug, Clone)]
pub struct RawKey {
    /// The key.
    pub secret: RawSecret,
    /// How often it is used, to the others.
    pub weight: u32,
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = RawKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a string, { env = \"NAME\" }, { file = \"path\" }, { credential = \"name\" } or { key = ..., weight = 1 }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawKey, E> {
                Ok(RawKey {
                    secret: RawSecret::Text(text.to_owned()),
                    weight: 1,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawKey, A::Error> {
                let (mut secret, mut weight) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    let given = match name.as_str() {
                        "weight" => {
                            weight = Some(weight_of(map.next_value()?)?);
                            continue;
                        }
                        "key" => map.next_value()?,
                        "env" => RawSecret::Env(map.next_value()?),
                        "file" => RawSecret::File(map.next_value()?),
                        "credential" => RawSecret::Credential(map.next_value()?),
                        other => {
                            return Err(A::Error::unknown_field(
                                other,
                                &["key", "env", "file", "credential", "weight"],
                            ));
                        }
                    };
                    if secret.replace(given).is_some() {
                        return Err(A::Error::custom(
                            "expected only one of `key`, `env`, `file` and `credential`",
                        ));
                    }
                }
                Ok(RawKey {
                    secret: secret.ok_or_else(|| {
                        A::Error::custom("expected `key`, `env`, `file` or `credential`")
                    })?,
                    weight: weight.unwrap_or(1),
                })
            }
        }
        deserializer.deserialize_any(Key)
    }
}

fn weight_of<E: serde::de::Error>(given: i64) -> Result<u32, E> {
    u32::try_from(given)
        .ok()
        .filter(|weight| (1..=WEIGHT_MAX).contains(weight))
        .ok_or_else(|| E::custom(format!("weight: {given} is not between 1 and {WEIGHT_MAX}")))
}

/// One secret, or a list of them.
#[derive(Debug, Clone)]
pub struct RawUrls(pub Vec<RawSecret>);

impl<'de> Deserialize<'de> for RawUrls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Urls;
        impl<'de> Visitor<'de> for Urls {
            type Value = RawUrls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a string, { env = \"NAME\" }, { file = \"path\" }, { credential = \"name\" }, or a list of such",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawUrls, E> {
                Ok(RawUrls(vec![RawSecret::Text(text.to_owned())]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawUrls, A::Error> {
                let one = RawSecret::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawUrls(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawUrls, A::Error> {
                let mut urls = Vec::new();
                while let Some(url) = list.next_element()? {
                    urls.push(url);
                }
                Ok(RawUrls(urls))
            }
        }
        deserializer.deserialize_any(Urls)
    }
}
