#![allow(clippy::arithmetic_side_effects)] // Small numbers in tests.

use proptest::prelude::*;

use super::*;
use crate::quirks::image_tokens::rule;

fn size(width: u32, height: u32) -> PixelSize {
    PixelSize::new(width, height).unwrap()
}

#[test]
fn the_vendors_own_examples_come_out() {
    use Detail::{Auto, High, Low, Original};
    for (model, (width, height), detail, tokens) in [
        // "Images and vision", OpenAI: tiles.
        ("openai/gpt-4o", (1024, 1024), High, 765),
        ("openai/gpt-4o", (2048, 4096), High, 1_105),
        ("openai/gpt-4o", (4096, 8192), Low, 85),
        ("openai/gpt-4o-mini", (512, 512), Auto, 2_833 + 5_667),
        ("openai/gpt-5", (1024, 1024), High, 70 + 4 * 140),
        // The same page: patches.
        ("openai/gpt-4.1-mini", (1024, 1024), Auto, 1_659),
        ("openai/gpt-5.2", (1024, 1024), Auto, 1_024),
        ("openai/gpt-5.2", (1800, 2400), Auto, 1_452),
        ("openai/gpt-5.4", (1024, 1024), Low, 256),
        ("openai/gpt-5.5", (3200, 3200), Auto, 10_000),
        ("openai/gpt-6-sol", (3200, 3200), Original, 12_000),
        // "Images and vision", Anthropic.
        ("anthropic/claude-opus-4.6", (1000, 1000), Auto, 1_296),
        ("anthropic/claude-opus-4.7", (1920, 1080), Auto, 2_691),
        ("anthropic/claude-opus-4.7", (3840, 2160), Auto, 4_784),
        // "Image understanding", Google.
        ("google/gemini-2.5-pro", (384, 384), Auto, 258),
        ("google/gemini-2.5-pro", (960, 540), Auto, 6 * 258),
        ("google/gemini-3.8-flash", (960, 540), Auto, 1_120),
    ] {
        let rule = rule(model);
        assert_eq!(
            rule.of(size(width, height), detail),
            tokens,
            "{model} {width}x{height} {detail:?}"
        );
    }
    // Larger ones are scaled to within a few squares of the limit: 1,560
    // and 4,740 by the documents.
    for (model, (width, height), tokens) in [
        ("anthropic/claude-opus-4.6", (1920, 1080), 1_560..=1_568),
        ("anthropic/claude-opus-4.7", (4032, 3024), 4_740..=4_784),
    ] {
        let counted = rule(model).of(size(width, height), Auto);
        assert!(tokens.contains(&counted), "{model} {counted}");
    }
}

fn picture(source: Source, size: Option<PixelSize>, detail: Detail) -> Image {
    Image {
        source,
        detail,
        size,
    }
}

#[test]
fn a_picture_of_unknown_size_is_bounded_by_the_stated_maximum_if_there_is_one() {
    let bound = |model, says_image, detail| {
        rule(model).bound(&picture(Source::Url { says_image }, None, detail))
    };
    assert_eq!(bound("openai/gpt-4o", false, Detail::Auto), Some(1_445));
    assert_eq!(bound("openai/gpt-4o", false, Detail::Low), Some(85));
    assert_eq!(
        bound("anthropic/claude-opus-4.6", false, Detail::Auto),
        Some(1_568)
    );
    assert_eq!(
        bound("anthropic/claude-opus-5", false, Detail::Auto),
        Some(4_784)
    );
    assert_eq!(bound("openai/gpt-6-sol", true, Detail::Auto), None);
    assert_eq!(bound("openai/gpt-6-sol", true, Detail::High), Some(3_000));
    // Google fetches whatever is there, be it a film.
    assert_eq!(
        bound("google/gemini-3.8-flash", true, Detail::Auto),
        Some(2_240)
    );
    assert_eq!(bound("google/gemini-3.8-flash", false, Detail::Auto), None);
    assert_eq!(bound("acme/any", false, Detail::Auto), Some(16_384));
}

fn a_rule() -> impl Strategy<Value = ImageTokens> {
    prop::sample::select(vec![
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
        "openai/gpt-5",
        "openai/gpt-5-mini",
        "openai/gpt-5.4",
        "openai/gpt-5.5",
        "openai/gpt-6-sol",
        "openai/gpt-image-2",
        "anthropic/claude-opus-4.6",
        "anthropic/claude-opus-5",
        "google/gemini-2.5-pro",
        "google/gemini-4-argon",
        "acme/any",
    ])
    .prop_map(rule)
}

fn a_side() -> impl Strategy<Value = u32> {
    prop_oneof![1..3_000_u32, 1..=u32::MAX]
}

proptest! {
    #[test]
    fn no_picture_has_more_tokens_than_its_bound_nor_that_more_than_the_maximum(
        rule in a_rule(), width in a_side(), height in a_side(),
        detail in prop::sample::select(vec![Detail::Auto, Detail::Low, Detail::High, Detail::Original]),
        known: bool
    ) {
        let source = Source::Inline { bytes: 1_000 };
        let image = picture(source, known.then(|| size(width, height)), detail);
        let bound = rule.bound(&image);
        let tokens = rule.of(size(width, height), detail);
        prop_assert!(tokens > 0);
        prop_assert!(bound.is_none_or(|bound| tokens <= bound), "{tokens} {bound:?}");
        prop_assert!(bound.is_none_or(|bound| rule.estimate(&image) <= bound));
        if let (Some(bound), Some(most)) = (bound, rule.most(detail)) {
            prop_assert!(bound <= most);
        }
    }
}
