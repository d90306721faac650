//! Writing a request for Google.

use bourse_vocab::chat::{Loss, Part, Request, Tool, ToolChoice};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::super::model::Model;
use super::super::schema;
use super::{CONFIG, TOOL_CONFIG, config, contents};
use crate::codec::{WriteTarget, Written};
use crate::dialect::schema::of_arguments;
use crate::dialect::{parameters, service};

/// The tier of service, as Google's own libraries spell it.
const OWN_TIER: &str = "serviceTier";

/// Writes a request. The model and whether to stream go into the URL.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let model = Model::named(target.model);
    let mut losses = Vec::new();
    let Native {
        mut body,
        config,
        mut tool_config,
    } = native(request, &mut losses);
    let conversation = contents::write(request, model, &mut losses)?;
    if let Some(system) = conversation.system {
        body.insert("systemInstruction".to_owned(), system);
    }
    body.insert("contents".to_owned(), Value::Array(conversation.contents));
    tools(request, &mut body, &mut tool_config, &mut losses);
    if !tool_config.is_empty() {
        body.insert(TOOL_CONFIG.to_owned(), Value::Object(tool_config));
    }
    let config = config::write(request, model, target, config, &mut losses);
    if !config.is_empty() {
        body.insert(CONFIG.to_owned(), Value::Object(config));
    }
    if let Some(word) = target.dialect.tier_word(target.tier) {
        body.insert(service::MEMBER.to_owned(), json!(word));
    }
    losses.extend(request.reasoning_losses());
    unsupported(request, &mut losses);
    for name in target.dialect.rejects {
        if body.remove(name).is_some() {
            losses.push(Loss::new(*name, "the provider does not take it"));
        }
    }
    let body = body
        .to_bytes()
        .map_err(|error| Failure::server(format!("a request could not be written: {error}")))?;
    Ok(Written { body, losses })
}

/// What the caller's format brought, if it is Google's.
#[derive(Default)]
struct Native {
    body: Map,
    config: Map,
    tool_config: Map,
}

fn native(request: &Request, losses: &mut Vec<Loss>) -> Native {
    let mut native = Native::default();
    let extras = &request.extras;
    for (path, value) in &extras.members {
        // Written in the target's words, if it is told at all.
        if path == service::MEMBER || path == OWN_TIER {
            continue;
        }
        // The same object under OpenRouter's name ("Image generation",
        // openrouter.ai/docs, October 2026).
        if extras.format == Format::OpenAiChat
            && path == "image_config"
            && let Some(members) = value.as_object()
        {
            let image = members
                .iter()
                .map(|(name, value)| (super::camel(name), value.clone()))
                .collect::<Map>();
            native
                .config
                .insert("imageConfig".to_owned(), Value::Object(image));
            continue;
        }
        if extras.format != Format::Gemini {
            let reason = format!("only {} has this parameter", extras.format);
            losses.push(parameters::loss(path, reason));
            continue;
        }
        let (place, name) = match path.split_once('.') {
            None => (&mut native.body, path.as_str()),
            Some((CONFIG, name)) if !name.contains(['.', '[']) => (&mut native.config, name),
            Some((TOOL_CONFIG, name)) if !name.contains(['.', '[']) => {
                (&mut native.tool_config, name)
            }
            Some(_) => {
                losses.push(Loss::new(path.as_str(), "not understood"));
                continue;
            }
        };
        place.insert(name.to_owned(), value.clone());
    }
    native
}

fn tools(request: &Request, body: &mut Map, tool_config: &mut Map, losses: &mut Vec<Loss>) {
    let mut declarations = Vec::new();
    let mut tools = Vec::new();
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function {
                name,
                description,
                parameters,
                strict,
                cache: _,
            } => {
                if *strict == Some(true) {
                    losses.push(Loss::new(
                        format!("tools[{index}].strict"),
                        "Gemini does not promise to follow the schema",
                    ));
                }
                declarations.push(declaration(
                    name,
                    description.as_deref(),
                    parameters.as_ref(),
                ));
            }
            Tool::Opaque {
                format: Format::Gemini,
                value,
            } => tools.push(value.clone()),
            Tool::Opaque { format, .. } => losses.push(Loss::content(
                format!("tools[{index}]"),
                format!("only {format} has this tool"),
            )),
        }
    }
    let has_functions = !declarations.is_empty();
    if has_functions {
        tools.insert(0, json!({ "functionDeclarations": declarations }));
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), Value::Array(tools));
    }
    if !has_functions {
        return;
    }
    if let Some(choice) = &request.tool_choice {
        let calling = match choice {
            ToolChoice::Auto => json!({"mode": "AUTO"}),
            ToolChoice::None => json!({"mode": "NONE"}),
            ToolChoice::Required => json!({"mode": "ANY"}),
            ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        };
        if !tool_config.contains_key("functionCallingConfig") {
            tool_config.insert("functionCallingConfig".to_owned(), calling);
        }
    }
    if request.parallel_tool_calls == Some(false) {
        losses.push(Loss::new(
            "parallel_tool_calls",
            "Gemini decides itself how many tools it calls at once",
        ));
    }
}

fn declaration(name: &str, description: Option<&str>, parameters: Option<&Value>) -> Value {
    let mut declaration = Map::new();
    declaration.insert("name".to_owned(), json!(name));
    if let Some(description) = description {
        declaration.insert("description".to_owned(), json!(description));
    }
    // A tool without parameters has none here; an empty object of properties
    // was refused for years.
    let has_members = |schema: &&Value| schema.as_object().is_some_and(|s| !s.is_empty());
    if let Some(parameters) = parameters.filter(has_members) {
        let typed = of_arguments(Some(parameters));
        declaration.insert("parametersJsonSchema".to_owned(), schema::plain(&typed));
    }
    Value::Object(declaration)
}

/// Reports what Gemini has no word for at all.
fn unsupported(request: &Request, losses: &mut Vec<Loss>) {
    for (field, given) in [
        ("user", request.user.is_some()),
        ("verbosity", request.verbosity.is_some()),
    ] {
        if given {
            losses.push(Loss::new(field, "Gemini has no such parameter"));
        }
    }
    if let Some(field) = breakpoint(request) {
        losses.push(Loss::new(
            field,
            "explicit caching is not supported; implicit caching applies",
        ));
    }
}

/// Where the last cache breakpoint is: the only one that would count.
fn breakpoint(request: &Request) -> Option<String> {
    if request.cache.is_some() {
        return Some("cache_control".to_owned());
    }
    let mut last = None;
    for (index, tool) in request.tools.iter().enumerate() {
        if matches!(tool, Tool::Function { cache: Some(_), .. }) {
            last = Some(format!("tools[{index}].cache_control"));
        }
    }
    for (index, message) in request.messages.iter().enumerate() {
        for (position, part) in message.parts.iter().enumerate() {
            if is_breakpoint(part) {
                let path = format!("messages[{index}].content[{position}].cache_control");
                last = Some(path);
            }
        }
    }
    last
}

fn is_breakpoint(part: &Part) -> bool {
    match part {
        Part::Text { cache, .. } | Part::Image { cache, .. } | Part::File { cache, .. } => {
            cache.is_some()
        }
        Part::ToolResult { cache, parts, .. } => cache.is_some() || parts.iter().any(is_breakpoint),
        _ => false,
    }
}
