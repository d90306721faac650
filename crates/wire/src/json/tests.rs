use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::splice::Splice;
use super::*;

fn scan_in_pieces(text: &[u8], cut: usize) -> Result<Outline, ScanError> {
    let mut scanner = Scanner::new();
    for piece in text.chunks(cut.max(1)) {
        scanner.push(piece)?;
    }
    scanner.finish()
}

fn names_and_values(text: &[u8], outline: &Outline) -> Vec<(String, String)> {
    outline
        .iter()
        .map(|(name, member)| {
            let value = text.get(member.value.clone()).unwrap();
            (name.to_owned(), String::from_utf8(value.to_vec()).unwrap())
        })
        .collect()
}

fn refused(text: &str) -> ScanErrorKind {
    let error = scan(text.as_bytes()).unwrap_err();
    for cut in 1..text.len() {
        let kind = scan_in_pieces(text.as_bytes(), cut).unwrap_err().kind;
        assert_eq!(kind, error.kind, "{text} cut every {cut}");
    }
    error.kind
}

#[test]
fn members_are_found_with_their_ranges_and_kinds() {
    let text = br#" { "a" : "x\"}" ,"b":[1,{"c":2}], "d":{"e":null} ,"f":-1.5e+3,"g":true,"h":false,"i":null}  "#;
    let outline = scan(text).unwrap();
    let found: Vec<(&str, &str, Kind)> = outline
        .iter()
        .map(|(name, member)| {
            let value = &text[member.value.clone()];
            (name, std::str::from_utf8(value).unwrap(), member.kind)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("a", r#""x\"}""#, Kind::String),
            ("b", r#"[1,{"c":2}]"#, Kind::Array),
            ("d", r#"{"e":null}"#, Kind::Object),
            ("f", "-1.5e+3", Kind::Number),
            ("g", "true", Kind::True),
            ("h", "false", Kind::False),
            ("i", "null", Kind::Null),
        ]
    );
    let key = outline.get("b").unwrap().key.clone();
    assert_eq!(&text[key], br#""b""#);
    assert_eq!(outline.len(), text.len());
    assert!(scan(b"{}").unwrap().is_empty());
}

#[test]
fn a_member_that_is_there_twice_is_refused_by_name() {
    assert_eq!(
        refused(r#"{"model":"a","x":1,"model":"b"}"#),
        ScanErrorKind::Duplicate("model".to_owned())
    );
    let mut many: String = (0..100).map(|n| format!("\"k{n}\":1,")).collect();
    many = format!("{{{many}\"k7\":2}}");
    assert_eq!(
        scan(many.as_bytes()).unwrap_err().kind,
        ScanErrorKind::Duplicate("k7".to_owned())
    );
    // Below the top everything is the provider's business.
    assert!(scan(br#"{"a":{"b":1,"b":2}}"#).is_ok());
}

#[test]
fn an_escaped_name_is_refused_at_the_top_only() {
    assert_eq!(refused(r#"{"mod\u0065l":"a"}"#), ScanErrorKind::EscapedName);
    assert_eq!(
        refused("{\"model\u{1}\":\"a\"}"),
        ScanErrorKind::ControlInName
    );
    assert_eq!(refused("{\"mo\ndel\":\"a\"}"), ScanErrorKind::ControlInName);
    assert!(scan(br#"{"a":{"mod\u0065l":1}}"#).is_ok());
}

#[test]
fn each_sort_of_damage_has_its_own_sentence() {
    use ScanErrorKind as E;
    for (text, kind) in [
        ("", E::Empty),
        ("  ", E::Empty),
        ("[1]", E::NotAnObject),
        ("null", E::NotAnObject),
        ("\u{feff}{}", E::NotAnObject),
        ("{", E::Truncated),
        (r#"{"a":"x"#, E::Truncated),
        (r#"{"a":"x\"#, E::Truncated),
        (r#"{"a":1"#, E::Truncated),
        (r#"{"a":tru"#, E::Truncated),
        ("{} {}", E::TrailingGarbage),
        ("{}x", E::TrailingGarbage),
        (r#"{"a":[1}}"#, E::Unbalanced),
        (r#"{"a":{"b":1]}"#, E::Unbalanced),
        (r#"{"a" 1}"#, E::Unexpected(b'1')),
        (r#"{"a":}"#, E::Unexpected(b'}')),
        (r#"{"a":1,}"#, E::Unexpected(b'}')),
        (r#"{,"a":1}"#, E::Unexpected(b',')),
        (r#"{"a":[1,]}"#, E::Unexpected(b']')),
        (r#"{"a":[,1]}"#, E::Unexpected(b',')),
        (r#"{"a":1 2}"#, E::Unexpected(b'2')),
        (r#"{a:1}"#, E::Unexpected(b'a')),
        (r#"{"a":NaN}"#, E::Unexpected(b'N')),
        (r#"{"a":nul}"#, E::BadLiteral),
        (r#"{"a":truth}"#, E::BadLiteral),
        (r#"{"a":01}"#, E::Unexpected(b'1')),
        (r#"{"a":1.}"#, E::BadNumber),
        (r#"{"a":-}"#, E::BadNumber),
        (r#"{"a":1e}"#, E::BadNumber),
        (r#"{"a":+1}"#, E::Unexpected(b'+')),
    ] {
        assert_eq!(refused(text), kind, "{text}");
        assert!(read(text.as_bytes()).is_err(), "{text}");
        assert!(
            serde_json::from_str::<Value>(text).is_err() || kind == E::NotAnObject,
            "{text}"
        );
    }
    let error = scan(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!((error.kind, error.offset), (E::NotUtf8, 6));
    let failure = bourse_vocab::Failure::from(scan(b"{\"a\" 1}").unwrap_err());
    assert_eq!(
        failure.message,
        "The request body is not acceptable JSON at byte 5: unexpected '1'."
    );
}

#[test]
fn depth_members_and_names_are_bounded() {
    let nested = |depth: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert!(scan(nested(64).as_bytes()).is_ok());
    assert!(read(nested(64).as_bytes()).is_ok());
    assert_eq!(
        read(nested(65).as_bytes()).unwrap_err().kind,
        ScanErrorKind::TooDeep
    );
    assert_eq!(
        scan(nested(65).as_bytes()).unwrap_err().kind,
        ScanErrorKind::TooDeep
    );
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(scan(members(MEMBERS_MAX).as_bytes()).is_ok());
    assert_eq!(
        scan(members(MEMBERS_MAX + 1).as_bytes()).unwrap_err().kind,
        ScanErrorKind::TooManyMembers
    );
    for (length, fits) in [(KEY_BYTES_MAX, true), (KEY_BYTES_MAX + 1, false)] {
        let text = format!("{{\"{}\":0}}", "k".repeat(length));
        for cut in [7, 1000, 5000] {
            let outline = scan_in_pieces(text.as_bytes(), cut);
            assert_eq!(outline.is_ok(), fits);
        }
    }
}

#[test]
fn features_of_the_prompt_are_noted() {
    let features = |text: &str| {
        let whole = scan(text.as_bytes()).unwrap().features();
        for cut in 1..text.len() {
            let cut = scan_in_pieces(text.as_bytes(), cut).unwrap();
            assert_eq!(cut.features(), whole);
        }
        whole
    };
    let all = features(
        r#"{"messages":[{"role":"developer","name":"ann","content":[{"type":"image_url"},
        {"type":"input_audio"},{"type":"file"},{"type" : "video_url","cache_control":{}}]},
        {"role":"assistant","reasoning_details":[]},{"reasoning_content":""}]}"#,
    );
    assert_eq!(
        all,
        Features {
            image: true,
            audio: true,
            file: true,
            video: true,
            cache_control: true,
            developer_role: true,
            message_name: true,
            reasoning_content: true,
            reasoning_details: true,
            message_extra: true,
            ..Features::default()
        }
    );
    // Text that merely speaks of these things, and tools that use the
    // words for their own ends, ask for nothing; a member that is unknown is
    // only that.
    let none = features(
        r#"{"messages":[{"role":"user","name":null,"content":"\"type\":\"file\"","x":{"name":"y","role":"developer","reasoning":"z"}},
        {"tool_calls":[{"type":"function","function":{"name":"f"}}]}],
        "reasoning":{"effort":"low"},"tools":[{"name":"x","role":"developer","type":"file"}],"name":"z"}"#,
    );
    let unknown = Features {
        message_extra: true,
        ..Features::default()
    };
    assert_eq!(none, unknown);
}

#[test]
fn a_value_is_borrowed_unless_it_lies_in_two_pieces() {
    let pieces = [
        Bytes::from_static(b"ab"),
        Bytes::new(),
        Bytes::from_static(b"cdef"),
    ];
    assert!(matches!(
        raw(&pieces, &(2..5)),
        std::borrow::Cow::Borrowed(b"cde")
    ));
    assert!(matches!(
        raw(&pieces, &(0..2)),
        std::borrow::Cow::Borrowed(b"ab")
    ));
    assert_eq!(raw(&pieces, &(1..4)).as_ref(), b"bcd");
    assert_eq!(first_byte(&pieces, &(2..3)), Some(b'c'));
    assert_eq!(first_byte(&pieces, &(6..7)), None);
    let mut out = Vec::new();
    slice_into(&pieces, &(1..6), &mut out);
    assert_eq!(out.concat(), b"bcdef");
}

#[test]
fn small_values_are_read_from_their_text() {
    assert_eq!(
        text::string(br#""a\n\u00e9\ud83e\udd80\/""#).unwrap(),
        "a\né🦀/"
    );
    assert_eq!(text::string(br#""x\ud83e""#).unwrap(), "x\u{fffd}");
    assert_eq!(
        text::string(br#""\udd80\ud83ey""#).unwrap(),
        "\u{fffd}\u{fffd}y"
    );
    assert_eq!(text::string(br#""\q""#), None);
    assert_eq!(text::string(b"12"), None);
    assert_eq!(text::u64(b"12"), Some(12));
    for bad in [&b"-1"[..], b"1.0", b"1e3", b"", b"99999999999999999999"] {
        assert_eq!(text::u64(bad), None);
    }
    assert_eq!(text::i64(b"-3"), Some(-3));
    assert_eq!(text::f64(b"1e-1"), Some(0.1));
    assert_eq!(text::f64(b"1e999"), None);
    assert_eq!(text::bool(b"false"), Some(false));
}

#[test]
fn splices_keep_every_byte_they_do_not_edit() {
    let text = Bytes::from_static(br#"{ "model" : "a", "x":1 , "messages":[ "hi" ] ,"y":2 }"#);
    let outline = scan(&text).unwrap();
    let check = |edit: &dyn Fn(&mut Splice<'_>), expected: &str| {
        let mut splice = Splice::new(&outline);
        edit(&mut splice);
        let out = splice.write(std::slice::from_ref(&text)).concat();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check(
        &|_| {},
        r#"{ "model" : "a", "x":1 , "messages":[ "hi" ] ,"y":2 }"#,
    );
    check(
        &|s| s.set("model", *b"\"b\""),
        r#"{ "model" : "b", "x":1 , "messages":[ "hi" ] ,"y":2 }"#,
    );
    check(
        &|s| s.remove("model"),
        r#"{"x":1 , "messages":[ "hi" ] ,"y":2 }"#,
    );
    check(
        &|s| s.remove("x"),
        r#"{ "model" : "a","messages":[ "hi" ] ,"y":2 }"#,
    );
    check(
        &|s| s.remove("y"),
        r#"{ "model" : "a", "x":1 , "messages":[ "hi" ] }"#,
    );
    check(
        &|s| {
            for name in ["model", "x", "messages", "y"] {
                s.remove(name);
            }
        },
        "{ }",
    );
    check(
        &|s| {
            for name in ["model", "x", "messages", "y"] {
                s.remove(name);
            }
            s.set("z", *b"3");
        },
        r#"{"z":3 }"#,
    );
    check(
        &|s| {
            s.rename("x", "w");
            s.set("z", *b"3");
        },
        r#"{ "model" : "a", "w":1 , "messages":[ "hi" ] ,"y":2,"z":3 }"#,
    );
    check(
        &|s| s.rename("x", "y"),
        r#"{ "model" : "a","messages":[ "hi" ] ,"y":2 }"#,
    );
}

#[test]
fn a_large_prompt_is_not_copied() {
    let prompt = format!(
        "{{\"model\":\"a\",\"m\":\"{}\",\"x\":1}}",
        "p".repeat(100_000)
    );
    let pieces: Vec<Bytes> = prompt
        .as_bytes()
        .chunks(60_000)
        .map(Bytes::copy_from_slice)
        .collect();
    let mut scanner = Scanner::new();
    for piece in &pieces {
        scanner.push(piece).unwrap();
    }
    let outline = scanner.finish().unwrap();
    let mut splice = Splice::new(&outline);
    splice.set("model", *b"\"longer\"");
    splice.remove("x");
    let out = splice.write(&pieces);
    assert!(out.iter().any(|piece| {
        let within = pieces[0].as_ptr_range();
        piece.len() > 50_000 && within.contains(&piece.as_ptr())
    }));
    let text = String::from_utf8(out.concat()).unwrap();
    assert_eq!(
        text,
        prompt
            .replace("\"a\"", "\"longer\"")
            .replace(",\"x\":1", "")
    );
}

#[test]
fn walking_finds_what_the_scanner_found() {
    let text = br#" {"a":[1 , "x]",{"b":{}} ,[],null],"c\n":-2} "#;
    let members: Vec<_> = walk::members(text).collect();
    assert_eq!(members.len(), 2);
    assert_eq!((members[0].name, members[0].kind), (&b"a"[..], Kind::Array));
    assert_eq!(&text[members[1].at.clone()], b"-2");
    let elements: Vec<_> = walk::elements(members[0].value)
        .map(|element| std::str::from_utf8(element.value).unwrap())
        .collect();
    assert_eq!(elements, ["1", "\"x]\"", "{\"b\":{}}", "[]", "null"]);
    for broken in [
        &b"{"[..],
        b"{\"a",
        b"{\"a\":",
        b"[",
        b"{\"a\":[",
        b"x",
        b"[1,\"",
    ] {
        assert!(walk::members(broken).count() < 2);
        assert!(walk::elements(broken).count() < 3);
    }
}

/// Any JSON value, a few levels deep.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-9000..9000).prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "\\PC{0,12}".prop_map(Value::from),
        "[\"\\\\{}\\[\\],:\u{e9}\u{1f980}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-z\u{e9}]{0,5}", value(), 0..8)
        .prop_map(|map| map.into_iter().collect())
}

fn print(object: &Map<String, Value>, pretty: bool) -> String {
    if pretty {
        serde_json::to_string_pretty(object).unwrap()
    } else {
        serde_json::to_string(object).unwrap()
    }
}

/// Reads all of an object with the reader, entering everything down to the
/// third level and skipping what is below.
fn read(text: &[u8]) -> Result<Vec<(String, String)>, Box<ScanError>> {
    fn value(reader: &mut Reader<'_>, levels: u32) -> Result<(), Box<ScanError>> {
        match reader.kind()? {
            Kind::Object if levels > 0 => {
                reader.enter_object()?;
                while reader.next_member()?.is_some() {
                    value(reader, levels - 1)?;
                }
            }
            Kind::Array if levels > 0 => {
                reader.enter_array()?;
                while reader.next_element()? {
                    value(reader, levels - 1)?;
                }
            }
            _ => {
                reader.entry(b"")?;
            }
        }
        Ok(())
    }
    let Ok(whole) = std::str::from_utf8(text) else {
        let kind = ScanErrorKind::NotUtf8;
        return Err(Box::new(ScanError { kind, offset: 0 }));
    };
    let mut deep = Reader::new(whole);
    deep.enter_object()?;
    while deep.next_member()?.is_some() {
        value(&mut deep, 2)?;
    }
    deep.finish()?;

    let mut members = Vec::new();
    let mut reader = Reader::new(whole);
    reader.enter_object()?;
    while let Some(name) = reader.next_member()? {
        let entry = reader.entry(name)?;
        assert_eq!(&text[entry.at.clone()], entry.value);
        let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        members.push((part(name), part(entry.value)));
    }
    reader.finish()?;
    Ok(members)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_object_is_found_as_serde_json_finds_it(
        object in object(), pretty: bool, cut in 1_usize..40,
    ) {
        let text = print(&object, pretty);
        let outline = scan(text.as_bytes()).unwrap();
        let expected: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let raws: std::collections::BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&text).unwrap();
        prop_assert_eq!(outline.members().len(), expected.len());
        for (name, found) in names_and_values(text.as_bytes(), &outline) {
            prop_assert_eq!(raws[&name].get(), &found);
        }
        prop_assert_eq!(
            read(text.as_bytes()).unwrap(),
            names_and_values(text.as_bytes(), &outline)
        );
        prop_assert_eq!(scan_in_pieces(text.as_bytes(), cut).unwrap(), outline);
    }

    #[test]
    fn damage_is_noticed_whenever_serde_json_notices_it(
        object in object(), at in any::<prop::sample::Index>(),
        byte in prop::sample::select(&b"\"\\{}[],:0e.-tn x\x80"[..]),
        sort in 0..3_u8, cut in 1_usize..40,
    ) {
        let mut text = print(&object, false).into_bytes();
        let at = at.index(text.len());
        match sort {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            _ => { text.remove(at); }
        }
        let ours = scan(&text);
        prop_assert_eq!(scan_in_pieces(&text, cut).is_ok(), ours.is_ok());
        let lenient = matches!(
            &ours,
            Err(ScanError {
                kind: ScanErrorKind::Duplicate(_)
                    | ScanErrorKind::EscapedName
                    | ScanErrorKind::NotUtf8,
                ..
            })
        );
        if !lenient {
            prop_assert_eq!(read(&text).is_ok(), ours.is_ok());
        }
        let theirs = serde_json::from_slice::<Map<String, Value>>(&text);
        if let (Ok(_), Err(error)) = (&ours, &theirs) {
            // The documented leniencies.
            let lenient = ["escape", "control character", "surrogate", "number out of range"];
            let error = error.to_string();
            prop_assert!(lenient.iter().any(|part| error.contains(part)), "{}", error);
        }
        if let (Err(error), Ok(_)) = (&ours, &theirs) {
            let strict = matches!(
                error.kind,
                ScanErrorKind::Duplicate(_) | ScanErrorKind::EscapedName
            );
            prop_assert!(strict, "{:?}", error);
        }
    }

    #[test]
    fn a_splice_equals_the_edit_of_the_parsed_value(
        object in object(), pretty: bool, cut in 1_usize..200, big: bool,
        edits in prop::collection::vec((0..3_u8, any::<prop::sample::Index>(), value()), 0..8),
    ) {
        let mut object = object;
        if big {
            object.insert("big".to_owned(), json!("b".repeat(9_000)));
        }
        let text = print(&object, pretty);
        let pieces: Vec<Bytes> =
            text.as_bytes().chunks(cut).map(Bytes::copy_from_slice).collect();
        let outline = scan(text.as_bytes()).unwrap();
        let mut names: Vec<String> = object.keys().cloned().collect();
        names.extend(["new".to_owned(), "q\"uote".to_owned()]);
        let mut splice = Splice::new(&outline);
        for (sort, at, value) in edits {
            let name = &names[at.index(names.len())];
            match sort {
                0 => { splice.remove(name); object.remove(name); }
                1 => {
                    splice.set(name, value.to_string().into_bytes());
                    object.insert(name.clone(), value);
                }
                _ => if outline.get(name).is_some() && object.contains_key(name) {
                    let other = format!("{name}_renamed");
                    splice.rename(name, &other);
                    let value = object.remove(name).unwrap();
                    object.insert(other, value);
                },
            }
            // A renamed member is addressed no more.
            names.retain(|name| outline.get(name).is_none() || object.contains_key(name));
            if names.is_empty() { break; }
        }
        let out = splice.write(&pieces).concat();
        let parsed: Map<String, Value> = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(parsed, object);
    }

    #[test]
    fn strings_are_written_and_read_back(string in any::<String>()) {
        let mut out = Vec::new();
        text::write_string(&string, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), &string[..]);
        prop_assert_eq!(text::string(&out).unwrap(), &string[..]);
        let theirs = serde_json::to_vec(&string).unwrap();
        prop_assert_eq!(text::string(&theirs).unwrap(), string);
    }
}
