//! Which texts can be stored, the same in every backend.

use crate::StoreError;

/// The longest text that a database must find again: an entry of
/// PostgreSQL's indexes holds 2,704 bytes, and half of that leaves room.
pub const UNIQUE_BYTES_MAX: usize = 1_352;

/// Refuses what some backend could not give back as it was.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check(what: &'static str, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') {
        let why = "it has a NUL character".to_owned();
        return Err(StoreError::Unstorable { what, why });
    }
    Ok(())
}

/// The same for a text that is found again by itself.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check_unique(what: &'static str, text: &str) -> Result<(), StoreError> {
    check(what, text)?;
    let length = text.len();
    if length > UNIQUE_BYTES_MAX {
        let why = format!("it has {length} bytes, which is more than {UNIQUE_BYTES_MAX}");
        return Err(StoreError::Unstorable { what, why });
    }
    Ok(())
}

/// Checks a grant's texts.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check_grant(grant: &crate::Grant) -> Result<(), StoreError> {
    check("note", &grant.note)?;
    match &grant.reference {
        Some(reference) => check_unique("reference", reference),
        None => Ok(()),
    }
}

/// Checks a key's texts.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check_key(key: &crate::NewKey) -> Result<(), StoreError> {
    check("label", &key.label)?;
    if let Some(external) = &key.external {
        check("external user", &external.user)?;
    }
    check("name", &key.name)
}
