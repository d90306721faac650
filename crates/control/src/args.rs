//! What comes with a request: query, path and body, read with errors that
//! name the argument, in the right envelope.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Uri;
use axum::http::request::Parts;
use bourse_vocab::{Failure, FailureKind};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Refused, Result, invalid};
use crate::route::Input;
use crate::schema::Schemas;
use crate::state::Shared;

/// Most arguments in a query: the longest list of filters has thirty.
const ARGS_MAX: usize = 100;
/// Longest body: a key with a long name has a few hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Characters of an unknown name that an error repeats.
const NAME_CHARS_MAX: usize = 100;
/// The longest that a body may take: it fits a handful of packets.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// The query, decoded. Unknown arguments are ignored, as clients add their
/// own; an empty value counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Args(Vec<(String, String)>);

impl Args {
    /// Reads a query.
    pub(crate) fn parse(uri: &Uri) -> Result<Self> {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
        let pairs: Vec<_> = pairs.take(ARGS_MAX + 1).collect();
        if pairs.len() > ARGS_MAX {
            return Err(invalid(format!(
                "The query has more than {ARGS_MAX} arguments"
            )));
        }
        let owned = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        Ok(Self(owned.collect()))
    }

    /// The same, where an argument has this value whatever was asked.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let others = self.iter().filter(|(other, _)| *other != name);
        let owned = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fixed = (name.to_owned(), value.to_owned());
        Self(owned.chain(std::iter::once(fixed)).collect())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every pair.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The first value of `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// The members of a list separated by commas, over all occurrences.
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(n, _)| *n == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| invalid(format!("{name}: must be a whole number, 0 or more")))
            })
            .transpose()
    }

    /// Yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.text(name)
            .map(|text| match text {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(invalid(format!("{name}: must be true or false"))),
            })
            .transpose()
    }

    /// Refuses an argument that exists at OpenRouter and not here: a filter
    /// that is silently ignored gives a wrong answer.
    pub(crate) fn refuse(&self, names: &[&str], why: &str) -> Result<()> {
        match names.iter().find(|name| {
            self.text(name)
                .is_some_and(|value| value != "false" && value != "null")
        }) {
            Some(name) => Err(invalid(format!("{name}: not supported here: {why}"))),
            None => Ok(()),
        }
    }
}

impl Input for Args {
    async fn read(parts: &mut Parts, _: &mut Body, _: &Shared) -> Result<Self> {
        Self::parse(&parts.uri)
    }
}

impl Input for Uri {
    async fn read(parts: &mut Parts, _: &mut Body, _: &Shared) -> Result<Self> {
        Ok(parts.uri.clone())
    }
}

/// The variable segments of the path, decoded, in order.
#[derive(Debug)]
pub(crate) struct Segments<const N: usize>(pub(crate) [String; N]);

impl<const N: usize> Input for Segments<N> {
    async fn read(parts: &mut Parts, _: &mut Body, state: &Shared) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| invalid("The path is not valid UTF-8"))?;
        let found: Vec<String> = params.iter().map(|(_, value)| value.to_owned()).collect();
        found
            .try_into()
            .map(Self)
            .map_err(|_| Refused(Failure::server("a route and its handler disagree")))
    }
}

/// The members of a JSON object, each as it was written: amounts of money
/// are read from their digits and never pass through a float.
#[derive(Debug)]
pub(crate) struct Fields(BTreeMap<String, Box<RawValue>>);

/// Refuses a member that is there twice: whoever checked the body on its way
/// may have looked at the other one.
impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, _>()? {
                    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom(format!("{shown} appears twice")));
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Fields {
    /// Takes the member `name`: nothing if it is absent, and `Some(None)` if
    /// it is null.
    pub(crate) fn take<T: DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<Option<T>>> {
        let Some(raw) = self.0.remove(name) else {
            return Ok(None);
        };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| invalid(format!("{name}: must be {expected}")))
    }

    /// Whether any of these members is there.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    /// Takes the member `name` as it was written; null counts as given.
    pub(crate) fn take_raw(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.0.remove(name)
    }

    /// Refuses members that exist at OpenRouter and not here, unless they
    /// say nothing.
    pub(crate) fn refuse(&mut self, names: &[&str], why: &str) -> Result<()> {
        for name in names {
            if self.0.remove(*name).is_some_and(|raw| raw.get() != "null") {
                return Err(invalid(format!("{name}: not supported here: {why}")));
            }
        }
        Ok(())
    }

    /// Refuses what is left: a misspelt `limit` must not become a key
    /// without one.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.into_keys().next() {
            Some(name) => {
                let name: String = name.chars().take(NAME_CHARS_MAX).collect();
                Err(invalid(format!("{name}: there is no such field")))
            }
            None => Ok(()),
        }
    }
}

/// A body that is read member by member.
pub(crate) trait FromFields: JsonSchema + Sized + Send {
    /// Whether members that nothing takes are ignored rather than refused.
    const IGNORES_OTHERS: bool = false;

    /// Takes the members that there are.
    ///
    /// # Errors
    /// A member that is not what it must be, by name.
    fn take(fields: &mut Fields) -> Result<Self>;
}

/// A JSON object in the body, not read yet: a handler first finds what the
/// request is about, so that a caller learns nothing of what belongs to
/// others, whatever is sent.
#[derive(Debug)]
pub(crate) struct Sent<T> {
    body: Body,
    of: PhantomData<fn() -> T>,
}

impl<T: FromFields> Sent<T> {
    /// Reads the object.
    ///
    /// # Errors
    /// It is none, it is too large or too late, or a member is not what it must be.
    pub(crate) async fn read(self) -> Result<T> {
        let reading = to_bytes(self.body, BODY_BYTES_MAX);
        let read = tokio::time::timeout(BODY_TIME_MAX, reading).await;
        let bytes = read
            .map_err(|_| {
                Refused(Failure::new(
                    FailureKind::RequestTimeout,
                    "The body did not arrive in time",
                ))
            })?
            .map_err(|_| {
                Refused(Failure::new(
                    FailureKind::PayloadTooLarge,
                    format!("The body was cut off or is larger than {BODY_BYTES_MAX} bytes"),
                ))
            })?;
        let mut fields: Fields = serde_json::from_slice(&bytes)
            .map_err(|error| invalid(format!("The body must be a JSON object: {error}")))?;
        let sent = T::take(&mut fields)?;
        if !T::IGNORES_OTHERS {
            fields.finish()?;
        }
        Ok(sent)
    }
}

impl<T: FromFields> Input for Sent<T> {
    async fn read(_: &mut Parts, body: &mut Body, _: &Shared) -> Result<Self> {
        Ok(Self {
            body: std::mem::take(body),
            of: PhantomData,
        })
    }

    fn body(schemas: &mut Schemas) -> Option<Value> {
        Some(schemas.request::<T>())
    }
}
