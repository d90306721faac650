//! Rewriting chunks that differ from an earlier one only in their content.
//!
//! The thousands of chunks of one stream are the same text around a few
//! words: same id, same model, same closing brackets. Once one of them has
//! been rewritten the slow way, a template knows its *literals*, the text
//! around the content, and what became of them. A later chunk whose
//! literals are byte for byte the same is rewritten by comparing and
//! copying. That is sound because the content is the inside of a JSON
//! string: up to the first quote that is not escaped it cannot contain any
//! structure, and all structure is in the literals. So there is no
//! `usage`, no `error` and no `finish_reason` to miss.

use super::seen::Seen;
use crate::json::text_end;
use crate::tool_calls::Made;

/// Strings in one chunk: content, reasoning, arguments, padding.
const HOLES_MAX: usize = 4;
/// Longer chunks are not worth keeping.
const LITERALS_MAX: usize = 4_096;

/// How to rewrite one sort of chunk.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// The text before, between and behind the holes; one more than holes.
    literals: Vec<Vec<u8>>,
    holes: Vec<Rule>,
    /// What to write: a text, and then the content of a hole.
    output: Vec<(Vec<u8>, Option<usize>)>,
    /// Content that is in the literals.
    other_content: usize,
    shows_content: bool,
    choice: u64,
    thinks: bool,
    speaks: bool,
    continues_call: bool,
    /// The hole with arguments, and the place of their call.
    call: Option<(usize, u32)>,
}

/// What is known of one hole. An empty text is treated otherwise than one
/// with something in it, so a template is good for one of the two only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    is_content: bool,
    is_empty: bool,
}

/// What a chunk contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied {
    pub content_bytes: usize,
    /// Whether the client sees any of it.
    pub shows_content: bool,
    /// Whose it is.
    pub choice: u64,
    /// It ends a thought.
    pub speaks: bool,
}

impl Template {
    /// Learns from a chunk `data` that became `written`, framing included.
    /// `start` is the offset of `written` in the output to which the holes
    /// refer. `None` if the chunk is of a sort that must be looked at.
    pub fn learn(data: &[u8], written: &[u8], start: usize, seen: &Seen) -> Option<Self> {
        let plain = seen.usage.is_none()
            && seen.error.is_none()
            && seen.choices.len() == 1
            && !seen.begins_call
            // The thought of the next such chunk is another piece.
            && !(seen.thinks && seen.speaks)
            && seen.choices.iter().all(|choice| choice.finish.is_none())
            && (1..=HOLES_MAX).contains(&seen.holes.len())
            && data.len() <= LITERALS_MAX;
        if !plain {
            return None;
        }
        let mut holes: Vec<_> = seen.holes.iter().collect();
        holes.sort_by_key(|hole| hole.from.start);
        let mut literals = Vec::with_capacity(HOLES_MAX);
        let mut copies = Vec::with_capacity(HOLES_MAX);
        let mut done = 0_usize;
        for (number, hole) in holes.iter().enumerate() {
            literals.push(data.get(done..hole.from.start)?.to_vec());
            done = hole.from.end;
            copies.extend(hole.to.iter().map(|to| (*to, hole.from.len(), number)));
        }
        literals.push(data.get(done..)?.to_vec());
        copies.sort_unstable();
        let mut output = Vec::with_capacity(HOLES_MAX);
        let mut done = start;
        for (to, length, number) in copies {
            let text = written.get(done.checked_sub(start)?..to.checked_sub(start)?)?;
            output.push((text.to_vec(), Some(number)));
            done = to.checked_add(length)?;
        }
        output.push((written.get(done.checked_sub(start)?..)?.to_vec(), None));
        Some(Self {
            literals,
            holes: holes
                .iter()
                .map(|hole| Rule {
                    is_content: hole.is_content,
                    is_empty: hole.from.is_empty(),
                })
                .collect(),
            output,
            other_content: seen.other_content,
            shows_content: seen.shows_content,
            choice: seen.choices.first().map_or(0, |choice| choice.index.into()),
            thinks: seen.thinks,
            speaks: seen.speaks,
            continues_call: seen.continues_call,
            call: holes
                .iter()
                .enumerate()
                .find_map(|(number, hole)| Some((number, hole.call?))),
        })
    }

    /// Rewrites a chunk, if it is of this sort. Arguments are also kept with
    /// their call.
    #[inline]
    pub fn apply(
        &self,
        data: &[u8],
        out: &mut Vec<u8>,
        made: &mut Option<Box<Made>>,
    ) -> Option<Applied> {
        let (first, others) = self.literals.split_first()?;
        let mut rest = data.strip_prefix(first.as_slice())?;
        let mut contents: [&[u8]; HOLES_MAX] = [&[]; HOLES_MAX];
        let mut bytes = self.other_content;
        for ((literal, slot), rule) in others.iter().zip(&mut contents).zip(&self.holes) {
            let (content, tail) = rest.split_at_checked(text_end(rest)?)?;
            rest = tail.strip_prefix(literal.as_slice())?;
            if content.is_empty() != rule.is_empty {
                return None;
            }
            // What is not UTF-8 is mended on the slow way.
            if !content.is_ascii() && std::str::from_utf8(content).is_err() {
                return None;
            }
            if rule.is_content {
                bytes = bytes.saturating_add(content.len());
            }
            *slot = content;
        }
        if !rest.is_empty() {
            return None;
        }
        for (text, hole) in &self.output {
            out.extend_from_slice(text);
            if let Some(content) = hole.and_then(|hole| contents.get(hole)) {
                out.extend_from_slice(content);
            }
        }
        if let Some((hole, place)) = self.call {
            let piece = contents.get(hole).copied().unwrap_or_default();
            self.keep(place, piece, made);
        }
        Some(Applied {
            content_bytes: bytes,
            shows_content: self.shows_content,
            choice: self.choice,
            speaks: self.speaks,
        })
    }

    /// Keeps a piece of arguments. Of its own: most chunks have none.
    #[inline(never)]
    fn keep(&self, place: u32, piece: &[u8], made: &mut Option<Box<Made>>) {
        let choice = u32::try_from(self.choice).unwrap_or(0);
        if let Some(made) = made {
            made.go_on_written(choice, place, piece);
        }
    }

    /// Whether it writes the number of a piece of reasoning, which is good
    /// until something else is said.
    pub const fn thinks(&self) -> bool {
        self.thinks
    }

    /// Whether it says something that is no thought.
    pub const fn speaks(&self) -> bool {
        self.speaks
    }

    /// Whether it writes the number of a call, which is good until another
    /// begins.
    pub const fn continues_call(&self) -> bool {
        self.continues_call
    }
}
