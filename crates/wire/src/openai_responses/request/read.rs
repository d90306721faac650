//! Reading a client's request.

use bourse_vocab::chat::{CacheControl, Extras, Part, Request, ResponseFormat, Role, Sampling};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::ITEMS_MAX;
use super::items::Conversation;
use crate::dialect::parameters::{STOPS_MAX, TOKENS_MAX};
use crate::dialect::thinking;
use crate::fields::{Fields, Path};
use crate::openai_responses::members::fate;
use crate::openai_responses::members::{self, Fate};
use crate::openai_responses::tools;

/// What can be asked for beside the answer, as far as it has a meaning here
/// (platform.openai.com/docs, Responses, `include`, November 2026).
const LOGPROBS: &str = "message.output_text.logprobs";
/// Kinds of output that one request may name.
const MODALITIES_MAX: usize = 8;
/// Things that one request may ask for beside the answer: there are a dozen.
const INCLUDES_MAX: usize = 64;

/// Reads a request.
pub fn read(body: Value) -> Result<Request, Failure> {
    let mut fields = Fields::of(body, &Path::Root)?;
    let mut conversation = Conversation::default();
    input(&mut fields, &mut conversation)?;
    let Conversation {
        messages,
        mut extras,
    } = conversation;
    let model = fields.text("model")?.unwrap_or_default();
    let mut request = Request::new(Format::OpenAiResponses, model, messages);
    request.tools = tools::read(&mut fields, &mut extras)?;
    request.tool_choice = tools::read_choice(&mut fields)?;
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    text(&mut fields, &mut request, &mut extras)?;
    request.sampling = sampling(&mut fields)?;
    request.max_tokens = fields.count("max_output_tokens", 1, TOKENS_MAX)?;
    request.reasoning = thinking::read(&mut fields)?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    request.cache = cache(&mut fields)?;
    request.modalities = texts(&mut fields, "modalities", MODALITIES_MAX)?;
    request.user = fields.text("user")?;
    // `auto` cuts what does not fit, which is refused; OpenAI's word for that
    // is the other.
    if let Some(truncation) = fields.text("truncation")?
        && truncation != "disabled"
    {
        fields.put_back("truncation", truncation.into());
    }
    let mut rest = fields.rest();
    members::check_parsed(&rest)?;
    rest.retain(|name, _| !matches!(fate(name), Some(Fate::Ours | Fate::Refused(_))));
    rest.append(&mut extras);
    request.extras = Extras {
        format: Format::OpenAiResponses,
        members: rest,
    };
    Ok(request)
}

fn input(fields: &mut Fields<'_>, conversation: &mut Conversation) -> Result<(), Failure> {
    if let Some(text) = fields.text("instructions")? {
        conversation.push(Role::System, vec![Part::text(text)]);
    }
    let path = Path::Member(&Path::Root, "input");
    match fields.take("input") {
        None => Err(path.invalid("is required")),
        Some(Value::String(text)) => {
            conversation.push(Role::User, vec![Part::text(text)]);
            Ok(())
        }
        Some(list @ Value::Array(_)) => {
            let items = path.array(list, ITEMS_MAX)?;
            if items.is_empty() {
                return Err(path.invalid("at least one item is required"));
            }
            for (index, item) in items.into_iter().enumerate() {
                conversation.item(item, &Path::Item(&path, index))?;
            }
            Ok(())
        }
        Some(other) => Err(path.expected("a string or an array of items", &other)),
    }
}

/// Reads `text`: the shape of the answer, and how much to say.
fn text(fields: &mut Fields<'_>, request: &mut Request, extras: &mut Map) -> Result<(), Failure> {
    let path = Path::Member(&Path::Root, "text");
    let Some(value) = fields.take("text") else {
        return Ok(());
    };
    let mut text = Fields::of(value, &path)?;
    request.verbosity = text.text("verbosity")?;
    if let Some(value) = text.take("format") {
        let path = Path::Member(&path, "format");
        let whole = value.clone();
        let mut format = Fields::of(value, &path)?;
        let read = match format.required_text("type")?.as_str() {
            "text" => ResponseFormat::Text,
            "json_object" => ResponseFormat::JsonObject,
            "json_schema" => ResponseFormat::JsonSchema {
                name: format.required_text("name")?,
                description: format.text("description")?,
                schema: Value::Object(format.object("schema")?.unwrap_or_default()),
                strict: format.flag("strict")?,
            },
            _ => {
                request.response_format = Some(ResponseFormat::Opaque(whole));
                return Ok(());
            }
        };
        format.rest_into(extras);
        request.response_format = Some(read);
    }
    text.rest_into(extras);
    Ok(())
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, Failure> {
    const TOP_LOGPROBS_MAX: u64 = 20;
    let top_logprobs = fields
        .count("top_logprobs", 0, TOP_LOGPROBS_MAX)?
        .filter(|count| *count > 0);
    let include = texts(fields, "include", INCLUDES_MAX)?;
    let logprobs = top_logprobs.is_some() || include.iter().any(|name| name == LOGPROBS);
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: fields.count("top_k", 0, TOKENS_MAX)?,
        frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
        presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
        stop: stop(fields)?,
        logprobs: logprobs.then_some(true),
        top_logprobs,
        ..Sampling::default()
    })
}

fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, Failure> {
    match fields.take("stop") {
        Some(Value::String(text)) => Ok(vec![text]),
        Some(other) => {
            fields.put_back("stop", other);
            texts(fields, "stop", STOPS_MAX)
        }
        None => Ok(Vec::new()),
    }
}

fn texts(fields: &mut Fields<'_>, name: &str, max: usize) -> Result<Vec<String>, Failure> {
    let path = Path::Member(&Path::Root, name);
    fields
        .array(name, max)?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, item)| Path::Item(&path, index).text(item))
        .collect()
}

fn cache(fields: &mut Fields<'_>) -> Result<Option<CacheControl>, Failure> {
    let path = Path::Member(&Path::Root, "cache_control");
    let Some(value) = fields.take("cache_control") else {
        return Ok(None);
    };
    let mut control = Fields::of(value, &path)?;
    match control.required_text("type")?.as_str() {
        "ephemeral" => Ok(Some(CacheControl {
            ttl: control.text("ttl")?,
        })),
        _ => Err(control.invalid("type", "must be ephemeral")),
    }
}
