//! Reading a client's request.

use bourse_vocab::chat::{
    Effort, Extras, ReasoningRequest, Request, ResponseFormat, Sampling, Tool, ToolChoice,
};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::super::schema;
use super::names::fields;
use super::read_contents::Contents;
use super::{CONFIG, TOOL_CONFIG};
use crate::fields::{Fields, Path};

/// Tool objects of one request.
const TOOLS_MAX: usize = 1024;
/// Texts that end an answer: above Google's five, whose error says more.
const STOPS_MAX: usize = 64;
/// Output kinds.
const MODALITIES_MAX: usize = 8;

/// Reads a request. The model is in the URL, so it is empty here.
pub fn read(body: Value) -> Result<Request, Failure> {
    let root = Path::Root;
    let mut body = fields(body, &root)?;
    let mut extras = Map::new();
    // Some SDKs repeat the model in the body.
    let model = body.text("model")?.unwrap_or_default();
    let messages = Contents::new(&mut extras).read(&mut body)?;
    let mut request = Request::new(Format::Gemini, model, messages);
    request.tools = tools(&mut body, &mut extras)?;
    request.tool_choice = tool_choice(&mut body, &mut extras)?;
    generation(&mut body, &mut request, &mut extras)?;
    let mut members = body.rest();
    members.append(&mut extras);
    request.extras = Extras {
        format: Format::Gemini,
        members,
    };
    Ok(request)
}

fn tools(body: &mut Fields<'_>, extras: &mut Map) -> Result<Vec<Tool>, Failure> {
    let root = Path::Root;
    let list = Path::Member(&root, "tools");
    let mut tools = Vec::new();
    let items = body.array("tools", TOOLS_MAX)?.unwrap_or_default();
    for (index, item) in items.into_iter().enumerate() {
        let path = Path::Item(&list, index);
        let mut tool = fields(item, &path)?;
        let functions = tool.array("functionDeclarations", TOOLS_MAX)?;
        let place = Path::Member(&path, "functionDeclarations");
        for (index, function) in functions.into_iter().flatten().enumerate() {
            tools.push(function_of(function, &Path::Item(&place, index), extras)?);
        }
        let rest = tool.rest();
        if !rest.is_empty() {
            tools.push(Tool::Opaque {
                format: Format::Gemini,
                value: Value::Object(rest),
            });
        }
    }
    Ok(tools)
}

fn function_of(value: Value, path: &Path<'_>, extras: &mut Map) -> Result<Tool, Failure> {
    let mut function = fields(value, path)?;
    let parameters = match function.take("parametersJsonSchema") {
        Some(schema) => Some(schema),
        None => function.take("parameters").map(schema::from_openapi),
    };
    let tool = Tool::Function {
        name: function.required_text("name")?,
        description: function.text("description")?,
        parameters,
        strict: None,
        cache: None,
    };
    function.rest_into(extras);
    Ok(tool)
}

/// Reads `toolConfig`; what has no word in the vocabulary goes to `extras`.
///
/// # Errors
/// Names the member and the remedy.
pub fn tool_choice(body: &mut Fields<'_>, extras: &mut Map) -> Result<Option<ToolChoice>, Failure> {
    let root = Path::Root;
    let path = Path::Member(&root, TOOL_CONFIG);
    let Some(value) = body.take(TOOL_CONFIG) else {
        return Ok(None);
    };
    let mut config = fields(value, &path)?;
    let calling = config.take("functionCallingConfig");
    config.rest_into(extras);
    let Some(calling) = calling else {
        return Ok(None);
    };
    let place = Path::Member(&path, "functionCallingConfig");
    let mut whole = fields(calling, &place)?;
    let mode = whole.text("mode")?;
    let allowed = whole.array("allowedFunctionNames", TOOLS_MAX)?;
    let choice = match (mode.as_deref(), allowed.as_deref()) {
        (None | Some("AUTO" | "MODE_UNSPECIFIED"), None | Some([])) => Some(ToolChoice::Auto),
        (Some("NONE"), _) => Some(ToolChoice::None),
        (Some("ANY"), Some([Value::String(name)])) => Some(ToolChoice::Named(name.clone())),
        (Some("ANY"), None | Some([])) => Some(ToolChoice::Required),
        // Other modes and a choice of some tools have no equal elsewhere: they
        // are kept as they are beside the nearest that has.
        (mode, allowed) => {
            let mut kept = Map::new();
            if let Some(mode) = mode {
                kept.insert("mode".to_owned(), Value::from(mode));
            }
            if let Some(allowed) = allowed {
                kept.insert("allowedFunctionNames".to_owned(), Value::from(allowed));
            }
            extras.insert(place.to_string(), Value::Object(kept));
            Some(match mode {
                Some("ANY") => ToolChoice::Required,
                _ => ToolChoice::Auto,
            })
        }
    };
    whole.rest_into(extras);
    Ok(choice)
}

/// Reads `generationConfig` likewise.
///
/// # Errors
/// Names the member and the remedy.
pub fn generation(
    body: &mut Fields<'_>,
    request: &mut Request,
    extras: &mut Map,
) -> Result<(), Failure> {
    let root = Path::Root;
    let path = Path::Member(&root, CONFIG);
    let Some(value) = body.take(CONFIG) else {
        return Ok(());
    };
    let mut config = fields(value, &path)?;
    request.sampling = sampling(&mut config)?;
    request.max_tokens = config.count("maxOutputTokens", 1, u64::from(u32::MAX))?;
    request.response_format = response_format(&mut config)?;
    request.modalities = modalities(&mut config)?;
    let place = Path::Member(&path, "thinkingConfig");
    if let Some(thinking) = config.take("thinkingConfig") {
        request.reasoning = Some(reasoning(thinking, &place, extras)?);
    }
    config.rest_into(extras);
    Ok(())
}

fn sampling(config: &mut Fields<'_>) -> Result<Sampling, Failure> {
    let path = config.path();
    let place = Path::Member(path, "stopSequences");
    let stop = config
        .array("stopSequences", STOPS_MAX)?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, text)| Path::Item(&place, index).text(text))
        .collect::<Result<_, _>>()?;
    Ok(Sampling {
        temperature: config.number("temperature", 0.0, 2.0)?,
        top_p: config.number("topP", 0.0, 1.0)?,
        top_k: config.count("topK", 0, u64::from(u32::MAX))?,
        frequency_penalty: config.number("frequencyPenalty", -2.0, 2.0)?,
        presence_penalty: config.number("presencePenalty", -2.0, 2.0)?,
        seed: config.integer("seed")?,
        logprobs: config.flag("responseLogprobs")?,
        top_logprobs: config.count("logprobs", 0, 20)?,
        n: config.count("candidateCount", 1, 128)?,
        stop,
        ..Sampling::default()
    })
}

fn response_format(config: &mut Fields<'_>) -> Result<Option<ResponseFormat>, Failure> {
    let mime = config.text("responseMimeType")?;
    let schema = match config.take("responseJsonSchema") {
        Some(schema) => Some(schema),
        None => config.take("responseSchema").map(schema::from_openapi),
    };
    Ok(match (mime.as_deref(), schema) {
        (Some("application/json") | None, Some(schema)) => Some(ResponseFormat::JsonSchema {
            name: "response".to_owned(),
            description: None,
            schema,
            strict: None,
        }),
        (Some("application/json"), None) => Some(ResponseFormat::JsonObject),
        (Some("text/plain"), _) => Some(ResponseFormat::Text),
        (None, None) => None,
        (Some(other), schema) => {
            config.put_back("responseMimeType", Value::from(other));
            if let Some(schema) = schema {
                config.put_back("responseJsonSchema", schema);
            }
            None
        }
    })
}

fn modalities(config: &mut Fields<'_>) -> Result<Vec<String>, Failure> {
    let place = Path::Member(config.path(), "responseModalities");
    config
        .array("responseModalities", MODALITIES_MAX)?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, text)| {
            let text = Path::Item(&place, index).text(text)?;
            Ok(text.to_ascii_lowercase())
        })
        .collect()
}

fn reasoning(value: Value, path: &Path<'_>, extras: &mut Map) -> Result<ReasoningRequest, Failure> {
    let mut thinking = fields(value, path)?;
    let shows = thinking.flag("includeThoughts")? == Some(true);
    let mut reasoning = ReasoningRequest {
        exclude: !shows,
        // Who must be asked to show its thoughts is asked.
        summary: shows.then(|| "auto".to_owned()),
        ..ReasoningRequest::default()
    };
    match thinking.integer("thinkingBudget")? {
        None => {}
        Some(0) => reasoning.effort = Some(Effort::None),
        Some(-1) => reasoning.enabled = Some(true),
        Some(budget) => match u64::try_from(budget) {
            Ok(budget) => reasoning.max_tokens = Some(budget),
            Err(_) => return Err(thinking.invalid("thinkingBudget", "must be -1 or more")),
        },
    }
    if let Some(level) = thinking.text("thinkingLevel")? {
        let level = level.to_ascii_lowercase();
        let effort = Effort::by_name(&level);
        if effort.is_none() && level != "thinking_level_unspecified" {
            return Err(thinking.invalid(
                "thinkingLevel",
                "must be one of minimal, low, medium and high",
            ));
        }
        reasoning.effort = effort;
    }
    thinking.rest_into(extras);
    Ok(reasoning)
}
