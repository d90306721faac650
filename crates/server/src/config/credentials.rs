//! `providers.<slug>.credentials`: who we are to a cloud.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use bourse_providers::Key;
use bourse_providers::identity::{Surroundings, Wanted};

use super::{Environment, RawSecret};

/// What may be written in place of a table.
const WORDS: &str = "\"default\", \"machine\" or a table";

/// A word, or who we are in detail.
#[derive(Debug, Clone)]
pub enum RawCredentials {
    /// Whatever the vendor's own programs would find.
    Default,
    /// The identity of the machine that this runs on.
    Machine,
    /// In detail.
    Table(Box<RawIdentity>),
}

/// Who we are in detail.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawIdentity {
    /// A file with credentials, as Google hands out.
    pub file: Option<String>,
    /// A variable with the text of such a file.
    pub env: Option<String>,
    /// A profile in Amazon's shared files.
    pub profile: Option<String>,
    /// A role of Amazon's, taken on with the token in `token_file`.
    pub role_arn: Option<String>,
    /// What its sessions are called. Default `bourse`.
    pub session_name: Option<String>,
    /// A file with a token that somebody else renews.
    pub token_file: Option<String>,
    /// A directory of Microsoft's.
    pub tenant_id: Option<String>,
    /// An application in it; or, with `"machine"`, nothing.
    pub client_id: Option<String>,
    /// What the application is known by.
    pub client_secret: Option<RawSecret>,
    /// Another address of Microsoft's token service: that of another cloud.
    pub authority: Option<String>,
    /// What the token is for. Default: models.
    pub scope: Option<String>,
    /// `true`: the machine's identity, `client_id` saying which of several.
    pub machine: bool,
}

impl<'de> Deserialize<'de> for RawCredentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Credentials;
        impl<'de> Visitor<'de> for Credentials {
            type Value = RawCredentials;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(WORDS)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawCredentials, E> {
                match text {
                    "default" => Ok(RawCredentials::Default),
                    "machine" => Ok(RawCredentials::Machine),
                    // Not repeated: it may be a key in the wrong place.
                    _ => Err(E::custom(format!("credentials: must be {WORDS}"))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawCredentials, A::Error> {
                let table = RawIdentity::deserialize(MapAccessDeserializer::new(map))
                    .map_err(A::Error::custom)?;
                Ok(RawCredentials::Table(Box::new(table)))
            }
        }
        deserializer.deserialize_any(Credentials)
    }
}

impl JsonSchema for RawCredentials {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Credentials".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // Another word is not repeated: it may be a key in the wrong place.
        json_schema!({
            "title": WORDS,
            "anyOf": [
                { "type": "string", "enum": ["default", "machine"], "writeOnly": true },
                generator.subschema_for::<RawIdentity>(),
            ],
        })
    }
}

impl RawCredentials {
    /// What it means, with what it names read.
    ///
    /// # Errors
    /// A sentence for the operator, without a secret.
    pub(super) fn wanted(
        &self,
        region: Option<&str>,
        environment: &Environment,
    ) -> Result<Wanted, String> {
        let mut wanted = Wanted {
            region: region.map(str::to_owned),
            ..Wanted::default()
        };
        let table = match self {
            Self::Default => {
                wanted.is_default = true;
                return Ok(wanted);
            }
            Self::Machine => {
                wanted.is_machine = true;
                return Ok(wanted);
            }
            Self::Table(table) => table,
        };
        let secret = |secret: &RawSecret| secret.resolve(environment).map(|key| Key::new(&key));
        let text = match (&table.file, &table.env) {
            (Some(_), Some(_)) => return Err("only one of `file` and `env`".to_owned()),
            (Some(path), None) => Some(RawSecret::File(path.clone())),
            (None, Some(name)) => Some(RawSecret::Env(name.clone())),
            (None, None) => None,
        };
        wanted.json = text.as_ref().map(secret).transpose()?;
        let given = table.client_secret.as_ref().map(secret);
        wanted.client_secret = given.transpose()?;
        wanted.is_machine = table.machine;
        for (to, from) in [
            (&mut wanted.profile, &table.profile),
            (&mut wanted.role_arn, &table.role_arn),
            (&mut wanted.session_name, &table.session_name),
            (&mut wanted.token_file, &table.token_file),
            (&mut wanted.tenant_id, &table.tenant_id),
            (&mut wanted.client_id, &table.client_id),
            (&mut wanted.authority, &table.authority),
            (&mut wanted.scope, &table.scope),
        ] {
            to.clone_from(from);
        }
        let nothing = Wanted {
            region: wanted.region.clone(),
            ..Wanted::default()
        };
        if wanted == nothing {
            return Err(format!("is empty; it is {WORDS}"));
        }
        Ok(wanted)
    }
}

/// The process's variables, and the files that they name.
pub(super) struct Around<'a>(pub(super) &'a Environment);

impl Surroundings for Around<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let value = self.0.get(name).ok()??.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn file(&self, path: &str) -> Result<Option<String>, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }
}
