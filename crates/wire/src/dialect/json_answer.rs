//! An answer in JSON from models that have no word for one: they are made to
//! call one tool, whose arguments are the answer.
//!
//! A model with tools follows a schema, and a model that is made to call a tool
//! says nothing else. On the way back the call is told as the text that was asked
//! for. It is known by its name alone, so that whoever reads an answer need not
//! know how it was asked for; no caller's tool stands beside it.

use bourse_vocab::Failure;
use bourse_vocab::chat::{
    Event, Finish, Loss, Part, Reason, Reply, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use bourse_vocab::json;
use bourse_vocab::json::Value;

use crate::codec::StreamReader;
use crate::sse::Frame;

/// The name of the tool. A caller who offers one of this name reads its calls as
/// texts, so it is one that nobody thinks of.
const NAME: &str = "bourse_json_answer";
const DESCRIPTION: &str = "Takes your whole answer, as JSON. It is shown as it is.";

/// The same request with a tool in place of the form of the answer, and what is
/// told of that. `takes_schema` says whether the model follows one by itself,
/// `forces` whether it can be made to call a tool. `None` if nothing has to be, or
/// can be, done: another tool may be called, the answer has begun, or the form is
/// no object, as the arguments of a tool must be.
#[must_use]
pub fn by_tool(request: &Request, takes_schema: bool, forces: bool) -> Option<(Request, Loss)> {
    let has_begun = request
        .messages
        .last()
        .is_some_and(|message| message.role == Role::Assistant);
    if !forces || !request.tools.is_empty() || has_begun {
        return None;
    }
    let (schema, is_strict) = match request.response_format.as_ref()? {
        ResponseFormat::JsonObject => (json!({"type": "object"}), false),
        ResponseFormat::JsonSchema { schema, strict, .. } if !takes_schema => {
            (schema.clone(), *strict == Some(true))
        }
        _ => return None,
    };
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return None;
    }
    let reason = if is_strict {
        Reason::degraded("asked for as the arguments of a tool, which nothing holds to the schema")
    } else {
        Reason::emulated("asked for as the arguments of a tool")
    };
    let mut asked = request.clone();
    asked.response_format = None;
    asked.tools = vec![Tool::Function {
        name: NAME.to_owned(),
        description: Some(DESCRIPTION.to_owned()),
        parameters: Some(schema),
        strict: None,
        cache: None,
    }];
    asked.tool_choice = Some(ToolChoice::Named(NAME.to_owned()));
    asked.parallel_tool_calls = None;
    Some((asked, Loss::new("response_format", reason)))
}

/// Tells a call of the tool as the text that it is.
#[must_use]
pub fn told(mut reply: Reply) -> Reply {
    for choice in &mut reply.choices {
        let mut is_answer = false;
        for part in &mut choice.parts {
            if let Part::ToolCall {
                name, arguments, ..
            } = part
                && name == NAME
            {
                is_answer = true;
                *part = Part::text(std::mem::take(arguments));
            }
        }
        if is_answer && choice.finish == Some(Finish::ToolCalls) {
            choice.finish = Some(Finish::Stop);
        }
    }
    reply
}

/// A reader whose calls of the tool are told as the text that they are.
#[derive(Debug, Default)]
pub struct Told<R> {
    reader: R,
    /// The answer is made of the tool's arguments.
    is_answer: bool,
    /// Some of them were told.
    has_said: bool,
}

impl<R> Told<R> {
    fn tell(&mut self, events: &mut Vec<Event>, from: usize) {
        let begins = |event: &Event| matches!(event, Event::ToolStart { name, .. } if name == NAME);
        if !self.is_answer && !events.iter().skip(from).any(begins) {
            return;
        }
        let read = events.split_off(from.min(events.len()));
        events.extend(read.into_iter().flat_map(|event| self.event(event)));
    }

    fn event(&mut self, event: Event) -> Vec<Event> {
        let text = |choice, text| Event::Text {
            choice,
            text,
            logprobs: None,
        };
        match event {
            Event::ToolStart { name, .. } if name == NAME => {
                self.is_answer = true;
                Vec::new()
            }
            Event::ToolArguments {
                choice, fragment, ..
            } if self.is_answer => {
                self.has_said |= !fragment.is_empty();
                vec![text(choice, fragment)]
            }
            Event::Finish {
                choice,
                reason: Finish::ToolCalls,
                native,
            } if self.is_answer => {
                let finish = Event::Finish {
                    choice,
                    reason: Finish::Stop,
                    native,
                };
                // Arguments that are empty may be left out.
                let nothing = (!self.has_said).then(|| text(choice, "{}".to_owned()));
                nothing.into_iter().chain([finish]).collect()
            }
            event => vec![event],
        }
    }
}

impl<R: StreamReader> StreamReader for Told<R> {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        let from = events.len();
        let read = self.reader.frame(frame, events);
        self.tell(events, from);
        read
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Failure> {
        let from = events.len();
        let ended = self.reader.end(events);
        self.tell(events, from);
        ended
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::Format;
    use bourse_vocab::chat::{Efforts, Message};

    use super::*;
    use crate::laws;
    use crate::{Dialect, WriteTarget, codec};

    fn asked(form: ResponseFormat) -> Request {
        let message = Message {
            role: Role::User,
            name: None,
            parts: vec![Part::text("What colour is the sky?")],
        };
        let mut request = Request::new(Format::OpenAiChat, "m", vec![message]);
        request.response_format = Some(form);
        request
    }

    fn written(format: Format, model: &str, request: &Request) -> (Value, Vec<Loss>) {
        let target = WriteTarget {
            model,
            max_output: Some(8_000),
            limit: None,
            efforts: Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect: &Dialect::PLAIN,
        };
        let written = codec(format).write_request(request, &target).unwrap();
        (json::parse(&written.body).unwrap(), written.losses)
    }

    const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    const NOVA: &str = "amazon.nova-pro-v1:0";
    /// Older than schemas for answers.
    const OLD: &str = "us.anthropic.claude-3-7-sonnet-20250219-v1:0";

    #[test]
    fn an_object_is_asked_for_as_the_arguments_of_one_tool() {
        let request = asked(ResponseFormat::JsonObject);
        let (body, losses) = written(Format::Anthropic, "claude-haiku-4-5", &request);
        assert_eq!(body["tools"][0]["name"], json!(NAME));
        assert_eq!(body["tool_choice"]["name"], json!(NAME));
        assert!(
            losses
                .iter()
                .all(|loss| !loss.is_content && !loss.is_less())
        );
        assert_eq!(losses[0].field, "response_format");
        for model in [CLAUDE, NOVA] {
            let (body, losses) = written(Format::Bedrock, model, &request);
            assert_eq!(
                body["toolConfig"]["tools"][0]["toolSpec"]["name"],
                json!(NAME)
            );
            assert_eq!(
                body["toolConfig"]["toolChoice"]["tool"]["name"],
                json!(NAME)
            );
            assert!(losses.iter().all(|loss| !loss.is_content), "{losses:?}");
        }
    }

    #[test]
    fn a_schema_is_asked_for_so_where_the_model_follows_none_and_told_to_be_loose_if_it_is_strict()
    {
        let form = |strict| ResponseFormat::JsonSchema {
            name: "sky".to_owned(),
            description: None,
            schema: json!({"type": "object", "properties": {"colour": {"type": "string"}}}),
            strict,
        };
        for (strict, less) in [(None, false), (Some(true), true)] {
            let (body, losses) = written(Format::Bedrock, OLD, &asked(form(strict)));
            let schema = &body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"];
            assert_eq!(schema["properties"]["colour"]["type"], json!("string"));
            assert_eq!(losses[0].is_less(), less, "{losses:?}");
            // One that follows schemas is asked in its own words.
            let (body, _) = written(Format::Bedrock, CLAUDE, &asked(form(strict)));
            assert!(body.get("toolConfig").is_none(), "{body}");
        }
    }

    #[test]
    fn where_there_are_tools_or_an_answer_has_begun_or_none_can_be_forced_it_is_not_done() {
        let plain = asked(ResponseFormat::JsonObject);
        assert!(by_tool(&plain, true, true).is_some());
        assert!(by_tool(&plain, true, false).is_none());
        let mut begun = plain.clone();
        begun.messages[0].role = Role::Assistant;
        assert!(by_tool(&begun, true, true).is_none());
        let list = ResponseFormat::JsonSchema {
            name: "n".to_owned(),
            description: None,
            schema: json!({"type": "array"}),
            strict: None,
        };
        assert!(by_tool(&asked(list), false, true).is_none());
        // Other makers' models at Amazon cannot be told which tool.
        let (_, losses) = written(Format::Bedrock, "meta.llama3", &plain);
        assert!(losses.iter().any(|loss| loss.is_content), "{losses:?}");
    }

    #[test]
    fn a_call_of_the_tool_is_told_as_the_text_that_was_asked_for() {
        let reply = json!({"id": "m", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "tool_use", "id": "t", "name": NAME, "input": {"colour": "blue"}}],
            "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
        let reply = codec(Format::Anthropic).read_reply(reply.to_string().as_bytes());
        let choice = reply.unwrap().choices.remove(0);
        assert_eq!(choice.parts, [Part::text("{\"colour\":\"blue\"}")]);
        assert_eq!(choice.finish, Some(Finish::Stop));
        let reply = json!({"output": {"message": {"role": "assistant", "content": [
            {"toolUse": {"toolUseId": "t", "name": NAME, "input": {}}}]}},
            "stopReason": "tool_use", "usage": {"inputTokens": 1, "outputTokens": 1}});
        let reply = codec(Format::Bedrock).read_reply(reply.to_string().as_bytes());
        let choice = reply.unwrap().choices.remove(0);
        assert_eq!(choice.parts, [Part::text("{}")]);
        assert_eq!(choice.finish, Some(Finish::Stop));
    }

    /// The text of a stream in which the tool is called with these fragments.
    fn streamed(fragments: &[&str]) -> String {
        let mut frames = vec![
            json!({"type": "message_start", "message": {"id": "m", "type": "message",
                "role": "assistant", "model": "m", "content": [],
                "usage": {"input_tokens": 1, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "tool_use", "id": "t", "name": NAME, "input": {}}}),
        ];
        frames.extend(fragments.iter().map(|fragment| {
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": fragment}})
        }));
        frames.extend([
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"},
                "usage": {"output_tokens": 3}}),
            json!({"type": "message_stop"}),
        ]);
        let text: String = frames
            .iter()
            .map(|frame| {
                let kind = frame["type"].as_str().unwrap();
                format!("event: {kind}\ndata: {frame}\n\n")
            })
            .collect();
        for cut in [usize::MAX, 1] {
            let pieces = text.as_bytes().chunks(cut.min(text.len()));
            let outcome = laws::read_stream(codec(Format::Anthropic), pieces);
            laws::check(&outcome).unwrap();
            let mut said = String::new();
            for event in &outcome.events {
                match event {
                    Event::Text { text, .. } => said.push_str(text),
                    Event::Finish { reason, .. } => assert_eq!(*reason, Finish::Stop),
                    Event::ToolStart { .. } | Event::ToolArguments { .. } => panic!("{event:?}"),
                    _ => {}
                }
            }
            if cut == 1 {
                return said;
            }
        }
        String::new()
    }

    #[test]
    fn a_stream_of_the_tools_arguments_is_a_stream_of_text() {
        assert_eq!(streamed(&["{\"a\"", ":1}"]), "{\"a\":1}");
        assert_eq!(streamed(&[]), "{}");
    }
}
