//! Passing a stream on, response by response.
//!
//! Responses go on as they came, but for the id and the model. The one that
//! says why the answer ended is held back until the call is settled, and says
//! then what it cost.

use bourse_vocab::{Bill, Failure, Usage};
use bytes::Bytes;

use super::reply::{Marks, concluded};
use crate::codec::Stamp;
use crate::gemini::stream::Frames;
use crate::gemini::{Manner, failure, usage};
use crate::json::splice::Splice;
use crate::json::{Kind, scan, walk};
use crate::lossy;
use crate::sse::Frame;

/// A stream of which all was read that has been passed on.
#[derive(Debug)]
pub struct StreamEdits {
    frames: Frames,
    marks: Marks,
    /// Some answer has ended.
    has_ended: bool,
    /// The response that is held back. One at most, and no longer than a frame
    /// may be.
    held: Option<Vec<u8>>,
}

impl StreamEdits {
    /// A stream that nothing has been written to.
    #[must_use]
    pub fn new(stamp: &Stamp<'_>, manner: Manner) -> Self {
        Self {
            frames: Frames::new(manner.is_array),
            marks: Marks::of(stamp),
            has_ended: false,
            held: None,
        }
    }

    /// Passes on a response that was read and understood, appending to `out`.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        let text = lossy::utf8(frame.data);
        let data = text.as_bytes().trim_ascii();
        if data.is_empty() {
            return;
        }
        self.release(out);
        self.has_ended |= ends(data);
        if self.has_ended {
            self.held = Some(data.to_vec());
        } else {
            self.put(data, out);
        }
    }

    /// Appends what the answer cost, and the end.
    pub fn settle(&mut self, used: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        let last = self.held.take().unwrap_or_else(|| b"{}".to_vec());
        let told = match scan(&last) {
            Ok(outline) => concluded(&outline, &[last.into()], &self.marks, used, bill),
            // It can be read in two ways, and says nothing of a price.
            Err(_) => {
                self.frames.put(&last, out);
                let counts = usage::write(used, None, Some(bill));
                format!("{{\"usageMetadata\":{counts}}}").into_bytes()
            }
        };
        self.frames.put(&told, out);
        self.frames.close(out);
    }

    /// Appends an error, and the end. What was held back is not told.
    pub fn fail(&mut self, failed: &Failure, out: &mut Vec<u8>) {
        self.frames.put(&failure::write(failed), out);
        self.frames.close(out);
    }

    /// Writes what was held back: it was not the last.
    fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            self.put(&held, out);
        }
    }

    fn put(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let Ok(outline) = scan(data) else {
            return self.frames.put(data, out);
        };
        let mut splice = Splice::new(&outline);
        self.marks.set(&mut splice);
        let told = splice.write(&[Bytes::copy_from_slice(data)]).concat();
        self.frames.put(&told, out);
    }
}

/// Whether a response says why an answer ended.
fn ends(response: &[u8]) -> bool {
    let candidates = walk::members(response).find(|member| member.name == b"candidates");
    let candidates = candidates.map(|member| member.value).unwrap_or_default();
    walk::elements(candidates).any(|candidate| {
        walk::members(candidate.value)
            .any(|member| member.name == b"finishReason" && member.kind == Kind::String)
    })
}
