use proptest::prelude::*;

use super::write::{Field, write};
use super::*;

const FILE_MAX: usize = 4_096;

fn boundary(text: &str) -> Boundary {
    let header = format!("multipart/form-data; boundary=\"{text}\"");
    Boundary::of_content_type(&header).unwrap().unwrap()
}

/// Reads a body that comes in pieces of these lengths, the last again and
/// again.
fn read(body: &[u8], pieces: &[usize]) -> Result<Form, FormError> {
    let mut reader = Reader::new(&boundary("b"), FILE_MAX);
    let mut rest = body;
    let mut lengths = pieces.iter().copied().chain(std::iter::repeat(
        pieces.last().copied().unwrap_or(body.len()).max(1),
    ));
    while !rest.is_empty() {
        let length = lengths.next().unwrap().clamp(1, rest.len());
        let (piece, more) = rest.split_at(length);
        reader.push(piece)?;
        rest = more;
    }
    reader.finish()
}

fn part(head: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
}

fn form(parts: &[String]) -> Vec<u8> {
    format!("{}--b--\r\n", parts.concat()).into_bytes()
}

fn values(body: &[u8], form: &Form) -> Vec<(String, Option<String>, Vec<u8>)> {
    let of = |part: &Part| {
        (
            part.name.clone(),
            part.file_name.clone(),
            body[part.value.clone()].to_vec(),
        )
    };
    form.parts.iter().map(of).collect()
}

#[test]
fn the_parts_of_a_form_are_where_they_are() {
    let body = form(&[
        part("name=\"model\"", "whisper-1"),
        part("name=empty", ""),
        "--b\r\ncontent-type: audio/mpeg\r\nCONTENT-DISPOSITION: Form-Data; filename=\"a \\\"b\\\"; c.mp3\"; \
         name=\"file\"\r\nX-Else: 1\r\n\r\n\r\n--c\r\r\n--\r\n"
            .to_owned(),
    ]);
    let form = read(&body, &[]).unwrap();
    assert_eq!(
        values(&body, &form),
        [
            ("model".to_owned(), None, b"whisper-1".to_vec()),
            ("empty".to_owned(), None, Vec::new()),
            (
                "file".to_owned(),
                Some("a \"b\"; c.mp3".to_owned()),
                b"\r\n--c\r\r\n--".to_vec()
            ),
        ]
    );
    assert_eq!(form.parts[2].media_type.as_deref(), Some("audio/mpeg"));
    assert_eq!(form.bytes, body.len());
    // A form without parts is one.
    assert_eq!(read(b"--b--", &[]).unwrap().parts, []);
}

#[test]
fn a_form_cut_anywhere_is_no_form_and_never_another_one() {
    let body = form(&[
        part("name=\"model\"", "whisper-1"),
        part("name=\"file\"; filename=\"a\"", "sound\r\n--"),
    ]);
    let end = body.len() - 2;
    for cut in 0..end {
        let got = read(&body[..cut], &[]);
        assert!(got.is_err(), "{cut}: {got:?}");
    }
    assert!(read(&body[..end], &[]).is_ok());
}

#[test]
fn hostile_forms_are_refused_with_a_sentence() {
    let file = |length: usize| form(&[part("name=\"f\"; filename=\"a\"", &"x".repeat(length))]);
    assert!(read(&file(FILE_MAX), &[7]).is_ok());
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (file(FILE_MAX + 1), "f: the file is larger than 4096 bytes"),
        (
            form(&[part("name=\"prompt\"", &"x".repeat(VALUE_BYTES_MAX + 1))]),
            "prompt: at most 1048576 bytes",
        ),
        (
            form(&vec![part("name=\"a\"", ""); PARTS_MAX + 1]),
            "A form has at most 64 parts",
        ),
        (
            form(&[part(
                &format!("name=\"a\"; x=\"{}\"", "y".repeat(5_000)),
                "",
            )]),
            "The headers of a part have at most 4096 bytes",
        ),
        (b"".to_vec(), "The form does not begin with its boundary"),
        (
            b"\r\n--b--".to_vec(),
            "The form does not begin with its boundary",
        ),
        (
            b"--bb--".to_vec(),
            "The form is malformed behind a boundary",
        ),
        (b"--b\n".to_vec(), "The form is malformed behind a boundary"),
        (
            [b"--b".to_vec(), vec![b' '; 65]].concat(),
            "The form is malformed behind a boundary",
        ),
        (
            [form(&[]), vec![b'x'; EPILOGUE_BYTES_MAX]].concat(),
            "The form goes on behind its last boundary",
        ),
        (
            b"--b\r\nA: b\r\n\r\n\r\n--b--".to_vec(),
            "Content-Disposition is missing",
        ),
        (form(&[part("filename=\"a\"", "")]), "a part has no name"),
        (form(&[part("name=\"\"", "")]), "a name has 1 to 128 bytes"),
        (
            form(&[part("name=\"a\"; name=\"b\"", "")]),
            "a parameter is there twice",
        ),
        (form(&[part("name=\"a", "")]), "a quote is not closed"),
        (
            form(&[part("name=\"a\" x", "")]),
            "something follows a parameter",
        ),
        (
            form(&[part("name=\"a\"\r\n folded: 1", "")]),
            "a line is broken",
        ),
        (form(&[part("name=\"a\nb\"", "")]), "a line is broken"),
        (
            form(&[part(
                "name=\"a\"\r\nContent-Disposition: form-data; name=b",
                "",
            )]),
            "Content-Disposition is there twice",
        ),
        (
            form(&[part("name=\"a\"\r\nContent-Transfer-Encoding: base64", "")]),
            "Content-Transfer-Encoding is not understood",
        ),
        (
            b"--b\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n".to_vec(),
            "they are not UTF-8",
        ),
    ];
    for (body, sentence) in cases {
        let failure = Failure::from(read(&body, &[]).unwrap_err());
        assert!(failure.message.contains(sentence), "{}", failure.message);
        let status = if sentence.contains("larger") {
            413
        } else {
            400
        };
        assert_eq!(failure.status(), status, "{sentence}");
    }
}

#[test]
fn a_boundary_is_read_as_it_is_written_and_nothing_else_is_one() {
    let of = Boundary::of_content_type;
    for (header, boundary) in [
        ("multipart/form-data; boundary=abc", "abc"),
        (
            "Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b:c\"",
            "a b:c",
        ),
        (
            "multipart/form-data; boundary=----WebKitFormBoundaryX ; x",
            "----WebKitFormBoundaryX",
        ),
    ] {
        let read = of(header).unwrap().unwrap();
        assert_eq!(read.as_str(), boundary, "{header}");
    }
    assert_eq!(of("application/json"), Ok(None));
    assert_eq!(of("multipart/mixed; boundary=a"), Ok(None));
    for header in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".to_owned(),
        "multipart/form-data; boundary=a; boundary=b".to_owned(),
        "multipart/form-data; boundary=\"a".to_owned(),
        "multipart/form-data; boundary=a{b".to_owned(),
        format!("multipart/form-data; boundary={}", "a".repeat(71)),
    ] {
        assert_eq!(of(&header), Err(FormError::Boundary), "{header}");
    }
    let drawn = Boundary::drawn(7);
    assert_eq!(of(&drawn.content_type()), Ok(Some(drawn)));
    let quoted = boundary("a b");
    assert_eq!(of(&quoted.content_type()), Ok(Some(quoted)));
}

#[test]
fn a_name_counts_once_and_a_file_is_no_text() {
    let body = form(&[
        part("name=\"a\"", "1"),
        part("name=\"a\"", "2"),
        part("name=\"f\"; filename=\"x\"", "3"),
        part("name=\"t\"", "4"),
    ]);
    let form = read(&body, &[]).unwrap();
    let segments = [Bytes::from(body)];
    let text = |name| {
        form.text(&segments, name)
            .map(|text| text.map(Cow::into_owned))
    };
    assert_eq!(text("t").unwrap().as_deref(), Some("4"));
    assert_eq!(text("absent").unwrap(), None);
    assert!(text("a").unwrap_err().message.contains("more than once"));
    assert!(text("f").unwrap_err().message.contains("no file"));
}

proptest! {
    #[test]
    fn a_form_is_the_same_in_whatever_pieces_it_comes(
        values in prop::collection::vec("[a\r\n-]{0,24}", 0..5),
        pieces in prop::collection::vec(1_usize..9, 1..40),
    ) {
        let parts: Vec<_> = values.iter().enumerate()
            // A value that has the whole delimiter in it ends there.
            .map(|(n, value)| part(&format!("name=\"n{n}\"; filename=\"x\""), &value.replace("\r\n--b", "")))
            .collect();
        let body = form(&parts);
        let whole = read(&body, &[]);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(&whole, &read(&body, &pieces));
        prop_assert_eq!(&whole, &read(&body, &[1]));
    }

    #[test]
    fn any_bytes_are_read_alike_in_whatever_pieces_they_come(
        body in prop::collection::vec(prop::sample::select(b"-b\r\n :;\"=namefor-dtContDispsi".to_vec()), 0..200),
        pieces in prop::collection::vec(1_usize..9, 1..40),
    ) {
        let body = [b"--b\r\n".to_vec(), body].concat();
        prop_assert_eq!(read(&body, &[]), read(&body, &pieces));
    }

    #[test]
    fn what_is_written_is_read_again(
        fields in prop::collection::vec(("[ -~\u{e4}]{1,20}", prop::option::of("[ -~\r\n]{0,20}"), prop::collection::vec(any::<u8>(), 0..50)), 0..6),
    ) {
        let drawn = Boundary::drawn(12);
        let written = write(
            fields.iter().map(|(name, file, value)| Field {
                name,
                file_name: file.as_deref(),
                media_type: Some("audio/wav"),
                value: vec![value.clone().into()],
            }).collect(),
            &drawn,
        ).concat();
        let mut reader = Reader::new(&drawn, FILE_MAX);
        prop_assert_eq!(reader.push(&written), Ok(()));
        let form = reader.finish().unwrap();
        prop_assert_eq!(form.parts.len(), fields.len());
        for (part, (name, file, value)) in form.parts.iter().zip(&fields) {
            prop_assert_eq!(&written[part.value.clone()], &value[..]);
            prop_assert_eq!(part.file_name.is_some(), file.is_some());
            if !name.contains(['"', '\\']) {
                prop_assert_eq!(&part.name, name);
            }
        }
    }
}
