//! Writing `inferenceConfig`, and how hard to think.
//!
//! Of Claude it is known how each generation is told to think, and in
//! Converse it is told in the same words, under `additionalModelRequestFields`
//! ("Extended thinking", docs.aws.amazon.com/bedrock, 2026). Its effort has a
//! member of Converse's own (`OutputConfig.effort`). Other makers' models think
//! as they please: what they take differs from model to model.

use bourse_vocab::chat::{Effort, Reason, ToolChoice};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Number, Value};
use bourse_vocab::{Format, chat::Loss};

use super::draft::Draft;
use crate::anthropic::{Given, plan, unknown_sampling, unless};
use crate::codec::WriteTarget;

/// The most stop texts that one request may have
/// (`InferenceConfigurationStopSequencesList`).
const STOPS_MAX: usize = 2_500;

/// Writes both.
pub fn write(writer: &mut Draft<'_>, target: &WriteTarget<'_>, is_unthought: bool) {
    let mut config = match writer.body.remove("inferenceConfig") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    let is_thinking = if writer.model.is_claude() {
        thinking(writer, target, is_unthought, &mut config)
    } else {
        if let Some(limit) = target.limit_of(writer.request.max_tokens) {
            config.insert("maxTokens".to_owned(), json!(limit));
        }
        unthinking(writer);
        false
    };
    sampling(writer, is_thinking, &mut config);
    if !config.is_empty() {
        writer.set("inferenceConfig", Value::Object(config));
    }
}

/// Tells Claude how to think. Returns whether it was asked to.
fn thinking(
    writer: &mut Draft<'_>,
    target: &WriteTarget<'_>,
    is_unthought: bool,
    config: &mut Map,
) -> bool {
    let request = writer.request;
    let model = writer.model.claude;
    let is_forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_))
    );
    let given = Given {
        model,
        max_tokens: target.limit_of(request.max_tokens),
        max_output: target.max_output,
        forced_tool: is_forced && !request.tools.is_empty() && model.forced_tools,
        unthought: is_unthought,
        native: matches!(request.extras.format, Format::Anthropic | Format::Bedrock),
    };
    let plan = plan(request.reasoning.as_ref(), given, &mut writer.losses);
    config.insert("maxTokens".to_owned(), json!(plan.max_tokens));
    if let Some(thinking) = plan.thinking {
        writer.more.insert("thinking".to_owned(), thinking);
    }
    writer.effort = plan.effort;
    let Some(verbosity) = request.verbosity.as_deref() else {
        return plan.on;
    };
    if writer.effort.is_some() {
        writer.lose("verbosity", "the reasoning effort decides");
        return plan.on;
    }
    let wanted = Effort::by_name(verbosity).filter(|effort| *effort != Effort::None);
    writer.effort = wanted.and_then(|effort| model.effort(effort));
    match writer.effort {
        None => writer.lose("verbosity", "the model has no such effort"),
        // `OutputConfig.effort`: without thinking, `high` is the most.
        Some("xhigh" | "max") if !plan.on => {
            writer.effort = Some("high");
            writer.lose(
                "verbosity",
                Reason::degraded("cut to high, because thinking is off"),
            );
        }
        Some(_) => {}
    }
    plan.on
}

/// Notes that another maker's model cannot be told how to think.
fn unthinking(writer: &mut Draft<'_>) {
    let request = writer.request;
    let asks = request.reasoning.as_ref().is_some_and(|reasoning| {
        reasoning.effort.is_some() || reasoning.max_tokens.is_some() || reasoning.enabled.is_some()
    });
    if asks {
        writer.lose(
            "reasoning",
            "Bedrock has no word for it that the model takes",
        );
    }
    if request.verbosity.is_some() {
        writer.lose("verbosity", "the model has no such effort");
    }
}

fn sampling(writer: &mut Draft<'_>, is_thinking: bool, config: &mut Map) {
    let sampling = &writer.request.sampling;
    let model = writer.model.claude;
    let is_claude = writer.model.is_claude();
    let mut losses: Vec<Loss> = Vec::new();
    let mut lose = |field: &str, reason: Reason| losses.push(Loss::new(field, reason));
    let mut temperature = unless(&sampling.temperature, 1.0);
    let mut top_p = unless(&sampling.top_p, 1.0);
    let mut top_k = sampling.top_k.filter(|k| *k > 0);
    if !model.sampling || is_thinking {
        let reason = if model.sampling {
            "cannot be combined with thinking"
        } else {
            "the model takes no sampling parameters"
        };
        if temperature.take().is_some() {
            lose("temperature", reason.into());
        }
        if top_p.take().is_some() {
            lose("top_p", reason.into());
        }
        if top_k.take().is_some() {
            lose("top_k", reason.into());
        }
    }
    let is_above = |number: &Number| number.as_f64().is_some_and(|number| number > 1.0);
    if temperature.as_ref().is_some_and(is_above) {
        lose(
            "temperature",
            Reason::degraded("cut to 1, Bedrock's highest"),
        );
        temperature = None;
        config.insert("temperature".to_owned(), json!(1));
    }
    if !model.both_samplers && temperature.is_some() && top_p.take().is_some() {
        lose("top_p", "cannot be combined with temperature".into());
    }
    if let Some(top_k) = top_k {
        // Each maker has a member of its own for it; Claude's is known.
        if is_claude {
            writer.more.insert("top_k".to_owned(), json!(top_k));
        } else {
            lose(
                "top_k",
                "Bedrock has no word for it that every model takes".into(),
            );
        }
    }
    for field in unknown_sampling(sampling) {
        lose(field, "Bedrock has no such parameter".into());
    }
    let stop = sampling.stop.iter().filter(|text| !text.trim().is_empty());
    let stop: Vec<&String> = stop.take(STOPS_MAX).collect();
    if stop.len() < sampling.stop.len() {
        lose(
            "stop",
            "Bedrock takes no blank stop sequences, and at most 2500".into(),
        );
    }
    if !stop.is_empty() {
        config.insert("stopSequences".to_owned(), json!(stop));
    }
    for (name, number) in [("temperature", temperature), ("topP", top_p)] {
        if let Some(number) = number {
            config.insert(name.to_owned(), json!(number));
        }
    }
    writer.losses.append(&mut losses);
}
