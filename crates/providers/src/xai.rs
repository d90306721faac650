//! xAI: chat completions (docs.x.ai/docs, reasoning, 2026).
//!
//! `completion_tokens` leaves out the reasoning, which is counted beside it
//! (docs.cloud.google.com, "Reasoning for Grok models", 2026); whoever reads
//! usage settles that by `total_tokens`. "Every inference response includes the
//! exact cost" (docs.x.ai, cost tracking, October 2026).

use bourse_vocab::images::Shape;
use bourse_vocab::{Format, Operation, transcription};
use bourse_wire::Dialect;
use bourse_wire::dialect::ReasoningStyle;

use crate::provider::{Address, Attempt, Interface, Provider, like_openai};

/// xAI.
pub struct Xai;

/// Models that do not think.
static PLAIN: Dialect = Dialect {
    accepts: &[],
    parts: &[],
    tells_cost: true,
    ..Dialect::PLAIN
};

/// "Argument not supported on this model: presencePenalty": models that think
/// refuse these (docs.x.ai/docs, reasoning).
const NOT_WHILE_THINKING: &[&str] = &["presence_penalty", "frequency_penalty", "stop"];

/// Models that think, and refuse to be told how hard: Grok 4, Grok Code Fast,
/// and Grok 4.20 (vercel/ai, release notes of @ai-sdk/xai 4.0.8, July 2026).
static UNGRADED: Dialect = Dialect {
    rejects: NOT_WHILE_THINKING,
    accepts: &[],
    parts: &[],
    tells_cost: true,
    ..Dialect::PLAIN
};

/// Models that take an effort: Grok 3 mini, and Grok 4.3 and later
/// (docs.x.ai/developers/model-capabilities/text/reasoning, 2026).
static GRADED: Dialect = Dialect {
    reasoning: ReasoningStyle::Effort,
    rejects: NOT_WHILE_THINKING,
    accepts: &[],
    parts: &[],
    tells_cost: true,
    ..Dialect::PLAIN
};

/// Which of the three a model is, by its name. A model released tomorrow is
/// taken to be like the latest.
fn dialect(model: &str) -> &'static Dialect {
    const OLD: &[&str] = &["grok-2", "grok-beta", "grok-vision"];
    const UNGRADED_NAMES: &[&str] = &[
        "grok-4-",
        "grok-4.20",
        "grok-4.1",
        "grok-code",
        "grok-build",
    ];
    let is = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    if model.starts_with("grok-3-mini") {
        &GRADED
    } else if model.contains("non-reasoning") || model.starts_with("grok-3") || is(OLD) {
        &PLAIN
    } else if model == "grok-4" || is(UNGRADED_NAMES) {
        &UNGRADED
    } else {
        &GRADED
    }
}

impl Provider for Xai {
    fn slug(&self) -> &str {
        "xai"
    }

    fn name(&self) -> &str {
        "xAI"
    }

    fn env(&self) -> &[&'static str] {
        &["XAI_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://api.x.ai/v1")
    }

    fn interfaces(&self, model: &str) -> &[Interface] {
        const HEARS: &[Interface] = &[Interface::transcription(transcription::Shape::Xai)];
        const OTHERS: &[Interface] = &[
            Interface::chat(Format::OpenAiChat),
            Interface::images(Shape::Xai, Format::OpenAiChat),
        ];
        if model.starts_with("grok-voice-transcribe") {
            HEARS
        } else {
            OTHERS
        }
    }

    fn dialect(&self, _format: Format, model: &str) -> &Dialect {
        dialect(model)
    }

    fn dialects(&self, _format: Format) -> Vec<&Dialect> {
        vec![&PLAIN, &UNGRADED, &GRADED]
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        match attempt.interface.operation {
            // docs.x.ai, rest-api-reference/inference/voice, 2026.
            Operation::Transcription(_) => Address {
                path: format!("{}/stt", attempt.base_path),
                headers: Vec::new(),
            },
            _ => like_openai(attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_that_grade_their_thinking_are_asked_to() {
        for model in [
            "grok-3-mini",
            "grok-4.3",
            "grok-4.5",
            "grok-5",
            "grok-latest",
        ] {
            assert_eq!(dialect(model), &GRADED, "{model}");
        }
        for model in [
            "grok-4",
            "grok-4-0709",
            "grok-4-fast-reasoning",
            "grok-4-1-fast-reasoning",
            "grok-4.20-0309-reasoning",
            "grok-code-fast-1",
        ] {
            assert_eq!(dialect(model), &UNGRADED, "{model}");
        }
        for model in ["grok-2-1212", "grok-3", "grok-4-1-fast-non-reasoning"] {
            assert_eq!(dialect(model), &PLAIN, "{model}");
        }
    }
}
