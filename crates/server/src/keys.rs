//! Making keys.

use bourse_policy::{CallDefaults, KeyKind, KeyText};
use bourse_store::{NewKey, Store, StoreError};
use bourse_vocab::{AccountId, Nanos};
use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};

/// Why a key was not made.
#[derive(Debug)]
pub enum CreateError {
    /// The system gives no random bytes.
    Random(SysError),
    /// The store does not take the key.
    Store(StoreError),
}

impl std::fmt::Display for CreateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Random(error) => write!(f, "the system gives no random bytes: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CreateError {}

impl From<SysError> for CreateError {
    fn from(error: SysError) -> Self {
        Self::Random(error)
    }
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

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
    /// What its calls have by themselves.
    pub calls: CallDefaults,
}

/// Makes a key and stores its hash. The text is in no other place.
///
/// # Errors
/// The system gives no random bytes, or the store does not take the key.
pub async fn create(
    store: &dyn Store,
    request: NewKeyRequest<'_>,
    at_ms: u64,
) -> Result<KeyText, CreateError> {
    let key = KeyText::generate(request.kind, &random()?);
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
                external: None,
                calls: request.calls,
            },
            at_ms,
        )
        .await?;
    Ok(key)
}

/// Random bytes of the operating system's generator, not of a generator
/// that was seeded from it: nothing that a process holds or forks may tell
/// what its next key will be.
///
/// # Errors
/// The system gives none: it has no such call, or a sandbox forbids it.
pub fn random() -> Result<[u8; bourse_policy::key::RANDOM_BYTES], SysError> {
    let mut bytes = [0; bourse_policy::key::RANDOM_BYTES];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}
