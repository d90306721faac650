#![allow(clippy::arithmetic_side_effects)] // Small numbers in tests.

use bourse_catalog::quirks::image_tokens::rule;
use bourse_vocab::facts::{Detail, Image, Kind, Medium, PixelSize, Source};

use super::*;

const CONTEXT: Option<u64> = Some(200_000);

fn picture(size: Option<(u32, u32)>, source: Source) -> Image {
    Image {
        source,
        detail: Detail::Auto,
        size: size.and_then(|(width, height)| PixelSize::new(width, height)),
    }
}

/// A question of 400 bytes with pictures.
fn with(pictures: &[Image]) -> PromptFacts {
    let mut facts = PromptFacts {
        text_bytes: 400,
        ..PromptFacts::default()
    };
    for picture in pictures {
        facts.images.add(*picture);
    }
    facts
}

fn with_medium(kind: Kind, fill: impl Fn(&mut Medium)) -> PromptFacts {
    let mut facts = with(&[]);
    let mut medium = Medium::new(Some(kind));
    fill(&mut medium);
    medium.count(&mut facts);
    facts
}

fn most_and_estimate(facts: &PromptFacts, model: &str) -> (u64, u64) {
    let rule = rule(model);
    (
        prompt_tokens_max(facts, &rule, CONTEXT),
        prompt_tokens_estimate(facts, &rule, CONTEXT),
    )
}

#[test]
fn a_picture_of_megabytes_counts_as_its_tokens_and_not_as_its_bytes() {
    for bytes in [1_400_000, 3_000_000] {
        let source = Source::Inline { bytes };
        let facts = with(&[picture(Some((1024, 1024)), source)]);
        for (model, tokens) in [
            ("openai/gpt-4o", 765),
            ("openai/gpt-5.2", 1_024),
            ("anthropic/claude-sonnet-4.6", 1_369),
            ("google/gemini-2.5-pro", 1_032),
        ] {
            let expected = (400 + TEMPLATE_TOKENS + tokens, 100 + tokens);
            assert_eq!(most_and_estimate(&facts, model), expected, "{model}");
        }
    }
}

#[test]
fn each_picture_counts_and_those_beyond_the_list_count_at_their_maximum() {
    let small = picture(Some((28, 28)), Source::Inline { bytes: 100 });
    let rule = rule("anthropic/claude-sonnet-4.6");
    let three = with(&[small; 3]);
    assert_eq!(prompt_tokens_max(&three, &rule, None), 400 + 64 + 3);
    let many = with(&[small; bourse_vocab::facts::IMAGES_MAX + 2]);
    let expected = 400 + 64 + 64 + 2 * 1_568;
    assert_eq!(prompt_tokens_max(&many, &rule, None), expected);
}

#[test]
fn what_is_elsewhere_or_a_document_or_a_film_is_bounded_by_the_context_only() {
    let url = |text: &'static [u8]| {
        move |medium: &mut Medium| {
            medium.url(text, text.len() as u64);
        }
    };
    let data = |bytes: u64| move |medium: &mut Medium| medium.data(b"AAAA", bytes);
    let film = with_medium(Kind::Video, url(b"https://films.example/a.mp4"));
    let paper = with_medium(Kind::File, url(b"https://papers.example/a.pdf"));
    let upload = with_medium(Kind::File, Medium::upload);
    let song = with_medium(Kind::Audio, url(b"https://songs.example/a.mp3"));
    let own_film = with_medium(Kind::Video, data(64_000));
    let own_paper = with_medium(Kind::File, data(64_000));
    for (facts, estimate) in [
        (&film, VIDEO_TYPICAL),
        (&paper, FILE_TYPICAL),
        (&upload, FILE_TYPICAL),
        (&song, AUDIO_TYPICAL),
        (&own_film, 100),
        (&own_paper, 2_000),
    ] {
        let counted = most_and_estimate(facts, "google/gemini-3.8-flash");
        assert_eq!(counted, (200_000, 100 + estimate));
    }
    let unknown = prompt_tokens_max(&film, &ImageTokens::Undocumented, None);
    assert_eq!(unknown, 400 + 64 + CONTEXT_UNKNOWN);
}

#[test]
fn sound_is_bounded_by_its_bytes() {
    let sound = |format: &'static [u8]| {
        with_medium(Kind::Audio, move |medium| {
            medium.mime(format);
            medium.data(b"UklGRg", 64_000);
        })
    };
    let (most, estimate) = most_and_estimate(&sound(b"wav"), "openai/gpt-4o");
    assert_eq!(most, 400 + 64 + 4_000);
    assert_eq!(estimate, 100 + 125);
    // Silence in Opus or FLAC takes no bytes, but time.
    let (most, _) = most_and_estimate(&sound(b"ogg"), "openai/gpt-4o");
    assert_eq!(most, 400 + 64 + 64_000);
}

#[test]
fn nothing_is_held_or_estimated_above_the_context() {
    let facts = PromptFacts {
        text_bytes: 2_000_000,
        ..PromptFacts::default()
    };
    assert_eq!(most_and_estimate(&facts, "acme/any"), (200_000, 200_000));
}

#[test]
fn a_prompt_that_hides_what_is_in_it_is_held_at_the_context() {
    let facts = PromptFacts {
        is_obscured: true,
        ..with(&[])
    };
    let (most, estimate) = most_and_estimate(&facts, "acme/any");
    assert_eq!((most, estimate), (200_000, 100));
}

#[test]
fn texts_that_are_read_each_by_itself_have_the_context_each() {
    let facts = PromptFacts {
        text_bytes: 2_000_000,
        more_windows: 9,
        ..PromptFacts::default()
    };
    // Ten times 200,000 are the context, and what templates add counts ten
    // times.
    assert_eq!(most_and_estimate(&facts, "acme/any"), (2_000_000, 500_000),);
    let short = PromptFacts {
        text_bytes: 100,
        ..facts
    };
    assert_eq!(most_and_estimate(&short, "acme/any"), (100 + 640, 25));
}

#[test]
fn tokens_that_the_caller_counted_are_not_guessed() {
    let facts = PromptFacts {
        token_ids: 1_000,
        ..PromptFacts::default()
    };
    assert_eq!(most_and_estimate(&facts, "acme/any"), (1_064, 1_000));
}
