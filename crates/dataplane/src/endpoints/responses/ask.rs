//! What a request asks for, as far as the gateway must know it.

use std::borrow::Cow;

use bourse_catalog::{Modalities, Modality, Parameter, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::{Effort, ReasoningRequest};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, PromptFacts, TierWish, Units};
use bourse_wire::dialect::tools;
use bourse_wire::json::{self, Kind, Member};
use bourse_wire::openai_responses::{members, tools as responses};
use http::HeaderMap;

use super::super::Scanned;
use super::super::not_offered::NotOffered;
use crate::ask::{self, Ask, Attribution, Labels, Options, Thinking};

/// What JSON writes around the messages that the input becomes.
const MESSAGE_BYTES: usize = 128;
/// Members that chat completions, in whose words models say what they can do,
/// spell otherwise.
const SPELLED_OTHERWISE: [(&str, &str); 1] = [("max_output_tokens", "max_tokens")];

/// The members of a request.
pub struct Members<'a>(pub &'a Scanned);

impl<'a> Members<'a> {
    /// A member that is there and not `null`.
    fn get(&self, name: &str) -> Option<&'a Member> {
        let member = self.0.outline.get(name)?;
        (member.kind != Kind::Null).then_some(member)
    }

    /// Its JSON text.
    fn raw(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        Some(json::raw(&self.0.segments, &self.get(name)?.value))
    }

    /// A text, if it is one.
    pub fn text(&self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        json::text::string(&raw).map(Cow::into_owned)
    }

    /// A whole number. Of anything else the parser complains.
    fn count(&self, name: &str) -> Option<u64> {
        u64::try_from(json::text::whole(&self.raw(name)?)?).ok()
    }

    /// A list that is as it is documented.
    fn list<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, Failure> {
        let Some(raw) = self.raw(name) else {
            return Ok(Vec::new());
        };
        serde_json::from_slice(&raw).map_err(|error| {
            Failure::invalid(format!("{name}: not a list as it is documented ({error})"))
        })
    }

    /// A member that was parsed; `None` too if it cannot be, of which the
    /// parser of the whole complains.
    fn value(&self, name: &str) -> Option<Value> {
        bourse_vocab::json::parse(&self.raw(name)?).ok()
    }
}

/// Reads what is asked for.
pub fn read(headers: &HeaderMap, members: &Members<'_>) -> Result<Box<Ask>, Failure> {
    NotOffered {
        debug: members.raw("debug").as_deref(),
        preset: members.text("preset").as_deref(),
        plugins: members.raw("plugins").as_deref(),
        transforms: members.raw("transforms").as_deref(),
    }
    .refuse()?;
    check_tools(members)?;
    match members.get("input").map(|member| member.kind) {
        Some(Kind::String | Kind::Array) => {}
        Some(_) => return Err(Failure::invalid("input: must be a string or an array")),
        None => return Err(Failure::invalid("input: is required")),
    }
    let wishes = match members.raw("provider") {
        Some(raw) => Preferences::read(std::str::from_utf8(&raw).unwrap_or(""))?,
        None => Preferences::default(),
    };
    let tier = members.text("service_tier");
    let tier = tier.as_deref().map(TierWish::read);
    let facts = facts(members);
    let max_output = members.count("max_output_tokens");
    let text = Text::asked(members);
    Ok(Box::new(Ask {
        needs: Needs {
            input: ask::input_modalities(&facts),
            output: output_modalities(members)?,
            parameters: parameters(members, &text, facts.tools > 0),
            text_bytes: facts.text_bytes,
            max_output,
        },
        models: ask::models(members.text("model"), &members.list("models")?)?,
        wishes,
        stream: members
            .get("stream")
            .is_some_and(|member| member.kind == Kind::True),
        answers: 1,
        max_output,
        form: match text {
            _ if facts.tools > 0 => Form::Tools,
            Text { is_json: true, .. } => Form::Structured,
            Text { .. } => Form::Text,
        },
        units: Units::default(),
        thinking: thinking(members),
        tier: tier.transpose()?.unwrap_or_default(),
        search: None,
        facts,
        options: Options::by_headers(headers, 1)?,
        opener: None,
        attribution: attribution(headers, members)?,
    }))
}

/// Refuses tools that a provider would run. The scanner has seen whether all
/// are the client's, which nearly all are.
fn check_tools(members: &Members<'_>) -> Result<(), Failure> {
    if members.0.outline.has_other_tools()
        && let Some(list) = members.raw("tools")
    {
        responses::check_list(&list)?;
    }
    if let Some(choice) = members.value("tool_choice") {
        tools::read_choice("tool_choice", &choice)?;
    }
    Ok(())
}

/// What a model may read of the request.
fn facts(members: &Members<'_>) -> PromptFacts {
    let Scanned { outline, segments } = members.0;
    let written: usize = outline
        .iter()
        .filter(|(name, _)| members::is_prompt(name))
        .map(|(_, member)| member.value.len())
        .sum();
    let written = written.saturating_add(MESSAGE_BYTES) as u64;
    outline.facts(written, segments)
}

/// What `text` asks of the answer.
struct Text {
    is_json: bool,
    has_verbosity: bool,
}

impl Text {
    fn asked(members: &Members<'_>) -> Self {
        let text = members.value("text").unwrap_or_default();
        let kind = text.get("format").and_then(|format| format.get("type"));
        let kind = kind.and_then(Value::as_str);
        Self {
            is_json: kind.is_some_and(|kind| kind != "text"),
            has_verbosity: text.get("verbosity").is_some_and(|said| !said.is_null()),
        }
    }
}

/// What the model must be able to do, in the words of chat completions.
fn parameters(members: &Members<'_>, text: &Text, has_tools: bool) -> Parameters {
    let said = members.0.outline.iter();
    let said = said
        .filter(|(_, member)| member.kind != Kind::Null)
        .map(|(name, _)| name)
        // An empty list of tools is how some clients say that there are none.
        .filter(|name| has_tools || !matches!(*name, "tools" | "tool_choice"));
    let renamed = said.map(|name| {
        let row = SPELLED_OTHERWISE.iter().find(|(ours, _)| *ours == name);
        row.map_or(name, |(_, theirs)| theirs)
    });
    let of_text = [
        ("response_format", text.is_json),
        ("verbosity", text.has_verbosity),
    ];
    renamed
        .chain(
            of_text
                .into_iter()
                .filter_map(|(name, is)| is.then_some(name)),
        )
        .filter_map(Parameter::by_name)
        .collect()
}

fn output_modalities(members: &Members<'_>) -> Result<Modalities, Failure> {
    let names: Vec<String> = members.list("modalities")?;
    if names.is_empty() {
        return Ok(Modalities::of(&[Modality::Text]));
    }
    names
        .iter()
        .map(|name| match name.as_str() {
            "text" => Ok(Modality::Text),
            "image" => Ok(Modality::Image),
            other => Err(Failure::invalid(format!(
                "modalities: `{other}` is not one of text, image"
            ))),
        })
        .collect()
}

/// How much is to be thought. What is wrong with it, the parser says.
fn thinking(members: &Members<'_>) -> Thinking {
    let asked = members.value("reasoning").map(|asked| ReasoningRequest {
        effort: asked
            .get("effort")
            .and_then(Value::as_str)
            .and_then(Effort::by_name),
        max_tokens: asked.get("max_tokens").and_then(Value::as_u64),
        enabled: asked.get("enabled").and_then(Value::as_bool),
        ..ReasoningRequest::default()
    });
    Thinking::asked(asked.as_ref())
}

fn attribution(headers: &HeaderMap, members: &Members<'_>) -> Result<Attribution, Failure> {
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = members.text("session_id") {
        attribution.session_id = session;
    }
    attribution.prompt_cache_key = members.text("prompt_cache_key").unwrap_or_default();
    // Both name the end user here (openrouter.ai/docs, user tracking, 2026).
    attribution.user = members
        .text("user")
        .or_else(|| members.text(super::SAFETY))
        .unwrap_or_default();
    let object = |name: &str| {
        let member = members.get(name)?;
        (member.kind == Kind::Object).then(|| members.raw(name))?
    };
    let labels = Labels {
        metadata: object("metadata"),
        trace: object("trace"),
    };
    attribution.labels = labels.write(headers)?;
    Ok(attribution)
}
