//! Forms with files: `multipart/form-data` (RFC 7578, by the syntax of RFC
//! 2046, section 5.1).
//!
//! A [`Reader`] takes a body in the pieces in which it arrives and notes where
//! its parts are; the values stay where they arrived, a file of many megabytes
//! too. [`write::write`] puts a new body together out of slices of them, with a
//! boundary of its own: whoever chose the old one could have hidden a part in
//! a file, for a reader that is laxer than this one.
//!
//! It is strict for the same reason. Lines end in CR LF, a name is there once,
//! nothing precedes the first boundary, and everything is bounded.

mod boundary;
mod head;
mod reader;
pub mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use bourse_vocab::{Failure, FailureKind};
use bytes::Bytes;

pub use boundary::Boundary;
pub use reader::Reader;

use crate::json;

/// Parts of a form. The longest form that is documented has a dozen names
/// (OpenAI's transcriptions), of which a few are lists.
pub const PARTS_MAX: usize = 64;
/// Bytes of the headers of a part: a name, and the name of a file.
pub const PART_HEAD_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a name, and of a media type. The longest documented has 24.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a file's name: what file systems allow.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Bytes of a value that is no file: the longest are prompts, of a page, and
/// samples of voices as `data:` URLs, of some seconds.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Bytes after the last boundary. Some clients send a line's end.
pub const EPILOGUE_BYTES_MAX: usize = 1_024;

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The header does not say what separates the parts.
    #[error("Content-Type: multipart/form-data needs a boundary of 1 to 70 characters")]
    Boundary,
    /// It begins with something else than its boundary.
    #[error("The form does not begin with its boundary")]
    Beginning,
    /// What follows a boundary is neither a part nor the end.
    #[error("The form is malformed behind a boundary")]
    AfterBoundary,
    /// It ends before its last boundary.
    #[error("The form ends before its last boundary")]
    CutOff,
    /// Something follows the end.
    #[error("The form goes on behind its last boundary")]
    Epilogue,
    /// Too many parts.
    #[error("A form has at most {PARTS_MAX} parts")]
    Parts,
    /// A part's headers are too long.
    #[error("The headers of a part have at most {PART_HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    /// A part's headers are none.
    #[error("A part of the form has malformed headers: {0}")]
    Head(&'static str),
    /// A value is too long.
    #[error("{0}: at most {VALUE_BYTES_MAX} bytes")]
    ValueTooLong(String),
    /// A file is too long.
    #[error("{name}: the file is larger than {most} bytes")]
    FileTooLarge {
        /// The part.
        name: String,
        /// The bound, in bytes.
        most: usize,
    },
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        let kind = match error {
            FormError::FileTooLarge { .. } => FailureKind::PayloadTooLarge,
            _ => FailureKind::InvalidRequest,
        };
        Self::new(kind, error.to_string())
    }
}

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The name of the file that it is, if it is one.
    pub file_name: Option<String>,
    /// What the client says that it is.
    pub media_type: Option<String>,
    /// Where its value is in the body.
    pub value: Range<usize>,
}

impl Part {
    /// Whether it is a file: only files have a name of their own, or a type
    /// that is no text.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.file_name.is_some()
    }
}

/// Where the parts of a form are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// In their order.
    pub parts: Vec<Part>,
    /// Length of the body in bytes.
    pub bytes: usize,
}

impl Form {
    /// The parts of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().filter(move |part| part.name == name)
    }

    /// The value of a name that may be there once.
    ///
    /// # Errors
    /// It is there twice, is a file, or is no text.
    pub fn text<'a>(
        &self,
        segments: &'a [Bytes],
        name: &str,
    ) -> Result<Option<Cow<'a, str>>, Failure> {
        let Some(part) = self.one(name)? else {
            return Ok(None);
        };
        text_of(part, segments).map(Some)
    }

    /// The part of a name that may be there once.
    ///
    /// # Errors
    /// It is there twice: readers disagree about which of them counts.
    pub fn one(&self, name: &str) -> Result<Option<&Part>, Failure> {
        let mut named = self.parts.iter().filter(|part| part.name == name);
        let first = named.next();
        if named.next().is_some() {
            return Err(Failure::invalid(format!(
                "{name}: is in the form more than once"
            )));
        }
        Ok(first)
    }
}

/// The value of a part that is no file.
///
/// # Errors
/// It is one, or no text.
pub fn text_of<'a>(part: &Part, segments: &'a [Bytes]) -> Result<Cow<'a, str>, Failure> {
    let name = &part.name;
    if part.is_file() {
        return Err(Failure::invalid(format!("{name}: must be a text, no file")));
    }
    let no_text = || Failure::invalid(format!("{name}: is not UTF-8"));
    match json::raw(segments, &part.value) {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(no_text()),
        },
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| no_text()),
    }
}
