//! Asking to think, in the words of each vendor.

use std::fmt::Write as _;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Effort, Loss, ReasoningRequest};
use serde::Deserialize;

use crate::dialect::ReasoningStyle;

#[derive(Deserialize)]
struct WireReasoning {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    exclude: Option<bool>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    summary: Option<String>,
}

/// Reads the three ways of asking: `reasoning`, `reasoning_effort` and
/// `include_reasoning`, the last two as old spellings of the first.
pub fn read(
    reasoning: Option<&[u8]>,
    effort: Option<&str>,
    include: Option<bool>,
) -> Result<Option<ReasoningRequest>, Failure> {
    if reasoning.is_none() && effort.is_none() && include.is_none() {
        return Ok(None);
    }
    let mut request = ReasoningRequest::default();
    if let Some(reasoning) = reasoning {
        let wire: WireReasoning = serde_json::from_slice(reasoning).map_err(|_| {
            Failure::invalid(
                "reasoning must be an object with effort (string), max_tokens (whole number), \
                 exclude (boolean), enabled (boolean) and summary (string), all optional.",
            )
        })?;
        request.effort = by_name("reasoning.effort", wire.effort.as_deref())?;
        if wire.max_tokens == Some(0) {
            return Err(Failure::invalid("reasoning.max_tokens must be at least 1."));
        }
        request.max_tokens = wire.max_tokens;
        request.exclude = wire.exclude.unwrap_or(false);
        request.enabled = wire.enabled;
        request.summary = wire.summary;
    }
    if let Some(effort) = by_name("reasoning_effort", effort)? {
        if request.effort.is_some_and(|other| other != effort) {
            return Err(Failure::invalid(
                "reasoning_effort and reasoning.effort disagree; send one of them.",
            ));
        }
        request.effort = Some(effort);
    }
    if include == Some(false) {
        request.exclude = true;
    }
    Ok(Some(request))
}

fn by_name(field: &str, name: Option<&str>) -> Result<Option<Effort>, Failure> {
    let Some(name) = name else {
        return Ok(None);
    };
    match Effort::by_name(name) {
        Some(effort) => Ok(Some(effort)),
        None => Err(Failure::invalid(format!(
            "{field} must be one of none, minimal, low, medium, high, xhigh, max."
        ))),
    }
}

/// Whether the client wants the model to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Off,
    On,
    /// As the model sees fit.
    Unsaid,
}

fn wish(request: &ReasoningRequest) -> Wish {
    if request.effort == Some(Effort::None) {
        Wish::Off
    } else if request.effort.is_some() || request.max_tokens.is_some() {
        Wish::On
    } else {
        match request.enabled {
            Some(true) => Wish::On,
            Some(false) => Wish::Off,
            None => Wish::Unsaid,
        }
    }
}

/// The members that ask one vendor to think: names and JSON texts. What
/// the vendor cannot be told is appended to `losses`.
///
/// `limit` is the most output tokens, of which an effort is a share.
#[must_use]
pub fn members(
    style: ReasoningStyle,
    request: &ReasoningRequest,
    limit: Option<u64>,
    losses: &mut Vec<Loss>,
) -> Vec<(&'static str, String)> {
    let wish = wish(request);
    if style == ReasoningStyle::Object {
        return vec![("reasoning", object(request))];
    }
    if wish == Wish::Unsaid {
        return Vec::new();
    }
    let on = wish == Wish::On;
    let graded = on && (request.effort.is_some() || request.max_tokens.is_some());
    let only_a_switch = |losses: &mut Vec<Loss>| {
        if graded {
            losses.push(Loss::new(
                "reasoning",
                "the provider can only switch thinking on or off",
            ));
        }
    };
    match style {
        ReasoningStyle::Object => Vec::new(),
        ReasoningStyle::Unsupported => {
            losses.push(Loss::new(
                "reasoning",
                "the provider has no way to be told how to think",
            ));
            Vec::new()
        }
        ReasoningStyle::Effort => {
            if request.summary.is_some() {
                losses.push(Loss::new(
                    "reasoning.summary",
                    "the provider cannot be asked for a summary",
                ));
            }
            vec![("reasoning_effort", effort(request, on, limit))]
        }
        ReasoningStyle::ThinkingSwitch => {
            only_a_switch(losses);
            vec![("thinking", thinking(on))]
        }
        ReasoningStyle::SwitchAndEffort => {
            let mut members = vec![("thinking", thinking(on))];
            if graded {
                members.push(("reasoning_effort", effort(request, on, limit)));
            }
            members
        }
        ReasoningStyle::EnabledSwitch => {
            only_a_switch(losses);
            vec![("reasoning", format!("{{\"enabled\":{on}}}"))]
        }
        ReasoningStyle::EnableThinking => {
            let mut members = vec![("enable_thinking", on.to_string())];
            let share = |effort: Effort| {
                limit.map(|limit| limit.saturating_mul(effort.budget_percent()) / 100)
            };
            let budget = request
                .max_tokens
                .or_else(|| request.effort.and_then(share));
            match budget {
                Some(budget) if on => members.push(("thinking_budget", budget.max(1).to_string())),
                _ => only_a_switch(losses),
            }
            members
        }
        ReasoningStyle::ChatTemplate => {
            only_a_switch(losses);
            vec![(
                "chat_template_kwargs",
                format!("{{\"enable_thinking\":{on}}}"),
            )]
        }
    }
}

/// The effort that says most of what is asked for, as a JSON text.
fn effort(request: &ReasoningRequest, on: bool, limit: Option<u64>) -> String {
    let effort = match (request.effort, request.max_tokens, limit) {
        _ if !on => Effort::None,
        (Some(effort), ..) => effort,
        (None, Some(budget), Some(limit)) => Effort::by_budget(budget, limit),
        (None, ..) => Effort::Medium,
    };
    format!("\"{}\"", effort.name())
}

fn thinking(on: bool) -> String {
    let state = if on { "enabled" } else { "disabled" };
    format!("{{\"type\":\"{state}\"}}")
}

fn object(request: &ReasoningRequest) -> String {
    let mut text = String::from("{");
    let mut member = |name: &str, value: &dyn std::fmt::Display| {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}\"{name}\":{value}");
    };
    if let Some(effort) = request.effort {
        member("effort", &format_args!("\"{}\"", effort.name()));
    }
    if let Some(budget) = request.max_tokens {
        member("max_tokens", &budget);
    }
    if let Some(enabled) = request.enabled {
        member("enabled", &enabled);
    }
    if request.exclude {
        member("exclude", &true);
    }
    if let Some(summary) = &request.summary {
        member(
            "summary",
            &bourse_vocab::json::Value::from(summary.as_str()),
        );
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_may_have_an_effort_beside_it() {
        let ask = |style, request: &ReasoningRequest| {
            let mut losses = Vec::new();
            let members = members(style, request, Some(1000), &mut losses);
            let text: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            (text.join(" "), losses.len())
        };
        let high = ReasoningRequest {
            effort: Some(Effort::High),
            ..ReasoningRequest::default()
        };
        let off = ReasoningRequest {
            effort: Some(Effort::None),
            ..ReasoningRequest::default()
        };
        for (style, request, expected, losses) in [
            (
                ReasoningStyle::SwitchAndEffort,
                &high,
                r#"thinking={"type":"enabled"} reasoning_effort="high""#,
                0,
            ),
            (
                ReasoningStyle::SwitchAndEffort,
                &off,
                r#"thinking={"type":"disabled"}"#,
                0,
            ),
            (
                ReasoningStyle::EnabledSwitch,
                &high,
                r#"reasoning={"enabled":true}"#,
                1,
            ),
            (
                ReasoningStyle::EnabledSwitch,
                &off,
                r#"reasoning={"enabled":false}"#,
                0,
            ),
        ] {
            assert_eq!(ask(style, request), (expected.to_owned(), losses));
        }
    }
}
