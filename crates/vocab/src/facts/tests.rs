#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use super::*;
use crate::Format;
use crate::chat::{self, Message, Part, Request, Role};

fn url(kind: Option<Kind>, address: &str) -> Medium {
    let mut medium = Medium::new(kind);
    medium.url(address.as_bytes(), address.len() as u64);
    medium
}

#[test]
fn where_a_request_contradicts_itself_the_dearer_kind_counts() {
    use Kind::{Audio, File, Image, PlainText, Video};
    for (name, address, expected) in [
        (Some(Image), "https://a.example/cat.png", Image),
        (Some(Image), "https://a.example/cat", Image),
        (Some(Image), "https://a.example/cat.png?x=.mp4", Image),
        (Some(Image), "https://a.example/film.MP4", Video),
        (Some(Image), "https://a.example/paper.pdf#page=2", File),
        (Some(Image), "data:application/pdf;base64,JVBERi0=", File),
        (
            Some(Image),
            "data:application/octet-stream;base64,iVBO",
            Image,
        ),
        (Some(Image), "data:image\\/png;base64,iVBO", Image),
        (Some(Image), "DATA:IMAGE/PNG;BASE64,iVBO", Image),
        (Some(Image), "\\u0068ttps://a.example/film", File),
        (Some(File), "data:image/png;base64,iVBO", Image),
        (Some(File), "data:text/csv;base64,YSxi", PlainText),
        (Some(File), "data:text/plain;base64,JVBERi0xLjQ=", File),
        (Some(Audio), "data:audio/wav;base64,UklG", Audio),
        (Some(Audio), "data:image/png;base64,iVBO", Audio),
        (None, "https://a.example/x", File),
    ] {
        assert_eq!(url(name, address).kind(), expected, "{address}");
    }
    // An address whose end is out of sight may end like anything.
    let mut long = Medium::new(Some(Image));
    long.url(b"https://a.example/aaaaaa", 5_000);
    assert_eq!(long.kind(), File);
    long = Medium::new(Some(Image));
    long.url(b"https://a.example/a.png?signature=aaa", 5_000);
    assert_eq!(long.kind(), Image);
}

#[test]
fn what_has_no_scheme_is_data_and_base64_begins_behind_the_comma() {
    let begin = |text: &str| Medium::new(Some(Kind::File)).url(text.as_bytes(), text.len() as u64);
    assert_eq!(begin("JVBERi0xLjQ="), Some(0));
    assert_eq!(begin("data:image/png;base64,iVBO"), Some(22));
    assert_eq!(begin("data:text/plain,hi"), None);
    assert_eq!(begin("gs://bucket/a.pdf"), None);
    assert_eq!(begin("https://a.example/a.pdf"), None);
}

#[test]
fn plain_text_in_base64_counts_as_text() {
    let mut facts = PromptFacts::default();
    url(Some(Kind::File), "data:text/plain;base64,YWJjZGVm").count(&mut facts);
    assert_eq!((facts.text_bytes, facts.files), (6, Media::NONE));
}

#[test]
fn pictures_beyond_the_list_are_counted() {
    let mut images = Images::default();
    for count in 0..100 {
        let place = images.add(Image {
            source: Source::Url { says_image: false },
            detail: Detail::Auto,
            size: None,
        });
        assert_eq!(place, (count < IMAGES_MAX).then_some(count));
    }
    assert_eq!((images.count(), images.unseen()), (100, 36));
    assert_eq!(images.urls(), 100);
    assert!(images.has_vague());
}

#[test]
fn the_last_text_is_remembered_if_there_are_too_many() {
    let mut texts = Texts::default();
    for at in 0..TEXTS_MAX {
        texts.add(at..at + 1);
    }
    assert!(texts.is_whole());
    texts.add(100..200);
    texts.add(300..400);
    assert!(!texts.is_whole());
    assert_eq!(texts.count() as usize, TEXTS_MAX + 2);
    let known: Vec<_> = texts.iter().collect();
    assert_eq!(known.len(), TEXTS_MAX);
    assert_eq!(known.first(), Some(&(0..1)));
    assert_eq!(known.last(), Some(&(300..400)));
}

#[test]
fn a_request_that_was_read_has_its_facts() {
    let image = |media| Part::Image {
        media,
        detail: Some("low".to_owned()),
        cache: Some(chat::CacheControl::default()),
    };
    let parts = vec![
        Part::text("ab\n"),
        image(chat::Media::Url("https://a.example/cat.png".to_owned())),
        image(chat::Media::Base64 {
            mime: "image/gif".to_owned(),
            data: "R0lGODlhgALgAQ==".to_owned(),
        }),
        image(chat::Media::FileId("file_1".to_owned())),
        Part::Audio {
            data: "UklGRg==".to_owned(),
            format: "wav".to_owned(),
        },
        Part::Video {
            media: chat::Media::Url("https://a.example/film.mp4".to_owned()),
        },
        Part::Opaque {
            format: Format::OpenAiChat,
            value: crate::json!({"type": "document_url", "document_url": "https://a.example/b"}),
        },
    ];
    let message = Message {
        role: Role::User,
        name: None,
        parts,
    };
    let facts = PromptFacts::of(&Request::new(Format::OpenAiChat, "m", vec![message]));
    let [address, data, upload] = facts.images.seen() else {
        panic!("{facts:?}");
    };
    assert_eq!(address.source, Source::Url { says_image: true });
    assert_eq!(address.detail, Detail::Low);
    assert_eq!(data.source, Source::Inline { bytes: 16 });
    assert_eq!(data.size, PixelSize::new(640, 480));
    assert_eq!(upload.source, Source::Upload);
    assert_eq!((facts.audio.media.bytes, facts.audio.steady_bytes), (8, 8));
    assert_eq!((facts.video.urls, facts.files.urls), (1, 1));
    assert_eq!((facts.media(), facts.cache_marks), (6, 3));
    assert!(facts.is_unbounded());
    assert!(facts.text_bytes < 400, "{}", facts.text_bytes);
    assert_eq!(NO_FACTS, PromptFacts::default());
}
