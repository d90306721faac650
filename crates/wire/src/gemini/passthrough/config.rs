//! `generationConfig` and `toolConfig`: what is asked of an answer.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Loss, Reason, ReasoningRequest, Request, ResponseFormat};
use bourse_vocab::json::{Map, Value};

use super::super::request::{self, fields};
use super::members::{self, CALLING, CONFIG, TOOL_CONFIG};
use crate::codec::WriteTarget;
use crate::fields::{Fields, Path};

const GENERATION: &str = "generationConfig";
const TOOLS: &str = "toolConfig";
const THINKING: &str = "thinkingConfig";
const CALLING_CONFIG: &str = "functionCallingConfig";
const NOT_TOLD: &str = "no provider is told it";

/// What is asked of an answer, checked, without what no provider is told.
#[derive(Debug, Clone, Default)]
pub struct Config {
    generation: Map,
    tools: Map,
    /// The most output tokens of one answer.
    pub max_tokens: Option<u64>,
    /// How many answers.
    pub answers: Option<u64>,
    /// How to think.
    pub reasoning: Option<ReasoningRequest>,
    /// What comes out, in small letters; empty if nothing is said of it.
    pub modalities: Vec<String>,
    /// The answer is to be JSON.
    pub is_json: bool,
    /// It is to follow a schema.
    pub has_schema: bool,
    /// Pictures are to be looked at more closely than usual.
    pub looks_closely: bool,
}

impl Config {
    /// Reads both, where they are there; what no provider is told goes to
    /// `losses`.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub(super) fn read(
        generation: Option<Value>,
        tools: Option<Value>,
        losses: &mut Vec<Loss>,
    ) -> Result<Self, Failure> {
        let mut generation = pruned(generation, GENERATION, CONFIG, losses)?;
        if let Some(thinking) = generation.get_mut(THINKING) {
            let path = "generationConfig.thinkingConfig";
            let place = Path::Member(&Path::Root, path);
            *thinking = Value::Object(fields(thinking.take(), &place)?.rest());
        }
        let mut tools = pruned(tools, TOOLS, TOOL_CONFIG, losses)?;
        if let Some(calling) = tools.get_mut(CALLING_CONFIG) {
            let path = "toolConfig.functionCallingConfig";
            let known = pruned(Some(calling.take()), path, CALLING, losses)?;
            *calling = Value::Object(known);
        }
        // Read as for a translation, so that both roads refuse the same.
        let mut read = Request::new(bourse_vocab::Format::Gemini, String::new(), Vec::new());
        let mut extras = Map::new();
        let mut both = Map::new();
        both.insert(GENERATION.to_owned(), Value::Object(generation.clone()));
        both.insert(TOOLS.to_owned(), Value::Object(tools.clone()));
        let mut both = Fields::of(Value::Object(both), &Path::Root)?;
        request::generation(&mut both, &mut read, &mut extras)?;
        request::tool_choice(&mut both, &mut extras)?;
        let looks_closely = generation
            .get("mediaResolution")
            .and_then(Value::as_str)
            .is_some_and(|asked| asked.contains("HIGH"));
        Ok(Self {
            max_tokens: read.max_tokens,
            answers: read.sampling.n,
            reasoning: read.reasoning,
            modalities: read.modalities,
            is_json: matches!(
                read.response_format,
                Some(ResponseFormat::JsonObject | ResponseFormat::JsonSchema { .. })
            ),
            has_schema: matches!(
                read.response_format,
                Some(ResponseFormat::JsonSchema { .. })
            ),
            looks_closely,
            generation,
            tools,
        })
    }

    /// Whether `generationConfig` says something of this.
    #[must_use]
    pub fn says(&self, name: &str) -> bool {
        self.generation.contains_key(name)
    }

    /// Whether it is said which functions may be called.
    #[must_use]
    pub fn chooses_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Whether the client is shown what the model thought: only on request.
    #[must_use]
    pub fn shows_thoughts(&self) -> bool {
        let asked = self.reasoning.as_ref();
        asked.is_some_and(|reasoning| !reasoning.exclude)
    }

    /// `generationConfig` for a target, as JSON text; nothing, if it would be
    /// empty.
    pub(super) fn generation_for(
        &self,
        target: &WriteTarget<'_>,
        losses: &mut Vec<Loss>,
    ) -> Option<String> {
        let mut written = self.generation.clone();
        let limit = match (target.limit_of(self.max_tokens), target.max_output) {
            (Some(asked), Some(most)) if asked > most => {
                let path = format!("{GENERATION}.maxOutputTokens");
                losses.push(Loss::new(
                    path,
                    Reason::degraded("cut to the model's limit"),
                ));
                Some(most)
            }
            (limit, _) => limit,
        };
        if let Some(limit) = limit.filter(|limit| Some(*limit) != self.max_tokens) {
            written.insert("maxOutputTokens".to_owned(), Value::from(limit));
        }
        for name in target.dialect.rejects {
            if written.remove(name).is_some() {
                let path = format!("{GENERATION}.{name}");
                losses.push(Loss::new(path, "the provider does not take it"));
            }
        }
        (!written.is_empty()).then(|| Value::Object(written).to_string())
    }

    /// `toolConfig` likewise.
    pub(super) fn tools_for_target(&self) -> Option<String> {
        (!self.tools.is_empty()).then(|| Value::Object(self.tools.clone()).to_string())
    }
}

/// The members of an object that are on a list, under Google's names.
fn pruned(
    value: Option<Value>,
    path: &str,
    list: &[&str],
    losses: &mut Vec<Loss>,
) -> Result<Map, Failure> {
    let Some(value) = value else {
        return Ok(Map::new());
    };
    let place = Path::Member(&Path::Root, path);
    let mut members = fields(value, &place)?.rest();
    let mut unknown = Vec::new();
    members.retain(|name, _| {
        let is_known = list.contains(&name.as_str());
        if !is_known {
            unknown.push(name.clone());
        }
        is_known
    });
    for name in unknown {
        members::check_spelling(&name, list.iter().copied()).map_err(|mut failure| {
            failure.message = format!("{path}.{}", failure.message).into();
            failure
        })?;
        // An answer in another shape would not be read by who asked for one.
        if name.starts_with("response") {
            return Err(Failure::invalid(format!(
                "{path}.{name}: is not known here; ask by responseMimeType and responseJsonSchema"
            )));
        }
        losses.push(Loss::new(format!("{path}.{name}"), NOT_TOLD));
    }
    Ok(members)
}
