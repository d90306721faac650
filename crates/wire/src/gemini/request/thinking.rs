//! `thinkingConfig`: whether to think, how much, and whether to show it.

use bourse_vocab::chat::{Effort, Loss, Reason, ReasoningRequest};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::model::ThinkingStyle;
use crate::dialect::thinking::beyond_words;

/// The output limit that a share is taken of where none is known: that of
/// every current model.
const OUTPUT_TOKENS: u64 = 65_536;

/// Writes `thinkingConfig`.
///
/// Thoughts are shown unless the caller excludes them, as OpenRouter does;
/// Google hides them unless asked. `native` callers speak Google's format
/// and get Google's ways.
pub fn config(
    reasoning: Option<&ReasoningRequest>,
    style: ThinkingStyle,
    limit: Option<u64>,
    native: bool,
    losses: &mut Vec<Loss>,
) -> Option<Value> {
    let Some(reasoning) = reasoning else {
        let shows = !native && style != ThinkingStyle::None;
        return shows.then(|| json!({"includeThoughts": true}));
    };
    losses.extend(beyond_words(reasoning));
    let limit = limit.unwrap_or(OUTPUT_TOKENS);
    let mut lose = |reason: &str| {
        losses.push(Loss::new("reasoning", Reason::degraded(reason)));
    };
    let wish = Wish::of(reasoning);
    let mut config = Map::new();
    match style {
        ThinkingStyle::None => {
            if !matches!(wish, Wish::Off | Wish::Free) {
                losses.push(Loss::new("reasoning", "the model does not think"));
            }
            return None;
        }
        ThinkingStyle::Fixed => {
            if wish != Wish::Free {
                lose("the model thinks as it sees fit");
            }
        }
        ThinkingStyle::Budget { min, max, off } => {
            let bounds = Bounds { min, max, off };
            if let Some(budget) = bounds.budget(wish, limit, &mut lose) {
                config.insert("thinkingBudget".to_owned(), budget);
            }
        }
        ThinkingStyle::Level(levels) => {
            let wanted = wanted_level(wish, limit, &mut lose);
            if let Some(level) = wanted.and_then(|wanted| nearest(levels, wanted)) {
                config.insert("thinkingLevel".to_owned(), json!(level.name()));
            }
        }
    }
    if let Some(summary) = &reasoning.summary
        && summary != "auto"
    {
        losses.push(Loss::new(
            "reasoning.summary",
            "Gemini does not say how much it shows",
        ));
    }
    config.insert("includeThoughts".to_owned(), json!(!reasoning.exclude));
    Some(Value::Object(config))
}

/// What a model with budgets takes.
struct Bounds {
    min: u64,
    max: u64,
    /// Whether it can stop thinking.
    off: bool,
}

impl Bounds {
    /// `thinkingBudget`, if there is something to say.
    fn budget(&self, wish: Wish, limit: u64, lose: &mut dyn FnMut(&str)) -> Option<Value> {
        let Self { min, max, off } = *self;
        match wish {
            Wish::Free => None,
            // The model decides ("Thinking budgets", October 2026).
            Wish::On => Some(json!(-1)),
            Wish::Off if off => Some(json!(0)),
            Wish::Off => {
                lose("the model cannot stop thinking; it thinks as little as it can");
                Some(json!(min))
            }
            Wish::Effort(effort) => {
                let share = u128::from(limit) * u128::from(effort.budget_percent()) / 100;
                let share = u64::try_from(share).unwrap_or(max);
                Some(json!(share.clamp(min, max)))
            }
            Wish::Tokens(tokens) => {
                if tokens < min || tokens > max {
                    lose("the budget was brought within the model's bounds");
                }
                Some(json!(tokens.clamp(min, max)))
            }
        }
    }
}

/// The level that a wish means, for a model that takes levels.
fn wanted_level(wish: Wish, limit: u64, lose: &mut dyn FnMut(&str)) -> Option<Effort> {
    match wish {
        Wish::Free => None,
        Wish::On => Some(Effort::Medium),
        Wish::Off => {
            lose("the model cannot stop thinking; it thinks as little as it can");
            Some(Effort::Minimal)
        }
        Wish::Effort(effort) => Some(effort),
        Wish::Tokens(tokens) => {
            lose("the model takes a level instead of a budget");
            Some(Effort::by_budget(tokens, limit))
        }
    }
}

/// What the caller wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing in particular.
    Free,
    On,
    Off,
    Effort(Effort),
    Tokens(u64),
}

impl Wish {
    fn of(reasoning: &ReasoningRequest) -> Self {
        match (reasoning.effort, reasoning.max_tokens, reasoning.enabled) {
            _ if reasoning.is_off() => Self::Off,
            (Some(effort), ..) => Self::Effort(effort),
            (None, Some(tokens), _) => Self::Tokens(tokens),
            (None, None, Some(true)) => Self::On,
            (None, None, _) => Self::Free,
        }
    }
}

/// The level nearest to the wanted effort, the stronger of two.
fn nearest(levels: &[Effort], wanted: Effort) -> Option<Effort> {
    let share = |effort: Effort| effort.budget_percent();
    levels
        .iter()
        .copied()
        .rev()
        .min_by_key(|level| share(*level).abs_diff(share(wanted)))
}

#[cfg(test)]
mod tests {
    use super::super::super::model::Model;
    use super::*;

    #[allow(clippy::needless_pass_by_value)] // Reads better below.
    fn check(model: &str, reasoning: ReasoningRequest, expected: Option<Value>, lost: usize) {
        let mut losses = Vec::new();
        let style = Model::named(model).thinking;
        let config = config(Some(&reasoning), style, Some(10_000), false, &mut losses);
        assert_eq!(config, expected, "{model} {reasoning:?}");
        assert_eq!(losses.len(), lost, "{model} {reasoning:?} {losses:?}");
    }

    fn effort(effort: Effort) -> ReasoningRequest {
        ReasoningRequest {
            effort: Some(effort),
            ..Default::default()
        }
    }

    fn tokens(tokens: u64) -> ReasoningRequest {
        ReasoningRequest {
            max_tokens: Some(tokens),
            ..Default::default()
        }
    }

    fn level(level: &str) -> Option<Value> {
        Some(json!({"thinkingLevel": level, "includeThoughts": true}))
    }

    fn budget(budget: i64) -> Option<Value> {
        Some(json!({"thinkingBudget": budget, "includeThoughts": true}))
    }

    #[test]
    fn an_effort_becomes_a_level_that_the_model_has() {
        for (model, wanted, given, lost) in [
            ("gemini-3-flash-preview", Effort::Minimal, "minimal", 0),
            ("gemini-3.8-flash", Effort::Minimal, "low", 0),
            ("gemini-3.8-flash", Effort::Medium, "medium", 0),
            ("gemini-3-pro-preview", Effort::Medium, "high", 0),
            ("gemini-3.1-pro-preview", Effort::Max, "high", 0),
            ("gemini-3.8-flash", Effort::None, "low", 1),
        ] {
            check(model, effort(wanted), level(given), lost);
        }
        check("gemini-3.8-flash", tokens(2_000), level("low"), 1);
    }

    #[test]
    fn an_effort_becomes_a_share_of_the_limit_within_the_models_bounds() {
        check("gemini-2.5-pro", effort(Effort::High), budget(8_000), 0);
        check("gemini-2.5-pro", effort(Effort::None), budget(128), 1);
        check("gemini-2.5-flash", effort(Effort::None), budget(0), 0);
        check("gemini-2.5-flash", tokens(99_999), budget(24_576), 1);
        let on = ReasoningRequest {
            enabled: Some(true),
            ..Default::default()
        };
        check("gemini-2.5-flash", on, budget(-1), 0);
    }

    #[test]
    fn a_model_that_does_not_think_is_not_asked_to() {
        check("gemini-2.0-flash", effort(Effort::High), None, 1);
        check("gemini-2.0-flash", effort(Effort::None), None, 0);
    }

    #[test]
    fn thoughts_are_shown_by_default_unless_the_caller_speaks_googles_format() {
        let shown = |model, native| {
            let style = Model::named(model).thinking;
            config(None, style, None, native, &mut Vec::new())
        };
        assert_eq!(
            shown("gemini-3.8-flash", false),
            Some(json!({"includeThoughts": true}))
        );
        assert_eq!(shown("gemini-3.8-flash", true), None);
        assert_eq!(shown("gemini-2.0-flash", false), None);
    }
}
