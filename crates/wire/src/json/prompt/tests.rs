use bourse_vocab::facts::{Detail, Images, Source, TEXTS_MAX};

use super::*;
use crate::json::{Outline, Scanner};

/// A PNG of 640 by 480 pixels, as far as its size.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAoAAAAHgCAYAAAA=";

/// Scans a text cut into pieces and says what is in it. All members count
/// as written.
fn facts_in_pieces(text: &[u8], cut: usize) -> PromptFacts {
    let mut scanner = Scanner::new();
    let segments: Vec<Bytes> = text.chunks(cut).map(Bytes::copy_from_slice).collect();
    for segment in &segments {
        scanner.push(segment).unwrap();
    }
    let outline: Outline = scanner.finish().unwrap();
    let written = outline.members().iter().map(|m| m.value.len() as u64).sum();
    outline.facts(written, &segments)
}

/// The facts of a text, which must be the same however it is cut.
fn facts(text: &str) -> PromptFacts {
    let whole = facts_in_pieces(text.as_bytes(), text.len());
    for cut in (1..text.len().min(80)).chain([1_000]) {
        assert_eq!(
            facts_in_pieces(text.as_bytes(), cut),
            whole,
            "{text} cut every {cut}"
        );
    }
    whole
}

fn parts(parts: &str) -> PromptFacts {
    facts(&format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":[{parts}]}}]}}"
    ))
}

#[test]
fn a_picture_is_no_text_and_has_its_size() {
    let without = parts(r#"{"type":"image_url","image_url":{"url":""}}"#);
    let url = format!("data:image/png;base64,{PNG}");
    for (detail, expected) in [("low", Detail::Low), ("original", Detail::Original)] {
        let facts = parts(&format!(
            r#"{{"type":"image_url","image_url":{{"url":"{url}","detail":"{detail}"}}}}"#
        ));
        let [image] = facts.images.seen() else {
            panic!("{facts:?}");
        };
        let bytes = PNG.len() as u64;
        assert_eq!(image.source, Source::Inline { bytes });
        assert_eq!(image.size, PixelSize::new(640, 480));
        assert_eq!(image.detail, expected);
        let more = r#","detail":"""#.len() + detail.len();
        assert_eq!(facts.text_bytes, without.text_bytes + more as u64);
    }
    let short = parts(&format!(r#"{{"type":"image_url","image_url":"{url}"}}"#));
    assert_eq!(short.images.count(), 1);
}

#[test]
fn megabytes_of_a_picture_add_nothing_to_the_text() {
    let picture = |bytes: usize| {
        let data = format!("{PNG}{}", "A".repeat(bytes));
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
        );
        facts_in_pieces(body.as_bytes(), 16_000)
    };
    let (small, large) = (picture(10), picture(3_000_000));
    assert_eq!(small.text_bytes, large.text_bytes);
    assert!(large.text_bytes < 120);
    assert_eq!(large.images.seen()[0].size, PixelSize::new(640, 480));
}

#[test]
fn each_format_spells_its_media_in_its_own_way() {
    let pictures = |facts: &PromptFacts| facts.images.count();
    for (text, image, audio, video, file) in [
        // OpenAI, OpenRouter and those who follow them.
        (
            r#"{"type":"image_url","image_url":{"url":"https://a.example/b"}}"#,
            1,
            0,
            0,
            0,
        ),
        (
            r#"{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}"#,
            0,
            1,
            0,
            0,
        ),
        (
            r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}"#,
            0,
            0,
            0,
            1,
        ),
        (r#"{"type":"file","file":{"file_id":"file_1"}}"#, 0, 0, 0, 1),
        (
            r#"{"type":"video_url","video_url":{"url":"https://a.example/b.mp4"}}"#,
            0,
            0,
            1,
            0,
        ),
        (
            r#"{"type":"input_video","video_url":"https://a.example/b.mp4"}"#,
            0,
            0,
            1,
            0,
        ),
        (
            r#"{"type":"document_url","document_url":"https://a.example/b"}"#,
            0,
            0,
            0,
            1,
        ),
        // Anthropic, whatever the order of members.
        (
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}"#,
            1,
            0,
            0,
            0,
        ),
        (
            r#"{"source":{"data":"iVBO","media_type":"image/png","type":"base64"},"type":"image"}"#,
            1,
            0,
            0,
            0,
        ),
        (
            r#"{"type":"image","source":{"type":"url","url":"https://a.example/b"}}"#,
            1,
            0,
            0,
            0,
        ),
        (
            r#"{"type":"document","source":{"type":"url","url":"https://a.example/b"}}"#,
            0,
            0,
            0,
            1,
        ),
        (
            r#"{"source":{"type":"file","file_id":"file_1"},"type":"document"}"#,
            0,
            0,
            0,
            1,
        ),
        (
            r#"{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]}"#,
            1,
            0,
            0,
            0,
        ),
        (
            r#"{"source":{"type":"url","url":"https://a.example/b"}}"#,
            0,
            0,
            0,
            1,
        ),
        // Two media in one part, of which a vendor may take either.
        (
            r#"{"source":{"type":"url","url":"https://a.example/b"},"image_url":{"url":"https://a.example/c"}}"#,
            1,
            0,
            0,
            1,
        ),
    ] {
        let facts = parts(text);
        let found = (
            pictures(&facts),
            facts.audio.media.parts(),
            facts.video.parts(),
            facts.files.parts(),
        );
        assert_eq!(found, (image, audio, video, file), "{text}");
        let mut twice = facts.clone();
        twice.texts = parts(&format!("{text},{text}")).texts;
        assert_eq!(
            parts(&format!("{text},{text}")).media(),
            2 * facts.media(),
            "{text}"
        );
    }
    // Gemini, in both styles.
    for (text, image, video, file) in [
        (
            r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#,
            1,
            0,
            0,
        ),
        (
            r#"{"inline_data":{"data":"AAAA","mime_type":"video/mp4"}}"#,
            0,
            1,
            0,
        ),
        (
            r#"{"fileData":{"mimeType":"image/png","fileUri":"https://a.example/b.png"}}"#,
            1,
            0,
            0,
        ),
        (
            r#"{"file_data":{"file_uri":"gs://b/c","mime_type":"video/mp4"}}"#,
            0,
            1,
            0,
        ),
        (r#"{"fileData":{"fileUri":"https://a.example/b"}}"#, 0, 0, 1),
    ] {
        let facts = facts(&format!("{{\"contents\":[{{\"parts\":[{text}]}}]}}"));
        let found = (pictures(&facts), facts.video.parts(), facts.files.parts());
        assert_eq!(found, (image, video, file), "{text}");
    }
}

#[test]
fn words_of_media_outside_of_the_conversation_or_in_arguments_are_text() {
    let text = "\"".to_owned() + &"w".repeat(500) + "\"";
    for body in [
        format!(
            r#"{{"tools":[{{"function":{{"parameters":{{"image_url":{{"url":{text}}}}}}}}}]}}"#
        ),
        format!(
            r#"{{"messages":[{{"content":[{{"type":"tool_use","input":{{"type":"image","source":{{"data":{text}}}}}}}]}}]}}"#
        ),
        format!(
            r#"{{"contents":[{{"parts":[{{"functionCall":{{"args":{{"inlineData":{{"data":{text}}}}}}}}}]}}]}}"#
        ),
        format!(
            r#"{{"messages":[{{"content":[{{"type":"document","source":{{"type":"text","data":{text}}}}}]}}]}}"#
        ),
        format!(
            r#"{{"messages":[{{"content":[{{"type":"document","source":{{"data":{text},"type":"text"}}}}]}}]}}"#
        ),
        format!(r#"{{"messages":[{{"content":"hi","url":{text},"data":{text}}}]}}"#),
    ] {
        let facts = facts(&body);
        assert_eq!(facts.media(), 0, "{body}");
        let written = scan_length(&body);
        assert_eq!(facts.text_bytes, written, "{body}");
    }
}

/// Bytes of the values of all members.
fn scan_length(body: &str) -> u64 {
    let outline = crate::json::scan(body.as_bytes()).unwrap();
    outline.members().iter().map(|m| m.value.len() as u64).sum()
}

#[test]
fn a_name_that_is_spelled_with_escapes_is_suspicious() {
    let hidden = r#"{"type":"video_url","video\u005furl":{"url":"https://a.example/b"}}"#;
    assert!(parts(hidden).is_obscured);
    assert!(!parts(r#"{"type":"text","text":"video\u005furl"}"#).is_obscured);
    // What some readers take for a name of a medium.
    for name in ["Image_URL", "imageUrl", "TYPE", "\u{212a}"] {
        let part = format!(r#"{{"type":"image_url","{name}":{{"url":"https://a.example/b"}}}}"#);
        assert_eq!(parts(&part).is_obscured, name != "\u{212a}", "{name}");
    }
    // Names that a tool was called with are nobody's business.
    let said = r#"{"type":"tool_use","input":{"a\"b":1}}"#;
    assert!(!parts(said).is_obscured);
}

#[test]
fn tools_and_marks_are_counted() {
    let facts = facts(
        r#"{"tools":[{"name":"a","cache_control":{}},{"name":"b"}],"cache_control":{},
        "messages":[{"content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}]}"#,
    );
    assert_eq!((facts.tools, facts.cache_marks), (2, 3));
}

#[test]
fn the_places_of_texts_are_noted() {
    let body = r#"{"system":"S","messages":[{"role":"user","content":"first"},
        {"role":"user","content":[{"type":"text","text":"se\"cond"},{"type":"image_url","image_url":{"url":"x"}}]}]}"#;
    let noted: Vec<_> = facts(body).texts.iter().map(|range| &body[range]).collect();
    assert_eq!(noted, ["S", "first", "se\\\"cond"]);
    let many = r#"{"content":"x"},"#.repeat(TEXTS_MAX) + r#"{"content":"last"}"#;
    let body = format!("{{\"messages\":[{many}]}}");
    let facts = facts(&body);
    assert!(!facts.texts.is_whole());
    let last = facts.texts.iter().last().unwrap();
    assert_eq!(&body[last], "last");
}

#[test]
fn many_pictures_are_counted_and_their_data_is_still_no_text() {
    let part =
        format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{PNG}"}}}}"#);
    let facts = parts(&vec![part.as_str(); 100].join(","));
    let images: &Images = &facts.images;
    assert_eq!((images.count(), images.unseen()), (100, 36));
    assert!(images.seen().iter().all(|image| image.size.is_some()));
    assert!(facts.text_bytes < 100 * (part.len() - PNG.len()) as u64);
}
