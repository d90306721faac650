//! Which model counts a picture by which rule.
//!
//! A rule goes with the model, whoever serves it. A name that is newer than
//! this table gets its family's latest rule.

use crate::image_tokens::{ImageTokens, Scale};

/// "Images and vision" (developers.openai.com/api/docs/guides, as of 2026):
/// models up to GPT-5.1 without `mini` or `nano` in the name.
const fn tiles(base: u32, tile: u32) -> ImageTokens {
    ImageTokens::Tiles { base, tile }
}

/// The same page: 1,536 patches, or 2,048 pixels. Whether low detail has
/// an effect is not stated, so none is assumed.
const fn small_patches(hundredths: u32) -> ImageTokens {
    let scale = Scale::to(2_048, 1_536);
    ImageTokens::Patches {
        hundredths,
        low: scale,
        high: scale,
        original: scale,
        auto: scale,
    }
}

/// The same page, GPT-5.4 and later: low detail is 512 by 512 pixels.
const THUMBNAIL: Scale = Scale::to(512, 256);
const HIGH: Scale = Scale::to(2_048, 2_500);
const ORIGINAL: Scale = Scale::to(6_000, 10_000);

const fn large_patches(hundredths: u32, original: Scale, auto: Scale) -> ImageTokens {
    ImageTokens::Patches {
        hundredths,
        low: THUMBNAIL,
        high: HIGH,
        original,
        auto,
    }
}

/// The same page, "GPT Image": 65 tokens and 129 for each of at most four
/// squares, and up to 6,240 more at high fidelity.
const GPT_IMAGE: ImageTokens = ImageTokens::Same {
    usual: 4_354,
    most: 6_821,
};

/// "Images and vision" (platform.claude.com/docs/en/build-with-claude/vision,
/// August 2026): squares of 28 pixels. Before, the page gave the area by
/// 750, which is the same within five percent.
const CLAUDE: ImageTokens = ImageTokens::Blocks(Scale::to(1_568, 1_568));
/// The same page: Claude 4.7 and later.
const CLAUDE_SHARP: ImageTokens = ImageTokens::Blocks(Scale::to(2_576, 4_784));

/// "Media resolution" (ai.google.dev/gemini-api/docs/media-resolution, 2026):
/// Gemini 3 and later take the same for every picture.
const GEMINI: ImageTokens = ImageTokens::Same {
    usual: 1_120,
    most: 2_240,
};

/// The rule of a model, by its slug.
#[must_use]
pub fn rule(slug: &str) -> ImageTokens {
    let (author, name) = slug.split_once('/').unwrap_or(("", slug));
    match author {
        "openai" => openai(name),
        "anthropic" => anthropic(name),
        "google" => google(name),
        _ => ImageTokens::Undocumented,
    }
}

fn openai(name: &str) -> ImageTokens {
    if name.contains("image") {
        return GPT_IMAGE;
    }
    let version = name.strip_prefix("gpt-").and_then(version);
    // Hundredths of a token for a patch, where it is more than one.
    let small = if name.contains("-nano") {
        Some(246)
    } else if name.contains("-mini") {
        Some(162)
    } else {
        None
    };
    match (version, small) {
        _ if name.starts_with("o4-mini") => small_patches(172),
        _ if name.starts_with("o1") || name.starts_with("o3") => tiles(75, 150),
        _ if name.starts_with("computer-use") => tiles(65, 129),
        (Some((4, 0)), Some(_)) => tiles(2_833, 5_667),
        (Some((4, 0 | 5)), _) => tiles(85, 170),
        (Some((4, _)), None) => tiles(85, 170),
        (Some((4 | 5, 0..=5)), Some(hundredths)) => small_patches(hundredths),
        (Some((5, 0 | 1)), None) if !name.contains("codex") => tiles(70, 140),
        (Some((5, 0..=3)), None) => small_patches(100),
        (Some((5, 4)), None) => large_patches(100, ORIGINAL, HIGH),
        (Some((5, 5)), None) => large_patches(100, ORIGINAL, ORIGINAL),
        // GPT-5.6 and later leave a picture as it is, unless they are told
        // otherwise; 1.2 tokens a patch as read by vision-squeezer 0.6.2
        // (docs.rs, 2026).
        _ => large_patches(120, Scale::FREE, Scale::FREE),
    }
}

/// The two numbers at the beginning of a name: `5.4-mini`, `4o`, `5`.
fn version(name: &str) -> Option<(u32, u32)> {
    let numbers = name
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .map_or(name, |end| name.get(..end).unwrap_or(name));
    let (major, minor) = numbers.split_once('.').unwrap_or((numbers, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn anthropic(name: &str) -> ImageTokens {
    // `claude-3.5-sonnet` once, `claude-opus-4.7` since.
    let version = name.split('-').find_map(version);
    match version {
        Some(version) if version < (4, 7) => CLAUDE,
        _ => CLAUDE_SHARP,
    }
}

fn google(name: &str) -> ImageTokens {
    if name.starts_with("gemma") {
        return ImageTokens::Undocumented;
    }
    let version = name.strip_prefix("gemini-").and_then(version);
    match version {
        Some((..=2, _)) => ImageTokens::Crops,
        _ if name.starts_with("gemini-exp") || name.starts_with("gemini-robotics-er-1") => {
            ImageTokens::Crops
        }
        _ => GEMINI,
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::facts::Detail;

    use super::*;

    #[test]
    fn a_model_has_the_rule_of_its_generation() {
        for (slug, expected) in [
            ("openai/gpt-4o", tiles(85, 170)),
            ("openai/gpt-4o-2024-11-20", tiles(85, 170)),
            ("openai/gpt-4-turbo", tiles(85, 170)),
            ("openai/gpt-4.1", tiles(85, 170)),
            ("openai/gpt-4o-mini", tiles(2_833, 5_667)),
            ("openai/gpt-4.1-mini", small_patches(162)),
            ("openai/gpt-4.1-nano", small_patches(246)),
            ("openai/o4-mini-high", small_patches(172)),
            ("openai/o3-pro", tiles(75, 150)),
            ("openai/gpt-5", tiles(70, 140)),
            ("openai/gpt-5.1-chat", tiles(70, 140)),
            ("openai/gpt-5-codex", small_patches(100)),
            ("openai/gpt-5-nano", small_patches(246)),
            ("openai/gpt-5.2-pro", small_patches(100)),
            ("openai/gpt-5.4-mini", small_patches(162)),
            ("openai/gpt-5.4", large_patches(100, ORIGINAL, HIGH)),
            ("openai/gpt-5.5-pro", large_patches(100, ORIGINAL, ORIGINAL)),
            ("openai/gpt-5-image-mini", GPT_IMAGE),
            ("anthropic/claude-3-haiku", CLAUDE),
            ("anthropic/claude-3.7-sonnet", CLAUDE),
            ("anthropic/claude-sonnet-4.6", CLAUDE),
            ("anthropic/claude-opus-4.7-fast", CLAUDE_SHARP),
            ("anthropic/claude-sonnet-5", CLAUDE_SHARP),
            ("anthropic/claude-mythos-preview", CLAUDE_SHARP),
            ("google/gemini-2.5-pro", ImageTokens::Crops),
            ("google/gemini-3.1-pro-preview", GEMINI),
            ("google/gemini-4-argon", GEMINI),
            ("google/gemma-3-27b-it", ImageTokens::Undocumented),
            ("qwen/qwen3-vl", ImageTokens::Undocumented),
        ] {
            assert_eq!(rule(slug), expected, "{slug}");
        }
        for newer in ["openai/gpt-5.6-sol", "openai/gpt-6-astra", "openai/gpt-7.2"] {
            assert_eq!(rule(newer).most(Detail::Auto), None, "{newer}");
            assert_eq!(rule(newer).most(Detail::High), Some(3_000), "{newer}");
        }
    }
}
