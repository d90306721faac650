//! How hard to think, in Anthropic's words.

use bourse_vocab::chat::{Effort, Loss, Reason, ReasoningRequest};
use bourse_vocab::json;
use bourse_vocab::json::Value;

use super::super::model::{Model, Off, ThinkingStyle};
use crate::dialect::thinking::beyond_words;

/// The smallest and largest budget (openrouter.ai/docs, reasoning tokens,
/// August 2026; Anthropic's own minimum is the same).
const BUDGET_MIN: u64 = 1024;
const BUDGET_MAX: u64 = 128_000;

/// The output limit where neither the caller nor the catalog names one.
pub const OUTPUT_DEFAULT: u64 = 4096;

/// What to write.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// `thinking`.
    pub thinking: Option<Value>,
    /// `output_config.effort`.
    pub effort: Option<&'static str>,
    /// `max_tokens`.
    pub max_tokens: u64,
    /// The model was asked to think, which restricts sampling.
    pub on: bool,
}

/// What the plan depends on besides the reasoning asked for.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    /// What the model accepts.
    pub model: Model,
    /// The caller's output limit.
    pub max_tokens: Option<u64>,
    /// The model's.
    pub max_output: Option<u64>,
    /// Some tool must be called.
    pub forced_tool: bool,
    /// The conversation goes on in the middle of a turn whose beginning was
    /// not thought about, as far as can be shown.
    pub unthought: bool,
    /// The client speaks Anthropic, so silence means Anthropic's default.
    pub native: bool,
}

impl Given {
    fn limit(&self) -> u64 {
        self.max_tokens
            .or(self.max_output)
            .unwrap_or(OUTPUT_DEFAULT)
    }

    fn plan(&self) -> Plan {
        Plan {
            thinking: None,
            effort: None,
            max_tokens: self.limit(),
            on: false,
        }
    }
}

/// Decides how the model is told to think.
pub fn plan(asked: Option<&ReasoningRequest>, given: Given, losses: &mut Vec<Loss>) -> Plan {
    let nothing = ReasoningRequest::default();
    let reasoning = asked.unwrap_or(&nothing);
    let effort = reasoning.effort.filter(|effort| *effort != Effort::None);
    let budget = reasoning.max_tokens.filter(|budget| *budget > 0);
    let wanted = effort.is_some() || budget.is_some() || reasoning.enabled == Some(true);
    if reasoning.summary.as_deref().is_some_and(|s| s != "auto") {
        losses.push(Loss::new(
            "reasoning.summary",
            "Anthropic decides how it summarises thinking",
        ));
    }
    losses.extend(beyond_words(reasoning));
    if reasoning.is_off() {
        return switched_off(given, losses);
    }
    if !wanted {
        return by_default(reasoning, given);
    }
    // "Thinking may not be enabled when tool_choice forces tool use"
    // (extended thinking, 2026). A forced tool is what the caller's program
    // relies on, so thinking gives way.
    if given.forced_tool && given.model.off != Off::Never {
        losses.push(Loss::new(
            "reasoning",
            "Anthropic does not think when a tool is forced",
        ));
        return switched_off(given, losses);
    }
    // "A final assistant message must start with a thinking block" when the
    // budget form is used; the adaptive one is lenient. Clients that do not
    // replay `reasoning_details` end up here with every tool result.
    if given.unthought && given.model.claude && given.model.thinking == ThinkingStyle::Budget {
        losses.push(Loss::new(
            "reasoning",
            "cannot begin in the middle of a tool loop; replay reasoning_details to keep it on",
        ));
        return given.plan();
    }
    match given.model.thinking {
        ThinkingStyle::None => {
            losses.push(Loss::new("reasoning", "the model cannot think aloud"));
            given.plan()
        }
        ThinkingStyle::Budget => budgeted(reasoning, effort, budget, given, losses),
        ThinkingStyle::Adaptive => adaptive(reasoning, effort, budget, given, losses),
    }
}

/// Newer models hide their thoughts unless asked (adaptive thinking, 2026),
/// OpenRouter's clients expect to see them.
fn display(reasoning: &ReasoningRequest) -> &'static str {
    if reasoning.exclude {
        "omitted"
    } else {
        "summarized"
    }
}

fn by_default(reasoning: &ReasoningRequest, given: Given) -> Plan {
    let mut plan = given.plan();
    // Saying aloud what is the default changes only whether it is shown.
    if given.model.thinks_by_default() && !given.native && !given.forced_tool {
        plan.thinking = Some(json!({"type": "adaptive", "display": display(reasoning)}));
        plan.on = true;
    }
    plan
}

fn switched_off(given: Given, losses: &mut Vec<Loss>) -> Plan {
    let mut plan = given.plan();
    match given.model.off {
        Off::Omit => {}
        Off::Disabled => plan.thinking = Some(json!({"type": "disabled"})),
        Off::BetweenTools => plan.thinking = Some(json!({"type": "between_tools"})),
        Off::Never => {
            losses.push(Loss::new(
                "reasoning",
                Reason::degraded("the model always thinks; it was asked to think little"),
            ));
            plan.effort = given.model.effort(Effort::Low);
        }
    }
    plan
}

fn budgeted(
    reasoning: &ReasoningRequest,
    effort: Option<Effort>,
    budget: Option<u64>,
    given: Given,
    losses: &mut Vec<Loss>,
) -> Plan {
    let mut plan = given.plan();
    let share = effort.unwrap_or(Effort::Medium).budget_percent();
    let wanted = budget
        .unwrap_or_else(|| plan.max_tokens.saturating_mul(share) / 100)
        .clamp(BUDGET_MIN, BUDGET_MAX);
    let mut budget = wanted;
    if budget >= plan.max_tokens {
        if given.max_tokens.is_none() && given.max_output.is_none() {
            // Nobody asked for the default limit: leave room for an answer.
            plan.max_tokens = budget.saturating_add(OUTPUT_DEFAULT);
        } else {
            // The budget must stay below the limit.
            budget = plan.max_tokens.saturating_sub(1);
        }
    }
    if budget < BUDGET_MIN {
        losses.push(Loss::new(
            "reasoning",
            "max_tokens leaves no room for the 1024 tokens that thinking needs at least",
        ));
        return plan;
    }
    if budget < wanted && reasoning.max_tokens.is_some() {
        losses.push(Loss::new(
            "reasoning.max_tokens",
            Reason::degraded("cut to stay below max_tokens"),
        ));
    }
    let mut thinking = json!({"type": "enabled", "budget_tokens": budget});
    // Shown is the default here, and compatible vendors may not know the
    // member.
    if reasoning.exclude
        && given.model.claude
        && let Value::Object(members) = &mut thinking
    {
        members.insert("display".to_owned(), json!("omitted"));
    }
    plan.thinking = Some(thinking);
    plan.on = true;
    plan
}

fn adaptive(
    reasoning: &ReasoningRequest,
    effort: Option<Effort>,
    budget: Option<u64>,
    given: Given,
    losses: &mut Vec<Loss>,
) -> Plan {
    let mut plan = given.plan();
    let effort = match (effort, budget) {
        (Some(effort), _) => Some(effort),
        (None, Some(budget)) => {
            let effort = Effort::by_budget(budget, plan.max_tokens);
            losses.push(Loss::new(
                "reasoning.max_tokens",
                Reason::emulated(format!(
                    "the model takes no budget; asked for effort {}",
                    effort.name()
                )),
            ));
            Some(effort)
        }
        (None, None) => None,
    };
    plan.effort = effort.and_then(|effort| given.model.effort(effort));
    plan.thinking = Some(json!({"type": "adaptive", "display": display(reasoning)}));
    plan.on = true;
    plan
}
