use proptest::prelude::*;

use super::*;

type Frames = Vec<(String, Vec<u8>)>;

/// Decodes a stream that comes in pieces of `size` bytes.
fn decode_in(
    framing: Framing,
    limit: usize,
    text: &[u8],
    size: usize,
) -> (Frames, Option<FramingError>) {
    let mut decoder = framing.decoder(limit);
    let mut frames = Frames::new();
    let mut keep = |frame: Frame<'_>| -> Result<(), FramingError> {
        frames.push((frame.event.to_owned(), frame.data.to_vec()));
        Ok(())
    };
    for piece in text.chunks(size.max(1)) {
        if let Err(error) = decoder.feed(piece, &mut keep) {
            return (frames, Some(error));
        }
    }
    let ended = decoder.end(&mut keep).err();
    (frames, ended)
}

fn decode(framing: Framing, text: &[u8]) -> (Frames, Option<FramingError>) {
    decode_in(framing, 1 << 20, text, usize::MAX)
}

/// Whatever the pieces, the frames are the same.
fn same_in_any_pieces(framing: Framing, text: &[u8]) -> Frames {
    let (frames, error) = decode(framing, text);
    assert_eq!(error, None);
    for size in 1..=text.len() {
        assert_eq!(
            decode_in(framing, 1 << 20, text, size),
            (frames.clone(), None),
            "{framing:?} in pieces of {size}"
        );
    }
    for at in 0..=text.len() {
        let mut decoder = framing.decoder(1 << 20);
        let mut count = 0;
        let mut keep = |_: Frame<'_>| -> Result<(), FramingError> {
            count += 1;
            Ok(())
        };
        decoder.feed(&text[..at], &mut keep).unwrap();
        decoder.feed(&text[at..], &mut keep).unwrap();
        decoder.end(&mut keep).unwrap();
        assert_eq!(count, frames.len(), "{framing:?} cut at {at}");
    }
    frames
}

fn frame(event: &str, data: &str) -> (String, Vec<u8>) {
    (event.to_owned(), data.as_bytes().to_vec())
}

/// A message as the document describes it, built from the other end.
fn message(headers: &[(&str, u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, kind, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(*kind);
        if matches!(kind, 6 | 7) {
            let length = u16::try_from(value.len()).unwrap();
            block.extend_from_slice(&length.to_be_bytes());
        }
        block.extend_from_slice(value);
    }
    let length = u32::try_from(16 + block.len() + payload.len()).unwrap();
    let mut out = length.to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&block);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    message(
        &[
            (":event-type", 7, name.as_bytes()),
            (":content-type", 7, b"application/json"),
            (":message-type", 7, b"event"),
        ],
        payload.as_bytes(),
    )
}

#[test]
fn server_sent_events_are_cut_anywhere() {
    let text = b"event: a\ndata: {\"x\":1}\n\n: still here\n\ndata: 2\r\n\r\n";
    assert_eq!(
        same_in_any_pieces(Framing::Sse, text),
        [frame("a", "{\"x\":1}"), frame("", "2")]
    );
}

#[test]
fn binary_messages_are_cut_anywhere() {
    let text = [
        event("messageStart", r#"{"role":"assistant"}"#),
        message(
            &[
                ("flag", 0, b""),
                ("no", 1, b""),
                ("byte", 2, b"1"),
                ("short", 3, b"12"),
                ("int", 4, b"1234"),
                ("long", 5, b"12345678"),
                ("bytes", 6, b"\xff\x00"),
                ("time", 8, b"12345678"),
                ("uuid", 9, b"1234567890123456"),
                (":event-type", 7, b"delta"),
                (":message-type", 7, b"event"),
            ],
            b"{}",
        ),
        message(&[], b""),
        event("messageStop", ""),
    ]
    .concat();
    assert_eq!(
        same_in_any_pieces(Framing::EventStream, &text),
        [
            frame("messageStart", r#"{"role":"assistant"}"#),
            frame("delta", "{}"),
            frame("", ""),
            frame("messageStop", ""),
        ]
    );
}

/// The two smallest of the vectors that the vendor's own libraries are
/// tested with (awslabs/aws-c-event-stream, tests).
#[test]
fn the_vendors_own_vectors_are_read() {
    let empty = b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff";
    assert_eq!(
        decode(Framing::EventStream, empty),
        (vec![frame("", "")], None)
    );
    let payload = b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";
    assert_eq!(
        decode(Framing::EventStream, payload),
        (vec![frame("", "{'foo':'bar'}")], None)
    );
}

#[test]
fn any_flipped_bit_of_a_binary_message_is_noticed() {
    let good = event("delta", r#"{"text":"hello"}"#);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let (frames, error) = decode(Framing::EventStream, &bad);
            assert!(frames.is_empty(), "byte {at}, bit {bit}");
            assert!(
                matches!(error, Some(FramingError::Corrupt(_))),
                "byte {at}, bit {bit}: {error:?}"
            );
        }
    }
}

#[test]
fn lengths_are_not_believed_before_their_checksum() {
    // Four gigabytes, and a checksum that fits: the bound speaks.
    let mut huge = u32::MAX.to_be_bytes().to_vec();
    huge.extend_from_slice(&0_u32.to_be_bytes());
    huge.extend_from_slice(&crc32fast::hash(&huge).to_be_bytes());
    let (_, error) = decode(Framing::EventStream, &huge);
    assert!(matches!(error, Some(FramingError::TooLong(_))), "{error:?}");
    // Headers that are longer than their message.
    let mut odd = 16_u32.to_be_bytes().to_vec();
    odd.extend_from_slice(&1_u32.to_be_bytes());
    odd.extend_from_slice(&crc32fast::hash(&odd).to_be_bytes());
    let (_, error) = decode(Framing::EventStream, &odd);
    assert!(matches!(error, Some(FramingError::Corrupt(_))), "{error:?}");
}

#[test]
fn a_header_that_overruns_its_block_is_corrupt() {
    let bad = message(&[(":event-type", 200, b"x")], b"{}");
    let (frames, error) = decode(Framing::EventStream, &bad);
    assert!(frames.is_empty());
    assert!(matches!(error, Some(FramingError::Corrupt(_))), "{error:?}");
}

#[test]
fn an_exception_in_a_binary_stream_is_the_providers_failure() {
    let text = [
        event("delta", "{}"),
        message(
            &[
                (":message-type", 7, b"exception"),
                (":exception-type", 7, b"throttlingException"),
            ],
            br#"{"message":"slow down"}"#,
        ),
    ]
    .concat();
    let (frames, error) = decode(Framing::EventStream, &text);
    assert_eq!(frames, [frame("delta", "{}")]);
    let failure = Failure::from(error.unwrap());
    let upstream = failure.upstream.unwrap();
    assert_eq!(failure.blame, bourse_vocab::Blame::Upstream);
    assert_eq!(upstream.code.as_deref(), Some("throttlingException"));
    assert_eq!(upstream.raw.as_deref(), Some(r#"{"message":"slow down"}"#));

    let unmodelled = message(
        &[
            (":message-type", 7, b"error"),
            (":error-code", 7, b"InternalError"),
            (":error-message", 7, b"no"),
        ],
        b"",
    );
    let (_, error) = decode(Framing::EventStream, &unmodelled);
    assert_eq!(
        error,
        Some(FramingError::Reported {
            code: "InternalError".to_owned(),
            text: "no".to_owned()
        })
    );
}

#[test]
fn a_binary_message_that_is_cut_off_is_dropped() {
    let text = [event("a", "1"), event("b", "2")].concat();
    let (frames, error) = decode(Framing::EventStream, &text[..text.len() - 1]);
    assert_eq!((frames, error), (vec![frame("a", "1")], None));
}

#[test]
fn lines_are_cut_anywhere_and_the_last_needs_no_end() {
    let text = b"{\"a\":1}\n\r\n  {\"b\":\"\xc3\xa9\"}\r\n\n{\"c\":3}";
    assert_eq!(
        same_in_any_pieces(Framing::JsonLines, text),
        [
            frame("", "{\"a\":1}"),
            frame("", "{\"b\":\"é\"}"),
            frame("", "{\"c\":3}"),
        ]
    );
}

#[test]
fn elements_are_cut_anywhere_whatever_their_strings_contain() {
    let text = br#" [ {"a":"}]\"{","b":[1,{"c":"\\"}]} ,
        {},{"d":"[[["}
    ] "#;
    assert_eq!(
        same_in_any_pieces(Framing::JsonArray, text),
        [
            frame("", r#"{"a":"}]\"{","b":[1,{"c":"\\"}]}"#),
            frame("", "{}"),
            frame("", r#"{"d":"[[["}"#),
        ]
    );
}

#[test]
fn an_error_object_in_place_of_an_array_is_a_frame() {
    assert_eq!(
        same_in_any_pieces(Framing::JsonArray, br#"{"error":{"code":429}}"#),
        [frame("", r#"{"error":{"code":429}}"#)]
    );
}

#[test]
fn an_array_of_something_else_is_corrupt() {
    for text in ["[1]", "nope", "[{}]x", "[{}]{", "{} {}", "[{}\"a\"]"] {
        let (_, error) = decode(Framing::JsonArray, text.as_bytes());
        assert!(
            matches!(error, Some(FramingError::Corrupt(_))),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn every_framing_bounds_its_frames_whether_they_end_or_not() {
    let long = "x".repeat(100);
    let texts = |framing| match framing {
        Framing::Sse => {
            [format!("data: {long}\n\n"), format!("data: {long}")].map(String::into_bytes)
        }
        Framing::EventStream => {
            let whole = event("a", &long);
            [whole.clone(), whole[..whole.len() - 20].to_vec()]
        }
        Framing::JsonLines => [format!("{long}\n"), long.clone()].map(String::into_bytes),
        Framing::JsonArray => {
            [format!("[{{\"{long}\":1}}]"), format!("[{{\"{long}")].map(String::into_bytes)
        }
    };
    for framing in Framing::ALL {
        for text in texts(framing) {
            for size in [1, 7, usize::MAX] {
                // Server-sent events have some room for names of fields.
                let text = if framing == Framing::Sse {
                    String::from_utf8(text.clone())
                        .unwrap()
                        .replace(&long, &"x".repeat(2_000))
                        .into_bytes()
                } else {
                    text.clone()
                };
                let (frames, error) = decode_in(framing, 50, &text, size);
                assert!(frames.is_empty(), "{framing:?} in pieces of {size}");
                assert!(
                    matches!(error, Some(FramingError::TooLong(_))),
                    "{framing:?} in pieces of {size}: {error:?}"
                );
            }
        }
    }
}

#[test]
fn framings_are_told_by_their_media_types() {
    for framing in Framing::ALL {
        assert!(framing.is_announced_by(framing.media_type()));
        assert!(framing.is_announced_by(&format!("{} ; charset=utf-8", framing.media_type())));
        assert!(!framing.is_announced_by("text/html"));
    }
    assert!(Framing::Sse.is_announced_by(" Text/Event-Stream"));
    assert!(Framing::JsonLines.is_announced_by("application/jsonl"));
    assert!(!Framing::Sse.is_announced_by("application/json"));
    assert!(!Framing::Sse.is_announced_by("text/event-streams"));
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_or_hand_out_too_much(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'),
            Just(b'\n'), Just(b','), any::<u8>()
        ], 0..200),
        size in 1_usize..20,
    ) {
        for framing in Framing::ALL {
            let (frames, _) = decode_in(framing, 30, &bytes, size);
            prop_assert!(frames.iter().all(|(_, data)| data.len() <= 30));
        }
    }

    #[test]
    fn objects_come_through_every_framing_of_json(values in proptest::collection::vec(
        proptest::collection::btree_map("\\PC{0,8}", "\\PC{0,8}", 0..4), 0..5),
        size in 1_usize..30,
    ) {
        let texts: Vec<String> = values.iter().map(|v| serde_json::to_string(v).unwrap()).collect();
        let expected: Frames = texts.iter().map(|text| frame("", text)).collect();
        let lines = texts.join("\n");
        prop_assert_eq!(decode_in(Framing::JsonLines, 1 << 20, lines.as_bytes(), size), (expected.clone(), None));
        let array = format!("[{}]", texts.join(","));
        prop_assert_eq!(decode_in(Framing::JsonArray, 1 << 20, array.as_bytes(), size), (expected, None));
    }
}
