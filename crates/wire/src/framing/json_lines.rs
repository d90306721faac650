//! One JSON text a line (jsonlines.org): blank lines mean nothing, and the
//! last line may do without its end.

use memchr::memchr;

use super::{Frame, FrameError, FrameTooLong, unnamed};

/// Cuts lines out of a stream.
#[derive(Debug, Clone)]
pub struct Decoder {
    limit: usize,
    /// The beginning of an unfinished line.
    pending: Vec<u8>,
}

impl Decoder {
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            pending: Vec::new(),
        }
    }

    pub fn feed<E: FrameError>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = tail.get(1..).unwrap_or_default();
            if self.pending.is_empty() {
                self.line(line, &mut each)?;
            } else {
                self.pending.extend_from_slice(line);
                let line = std::mem::take(&mut self.pending);
                self.line(&line, &mut each)?;
            }
        }
        self.pending.extend_from_slice(rest);
        self.check(self.pending.len()).map_err(E::from)
    }

    pub fn end<E: FrameError>(
        &mut self,
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = std::mem::take(&mut self.pending);
        self.line(&line, &mut each)
    }

    fn line<E: FrameError>(
        &self,
        line: &[u8],
        each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        self.check(line.len())?;
        each(unnamed(line))
    }

    const fn check(&self, length: usize) -> Result<(), FrameTooLong> {
        if length > self.limit {
            return Err(FrameTooLong { limit: self.limit });
        }
        Ok(())
    }
}
