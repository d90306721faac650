//! Text that is almost UTF-8.
//!
//! Servers that cut text by bytes send characters without their end. The
//! parser of [`bourse_vocab::json`] replaces them by itself; whoever passes
//! bytes on does it here.

use std::borrow::Cow;

/// The text, with what is not UTF-8 replaced by U+FFFD.
pub fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}
