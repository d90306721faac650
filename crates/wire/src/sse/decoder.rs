//! Reading frames.

use memchr::memchr2;

use super::Frame;

/// Length of one frame. Text deltas are below a kilobyte; a megabyte
/// leaves room for vendors that send a whole tool call at once.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

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
                if frame.data.len() > self.limit {
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
        // Room for the name of the field and for an event's name.
        let slack = 1024;
        if self.line.len().saturating_add(self.data.len()) > self.limit.saturating_add(slack)
            || self.data.len() > self.limit
            || self.event.len() > slack
        {
            return Err(self.too_long());
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{write_comment, write_data, write_frame};
    use super::*;

    type Frames = Vec<(String, Vec<u8>)>;

    fn decode(text: &[u8], cuts: &[usize]) -> (Frames, u64) {
        let mut decoder = Decoder::new();
        let mut frames = Frames::new();
        let mut rest = text;
        let mut cuts = cuts.iter().copied().cycle();
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            decoder
                .feed::<FrameTooLong>(piece, |frame| {
                    frames.push((frame.event.to_owned(), frame.data.to_vec()));
                    Ok(())
                })
                .unwrap();
            rest = tail;
        }
        (frames, decoder.comments())
    }

    /// The standard's algorithm, step by step, on the whole text.
    fn reference(text: &[u8]) -> (Frames, u64) {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut line = Vec::new();
        let mut bytes = text.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\n' => lines.push(std::mem::take(&mut line)),
                b'\r' => {
                    bytes.next_if_eq(&b'\n');
                    lines.push(std::mem::take(&mut line));
                }
                byte => line.push(byte),
            }
        }
        let (mut frames, mut comments) = (Frames::new(), 0);
        let (mut event, mut data) = (String::new(), Vec::new());
        for line in lines {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    frames.push((event.clone(), data.clone()));
                }
                event.clear();
                data.clear();
                continue;
            }
            if line[0] == b':' {
                comments += 1;
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':');
            let (field, value) = match colon {
                Some(at) => (&line[..at], &line[at + 1..]),
                None => (&line[..], &[][..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"event" => event = String::from_utf8_lossy(value).into_owned(),
                b"data" => {
                    data.extend_from_slice(value);
                    data.push(b'\n');
                }
                _ => {}
            }
        }
        (frames, comments)
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Frames = expected
            .iter()
            .map(|(event, data)| ((*event).to_owned(), data.as_bytes().to_vec()))
            .collect();
        for cut in [1, 2, 3, 5, 7, 1000] {
            assert_eq!(decode(text.as_bytes(), &[cut]).0, expected, "{text:?}");
        }
        assert_eq!(reference(text.as_bytes()).0, expected, "{text:?}");
    }

    #[test]
    fn frames_end_with_a_blank_line_of_any_sort() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "data: {\"a\":1}\n\nevent: x\ndata: 2\n\ndata: [DONE]\n\n";
            check(
                &text.replace('\n', end),
                &[("", "{\"a\":1}"), ("x", "2"), ("", "[DONE]")],
            );
        }
    }

    #[test]
    fn lines_of_data_are_joined_and_other_fields_ignored() {
        check(
            "\u{feff}id: 1\nretry: 5\ndata: a\ndata:b\ndata:  c\n\n",
            &[("", "a\nb\n c")],
        );
        check("data\n\ndata:\n\n", &[("", ""), ("", "")]);
        check("event: lost\n\ndata: x\n\n", &[("", "x")]);
        check("data: cut off", &[]);
        check("data: cut off\n", &[]);
        check("\n\n: hi\n\ndata: x\n\n", &[("", "x")]);
    }

    #[test]
    fn comments_are_counted() {
        let text = b": OPENROUTER PROCESSING\n\n:\n\ndata: x\n\n: y\n";
        for cut in [1, 4, 100] {
            assert_eq!(decode(text, &[cut]).1, 3);
        }
    }

    #[test]
    fn a_frame_that_never_ends_is_refused() {
        let feed = |text: &[u8], cut: usize| {
            let mut decoder = Decoder::with_limit(100);
            text.chunks(cut)
                .try_for_each(|piece| decoder.feed(piece, |_| Ok::<_, FrameTooLong>(())))
        };
        let frame = |length: usize| format!("data: {}\n\n", "x".repeat(length)).into_bytes();
        for cut in [1, 50, 100_000] {
            assert!(feed(&[frame(10), frame(100)].concat(), cut).is_ok());
            assert!(feed(&[frame(10), frame(101)].concat(), cut).is_err());
            assert!(feed(&vec![b'x'; 5000], cut).is_err());
            assert!(feed(&b"data: 0123456789\n".repeat(20), cut).is_err());
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        write_comment("wait\nhere", &mut out);
        write_data(b"{}", &mut out);
        let frame = Frame {
            event: "a\nb",
            data: b"1\n2\r\n3\r4\n",
        };
        write_frame(&frame, &mut out);
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            ": waithere\n\ndata: {}\n\nevent: ab\ndata: 1\ndata: 2\ndata: 3\ndata: 4\ndata: \n\n"
        );
        let expected = vec![
            (String::new(), b"{}".to_vec()),
            ("ab".to_owned(), b"1\n2\n3\n4\n".to_vec()),
        ];
        assert_eq!(decode(&out, &[1000]).0, expected);
    }

    /// The frames of a text, those with a blank line and then the last one.
    fn to_the_end(text: &[u8], cut: usize) -> Vec<(String, String)> {
        let mut decoder = Decoder::new();
        let mut frames = Vec::new();
        let mut each = |frame: Frame<'_>| {
            let data = String::from_utf8_lossy(frame.data).into_owned();
            frames.push((frame.event.to_owned(), data));
            Ok::<_, FrameTooLong>(())
        };
        for piece in text.chunks(cut) {
            decoder.feed(piece, &mut each).unwrap();
        }
        decoder.end(&mut each).unwrap();
        decoder.end(&mut each).unwrap();
        frames
    }

    #[test]
    fn a_last_frame_counts_without_its_blank_line() {
        for (text, event, data) in [
            ("data: {}\n\ndata: {\"a\":1}\n", "", r#"{"a":1}"#),
            ("data: {}\n\ndata: {\"a\":1}", "", r#"{"a":1}"#),
            ("data: {}\n\ndata: {\"a\":1}\r", "", r#"{"a":1}"#),
            (
                "data: {}\n\nevent: x\r\ndata: {\"a\":1}\r\n",
                "x",
                r#"{"a":1}"#,
            ),
            ("data: {}\n\ndata: {\"a\":\ndata: 1}", "", "{\"a\":\n1}"),
            ("data: {}\n\ndata: [DONE]", "", "[DONE]"),
        ] {
            for cut in [1, 3, 1000] {
                let frames = to_the_end(text.as_bytes(), cut);
                let last = frames.get(1).map(|(e, d)| (e.as_str(), d.as_str()));
                assert_eq!((last, frames.len()), (Some((event, data)), 2), "{text:?}");
            }
        }
    }

    #[test]
    fn half_a_last_frame_does_not_count() {
        for text in [
            "data: {}\n\ndata: {\"a\":",
            "data: {}\n\ndata: [DON",
            "data: {}\n\ndata:",
            "data: {}\n\nevent: x\n",
            "data: {}\n\n: a comment",
            "data: {}\n\n",
        ] {
            for cut in [1, 3, 1000] {
                assert_eq!(to_the_end(text.as_bytes(), cut).len(), 1, "{text:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_cut_gives_what_the_standard_gives(
            parts in prop::collection::vec(prop::sample::select(&[
                "data: ", "data:", "data", "event: ", "event:x", "id: 3", ": note", "\n", "\r",
                "\r\n", "\n\n", "\r\n\r\n", "{\"a\":1}", " ", ":", "\u{feff}", "é", "data: {}\n\n",
                "event: e\ndata: {}\n\n", "event: e\r\ndata: {}\r\n\r\n",
            ][..]), 0..30),
            cuts in prop::collection::vec(1_usize..20, 1..6),
        ) {
            let text = parts.concat();
            prop_assert_eq!(decode(text.as_bytes(), &cuts), reference(text.as_bytes()));
        }
    }
}
