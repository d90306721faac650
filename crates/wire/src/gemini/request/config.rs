//! `generationConfig`: how tokens are chosen and what shape they take.

use bourse_vocab::chat::{Loss, Reason, Request, ResponseFormat};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Number, Value};

use super::super::model::Model;
use super::super::schema;
use super::thinking;
use crate::codec::WriteTarget;

/// Texts that end an answer (GenerationConfig, October 2026).
const STOPS_MAX: usize = 5;
/// Answers to one request (GenerationConfig, October 2026).
const CHOICES_MAX: u64 = 8;

/// Writes the configuration over what the caller's own format brought.
pub fn write(
    request: &Request,
    model: Model,
    target: &WriteTarget<'_>,
    native: Map,
    losses: &mut Vec<Loss>,
) -> Map {
    let is_native = request.extras.format == bourse_vocab::Format::Gemini;
    let mut config = Config {
        request,
        model,
        members: native,
        losses,
    };
    config.sampling();
    config.limits(target);
    config.format();
    config.modalities();
    let limit = target
        .limit_of(config.request.max_tokens)
        .or(target.max_output);
    let thinking = thinking::config(
        request.reasoning.as_ref(),
        model.thinking,
        limit,
        is_native,
        config.losses,
    );
    config.put("thinkingConfig", thinking);
    config.dialect(target);
    config.members
}

struct Config<'a> {
    request: &'a Request,
    model: Model,
    members: Map,
    losses: &'a mut Vec<Loss>,
}

impl Config<'_> {
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.members.insert(name.to_owned(), value.into());
        }
    }

    fn lose(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    /// Notes what the caller's program relies on and the model cannot be told.
    fn refuse(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(field, reason));
    }

    fn sampling(&mut self) {
        let sampling = &self.request.sampling;
        // What is neutral anyway is left out without a word.
        let temperature = sampling.temperature.as_ref();
        let top_p = sampling.top_p.as_ref();
        let top_k = sampling.top_k.filter(|k| *k > 0);
        if self.model.fixed_sampling {
            let reason = "the model's sampling is fixed";
            for (field, given) in [
                ("temperature", temperature.is_some_and(|t| !t.is_about(1.0))),
                ("top_p", top_p.is_some_and(|p| !p.is_about(1.0))),
                ("top_k", top_k.is_some()),
            ] {
                if given {
                    self.lose(field, reason);
                }
            }
        } else {
            self.put("temperature", temperature);
            self.put("topP", top_p);
            self.put("topK", top_k);
        }
        self.put("presencePenalty", sampling.presence_penalty.as_ref());
        self.put("frequencyPenalty", sampling.frequency_penalty.as_ref());
        match sampling.seed.map(i32::try_from) {
            Some(Ok(seed)) => self.put("seed", Some(seed)),
            Some(Err(_)) => self.lose("seed", "Gemini's seeds have 32 bits"),
            None => {}
        }
        if sampling.logprobs == Some(true) {
            self.put("responseLogprobs", Some(true));
            self.put("logprobs", sampling.top_logprobs.filter(|top| *top > 0));
        }
        let unset = |number: &Option<Number>, neutral| {
            number
                .as_ref()
                .is_none_or(|number| number.is_about(neutral))
        };
        for (field, absent) in [
            ("min_p", unset(&sampling.min_p, 0.0)),
            ("top_a", unset(&sampling.top_a, 0.0)),
            (
                "repetition_penalty",
                unset(&sampling.repetition_penalty, 1.0),
            ),
            (
                "logit_bias",
                sampling.logit_bias.as_ref().is_none_or(Map::is_empty),
            ),
        ] {
            if !absent {
                self.lose(field, "Gemini has no such parameter");
            }
        }
    }

    fn limits(&mut self, target: &WriteTarget<'_>) {
        let request = self.request;
        let limit = match (target.limit_of(request.max_tokens), target.max_output) {
            (Some(asked), Some(most)) if asked > most => {
                self.lose("max_tokens", Reason::degraded("cut to the model's limit"));
                Some(most)
            }
            (asked, _) => asked,
        };
        self.put("maxOutputTokens", limit);
        let stop = &request.sampling.stop;
        if stop.len() > STOPS_MAX {
            self.lose("stop", "Gemini takes five stop sequences");
        }
        if !stop.is_empty() {
            let stop: Vec<&String> = stop.iter().take(STOPS_MAX).collect();
            self.put("stopSequences", Some(json!(stop)));
        }
        match request.sampling.n {
            None | Some(0 | 1) => {}
            Some(_) if self.model.fixed_sampling => {
                self.lose("n", "the model gives one answer");
            }
            Some(n) => {
                if n > CHOICES_MAX {
                    self.lose("n", Reason::degraded("cut to Gemini's eight answers"));
                }
                self.put("candidateCount", Some(n.min(CHOICES_MAX)));
            }
        }
    }

    fn format(&mut self) {
        let json_mode = match &self.request.response_format {
            None | Some(ResponseFormat::Text) => return,
            Some(ResponseFormat::Opaque(_)) => {
                self.refuse("response_format", "Gemini does not know this kind");
                return;
            }
            Some(ResponseFormat::JsonObject) => None,
            Some(ResponseFormat::JsonSchema { schema, .. }) => Some(schema),
        };
        // "Function calling with a response mime type 'application/json' is
        // unsupported", says the second generation.
        if !self.model.third && !self.request.tools.is_empty() {
            self.refuse(
                "response_format",
                "the model does not follow one while it has tools",
            );
            return;
        }
        self.put("responseMimeType", Some("application/json"));
        if let Some(schema) = json_mode {
            for keyword in schema::ignored(schema) {
                self.lose(
                    &format!("response_format.json_schema.schema.{keyword}"),
                    "Gemini ignores this keyword",
                );
            }
            self.put("responseJsonSchema", Some(schema::plain(schema)));
        }
    }

    fn modalities(&mut self) {
        let modalities = &self.request.modalities;
        if modalities.is_empty() {
            return;
        }
        let upper: Vec<String> = modalities
            .iter()
            .map(|modality| modality.to_ascii_uppercase())
            .collect();
        self.put("responseModalities", Some(json!(upper)));
    }

    /// Leaves out what the vendor answers with an error.
    fn dialect(&mut self, target: &WriteTarget<'_>) {
        for name in target.dialect.rejects {
            if self.members.remove(name).is_some() {
                self.losses
                    .push(Loss::new(*name, "the provider does not take it"));
            }
        }
    }
}
