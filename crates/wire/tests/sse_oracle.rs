//! Event streams as another reader reads them: `sse-stream`, which follows the
//! standard (html.spec.whatwg.org, "Server-sent events", November 2026).
//!
//! Only where the two must agree: text in UTF-8, up to the last whole event.
//! What a stream that was cut short still says is a decision of ours, and has
//! its tests beside the decoder.

// A test's file: what is not there ends it, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::convert::Infallible;

use bourse_wire::sse::{Decoder, FrameTooLong};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use proptest::prelude::*;
use sse_stream::{Sse, SseByteStream};

/// Name and data of every event that has data.
type Events = Vec<(String, String)>;

fn ours(pieces: &[&[u8]]) -> Events {
    let mut decoder = Decoder::new();
    let mut events = Events::new();
    for piece in pieces {
        let fed: Result<(), FrameTooLong> = decoder.feed(piece, |frame| {
            let data = String::from_utf8(frame.data.to_vec()).unwrap();
            events.push((frame.event.to_owned(), data));
            Ok(())
        });
        fed.unwrap();
    }
    events
}

fn theirs(pieces: &[&[u8]]) -> Events {
    let pieces: Vec<Result<Bytes, Infallible>> = pieces
        .iter()
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let all = SseByteStream::new(stream::iter(pieces)).collect::<Vec<_>>();
    // Everything is there, so that nothing has to be waited for.
    let all = all.now_or_never().unwrap();
    all.into_iter()
        .map(Result::unwrap)
        .filter_map(|Sse { event, data, .. }| Some((event.unwrap_or_default(), data?)))
        .collect()
}

/// A line, or part of one: what the standard gives a meaning, and what it does
/// not.
fn part() -> impl Strategy<Value = String> {
    let fixed = |text: &'static str| Just(text.to_owned());
    prop_oneof![
        4 => "data: ?[a-z{}\":é€ ]{0,12}",
        2 => "event: ?[a-z_.]{0,8}",
        1 => "(id|retry|dat|datas|Data|data |event\t): ?[a-z0-9]{0,6}",
        1 => ": ?[a-z ]{0,8}",
        1 => fixed("data"),
        1 => fixed("event"),
        1 => fixed("\u{feff}data: x"),
        2 => fixed(""),
    ]
}

fn end_of_line() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r")]
}

/// Cuts a text at places that are given as parts of its length.
fn cut<'a>(text: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = at.iter().map(|at| at.index(text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &text[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_stream_says_the_same_to_another_reader(
        lines in prop::collection::vec((part(), end_of_line()), 0..24),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let text: String = lines.iter().flat_map(|(line, end)| [line.as_str(), *end]).collect();
        let pieces = cut(text.as_bytes(), &at);
        prop_assert_eq!(ours(&pieces), theirs(&pieces), "{:?}", text);
    }
}

/// That the two are compared at all.
#[test]
fn both_read_what_vendors_send() {
    let text = "event: message_start\r\ndata: {\"a\":1}\r\n\r\n: ping\n\ndata: one\ndata: two\n\ndata: [DONE]\n\n";
    let expected = [
        ("message_start", "{\"a\":1}"),
        ("", "one\ntwo"),
        ("", "[DONE]"),
    ];
    let expected = expected.map(|(event, data)| (event.to_owned(), data.to_owned()));
    for piece in [1, 2, 3, 7, 1_000] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
        assert_eq!(ours(&pieces), expected);
        assert_eq!(theirs(&pieces), expected);
    }
}
