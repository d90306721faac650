//! Records as bytes.
//!
//! A version, a kind, the call's id, and then fields, each with a number
//! that says what it is and how long it is: a reader steps over fields that
//! it does not know, and what stores the record's bytes carries them on. A
//! field that has nothing to say is left out. The last byte is a zero, so
//! that a record that was cut is not taken for a shorter one.
//!
//! Version 1 had no room for new fields. It is read and never written: data
//! directories of that time hold it, see [`v1`]. Frames around records carry
//! the checksum (see the spool), so this reader guards against mistakes
//! rather than bad disks; it still never reads past the end.

mod booking;
mod bytes;
mod read;
mod v1;
mod write;

use bourse_vocab::{GenerationId, NodeId};

use super::{Booking, Checkpoint, Record};
use bytes::{Reader, Value};

pub use write::{Booked, encode, encode_as, encode_checkpoints, encode_settle, encode_void};

/// The version that is written.
const VERSION: u8 = 2;
/// The version of the first release.
const VERSION_1: u8 = 1;

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer server.
    #[error(
        "journal record of version {0}, and versions up to 2 are known here: a newer server wrote it; start that version again"
    )]
    Version(u8),
    /// No such kind in this version.
    #[error(
        "journal record of unknown kind {0}: a newer server wrote it; start that version again"
    )]
    Kind(u8),
    /// The bytes end too early.
    #[error(
        "journal record is cut within \"{0}\"; restore the data directory from a backup, or keep the file and report it"
    )]
    Cut(&'static str),
    /// A field is too long or out of range.
    #[error(
        "journal record has an impossible \"{0}\"; restore the data directory from a backup, or keep the file and report it"
    )]
    Field(&'static str),
}

/// Which calls a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calls {
    /// One that begins with it.
    Begins(GenerationId),
    /// One that was begun before.
    Continues(GenerationId),
    /// Some that were.
    Several(Vec<Checkpoint>),
    /// None that has money set aside.
    None,
}

/// Reads one record, which must fill `bytes` exactly.
///
/// # Errors
/// Says which version, kind or field does not fit.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let (version, kind, id, reader) = open(bytes)?;
    match version {
        VERSION => read::record(kind, id, reader),
        VERSION_1 => v1::record(kind, id, reader),
        version => Err(DecodeError::Version(version)),
    }
}

/// Reads what the books need of a record, which must fill `bytes` exactly.
///
/// # Errors
/// As for [`decode`], as far as it is read.
pub fn decode_booking(bytes: &[u8]) -> Result<Booking<'_>, DecodeError> {
    let (version, kind, id, reader) = open(bytes)?;
    match version {
        VERSION => booking::booking(kind, id, reader),
        VERSION_1 => Ok(v1::record(kind, id, reader)?.into()),
        version => Err(DecodeError::Version(version)),
    }
}

/// Calls that a record is about, without reading more of it than that.
///
/// # Errors
/// As for [`decode`], as far as it is read.
pub fn calls_of(bytes: &[u8]) -> Result<Calls, DecodeError> {
    let (version, kind, id, _) = open(bytes)?;
    if !matches!(version, VERSION | VERSION_1) {
        return Err(DecodeError::Version(version));
    }
    Ok(match u64::from(kind) {
        super::tags::kind::HOLD => Calls::Begins(id),
        super::tags::kind::REFUSED => Calls::None,
        super::tags::kind::CHECKPOINTS => match decode_booking(bytes)? {
            Booking::Checkpoints(list) => Calls::Several(list),
            _ => Calls::None,
        },
        _ => Calls::Continues(id),
    })
}

/// Whether a record is the end of a call, a refusal included: a look at its
/// kind, for those to whom the others are nothing.
#[must_use]
pub fn is_end(bytes: &[u8]) -> bool {
    use super::tags::kind::{REFUSED, SETTLE, VOID};
    open(bytes).is_ok_and(|(_, kind, ..)| matches!(u64::from(kind), SETTLE | VOID | REFUSED))
}

/// Whether a record is the end of a call in which something failed, the call
/// itself or an attempt; or one that nobody paid for. Steps over all else, at
/// a fraction of what it costs to read it.
#[must_use]
pub fn is_end_with_failure(bytes: &[u8]) -> bool {
    use super::tags::{attempt, field};
    if !is_end(bytes) {
        return false;
    }
    let Ok((VERSION, kind, _, mut reader)) = open(bytes) else {
        // Of the first release: whoever reads it sees.
        return true;
    };
    if u64::from(kind) != super::tags::kind::SETTLE {
        return true;
    }
    while let Ok(Some((tag, value))) = reader.field("fields") {
        let has_failed = match tag {
            field::FAILURE => true,
            field::ATTEMPT => value.fields("attempt").is_ok_and(|mut within| {
                let mut tags = std::iter::from_fn(|| within.field("attempt").ok().flatten());
                tags.any(|(tag, _)| tag == attempt::FAILURE)
            }),
            _ => false,
        };
        if has_failed {
            return true;
        }
    }
    false
}

/// The node that wrote a record.
///
/// # Errors
/// As for [`decode`], as far as it is read.
pub fn node_of(bytes: &[u8]) -> Result<NodeId, DecodeError> {
    let (version, _, _, mut reader) = open(bytes)?;
    match version {
        VERSION => {}
        VERSION_1 => return Ok(NodeId::FIRST),
        version => return Err(DecodeError::Version(version)),
    }
    // It is written first, where it is written at all.
    match reader.field("fields")? {
        Some((super::tags::field::NODE, Value::Number(node))) => u16::try_from(node)
            .map(NodeId)
            .map_err(|_| DecodeError::Field("node")),
        _ => Ok(NodeId::FIRST),
    }
}

fn open(bytes: &[u8]) -> Result<(u8, u8, GenerationId, Reader<'_>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.byte("version")?;
    let kind = reader.byte("kind")?;
    let id = reader.id()?;
    Ok((version, kind, id, reader))
}

#[cfg(test)]
mod tests;
