//! Writing `toolConfig`.

use std::collections::BTreeSet;

use bourse_vocab::Format;
use bourse_vocab::chat::{CacheControl, Reason, Tool, ToolChoice};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::draft::Draft;
use super::point::cache_point;
use crate::dialect::schema::of_arguments;

/// Writes the tools, and which of them to call. `calls` are the names of the
/// tools that were called before.
pub fn write(writer: &mut Draft<'_>, calls: BTreeSet<String>) {
    let request = writer.request;
    if request.parallel_tool_calls == Some(false) {
        writer.lose(
            "parallel_tool_calls",
            "Bedrock lets the model decide how many tools it calls at once",
        );
    }
    let mut tools = declared(writer);
    if tools.is_empty() && !calls.is_empty() {
        // "The toolConfig field must be defined when using toolUse and
        // toolResult content blocks" (BerriAI/litellm issue 5388, 2024).
        writer.lose(
            "tools",
            Reason::emulated(
                "tools that were called before are named again, because Bedrock insists on it",
            ),
        );
        let again = |name: String| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}});
        tools = calls.into_iter().map(again).collect();
    } else if request.tool_choice == Some(ToolChoice::None) && calls.is_empty() {
        // No word says "none of them"; without tools none is called.
        return;
    }
    if tools.is_empty() {
        return;
    }
    let mut config = match writer.body.remove("toolConfig") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    config.insert("tools".to_owned(), Value::Array(tools));
    if let Some(choice) = choice(writer) {
        config.insert("toolChoice".to_owned(), choice);
    }
    writer.set("toolConfig", Value::Object(config));
}

fn declared(writer: &mut Draft<'_>) -> Vec<Value> {
    let mut tools = Vec::new();
    for (index, tool) in writer.request.tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        match tool {
            Tool::Function {
                name,
                description,
                parameters,
                strict,
                cache,
            } => {
                let mut spec = Map::new();
                spec.insert("name".to_owned(), json!(name));
                // A blank description is an error (`NonEmptyString`).
                if let Some(text) = description.as_ref().filter(|text| !text.is_empty()) {
                    spec.insert("description".to_owned(), json!(text));
                }
                let schema = of_arguments(parameters.as_ref());
                spec.insert("inputSchema".to_owned(), json!({"json": schema}));
                if *strict == Some(true) {
                    if writer.model.claude.structured {
                        spec.insert("strict".to_owned(), json!(true));
                    } else {
                        writer.lose(&format!("{path}.strict"), "the model has no strict tools");
                    }
                }
                tools.push(json!({"toolSpec": spec}));
                tools.extend(breakpoint(writer, cache.as_ref(), &path));
            }
            Tool::Opaque {
                format: Format::Bedrock,
                value,
            } => tools.push(value.clone()),
            Tool::Opaque { format, .. } => {
                writer.refuse(&path, format!("only {format} has this tool"));
            }
        }
    }
    tools
}

fn breakpoint(writer: &mut Draft<'_>, cache: Option<&CacheControl>, path: &str) -> Option<Value> {
    let point = cache_point(&writer.model, cache?);
    if point.is_none() {
        writer.lose(
            &format!("{path}.cache_control"),
            "the model caches nothing on demand",
        );
    }
    point
}

fn choice(writer: &mut Draft<'_>) -> Option<Value> {
    let model = writer.model;
    match writer.request.tool_choice.as_ref()? {
        ToolChoice::Auto => Some(json!({"auto": {}})),
        ToolChoice::None => {
            writer.lose("tool_choice", "Bedrock cannot be told to call no tool");
            None
        }
        // Opus 5.5 and Fable 5.1 refuse it (what's new in Opus 5.5, 2026).
        ToolChoice::Required | ToolChoice::Named(_) if !model.claude.forced_tools => {
            writer.lose(
                "tool_choice",
                Reason::degraded("the model cannot be forced; sent as auto"),
            );
            Some(json!({"auto": {}}))
        }
        ToolChoice::Required => Some(json!({"any": {}})),
        ToolChoice::Named(name) if model.takes_names_and_statuses() => {
            Some(json!({"tool": {"name": name}}))
        }
        ToolChoice::Named(_) => {
            writer.lose(
                "tool_choice",
                Reason::degraded("the model cannot be told which tool; sent as any"),
            );
            Some(json!({"any": {}}))
        }
    }
}
