//! Asking to think, in the words of each vendor.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Effort, Efforts, Loss, Reason, ReasoningRequest};
use bourse_vocab::json::{Map, Value};

use super::ReasoningStyle;
use super::parameters::TOKENS_MAX;
use crate::fields::{Fields, Path};
use crate::object::{Object, object};

/// Where no output limit is known, a budget is measured against a common one.
const LIMIT_USUAL: u64 = 32_768;

/// Members to write, in order: names and JSON texts.
pub type Members = Vec<(&'static str, String)>;

/// What the words depend on besides what is asked.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The most output tokens, of which an effort is a share.
    pub limit: Option<u64>,
    /// What the model accepts, if the catalog knows.
    pub efforts: Efforts,
    /// The value of a member that the client sent by itself.
    pub own: &'a dyn Fn(&str) -> Option<Value>,
}

/// Reads the three ways of asking: `reasoning`, `reasoning_effort` and
/// `include_reasoning`, the last two as old spellings of the first.
///
/// # Errors
/// Names the member and the remedy.
pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Option<ReasoningRequest>, Failure> {
    let path = Path::Member(&Path::Root, "reasoning");
    let mut request = None;
    if let Some(value) = fields.take("reasoning") {
        let mut inner = Fields::of(value, &path)?;
        request = Some(ReasoningRequest {
            effort: effort(&mut inner, "effort")?,
            max_tokens: inner.count("max_tokens", 0, TOKENS_MAX)?,
            exclude: inner.flag("exclude")?.unwrap_or(false),
            enabled: inner.flag("enabled")?,
            summary: inner.text("summary")?,
            more: inner.rest(),
        });
    }
    if let Some(short) = effort(fields, "reasoning_effort")? {
        let long = &mut request.get_or_insert_default().effort;
        if long.is_some_and(|long| long != short) {
            return Err(fields.invalid(
                "reasoning_effort",
                "disagrees with reasoning.effort; give one of the two",
            ));
        }
        *long = Some(short);
    }
    if let Some(include) = fields.flag("include_reasoning")? {
        request.get_or_insert_default().exclude |= !include;
    }
    Ok(request)
}

fn effort(fields: &mut Fields<'_>, name: &str) -> Result<Option<Effort>, Failure> {
    let Some(text) = fields.text(name)? else {
        return Ok(None);
    };
    match Effort::by_name(&text) {
        Some(effort) => Ok(Some(effort)),
        None => Err(fields.invalid(
            name,
            "must be one of none, minimal, low, medium, high, xhigh, max",
        )),
    }
}

/// Members of `reasoning` that choose another way of thinking, with the word
/// that means the same as silence. All others are for models that are asked in
/// OpenRouter's own shape (openrouter.ai/docs, API document, October 2026:
/// "only supported by OpenAI GPT-5.6 and newer"); no other shape has them.
const WAYS: &[(&str, &str)] = &[("context", "auto"), ("mode", "standard")];

/// What a vendor with words of its own cannot be told of the members that only
/// OpenRouter's shape has. Another context, or a deeper mode, is another
/// answer at another cost, so the target is not asked without it.
pub fn beyond_words(request: &ReasoningRequest) -> impl Iterator<Item = Loss> {
    request.more.iter().filter_map(|(name, value)| {
        let field = format!("reasoning.{name}");
        match WAYS.iter().find(|(way, _)| *way == name.as_str()) {
            Some((_, usual)) if value.as_str() == Some(*usual) => None,
            Some((_, usual)) => Some(Loss::content(
                field,
                format!("the provider can only think as with `{usual}`"),
            )),
            None => Some(Loss::new(field, "the provider cannot be told")),
        }
    })
}

/// What is in nobody's document is told to nobody.
fn unknown(request: &ReasoningRequest) -> Vec<Loss> {
    let names = request.more.keys().filter(|name| !is_way(name));
    let lost = |name| {
        Loss::new(
            format!("reasoning.{name}"),
            "the provider is not known to take it",
        )
    };
    names.map(lost).collect()
}

fn is_way(name: &str) -> bool {
    WAYS.iter().any(|(way, _)| *way == name)
}

/// What the client wants of the model's thinking, put simply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// As the model sees fit.
    Unsaid,
    Off,
    /// On, and about this hard.
    On(Effort),
}

impl Wish {
    fn of(request: &ReasoningRequest, limit: Option<u64>) -> Self {
        match (request.effort, request.max_tokens) {
            _ if request.is_off() => Self::Off,
            (Some(effort), _) => Self::On(effort),
            (None, Some(budget)) => {
                Self::On(Effort::by_budget(budget, limit.unwrap_or(LIMIT_USUAL)))
            }
            // openrouter.ai/docs, reasoning tokens: enabled means medium.
            (None, None) if request.enabled == Some(true) => Self::On(Effort::Medium),
            (None, None) => Self::Unsaid,
        }
    }
}

/// The members that ask one vendor to think, and what it cannot be told.
///
/// Whoever speaks the vendor's own words knows what they want: a member that
/// the client sent is never overwritten.
#[must_use]
pub fn members(
    style: ReasoningStyle,
    request: &ReasoningRequest,
    given: Given<'_>,
) -> (Members, Vec<Loss>) {
    if style == ReasoningStyle::Object {
        return (vec![("reasoning", as_object(request))], unknown(request));
    }
    let mut words = Words {
        request,
        given,
        members: Vec::new(),
        losses: Vec::new(),
    };
    words.lose_what_nobody_else_knows();
    match Wish::of(request, given.limit) {
        Wish::Unsaid => {}
        Wish::Off => words.say(style, None),
        Wish::On(effort) => words.say(style, Some(effort)),
    }
    (words.members, words.losses)
}

struct Words<'a> {
    request: &'a ReasoningRequest,
    given: Given<'a>,
    members: Members,
    losses: Vec<Loss>,
}

impl Words<'_> {
    fn lose(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    fn put(&mut self, name: &'static str, value: String) {
        if (self.given.own)(name).is_none() {
            self.members.push((name, value));
        }
    }

    fn lose_what_nobody_else_knows(&mut self) {
        // `auto` leaves it to the provider, as silence does.
        if self.request.summary.as_deref().is_some_and(|s| s != "auto") {
            self.lose("reasoning.summary", "the provider cannot be told");
        }
        self.losses.extend(beyond_words(self.request));
    }

    /// Whether how hard to think was said, and not only that.
    const fn is_graded(&self) -> bool {
        self.request.effort.is_some() || self.request.max_tokens.is_some()
    }

    fn say(&mut self, style: ReasoningStyle, on: Option<Effort>) {
        match style {
            ReasoningStyle::Object => {}
            ReasoningStyle::Unsupported => {
                self.lose("reasoning", "the provider cannot be told how to reason");
            }
            ReasoningStyle::Effort => self.effort(on),
            ReasoningStyle::ThinkingSwitch => {
                self.lose_degree(on);
                self.put("thinking", switch(on.is_some()));
            }
            ReasoningStyle::SwitchAndEffort => {
                self.put("thinking", switch(on.is_some()));
                if on.is_some() && self.is_graded() {
                    self.effort(on);
                }
            }
            ReasoningStyle::EnabledSwitch => {
                self.lose_degree(on);
                self.put("reasoning", format!("{{\"enabled\":{}}}", on.is_some()));
            }
            ReasoningStyle::EnableThinking => {
                self.put("enable_thinking", on.is_some().to_string());
                self.budget(on);
            }
            ReasoningStyle::ChatTemplate => {
                self.lose_degree(on);
                self.template_arguments(on.is_some());
            }
        }
    }

    fn effort(&mut self, on: Option<Effort>) {
        let wanted = on.unwrap_or(Effort::None);
        let effort = self.given.efforts.nearest(wanted);
        if on.is_none() && effort != Effort::None {
            // Whoever switches thinking off does not want to pay for it
            // (openrouter.ai/docs, reasoning tokens, August 2026: 400).
            self.losses.push(Loss::content(
                "reasoning",
                "the model always thinks, and it cannot be switched off",
            ));
        } else if on.is_some() && self.request.effort.is_none() && self.is_graded() {
            self.lose(
                "reasoning.max_tokens",
                Reason::emulated("sent as the nearest effort"),
            );
        } else if effort != wanted {
            self.lose(
                "reasoning.effort",
                Reason::degraded(format!(
                    "sent as {}, the nearest that the model takes",
                    effort.name()
                )),
            );
        }
        self.put("reasoning_effort", format!("\"{}\"", effort.name()));
    }

    fn budget(&mut self, on: Option<Effort>) {
        if on.is_none() {
            return;
        }
        let share =
            |effort: Effort, limit: u64| limit.saturating_mul(effort.budget_percent()) / 100;
        match (
            self.request.max_tokens,
            self.request.effort,
            self.given.limit,
        ) {
            (Some(budget), ..) => self.put("thinking_budget", budget.max(1).to_string()),
            (None, Some(effort), Some(limit)) => {
                self.put("thinking_budget", share(effort, limit).max(1).to_string());
            }
            (None, Some(_), None) => {
                self.lose("reasoning.effort", "no output limit to take a share of");
            }
            (None, None, _) => {}
        }
    }

    /// Thinking can only be switched: how much of it is lost.
    fn lose_degree(&mut self, on: Option<Effort>) {
        const SWITCH: &str = "the provider can only switch reasoning on or off";
        if on.is_none() {
            return;
        }
        if self.request.effort.is_some() {
            self.lose("reasoning.effort", SWITCH);
        }
        if self.request.max_tokens.is_some() {
            self.lose("reasoning.max_tokens", SWITCH);
        }
    }

    /// One argument of the template among those that the client sends.
    fn template_arguments(&mut self, on: bool) {
        const NAME: &str = "chat_template_kwargs";
        const SWITCH: &str = "enable_thinking";
        let mut arguments = match (self.given.own)(NAME) {
            None => Map::new(),
            Some(Value::Object(arguments)) if !arguments.contains_key(SWITCH) => arguments,
            Some(_) => return,
        };
        arguments.insert(SWITCH.to_owned(), Value::Bool(on));
        self.members
            .push((NAME, Value::Object(arguments).to_string()));
    }
}

fn switch(on: bool) -> String {
    let state = if on { "enabled" } else { "disabled" };
    format!("{{\"type\":\"{state}\"}}")
}

/// The request in OpenRouter's own shape.
fn as_object(request: &ReasoningRequest) -> String {
    let mut out = Vec::new();
    object(&mut out, |object: &mut Object<'_>| {
        object
            .put_some("effort", request.effort.map(Effort::name).as_ref())
            .put_some("max_tokens", request.max_tokens.as_ref())
            .put_some("enabled", request.enabled.as_ref())
            .put_some("summary", request.summary.as_ref());
        if request.exclude {
            object.put("exclude", &true);
        }
        for (name, value) in request.more.iter().filter(|(name, _)| is_way(name)) {
            object.put(name, value);
        }
    });
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bourse_vocab::json;

    use super::*;

    #[test]
    fn another_way_of_thinking_is_asked_for_or_the_target_is_not() {
        let asked = |text: &str| ReasoningRequest {
            more: match json::parse(text.as_bytes()) {
                Ok(Value::Object(more)) => more,
                other => panic!("{other:?}"),
            },
            ..ReasoningRequest::default()
        };
        for (text, lost, refused) in [
            (r#"{"context":"auto","mode":"standard"}"#, 0, false),
            (r#"{"context":"all_turns"}"#, 1, true),
            (r#"{"context":"current_turn"}"#, 1, true),
            (r#"{"mode":"pro"}"#, 1, true),
            (r#"{"mode":7}"#, 1, true),
            (r#"{"colour":"red"}"#, 1, false),
        ] {
            let request = asked(text);
            let (_, losses) = said(&[], &request);
            assert_eq!(losses.len(), lost, "{text}");
            let refuses = losses.iter().any(|loss| loss.is_content);
            assert_eq!(refuses, refused, "{text}");
            let given = Given {
                limit: None,
                efforts: Efforts::default(),
                own: &|_| None,
            };
            let (members, losses) = members(ReasoningStyle::Object, &request, given);
            // What is no way of thinking goes on to nobody.
            let is_known = !text.contains("colour");
            let sent = if is_known { text } else { "{}" };
            assert_eq!(members, [("reasoning", sent.to_owned())]);
            assert_eq!(losses.len(), usize::from(!is_known), "{text}");
        }
    }

    #[test]
    fn a_summary_as_the_provider_sees_fit_is_nothing_to_tell() {
        for (summary, lost) in [("auto", 0), ("concise", 1), ("detailed", 1)] {
            let request = ReasoningRequest {
                summary: Some(summary.to_owned()),
                ..ReasoningRequest::default()
            };
            let (_, losses) = said(&[], &request);
            assert_eq!(losses.len(), lost, "{summary}");
            assert!(losses.iter().all(|loss| !loss.is_content));
        }
    }

    /// What is written for a model that takes these efforts, and what is lost.
    fn said(efforts: &[Effort], request: &ReasoningRequest) -> (Members, Vec<Loss>) {
        let given = Given {
            limit: None,
            efforts: efforts.iter().copied().collect(),
            own: &|_| None,
        };
        members(ReasoningStyle::Effort, request, given)
    }

    #[test]
    fn a_model_that_must_think_is_not_asked_where_thinking_is_switched_off() {
        use Effort::{High, Low, Max, Medium, None as Nothing};
        let must = [Low, Medium, High];
        for off in [
            ReasoningRequest {
                effort: Some(Nothing),
                ..ReasoningRequest::default()
            },
            ReasoningRequest {
                enabled: Some(false),
                ..ReasoningRequest::default()
            },
        ] {
            let (_, losses) = said(&must, &off);
            let refused = losses.iter().find(|loss| loss.is_content);
            assert_eq!(refused.map(|loss| loss.field.as_str()), Some("reasoning"));
            // One that may do without is told, and so is one of which nothing
            // is known.
            for efforts in [&[Nothing, High][..], &[]] {
                let (members, losses) = said(efforts, &off);
                assert_eq!(members, [("reasoning_effort", "\"none\"".to_owned())]);
                assert!(losses.is_empty(), "{losses:?}");
            }
        }
        // An effort that it does not take is the nearest, and no reason to
        // refuse.
        let hard = ReasoningRequest {
            effort: Some(Max),
            ..ReasoningRequest::default()
        };
        let (members, losses) = said(&must, &hard);
        assert_eq!(members, [("reasoning_effort", "\"high\"".to_owned())]);
        assert!(losses.iter().all(|loss| !loss.is_content));
        assert_eq!(losses.len(), 1);
    }
}
