//! Values that are checked as they are read, so that nonsense is refused with the
//! line on which it stands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_net::Origin;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::RawSecret;

/// The highest number of lines in a second: more is no log any more.
const LINES_PER_S_MAX: i64 = 100_000;

/// At most once a day is often enough to be remembered.
const REPEAT_MINUTES_MAX: u64 = 1_440;
/// What a secret begins with, and how many bytes it has (Standard Webhooks
/// 1.0.0, "Signature scheme").
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How to make one.
pub(super) const SECRET_MADE_BY: &str = "echo \"whsec_$(openssl rand -base64 32)\"";

/// Of which calls there are lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// None.
    None,
    /// Those that failed.
    #[default]
    Failed,
    /// All.
    All,
}

/// An address, refused where it stands in the file.
pub(super) fn webhook<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RawSecret>, D::Error> {
    let secret = RawSecret::deserialize(from)?;
    if let RawSecret::Text(text) = &secret {
        address(text).map_err(D::Error::custom)?;
    }
    Ok(Some(secret))
}

/// The same of a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RawSecret>, D::Error> {
    let secret = RawSecret::deserialize(from)?;
    if let RawSecret::Text(text) = &secret {
        key(text).map_err(D::Error::custom)?;
    }
    Ok(Some(secret))
}

/// The same of a number of minutes.
pub(super) fn minutes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let given = i64::deserialize(from)?;
    let minutes = u64::try_from(given)
        .ok()
        .filter(|minutes| (1..=REPEAT_MINUTES_MAX).contains(minutes));
    minutes.map(Some).ok_or_else(|| {
        D::Error::custom(format!(
            "{given} is not between 1 and {REPEAT_MINUTES_MAX} minutes"
        ))
    })
}

/// The parts of an address. An error never repeats it.
pub(super) fn address(text: &str) -> Result<(Origin, String), String> {
    Origin::parse_operator(text.trim()).map_err(|error| {
        format!("{error}; an address is such as \"https://ops.example.com/bourse\"")
    })
}

/// The bytes of a secret. An error never repeats it.
pub(super) fn key(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.trim().strip_prefix(SECRET_PREFIX);
    digits
        .and_then(|digits| STANDARD.decode(digits).ok())
        .filter(|bytes| SECRET_BYTES.contains(&bytes.len()))
        .ok_or_else(|| {
            format!(
                "a secret is `{SECRET_PREFIX}` and {} to {} bytes in base64, as `{SECRET_MADE_BY}` makes one",
                SECRET_BYTES.start(),
                SECRET_BYTES.end()
            )
        })
}

/// A number of lines, refused where it stands in the file.
pub(super) fn per_s_max<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let given = i64::deserialize(from)?;
    let lines = u32::try_from(given)
        .ok()
        .filter(|_| (1..=LINES_PER_S_MAX).contains(&given));
    lines
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("{given} is not between 1 and {LINES_PER_S_MAX}")))
}
