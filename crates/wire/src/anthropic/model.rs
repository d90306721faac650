//! What each generation of models accepts.
//!
//! The API answers 400 to a parameter that a model has outgrown, so the
//! writer must know the generations. They are told apart by family and
//! version, never by a list of names: a model released tomorrow then behaves
//! like its elder sibling instead of failing every call.
//!
//! | models | thinking | off | sampling | prefill |
//! |---|---|---|---|---|
//! | before 3.7 | none | | yes | yes |
//! | 3.7 to 4.5 | budget | omit | yes | yes |
//! | 4.6 | adaptive | omit | yes | no |
//! | Opus 4.7, 4.8 | adaptive | omit | no | no |
//! | Opus 5, Sonnet 5, Haiku 5.5 | adaptive, on by default | `disabled` | no | no |
//! | Sonnet 5.5 | adaptive, on by default | `between_tools` | no | no |
//! | Opus 5.5, Fable, Mythos | adaptive, always on | never | no | no |
//!
//! Sources: platform.claude.com (adaptive thinking, effort, what's new in
//! 4.6, 4.8, Opus 5 and Opus 5.5, mid-conversation system messages) and
//! openrouter.ai/docs (Claude 4.7 and 5.5 migration guides), read in
//! November 2026. A name that is not Claude's (other vendors serve this
//! format too) is taken to accept the format as first published.

use bourse_vocab::chat::Effort;

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// It cannot think aloud.
    None,
    /// `thinking: {type: "enabled", budget_tokens}`.
    Budget,
    /// `thinking: {type: "adaptive"}` with `output_config.effort`.
    Adaptive,
}

/// How thinking is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Off {
    /// By not asking for it.
    Omit,
    /// `thinking: {type: "disabled"}`, with effort `high` at most.
    Disabled,
    /// `thinking: {type: "between_tools"}`, which still takes notes.
    BetweenTools,
    /// Not at all.
    Never,
}

/// What one model accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Model {
    /// How it is told to think.
    pub thinking: ThinkingStyle,
    /// How it is told not to.
    pub off: Off,
    /// The name says that it is one of Anthropic's.
    pub claude: bool,
    /// `temperature`, `top_p` and `top_k` are accepted.
    pub sampling: bool,
    /// `temperature` and `top_p` are accepted together.
    pub both_samplers: bool,
    /// The conversation may end with the beginning of the answer.
    pub prefill: bool,
    /// The role `system` is accepted between messages.
    pub system_turns: bool,
    /// A tool may be forced.
    pub forced_tools: bool,
    /// `output_config.format` and strict tools are accepted.
    pub structured: bool,
    /// The highest effort; none if effort is not accepted at all.
    effort_max: Option<Effort>,
    /// `xhigh` is accepted.
    xhigh: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Haiku,
    Sonnet,
    Opus,
    /// Fable and Mythos, which always think.
    Great,
    Other,
}

/// How `model` is told to think.
#[must_use]
pub fn thinking_style(model: &str) -> ThinkingStyle {
    Model::named(model).thinking
}

/// Whether it is documented that `model` goes on with an assistant's message
/// at the end of the conversation: of Anthropic's own models it is.
#[must_use]
pub fn takes_prefill(model: &str) -> bool {
    let model = Model::named(model);
    model.claude && model.prefill
}

impl Model {
    /// The format as first published, for vendors other than Anthropic.
    const FOREIGN: Self = Self {
        thinking: ThinkingStyle::Budget,
        off: Off::Omit,
        claude: false,
        sampling: true,
        both_samplers: true,
        prefill: true,
        system_turns: false,
        forced_tools: true,
        structured: true,
        effort_max: None,
        xhigh: false,
    };

    /// What `model` accepts, whatever prefix or date its name carries
    /// (`anthropic.claude-opus-4-6-v1:0`, `claude-sonnet-4-5@20250929`).
    pub fn named(model: &str) -> Self {
        let name = model.to_ascii_lowercase();
        if !name.contains("claude") {
            return Self::FOREIGN;
        }
        let family = family(&name);
        // Names without a version (Mythos Preview, `claude-latest`) belong
        // to the present.
        let version = version(&name).unwrap_or((5, 0));
        let great = family == Family::Great;
        let thinking = match version {
            _ if great => ThinkingStyle::Adaptive,
            v if v < (3, 7) => ThinkingStyle::None,
            v if v < (4, 6) => ThinkingStyle::Budget,
            _ => ThinkingStyle::Adaptive,
        };
        let off = match family {
            Family::Great => Off::Never,
            _ if version < (5, 0) => Off::Omit,
            Family::Opus if version >= (5, 5) => Off::Never,
            Family::Sonnet if version >= (5, 5) => Off::BetweenTools,
            _ => Off::Disabled,
        };
        let effort_max = match version {
            _ if great => Some(Effort::Max),
            (4, 5) if family == Family::Opus => Some(Effort::High),
            v if v < (4, 6) => None,
            _ => Some(Effort::Max),
        };
        // The clouds of Amazon and Google refuse system turns (mid-conversation
        // system messages, 2026); their names for models give them away.
        let cloud = name.contains("anthropic.") || name.contains('@');
        let system_turns = !cloud
            && match family {
                Family::Great => version >= (5, 0),
                Family::Opus => version >= (4, 8),
                Family::Sonnet | Family::Haiku => version >= (5, 5),
                Family::Other => false,
            };
        Self {
            thinking,
            off,
            claude: true,
            sampling: version < (4, 7) && !great,
            both_samplers: version < (4, 1),
            prefill: version < (4, 6) && !great,
            system_turns,
            forced_tools: !(family == Family::Opus && version >= (5, 5)
                || great && version >= (5, 1)),
            structured: version >= (4, 1),
            effort_max,
            xhigh: version >= (4, 7),
        }
    }

    /// Whether the model thinks unless told otherwise.
    pub fn thinks_by_default(&self) -> bool {
        self.off != Off::Omit
    }

    /// The nearest effort that the model knows; none if it knows none.
    pub fn effort(&self, wanted: Effort) -> Option<&'static str> {
        let most = self.effort_max?;
        let nearest = match wanted {
            Effort::None | Effort::Minimal => Effort::Low,
            Effort::Xhigh if !self.xhigh => Effort::High,
            other => other,
        };
        Some(nearest.min(most).name())
    }
}

fn family(name: &str) -> Family {
    const NAMES: [(&str, Family); 5] = [
        ("haiku", Family::Haiku),
        ("sonnet", Family::Sonnet),
        ("opus", Family::Opus),
        ("fable", Family::Great),
        ("mythos", Family::Great),
    ];
    NAMES
        .into_iter()
        .find(|(text, _)| name.contains(text))
        .map_or(Family::Other, |(_, family)| family)
}

/// The first one or two short numbers that follow each other; dates are
/// longer than two digits.
fn version(name: &str) -> Option<(u8, u8)> {
    let mut numbers = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| {
            if word.len() <= 2 {
                word.parse::<u8>().ok()
            } else {
                None
            }
        })
        .skip_while(Option::is_none)
        .map_while(|number| number);
    let major = numbers.next()?;
    Some((major, numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_wherever_the_name_keeps_them() {
        for (name, expected) in [
            ("claude-opus-4-6-v1:0", Some((4, 6))),
            ("anthropic.claude-opus-4-6-v1:0", Some((4, 6))),
            ("claude-3-7-sonnet-20250219", Some((3, 7))),
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-sonnet-4-5@20250929", Some((4, 5))),
            ("anthropic/claude-4.7-opus", Some((4, 7))),
            ("claude-mythos-preview", None),
        ] {
            assert_eq!(version(name), expected, "{name}");
        }
    }

    #[test]
    fn each_generation_is_told_to_think_in_its_own_way() {
        use ThinkingStyle::{Adaptive, Budget, None};
        for (name, style, off) in [
            ("claude-3-5-sonnet-20241022", None, Off::Omit),
            ("claude-3-7-sonnet-20250219", Budget, Off::Omit),
            ("claude-haiku-4-5-20251001", Budget, Off::Omit),
            ("claude-opus-4-5-20251101", Budget, Off::Omit),
            ("claude-sonnet-4-6", Adaptive, Off::Omit),
            ("claude-opus-4-8", Adaptive, Off::Omit),
            ("claude-opus-5", Adaptive, Off::Disabled),
            ("claude-haiku-5-5", Adaptive, Off::Disabled),
            ("claude-sonnet-5-5", Adaptive, Off::BetweenTools),
            ("claude-opus-5-5", Adaptive, Off::Never),
            ("claude-fable-5", Adaptive, Off::Never),
            ("claude-mythos-preview", Adaptive, Off::Never),
            ("kimi-k2-thinking", Budget, Off::Omit),
        ] {
            let model = Model::named(name);
            assert_eq!((model.thinking, model.off), (style, off), "{name}");
        }
    }

    #[test]
    fn efforts_are_cut_to_what_the_model_knows() {
        for (name, wanted, expected) in [
            ("claude-opus-4-5", Effort::Max, Some("high")),
            ("claude-opus-4-6", Effort::Xhigh, Some("high")),
            ("claude-opus-4-6", Effort::Max, Some("max")),
            ("claude-opus-4-7", Effort::Xhigh, Some("xhigh")),
            ("claude-opus-4-7", Effort::Minimal, Some("low")),
            ("claude-sonnet-4-5", Effort::High, None),
        ] {
            assert_eq!(Model::named(name).effort(wanted), expected, "{name}");
        }
    }

    #[test]
    fn sampling_and_prefill_end_at_different_generations() {
        let traits = |name| {
            let model = Model::named(name);
            (model.sampling, model.prefill)
        };
        assert_eq!(traits("claude-sonnet-4-5"), (true, true));
        assert_eq!(traits("claude-sonnet-4-6"), (true, false));
        assert_eq!(traits("claude-opus-4-7"), (false, false));
    }
}
