//! Why a text was refused.

use bourse_vocab::{Failure, FailureKind};

use super::{KEY_BYTES_MAX, MEMBERS_MAX, NESTING_MAX};

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanErrorKind {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// The outermost value is something else.
    #[error("the outermost value must be an object")]
    NotAnObject,
    /// A byte that cannot stand where it stands.
    #[error("unexpected {}", printable(*.0))]
    Unexpected(u8),
    /// It ends in the middle.
    #[error("it ends too early")]
    Truncated,
    /// Something follows the outermost object.
    #[error("there is something behind the end of the object")]
    TrailingGarbage,
    /// A bracket is closed by one of the other sort.
    #[error("brackets do not match")]
    Unbalanced,
    /// Too many open brackets.
    #[error("it is nested deeper than {NESTING_MAX} levels")]
    TooDeep,
    /// A malformed number.
    #[error("malformed number")]
    BadNumber,
    /// Something like `nul`.
    #[error("expected true, false or null")]
    BadLiteral,
    /// Not UTF-8.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// A member is there twice.
    #[error("the member \"{0}\" appears twice; send it once")]
    Duplicate(String),
    /// A name is spelled with escapes.
    #[error("the name of a top-level member must be written without escapes")]
    EscapedName,
    /// A name has a character that no eye sees.
    #[error("the name of a top-level member has a control character")]
    ControlInName,
    /// A name is too long.
    #[error("the name of a top-level member is longer than {KEY_BYTES_MAX} bytes")]
    LongName,
    /// Too many members.
    #[error("it has more than {MEMBERS_MAX} top-level members")]
    TooManyMembers,
}

fn printable(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("'{}'", char::from(byte))
    } else {
        format!("byte 0x{byte:02x}")
    }
}

/// Why and where a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The JSON text is not acceptable at byte {offset}: {kind}.")]
pub struct ScanError {
    /// What is wrong.
    pub kind: ScanErrorKind,
    /// Where, in bytes from the beginning of the whole text.
    pub offset: usize,
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        let message = format!(
            "The request body is not acceptable JSON at byte {}: {}.",
            error.offset, error.kind
        );
        Self::new(FailureKind::InvalidRequest, message)
    }
}
