//! Reading frames.

#[cfg(test)]
mod tests;

use memchr::memchr2;

use super::Frame;

/// Length of one frame. Text deltas are below a kilobyte; a megabyte
/// leaves room for vendors that send a whole tool call at once.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Room in a line for the name of its field, and the longest name of an event.
/// The longest that a vendor sends has 40 bytes.
const SLACK: usize = 1024;

/// A frame exceeds its bound, as does one that never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event is longer than {limit} bytes")]
pub struct FrameTooLong {
    /// The bound.
    pub limit: usize,
}

impl From<FrameTooLong> for bourse_vocab::Failure {
    fn from(error: FrameTooLong) -> Self {
        Self::unavailable("The provider sent an event that is too long.").inside(error.to_string())
    }
}

/// Cuts a byte stream into frames, whatever the pieces in which it comes.
///
/// A frame that lies in one piece is handed out as a slice of it. `id:`
/// and `retry:` are ignored: a gateway does not reconnect to a provider.
/// What the end of the stream cuts off is [`Decoder::end`]'s to judge.
#[derive(Debug, Clone)]
pub struct Decoder {
    limit: usize,
    /// The beginning of an unfinished line.
    line: Vec<u8>,
    event: String,
    data: Vec<u8>,
    /// A `data:` line was seen, be it empty.
    has_data: bool,
    /// The last piece ended in a carriage return, which a line feed at the
    /// beginning of the next one belongs to.
    after_cr: bool,
    /// The first line has been read, so that no byte order mark may follow.
    begun: bool,
    comments: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(FRAME_BYTES_MAX)
    }

    /// The same with another bound on the length of a frame.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            event: String::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            begun: false,
            comments: 0,
        }
    }

    /// How many comment lines have come: signs of life without content.
    #[must_use]
    pub const fn comments(&self) -> u64 {
        self.comments
    }

    /// Reads the next piece and calls `each` with every frame that it
    /// completes. Stops at the first error; after one the decoder is of
    /// no more use.
    pub fn feed<E: From<FrameTooLong>>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while !rest.is_empty() {
            if self.is_between_frames()
                && let Some((frame, tail)) = whole_frame(rest)
            {
                if frame.data.len() > self.limit || frame.event.len() > SLACK {
                    return Err(self.too_long().into());
                }
                each(frame)?;
                rest = tail;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.line.extend_from_slice(rest);
                return self.check_length().map_err(E::from);
            };
            let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            // As long as it would have been in pieces, before its end came.
            self.check_line(self.line.len().saturating_add(line.len()))?;
            rest = self.skip_line_end(tail);
            if self.line.is_empty() {
                self.line(line, &mut each)?;
            } else {
                self.line.extend_from_slice(line);
                let line = std::mem::take(&mut self.line);
                let result = self.line(&line, &mut each);
                self.line = line;
                self.line.clear();
                result?;
            }
            self.check_length()?;
        }
        Ok(())
    }

    /// The stream was closed. Calls `each` with a last frame that lacks only
    /// its blank line, or the end of its line: the standard drops it, but
    /// OpenAI's SDKs read it (openai-node 6, pull request 2726, 2026), so that
    /// servers which forget it are not noticed. Half a text is no frame:
    /// whether the stream was complete is for its format to decide.
    ///
    /// # Errors
    /// What `each` returns, and a frame above the bound.
    pub fn end<E: From<FrameTooLong>>(
        &mut self,
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.line(&line, &mut each)?;
        }
        if self.has_data && is_whole(&self.data) {
            self.dispatch(&mut each)?;
        }
        Ok(())
    }

    fn is_between_frames(&self) -> bool {
        self.begun && self.line.is_empty() && !self.has_data && self.event.is_empty()
    }

    const fn too_long(&self) -> FrameTooLong {
        FrameTooLong { limit: self.limit }
    }

    fn check_length(&self) -> Result<(), FrameTooLong> {
        self.check_line(self.line.len())?;
        match self.data.len() > self.limit || self.event.len() > SLACK {
            true => Err(self.too_long()),
            false => Ok(()),
        }
    }

    /// Whether a line of this many bytes, its end not counted, is too long
    /// behind the data that are there.
    fn check_line(&self, length: usize) -> Result<(), FrameTooLong> {
        let all = length.saturating_add(self.data.len());
        match all > self.limit.saturating_add(SLACK) {
            true => Err(self.too_long()),
            false => Ok(()),
        }
    }

    fn skip_line_end<'a>(&mut self, tail: &'a [u8]) -> &'a [u8] {
        match tail {
            [b'\r', b'\n', rest @ ..] => rest,
            [b'\r'] => {
                self.after_cr = true;
                &[]
            }
            [_, rest @ ..] => rest,
            [] => &[],
        }
    }

    /// Reads one line without its end.
    fn line<E: From<FrameTooLong>>(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut line = line;
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(each);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(0) => {
                self.comments = self.comments.saturating_add(1);
                return Ok(());
            }
            Some(colon) => {
                let (field, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
                let value = value.strip_prefix(b":").unwrap_or(value);
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.event.clear();
                self.event.push_str(&String::from_utf8_lossy(value));
            }
            _ => {}
        }
        Ok(())
    }

    fn dispatch<E: From<FrameTooLong>>(
        &mut self,
        each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = if !self.has_data {
            Ok(())
        } else if self.data.len() > self.limit {
            Err(self.too_long().into())
        } else {
            each(Frame {
                event: &self.event,
                data: &self.data,
            })
        };
        self.has_data = false;
        self.data.clear();
        self.event.clear();
        result
    }
}

/// Whether the data of a frame are all there, as far as one can tell: what
/// providers send is JSON, or the mark at the end.
fn is_whole(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok()
}

/// The commonest frames, an optional `event:` line and one `data:` line,
/// if the text begins with a complete one. Returns what follows it too.
fn whole_frame(text: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (event, rest) = match text.strip_prefix(b"event:") {
        Some(rest) => {
            let (event, rest) = value_and_rest(rest)?;
            (std::str::from_utf8(event).ok()?, rest)
        }
        None => ("", text),
    };
    let (data, rest) = value_and_rest(rest.strip_prefix(b"data:")?)?;
    // A lone carriage return at the very end may still get its line feed:
    // leave that to the slow path.
    let rest = rest
        .strip_prefix(b"\n")
        .or_else(|| rest.strip_prefix(b"\r\n"))?;
    Some((Frame { event, data }, rest))
}

fn value_and_rest(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (value, rest) = text.split_at_checked(memchr2(b'\n', b'\r', text)?)?;
    let rest = rest
        .strip_prefix(b"\n")
        .or_else(|| rest.strip_prefix(b"\r\n"))?;
    Some((value.strip_prefix(b" ").unwrap_or(value), rest))
}
