//! What each family of models understands.
//!
//! Sources: "Gemini thinking", "What's new in Gemini 3.6 Flash and 3.5
//! Flash-Lite" (ai.google.dev, October 2026) and "Thinking" (Gemini
//! Enterprise Agent Platform, November 2026), whose tables these are.

use bourse_vocab::chat::Effort;

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// It does not think, and refuses to be asked to.
    None,
    /// It thinks as it sees fit; only showing the thoughts can be asked for.
    Fixed,
    /// `thinkingBudget` in tokens, within these bounds.
    Budget {
        /// The least when it thinks at all.
        min: u64,
        /// The most.
        max: u64,
        /// Whether a budget of 0 switches thinking off.
        off: bool,
    },
    /// `thinkingLevel`, one of these, weakest first.
    Level(&'static [Effort]),
}

/// What the codec must know of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// How it is told to think.
    pub thinking: ThinkingStyle,
    /// Generation three or later: thought signatures are checked, tools go
    /// together with JSON output, tool results may contain media.
    pub third: bool,
    /// Sampling is fixed: `temperature`, `topP`, `topK` and several answers
    /// are ignored today and announced to become errors.
    pub fixed_sampling: bool,
    /// The conversation may end with the model's own words.
    pub prefill: bool,
}

const ALL: &[Effort] = &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];
const LOW_UP: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const LOW_HIGH: &[Effort] = &[Effort::Low, Effort::High];
const MINIMAL_HIGH: &[Effort] = &[Effort::Minimal, Effort::High];

impl Model {
    /// What is known of the model that the provider calls `name`.
    pub fn named(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let Some(rest) = name.strip_prefix("gemini-") else {
            let thinking = if name.starts_with("gemma-4") {
                ThinkingStyle::Level(MINIMAL_HIGH)
            } else {
                ThinkingStyle::None
            };
            return Self {
                thinking,
                third: false,
                fixed_sampling: false,
                prefill: true,
            };
        };
        let (version, variant) = version(rest);
        // 3.6 Flash and 3.5 Flash-Lite came together and brought the change.
        let fixed_sampling =
            version >= (3, 6) || (version == (3, 5) && variant.starts_with("flash-lite"));
        Self {
            thinking: thinking_style(version, variant),
            third: version >= (3, 0),
            fixed_sampling,
            prefill: !fixed_sampling,
        }
    }
}

/// The version and what follows it. Names without a version (`flash-latest`)
/// mean the newest model, of which only the common denominator is known.
fn version(rest: &str) -> ((u32, u32), &str) {
    let (number, variant) = rest.split_once('-').unwrap_or((rest, ""));
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => ((major, minor), variant),
        _ => ((u32::MAX, 0), rest),
    }
}

/// How a model of this version and variant is told to think.
fn thinking_style(version: (u32, u32), variant: &str) -> ThinkingStyle {
    let is = |word: &str| variant.starts_with(word);
    if variant.contains("tts") || variant.contains("embedding") || variant.contains("live") {
        return ThinkingStyle::None;
    }
    if variant.contains("image") {
        return match version {
            (0..=2, _) => ThinkingStyle::None,
            (3, 1) if is("flash") => ThinkingStyle::Level(MINIMAL_HIGH),
            _ => ThinkingStyle::Fixed,
        };
    }
    match version {
        (2, 5) if is("pro") => ThinkingStyle::Budget {
            min: 128,
            max: 32_768,
            off: false,
        },
        (2, 5) if is("flash-lite") => ThinkingStyle::Budget {
            min: 512,
            max: 24_576,
            off: true,
        },
        (2, 5) => ThinkingStyle::Budget {
            min: 1,
            max: 24_576,
            off: true,
        },
        (0..=2, _) => ThinkingStyle::None,
        (3, 0) if is("pro") => ThinkingStyle::Level(LOW_HIGH),
        (3, 0..=6) if is("flash") => ThinkingStyle::Level(ALL),
        // 3.1 Pro, 3.7 and 3.8 Flash, and what every later model takes.
        _ => ThinkingStyle::Level(LOW_UP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_told_to_think_in_its_own_way() {
        let style = |name| Model::named(name).thinking;
        assert_eq!(style("gemini-2.0-flash"), ThinkingStyle::None);
        assert_eq!(style("gemini-2.5-flash-image"), ThinkingStyle::None);
        assert!(matches!(
            style("models/gemini-2.5-pro"),
            ThinkingStyle::Budget { off: false, .. }
        ));
        assert!(matches!(
            style("gemini-2.5-flash-lite"),
            ThinkingStyle::Budget { min: 512, .. }
        ));
        for (name, levels) in [
            ("gemini-3-pro-preview", LOW_HIGH),
            ("gemini-3.1-pro-preview", LOW_UP),
            ("gemini-3-flash-preview", ALL),
            ("gemini-3.5-flash-lite", ALL),
            ("gemini-3.6-flash", ALL),
            ("gemini-3.8-flash", LOW_UP),
            ("gemini-4-pro", LOW_UP),
            ("gemini-flash-latest", LOW_UP),
            ("gemma-4-26b-a4b-it", MINIMAL_HIGH),
        ] {
            assert_eq!(style(name), ThinkingStyle::Level(levels), "{name}");
        }
        assert_eq!(style("gemini-3-pro-image"), ThinkingStyle::Fixed);
    }

    #[test]
    fn sampling_is_fixed_from_three_point_six_on() {
        for (name, fixed) in [
            ("gemini-2.5-pro", false),
            ("gemini-3-flash-preview", false),
            ("gemini-3.5-flash", false),
            ("gemini-3.5-flash-lite", true),
            ("gemini-3.8-flash", true),
            ("gemma-4-26b-a4b-it", false),
        ] {
            assert_eq!(Model::named(name).fixed_sampling, fixed, "{name}");
        }
    }
}
