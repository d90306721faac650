//! Making keys.

use bourse_policy::{KeyKind, KeyText};
use bourse_store::{NewKey, Store, StoreError};
use bourse_vocab::{AccountId, Nanos};

/// A key to be made.
pub struct NewKeyRequest<'a> {
    /// Who pays, or is administered.
    pub account: AccountId,
    /// What it is for.
    pub kind: KeyKind,
    /// A name for people.
    pub name: &'a str,
    /// The most it may spend.
    pub limit: Option<Nanos>,
}

/// Makes a key and stores its hash. The text is in no other place.
pub async fn create(
    store: &dyn Store,
    request: NewKeyRequest<'_>,
    at_ms: u64,
) -> Result<KeyText, StoreError> {
    let key = KeyText::generate(request.kind, &random());
    store
        .create_key(
            NewKey {
                account: request.account,
                hash: key.hash(),
                label: key.label(),
                name: request.name.to_owned(),
                kind: request.kind,
                limit: request.limit,
                limit_reset: None,
                include_byok_in_limit: false,
                expires_at_ms: None,
            },
            at_ms,
        )
        .await?;
    Ok(key)
}

/// Random bytes of the operating system's generator.
#[must_use]
pub fn random() -> [u8; bourse_policy::key::RANDOM_BYTES] {
    let mut bytes = [0; bourse_policy::key::RANDOM_BYTES];
    rand::fill(&mut bytes);
    bytes
}
