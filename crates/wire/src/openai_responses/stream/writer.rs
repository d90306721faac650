//! Writes a client's stream (openrouter.ai/docs, API document, `StreamEvents`,
//! October 2026; the order of events is OpenAI's, streaming guide, November
//! 2026).
//!
//! Messages and pieces of reasoning follow each other; calls may be told side
//! by side, because every event says which item it is about. The last event
//! repeats the whole answer, so all of it is kept until then: as much as the
//! driver lets one answer be.

use std::sync::Arc;

use bourse_vocab::chat::{Event, Finish, Media, ReasoningDelta};
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Failure, FailureKind, Usage, UsageReport};

use super::super::echo::Echo;
use super::super::item::{self, Call, Status};
use super::super::response::{self, Body, Head};
use super::super::{DONE, annotations, custom, reply, usage};
use super::frames::{Frames, Place};
use super::message::Message;
use super::thought::OpenThought;
use crate::codec::{Stamp, StreamWriter};

/// Writes events.
#[derive(Debug)]
pub struct Writer {
    head: Head,
    echo: Arc<Echo>,
    metadata: Option<String>,
    frames: Frames,
    started: bool,
    /// The items, as JSON; empty while one is open.
    items: Vec<Vec<u8>>,
    open: Open,
    /// Calls that are open.
    calls: Vec<OpenCall>,
    report: UsageReport,
    tier: Option<String>,
    finish: Option<Finish>,
    /// The last event but `[DONE]` is out.
    concluded: bool,
    /// Nothing may follow.
    over: bool,
}

/// The open item that is no call.
#[derive(Debug)]
enum Open {
    None,
    Message(Message),
    Thought(OpenThought),
}

#[derive(Debug)]
struct OpenCall {
    /// Its number among the calls of the answer.
    index: u32,
    id: String,
    at: usize,
    call: Call,
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { .. } => {}
            Event::Tier(name) => self.tier = Some(name.clone()),
            Event::Usage(report) => self.report.merge(report),
            Event::Settled(usage, bill) => self.conclude(usage, Some(bill), out),
            Event::Error(failure) => self.fail(failure, out),
            Event::Done => self.done(out),
            Event::Text {
                choice: 0,
                text,
                logprobs,
            } => self.text(text, logprobs.as_ref(), out),
            Event::Refusal { choice: 0, text } if !text.is_empty() => {
                self.in_message(out, |message, frames, out| {
                    message.refuse(text, frames, out);
                });
            }
            Event::Reasoning { choice: 0, delta } => self.reasoning(delta, out),
            Event::ToolStart {
                choice: 0,
                index,
                id,
                name,
            } => self.call(*index, id, name, out),
            Event::ToolArguments {
                choice: 0,
                index,
                fragment,
            } => self.arguments(*index, fragment, out),
            Event::Image { choice: 0, media } => self.picture(media, out),
            Event::Other {
                choice: 0,
                name: "annotations",
                value,
            } => {
                let cited = annotations::write(value);
                if !cited.is_empty() {
                    self.in_message(out, |message, frames, out| {
                        message.cite(cited, frames, out);
                    });
                }
            }
            Event::Finish {
                choice: 0, reason, ..
            } => {
                let status = match response::status_of(*reason).0 {
                    Status::Completed => Status::Completed,
                    _ => Status::Incomplete,
                };
                self.close(status, out);
                self.finish = Some(*reason);
            }
            // The format has one answer, without sound.
            _ => {}
        }
    }

    fn restamp(&mut self, stamp: &Stamp<'_>) {
        self.metadata = stamp.metadata.map(str::to_owned);
    }
}

impl Writer {
    /// A stream that nothing has been written to.
    pub fn new(stamp: &Stamp<'_>, echo: Arc<Echo>) -> Self {
        Self {
            head: Head::of(stamp),
            echo,
            metadata: stamp.metadata.map(str::to_owned),
            frames: Frames::default(),
            started: false,
            items: Vec::new(),
            open: Open::None,
            calls: Vec::new(),
            report: UsageReport::default(),
            tier: None,
            finish: None,
            concluded: false,
            over: false,
        }
    }

    fn response(&mut self, kind: &str, body: &Body<'_>, out: &mut Vec<u8>) {
        let (head, echo) = (&self.head, &self.echo);
        self.frames.event(kind, out, |event| {
            event.nested("response", |out| response::write(out, head, echo, body));
        });
    }

    /// Tells that the response began, as late as possible: until then a
    /// failure can be an HTTP error.
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.response("response.created", &Body::begun(), out);
            self.response("response.in_progress", &Body::begun(), out);
        }
    }

    /// The number of the next item.
    fn next(&mut self, out: &mut Vec<u8>) -> usize {
        self.start(out);
        self.items.push(Vec::new());
        self.items.len().saturating_sub(1)
    }

    fn ended(&mut self, (at, whole): (usize, Vec<u8>)) {
        if let Some(slot) = self.items.get_mut(at) {
            *slot = whole;
        }
    }

    /// Closes whatever is open.
    fn close(&mut self, status: Status, out: &mut Vec<u8>) {
        self.close_item(status, out);
        for call in std::mem::take(&mut self.calls) {
            self.close_call(call, status, out);
        }
    }

    fn close_item(&mut self, status: Status, out: &mut Vec<u8>) {
        let ended = match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Message(message) => message.end(status, &mut self.frames, out),
            Open::Thought(thought) => thought.end(&mut self.frames, out),
        };
        self.ended(ended);
    }

    fn in_message(
        &mut self,
        out: &mut Vec<u8>,
        tell: impl FnOnce(&mut Message, &mut Frames, &mut Vec<u8>),
    ) {
        if !matches!(self.open, Open::Message(_)) {
            self.close(Status::Completed, out);
            let at = self.next(out);
            let id = self.head.item_id("msg", at);
            self.open = Open::Message(Message::begin(id, at, &mut self.frames, out));
        }
        if let Open::Message(message) = &mut self.open {
            tell(message, &mut self.frames, out);
        }
    }

    fn text(&mut self, text: &str, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        let tokens = reply::tokens(logprobs);
        if !text.is_empty() || !tokens.is_empty() {
            self.in_message(out, |message, frames, out| {
                message.say(text, &tokens, frames, out);
            });
        }
    }

    fn reasoning(&mut self, delta: &ReasoningDelta, out: &mut Vec<u8>) {
        let fits = matches!(&self.open, Open::Thought(open) if open.takes(delta));
        if !fits {
            self.close(Status::Completed, out);
            let at = self.next(out);
            let made_up = self.head.item_id("rs", at);
            let thought = OpenThought::begin(delta, made_up, at, &mut self.frames, out);
            self.open = Open::Thought(thought);
        }
        if let Open::Thought(open) = &mut self.open {
            open.add(delta, &mut self.frames, out);
        }
    }

    fn call(&mut self, index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.close_item(Status::Completed, out);
        // Whoever tells calls one after the other has finished those before;
        // others tell them bit by bit, and theirs stay open.
        let (whole, open) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition::<Vec<_>, _>(|call| is_whole(&call.call.given));
        self.calls = open;
        for call in whole {
            self.close_call(call, Status::Completed, out);
        }
        let at = self.next(out);
        let call = self.echo.call(id, name);
        let id = self.head.item_id(call.prefix(), at);
        self.frames
            .item("response.output_item.added", at, out, |out| {
                call.write(out, &id, Status::InProgress);
            });
        self.calls.push(OpenCall {
            index,
            id,
            at,
            call,
        });
    }

    fn arguments(&mut self, index: u32, fragment: &str, out: &mut Vec<u8>) {
        let open = self.calls.iter_mut().find(|call| call.index == index);
        // Nothing but white space can follow a call that is whole.
        let Some(open) = open.filter(|_| !fragment.is_empty()) else {
            return;
        };
        open.call.given.push_str(fragment);
        // The input of a custom tool is a text inside the arguments, and is
        // told when they are whole.
        if open.call.is_custom {
            return;
        }
        let place = Place {
            id: &open.id,
            at: open.at,
        };
        let kind = "response.function_call_arguments.delta";
        self.frames.inside(kind, place, out, |event| {
            event.put("delta", fragment);
        });
    }

    fn close_call(&mut self, open: OpenCall, status: Status, out: &mut Vec<u8>) {
        let OpenCall {
            id, at, mut call, ..
        } = open;
        let place = Place { id: &id, at };
        if call.is_custom {
            call.given = custom::input(&call.given);
            if !call.given.is_empty() {
                let kind = "response.custom_tool_call_input.delta";
                self.frames.inside(kind, place, out, |event| {
                    event.put("delta", &call.given);
                });
            }
            let kind = "response.custom_tool_call_input.done";
            self.frames.inside(kind, place, out, |event| {
                event.put("input", &call.given);
            });
        } else {
            let kind = "response.function_call_arguments.done";
            self.frames.inside(kind, place, out, |event| {
                event.put("name", &call.name).put("arguments", &call.given);
            });
        }
        let mut whole = Vec::new();
        call.write(&mut whole, &id, status);
        self.frames
            .item("response.output_item.done", at, out, |out| {
                out.extend_from_slice(&whole);
            });
        self.ended((at, whole));
    }

    fn picture(&mut self, media: &Media, out: &mut Vec<u8>) {
        self.close(Status::Completed, out);
        let at = self.next(out);
        let mut whole = Vec::new();
        item::picture(&mut whole, &self.head.item_id("ig", at), media);
        for kind in ["response.output_item.added", "response.output_item.done"] {
            self.frames.item(kind, at, out, |out| {
                out.extend_from_slice(&whole);
            });
        }
        self.ended((at, whole));
    }

    /// The whole answer, with what it used.
    fn conclude(&mut self, counts: &Usage, bill: Option<&Bill>, out: &mut Vec<u8>) {
        let Some(finish) = self.finish.take() else {
            return;
        };
        if finish == Finish::Error {
            let failure = Failure::new(
                FailureKind::Unavailable,
                "The provider failed before its answer was complete",
            );
            self.fail(&failure, out);
            return;
        }
        self.start(out);
        self.concluded = true;
        let (status, incomplete) = response::status_of(finish);
        let kind = match status {
            Status::Incomplete => "response.incomplete",
            _ => "response.completed",
        };
        let items = std::mem::take(&mut self.items);
        let (tier, metadata) = (self.tier.take(), self.metadata.take());
        let body = Body {
            status,
            incomplete,
            failure: None,
            output: told(&items),
            tier: tier.as_deref(),
            usage: Some((counts, bill)),
            metadata: metadata.as_deref(),
        };
        self.response(kind, &body, out);
    }

    /// The end of a stream that failed: what is there of the answer is no
    /// whole one.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.start(out);
        self.over = true;
        let items = std::mem::take(&mut self.items);
        let body = Body {
            status: Status::Failed,
            failure: Some(failure),
            output: told(&items),
            ..Body::begun()
        };
        self.response("response.failed", &body, out);
        out.extend_from_slice(DONE);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        let counts = usage::known(&self.report);
        self.conclude(&counts, None, out);
        // Without a finish the stream was cut, and must not look whole.
        if self.concluded {
            out.extend_from_slice(DONE);
        }
        self.over = true;
    }
}

/// The items that are whole.
fn told(items: &[Vec<u8>]) -> Vec<&[u8]> {
    let whole = items.iter().filter(|item| !item.is_empty());
    whole.map(Vec::as_slice).collect()
}

/// Whether arguments are one JSON value, so that nothing can follow.
fn is_whole(arguments: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}
