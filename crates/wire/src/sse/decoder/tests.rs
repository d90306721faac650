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

/// How many frames there are, and whether the text is too long somewhere.
fn within(text: &[u8], limit: usize, cut: usize) -> (usize, bool) {
    let (mut decoder, mut frames) = (Decoder::with_limit(limit), 0);
    let fed = text.chunks(cut).try_for_each(|piece| {
        decoder.feed(piece, |_| {
            frames += 1;
            Ok::<_, FrameTooLong>(())
        })
    });
    (frames, fed.is_err())
}

#[test]
fn what_is_too_long_is_so_however_it_is_cut() {
    let long = "x".repeat(1_200);
    for (text, is_too_long) in [
        (format!("data: 1\n\n: {long}\ndata: 2\n\n"), true),
        (format!("data: 1\n\nid: {long}\n\n"), true),
        (format!("data: 1\n\nevent: {long}\ndata: 2\n\n"), true),
        (format!("data: 1\n\n: {long}"), true),
        (format!("data: 1\n\n: {}\n", &long[..1_000]), false),
        (
            format!("data: 1\n\nevent: {}\ndata: 2\n\n", &long[..1_000]),
            false,
        ),
    ] {
        let whole = within(text.as_bytes(), 100, usize::MAX);
        assert_eq!(whole.1, is_too_long, "{text}");
        for cut in [1, 7, 1_100] {
            assert_eq!(within(text.as_bytes(), 100, cut), whole, "{text}");
        }
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
