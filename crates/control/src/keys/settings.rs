//! What a key is created with beside its limit: whose it is for whoever made
//! it (`external`), and what its calls have by themselves (`bourse`).

use bourse_policy::{CallDefaults, KeyHash};
use bourse_store::External;
use bourse_vocab::Failure;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Fields;
use crate::error::{Refused, Result, invalid};

/// Longest name of an external user, in characters (OpenRouter's API
/// document, October 2026, `ExternalUser`).
const USER_CHARS_MAX: usize = 512;
/// Shortest external key, in characters (same document, `External`).
const API_KEY_CHARS_MIN: usize = 32;
/// Longest one: as long as a header may be that carries it.
const API_KEY_CHARS_MAX: usize = 512;
/// Different characters that a key has at least. The document asks for
/// "sufficient entropy"; a random hexadecimal key of the least length has 14
/// of its 16 digits, give or take two, and hardly ever fewer than this.
const API_KEY_VARIETY_MIN: usize = 8;

/// Whose the key is for whoever makes it. It gives nobody any right
#[derive(JsonSchema)]
#[schemars(rename = "ExternalIdentity")]
pub(super) struct ExternalWanted {
    /// What they call their user, for attribution
    #[expect(dead_code, reason = "read by hand; here for the document")]
    #[schemars(length(min = 1, max = USER_CHARS_MAX))]
    user: String,
    /// Their own key for that user; its SHA-256 is stored, and never shown
    #[expect(dead_code, reason = "read by hand; here for the document")]
    #[schemars(length(min = API_KEY_CHARS_MIN, max = API_KEY_CHARS_MAX))]
    api_key: Option<String>,
}

/// Reads `external`.
pub(super) fn external(fields: &mut Fields) -> Result<Option<External>> {
    let object = fields.take::<Fields>("external", "an object, or null")?;
    let Some(mut object) = object.flatten() else {
        return Ok(None);
    };
    let text = "a text";
    let user = object
        .take::<String>("user", text)
        .map_err(within("external"))?;
    let user = user
        .flatten()
        .ok_or_else(|| invalid("external.user: must be given"))?;
    let api_key = object
        .take::<String>("api_key", text)
        .map_err(within("external"))?;
    let key_hash = api_key
        .flatten()
        .map(|key| read_api_key(&key))
        .transpose()?;
    object.finish().map_err(within("external"))?;
    Ok(Some(External {
        user: read_user(user)?,
        key_hash,
    }))
}

/// Says of which member it was a member.
fn within(of: &'static str) -> impl Fn(Refused) -> Refused {
    move |Refused(failure)| {
        let message = format!("{of}.{}", failure.message);
        Refused(Failure::new(failure.kind, message))
    }
}

fn read_user(user: String) -> Result<String> {
    let chars = user.chars().count();
    let is_padded = user.trim().len() != user.len();
    if !(1..=USER_CHARS_MAX).contains(&chars) || is_padded || user.contains('\0') {
        return Err(invalid(format!(
            "external.user: must have 1 to {USER_CHARS_MAX} characters, no NUL, and no white \
             space around it"
        )));
    }
    Ok(user)
}

fn read_api_key(key: &str) -> Result<KeyHash> {
    let chars = key.chars().count();
    if !(API_KEY_CHARS_MIN..=API_KEY_CHARS_MAX).contains(&chars) {
        return Err(invalid(format!(
            "external.api_key: must have {API_KEY_CHARS_MIN} to {API_KEY_CHARS_MAX} characters"
        )));
    }
    let variety: std::collections::BTreeSet<char> = key.chars().collect();
    if variety.len() < API_KEY_VARIETY_MIN {
        return Err(invalid(
            "external.api_key: can be guessed; it must be made at random",
        ));
    }
    Ok(KeyHash::of(key))
}

/// What calls with the key have by themselves. Of the first two a header of the
/// call decides, and null is what their model has
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "CallDefaults")]
pub(super) struct OwnSettings {
    /// A stream that breaks is gone on with elsewhere (`X-Bourse-Continue`)
    continuation: Option<bool>,
    /// Another target is asked beside a late one (`X-Bourse-Hedge`)
    hedging: Option<bool>,
    /// No provider is asked that cannot be told all of a request, as with
    /// `provider.require_parameters` in each; no request can say otherwise
    strict: Option<bool>,
}

impl From<CallDefaults> for OwnSettings {
    fn from(calls: CallDefaults) -> Self {
        Self {
            continuation: calls.continues,
            hedging: calls.hedges,
            strict: Some(calls.strict),
        }
    }
}

/// What is to be changed of these; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OwnChanges {
    pub(super) continues: Option<Option<bool>>,
    pub(super) hedges: Option<Option<bool>>,
    pub(super) strict: Option<bool>,
}

impl OwnChanges {
    /// Reads `bourse`.
    pub(super) fn take(fields: &mut Fields) -> Result<Self> {
        let object = fields.take::<Fields>("bourse", "an object, or null")?;
        let mut object = match object {
            None => return Ok(Self::default()),
            // All of it is forgotten.
            Some(None) => {
                return Ok(Self {
                    continues: Some(None),
                    hedges: Some(None),
                    strict: Some(false),
                });
            }
            Some(Some(object)) => object,
        };
        let mut take = |name: &str| {
            let found = object.take::<bool>(name, "true, false or null");
            found.map_err(within("bourse"))
        };
        let changes = Self {
            continues: take("continuation")?,
            hedges: take("hedging")?,
            strict: take("strict")?.map(|strict| strict.unwrap_or(false)),
        };
        object.finish().map_err(within("bourse"))?;
        Ok(changes)
    }

    /// Of a key that is made.
    pub(super) fn of_new(self) -> CallDefaults {
        CallDefaults {
            continues: self.continues.flatten(),
            hedges: self.hedges.flatten(),
            strict: self.strict.unwrap_or(false),
        }
    }
}
