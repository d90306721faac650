//! Values on their way into a statement, and rows on their way out.
//!
//! Three types are enough for everything that is stored: integers, texts
//! and bytes. A backend translates them to its driver's; nothing else in
//! this crate knows a driver.

use std::borrow::Cow;
use std::sync::Arc;

use bourse_vocab::{AccountId, BatchId, FileId, GenerationId, KeyId, Nanos, NodeId};

use crate::StoreError;

/// A value for one `$n` of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'v> {
    /// Numbers, moments, amounts, ids and yes (1) or no (0).
    Int(Option<i64>),
    /// A text. Never with a NUL, see [`storable`].
    Text(Option<Cow<'v, str>>),
    /// A text that many rows have. Never with a NUL either.
    Name(&'v Arc<str>),
    /// Bytes.
    Bytes(&'v [u8]),
    /// A generation id, most significant byte first, so that ids sort by time.
    Id([u8; 16]),
    /// An id that is not there.
    NoId,
}

/// PostgreSQL's texts cannot hold a NUL, so no store keeps one: it becomes
/// the character for what cannot be shown.
#[must_use]
pub fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Databases have no unsigned integers. Ours are counts, moments and ids
/// made here, all far below the limit.
#[must_use]
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
///
/// # Errors
/// A negative number, which we never wrote.
pub fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| damaged("number", value))
}

/// A stored value that we would not have written.
pub fn damaged(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("impossible {what}: {found}"))
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Int(Some(signed(value)))
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(value: Option<u64>) -> Self {
        Self::Int(value.map(signed))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Nanos> for Value<'_> {
    fn from(value: Nanos) -> Self {
        Self::Int(Some(value.0))
    }
}

impl From<Option<Nanos>> for Value<'_> {
    fn from(value: Option<Nanos>) -> Self {
        Self::Int(value.map(|amount| amount.0))
    }
}

impl From<AccountId> for Value<'_> {
    fn from(id: AccountId) -> Self {
        id.0.into()
    }
}

impl From<KeyId> for Value<'_> {
    fn from(id: KeyId) -> Self {
        id.0.into()
    }
}

impl From<NodeId> for Value<'_> {
    fn from(id: NodeId) -> Self {
        Self::Int(Some(id.0.into()))
    }
}

impl From<GenerationId> for Value<'_> {
    fn from(id: GenerationId) -> Self {
        Self::Id(id.to_bits().to_be_bytes())
    }
}

impl From<FileId> for Value<'_> {
    fn from(id: FileId) -> Self {
        Self::Id(id.to_bits().to_be_bytes())
    }
}

impl From<Option<FileId>> for Value<'_> {
    fn from(id: Option<FileId>) -> Self {
        id.map_or(Self::NoId, Self::from)
    }
}

impl From<BatchId> for Value<'_> {
    fn from(id: BatchId) -> Self {
        Self::Id(id.to_bits().to_be_bytes())
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(storable(text)))
    }
}

impl<'v> From<&'v Arc<str>> for Value<'v> {
    fn from(name: &'v Arc<str>) -> Self {
        match storable(name) {
            Cow::Borrowed(_) => Self::Name(name),
            Cow::Owned(changed) => Self::Text(Some(Cow::Owned(changed))),
        }
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text.map(storable))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        match storable(&text) {
            Cow::Owned(changed) => Self::Text(Some(Cow::Owned(changed))),
            Cow::Borrowed(_) => Self::Text(Some(Cow::Owned(text))),
        }
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// One column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Nothing.
    Null,
    /// See [`Value::Int`].
    Int(i64),
    /// See [`Value::Text`].
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One row, read column by column in the order of the statement.
#[derive(Debug)]
pub struct Row {
    fields: std::vec::IntoIter<Field>,
}

impl Row {
    /// A row of these columns.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self {
            fields: fields.into_iter(),
        }
    }

    fn next(&mut self) -> Result<Field, StoreError> {
        self.fields
            .next()
            .ok_or_else(|| damaged("row", "a column is missing"))
    }

    /// An integer, or nothing.
    ///
    /// # Errors
    /// Another type; as for all methods of this kind.
    pub fn maybe_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next()? {
            Field::Null => Ok(None),
            Field::Int(value) => Ok(Some(value)),
            other => Err(damaged("integer", format_args!("{other:?}"))),
        }
    }

    /// An integer.
    pub fn int(&mut self) -> Result<i64, StoreError> {
        self.maybe_int()?
            .ok_or_else(|| damaged("integer", "nothing"))
    }

    /// A count, a moment or an id.
    pub fn unsigned(&mut self) -> Result<u64, StoreError> {
        unsigned(self.int()?)
    }

    /// The same, or nothing.
    pub fn maybe_unsigned(&mut self) -> Result<Option<u64>, StoreError> {
        self.maybe_int()?.map(unsigned).transpose()
    }

    /// An amount.
    pub fn nanos(&mut self) -> Result<Nanos, StoreError> {
        Ok(Nanos(self.int()?))
    }

    /// Yes or no.
    pub fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.int()? != 0)
    }

    /// A text, or nothing.
    pub fn maybe_string(&mut self) -> Result<Option<String>, StoreError> {
        match self.next()? {
            Field::Null => Ok(None),
            Field::Text(text) => Ok(Some(text)),
            other => Err(damaged("text", format_args!("{other:?}"))),
        }
    }

    /// A text.
    pub fn string(&mut self) -> Result<String, StoreError> {
        self.maybe_string()?
            .ok_or_else(|| damaged("text", "nothing"))
    }

    /// A text that will not grow.
    pub fn text(&mut self) -> Result<Arc<str>, StoreError> {
        Ok(self.string()?.into())
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.next()? {
            Field::Bytes(bytes) => Ok(bytes),
            other => Err(damaged("bytes", format_args!("{other:?}"))),
        }
    }

    /// A fixed number of bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], StoreError> {
        let bytes = self.bytes()?;
        <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| damaged(what, bytes.len()))
    }

    /// A fixed number of bytes, or nothing.
    pub fn maybe_array<const N: usize>(
        &mut self,
        what: &str,
    ) -> Result<Option<[u8; N]>, StoreError> {
        match self.next()? {
            Field::Null => Ok(None),
            Field::Bytes(bytes) => {
                let array = <[u8; N]>::try_from(bytes.as_slice());
                array.map(Some).map_err(|_| damaged(what, bytes.len()))
            }
            other => Err(damaged(what, format_args!("{other:?}"))),
        }
    }

    /// A node's number.
    pub fn node(&mut self) -> Result<NodeId, StoreError> {
        let id = self.int()?;
        Ok(NodeId(u16::try_from(id).map_err(|_| damaged("node", id))?))
    }

    /// The id of a file.
    pub fn file_id(&mut self) -> Result<FileId, StoreError> {
        let bytes = self.array("file id")?;
        Ok(FileId::from_bits(u128::from_be_bytes(bytes)))
    }

    /// The same, or nothing.
    pub fn maybe_file_id(&mut self) -> Result<Option<FileId>, StoreError> {
        let bytes = self.maybe_array("file id")?;
        Ok(bytes.map(|bytes| FileId::from_bits(u128::from_be_bytes(bytes))))
    }

    /// The id of a batch.
    pub fn batch_id(&mut self) -> Result<BatchId, StoreError> {
        let bytes = self.array("batch id")?;
        Ok(BatchId::from_bits(u128::from_be_bytes(bytes)))
    }

    /// A generation id.
    pub fn id(&mut self) -> Result<GenerationId, StoreError> {
        let bytes = self.array("generation id")?;
        Ok(GenerationId::from_bits(u128::from_be_bytes(bytes)))
    }
}
