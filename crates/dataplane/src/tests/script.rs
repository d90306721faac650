//! An upstream that does what it is told, when it is told.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bourse_net::{
    Deadlines, NetError, NetErrorKind, Origin, OutgoingRequest, Response, Timing, Upstream,
    UpstreamBody,
};
use bourse_vocab::Format;
use bourse_wire::framing::{Framing, MessageKind, encode};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use serde_json::json;
use tokio::time::{Sleep, sleep, timeout};

/// What a provider does with one request.
#[derive(Clone)]
pub struct Answer {
    connect: Duration,
    unreachable: Option<NetErrorKind>,
    head: Duration,
    status: u16,
    headers: Vec<(&'static str, String)>,
    steps: VecDeque<Step>,
    /// How many tokens it has to say, all but a few of them hidden thoughts.
    wants: Option<u64>,
    format: Format,
}

/// All that the model of the tests can say: its window.
pub const WINDOW: u64 = 100_000;

#[derive(Clone)]
enum Step {
    Wait(Duration),
    Send(Bytes),
    Fail(NetErrorKind),
    Hang,
}

/// Long enough that no deadline is longer.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

impl Answer {
    fn new(status: u16, content_type: &str) -> Self {
        Self {
            connect: Duration::ZERO,
            unreachable: None,
            head: Duration::ZERO,
            status,
            headers: vec![("content-type", content_type.to_owned())],
            steps: VecDeque::new(),
            wants: None,
            format: Format::OpenAiChat,
        }
    }

    /// One that thinks out of sight, takes so long, and says as many tokens as
    /// it wants to and is allowed to.
    pub fn obedient(wants: u64, takes: Duration) -> Self {
        let mut answer = Self::stream().wait(takes);
        answer.wants = Some(wants);
        answer
    }

    /// In this format.
    pub fn speaking(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// What it is for a request.
    fn for_request(self, body: &[u8]) -> Self {
        let Some(wants) = self.wants else {
            return self;
        };
        let asked: serde_json::Value = serde_json::from_slice(body).unwrap();
        let limit = match self.format {
            Format::OpenAiChat | Format::Anthropic | Format::Cohere => &asked["max_tokens"],
            Format::OpenAiResponses => &asked["max_output_tokens"],
            Format::Gemini => &asked["generationConfig"]["maxOutputTokens"],
            Format::Bedrock => &asked["inferenceConfig"]["maxTokens"],
            Format::Ollama => &asked["options"]["num_predict"],
        };
        let tokens = wants.min(limit.as_u64().unwrap_or(WINDOW));
        match self.format {
            Format::OpenAiChat => self.chat_for(&asked, wants, tokens),
            Format::Anthropic => self.messages_of(wants, tokens),
            Format::OpenAiResponses => self.response_of(wants, tokens),
            Format::Gemini => self.gemini_of(wants, tokens),
            Format::Bedrock => self.converse_of(wants, tokens),
            Format::Ollama => self.ollama_of(wants, tokens),
            Format::Cohere => self.cohere_of(wants, tokens),
        }
    }

    fn response_of(self, wants: u64, tokens: u64) -> Self {
        let end = if wants > tokens {
            "incomplete"
        } else {
            "completed"
        };
        let events = [
            json!({"type": "response.created", "response": {"id": "resp_1", "model": "m"}}),
            json!({"type": "response.output_item.added", "output_index": 0,
                "item": {"type": "message", "id": "msg_1"}}),
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0,
                "delta": "hi"}),
            json!({"type": format!("response.{end}"), "response": {"id": "resp_1", "status": end,
                "usage": {"input_tokens": 20, "output_tokens": tokens,
                    "output_tokens_details": {"reasoning_tokens": tokens - 1}}}}),
        ];
        events.iter().fold(self, Self::event)
    }

    fn messages_of(self, wants: u64, tokens: u64) -> Self {
        let reason = if wants > tokens {
            "max_tokens"
        } else {
            "end_turn"
        };
        let events = [
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
                "role": "assistant", "model": "m", "content": [], "stop_reason": null,
                "usage": {"input_tokens": 20, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": "hi"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": reason},
                "usage": {"output_tokens": tokens}}),
            json!({"type": "message_stop"}),
        ];
        events.iter().fold(self, Self::event)
    }

    fn gemini_of(self, wants: u64, tokens: u64) -> Self {
        let reason = if wants > tokens { "MAX_TOKENS" } else { "STOP" };
        let chunk = json!({"responseId": "r", "modelVersion": "m",
            "candidates": [{"index": 0, "finishReason": reason,
                "content": {"role": "model", "parts": [{"text": "hi"}]}}],
            "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 1,
                "thoughtsTokenCount": tokens - 1}});
        self.data(&chunk)
    }

    fn converse_of(mut self, wants: u64, tokens: u64) -> Self {
        let reason = if wants > tokens {
            "max_tokens"
        } else {
            "end_turn"
        };
        self.headers = Self::binary().headers;
        self.message("messageStart", &json!({"role": "assistant"}))
            .message(
                "contentBlockDelta",
                &json!({"contentBlockIndex": 0, "delta": {"text": "hi"}}),
            )
            .message("contentBlockStop", &json!({"contentBlockIndex": 0}))
            .message("messageStop", &json!({"stopReason": reason}))
            .message(
                "metadata",
                &json!({"usage": {"inputTokens": 20, "outputTokens": tokens}}),
            )
    }

    fn ollama_of(mut self, wants: u64, tokens: u64) -> Self {
        let reason = if wants > tokens { "length" } else { "stop" };
        self.headers = Self::lines().headers;
        self.line(
            &json!({"model": "m", "message": {"role": "assistant", "content": "hi"},
            "done": true, "done_reason": reason, "prompt_eval_count": 20,
            "eval_count": tokens}),
        )
    }

    fn cohere_of(self, wants: u64, tokens: u64) -> Self {
        let reason = if wants > tokens {
            "MAX_TOKENS"
        } else {
            "COMPLETE"
        };
        let events = [
            json!({"type": "message-start", "id": "c"}),
            json!({"type": "content-delta", "index": 0,
                "delta": {"message": {"content": {"text": "hi"}}}}),
            json!({"type": "message-end", "delta": {"finish_reason": reason,
                "usage": {"billed_units": {"input_tokens": 20, "output_tokens": tokens}}}}),
        ];
        events.iter().fold(self, Self::event)
    }

    fn chat_for(self, asked: &serde_json::Value, wants: u64, tokens: u64) -> Self {
        let reason = if wants > tokens { "length" } else { "stop" };
        let usage = json!({"prompt_tokens": 20, "completion_tokens": tokens,
            "total_tokens": 20 + tokens,
            "completion_tokens_details": {"reasoning_tokens": tokens - 1}});
        if asked["stream"] == true {
            let last = json!({"id": "up-1", "object": "chat.completion.chunk", "model": "m",
                "choices": [], "usage": usage});
            return self
                .text("hi")
                .finish_as(reason)
                .send(format!("data: {last}\n\n"))
                .done();
        }
        let whole = Self::reply(&json!({
            "id": "up-whole",
            "choices": [{"index": 0, "finish_reason": reason,
                "message": {"role": "assistant", "content": "hi"}}],
            "usage": usage,
        }));
        Self {
            headers: whole.headers,
            steps: self.steps.into_iter().chain(whole.steps).collect(),
            ..self
        }
    }

    /// A stream that has just begun.
    pub fn stream() -> Self {
        Self::new(200, "text/event-stream")
    }

    /// A stream of binary messages that has just begun.
    pub fn binary() -> Self {
        Self::new(200, Framing::EventStream.media_type())
    }

    /// A stream of lines of JSON that has just begun.
    pub fn lines() -> Self {
        Self::new(200, Framing::JsonLines.media_type())
    }

    /// What has just begun and has this for its `Content-Type`.
    pub fn labelled(label: Option<&str>) -> Self {
        let mut answer = Self::new(200, label.unwrap_or_default());
        if label.is_none() {
            answer.headers.clear();
        }
        answer
    }

    /// A stream that says `hi` and is whole: 10 tokens in, 2 out.
    pub fn good() -> Self {
        Self::stream().text("hi").finish().usage(10, 2).done()
    }

    /// A whole answer of 10 tokens in and 2 out.
    pub fn whole() -> Self {
        Self::late_whole(Duration::ZERO)
    }

    /// The same, so long after its head.
    pub fn late_whole(wait: Duration) -> Self {
        let body = json!({
            "id": "up-whole",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        });
        let head = Self::new(200, "application/json");
        head.wait(wait).send(body.to_string())
    }

    /// A whole answer with this body.
    pub fn reply(body: &serde_json::Value) -> Self {
        Self::new(200, "application/json").send(body.to_string())
    }

    /// An error with this status.
    pub fn status(status: u16) -> Self {
        let body = json!({"error": {"message": "no", "type": "x", "code": null}});
        Self::new(status, "application/json").send(body.to_string())
    }

    /// A whole answer of which not everything comes.
    pub fn cut_reply(body: &serde_json::Value) -> Self {
        let mut text = body.to_string();
        text.truncate(text.len() / 2);
        Self::new(200, "application/json").send(text).cut()
    }

    /// An error with this status that says this.
    pub fn error(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json").send(body.to_string())
    }

    /// Takes the request and says nothing.
    pub fn silent() -> Self {
        Self::stream().head_after(FOR_EVER)
    }

    /// Does not let itself be connected to.
    pub fn unreachable(kind: NetErrorKind) -> Self {
        Self {
            unreachable: Some(kind),
            ..Self::stream()
        }
    }

    /// Connecting takes so long.
    pub fn connect_after(mut self, wait: Duration) -> Self {
        self.connect = wait;
        self
    }

    /// The head comes so long after the request.
    pub fn head_after(mut self, wait: Duration) -> Self {
        self.head = wait;
        self
    }

    /// The body comes so long after its head.
    pub fn body_after(mut self, wait: Duration) -> Self {
        self.steps.push_front(Step::Wait(wait));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    pub fn wait(self, wait: Duration) -> Self {
        self.step(Step::Wait(wait))
    }

    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// The same, but what comes without a wait between comes at once.
    pub fn in_one_piece(mut self) -> Self {
        let mut joined: VecDeque<Step> = VecDeque::new();
        for step in self.steps.drain(..) {
            match (joined.back_mut(), step) {
                (Some(Step::Send(before)), Step::Send(more)) => {
                    *before = [&before[..], &more[..]].concat().into();
                }
                (_, step) => joined.push_back(step),
            }
        }
        self.steps = joined;
        self
    }

    /// And then what this one sends.
    pub fn then(mut self, next: Self) -> Self {
        self.steps.extend(next.steps);
        self
    }

    /// Breaks off.
    pub fn cut(self) -> Self {
        self.step(Step::Fail(NetErrorKind::Truncated))
    }

    /// Says nothing more, and does not end either.
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// A frame with this JSON.
    pub fn data(self, value: &serde_json::Value) -> Self {
        self.send(format!("data: {value}\n\n"))
    }

    /// The same, named by its type.
    pub fn event(self, value: &serde_json::Value) -> Self {
        let name = value["type"].as_str().unwrap();
        self.send(format!("event: {name}\ndata: {value}\n\n"))
    }

    /// A line with this JSON.
    pub fn line(self, value: &serde_json::Value) -> Self {
        self.send(format!("{value}\n"))
    }

    /// A binary message with this JSON.
    pub fn message(self, event: &str, value: &serde_json::Value) -> Self {
        let mut bytes = Vec::new();
        let payload = value.to_string();
        encode((MessageKind::Event, event), payload.as_bytes(), &mut bytes);
        self.send(bytes)
    }

    fn chunk(self, delta: &serde_json::Value, finish: Option<&str>) -> Self {
        let chunk = json!({
            "id": "up-1", "object": "chat.completion.chunk", "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        self.send(format!("data: {chunk}\n\n"))
    }

    pub fn role(self) -> Self {
        self.chunk(&json!({"role": "assistant", "content": ""}), None)
    }

    pub fn text(self, text: &str) -> Self {
        self.chunk(&json!({"content": text}), None)
    }

    pub fn thought(self, text: &str) -> Self {
        self.chunk(&json!({"reasoning_content": text}), None)
    }

    pub fn comment(self) -> Self {
        self.send(": working on it\n\n")
    }

    pub fn finish(self) -> Self {
        self.finish_as("stop")
    }

    pub fn finish_as(self, reason: &str) -> Self {
        self.chunk(&json!({}), Some(reason))
    }

    pub fn usage(self, prompt: u64, completion: u64) -> Self {
        let chunk = json!({
            "id": "up-1", "object": "chat.completion.chunk", "model": "m", "choices": [],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion,
                "total_tokens": prompt + completion},
        });
        self.send(format!("data: {chunk}\n\n"))
    }

    pub fn error_event(self) -> Self {
        self.send("data: {\"error\":{\"message\":\"out of order\",\"code\":500}}\n\n")
    }

    pub fn done(self) -> Self {
        self.send("data: [DONE]\n\n")
    }

    /// The same over and over.
    pub fn times(mut self, count: usize, each: impl Fn(Self) -> Self) -> Self {
        for _ in 0..count {
            self = each(self);
        }
        self
    }
}

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Connecting,
    AwaitingHead,
    Answering,
    Answered,
    Failed,
    /// We let go of it.
    Dropped,
}

/// Providers by host, and what they saw.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<State>>);

/// Draws what a provider does with a request, from its host and its body.
pub type Deal = Box<dyn FnMut(&str, &serde_json::Value) -> Answer + Send>;

#[derive(Default)]
struct State {
    deal: Option<Deal>,
    answers: HashMap<String, VecDeque<Answer>>,
    seen: Vec<(String, Fate)>,
    bodies: Vec<Vec<u8>>,
}

impl Script {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What a provider does with its next requests; the last of them it does
    /// with all that follow.
    pub fn will(&self, host: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().collect();
        self.lock().answers.insert(format!("{host}.test"), answers);
    }

    /// Each request gets what this draws for it.
    pub fn deals(&self, deal: Deal) {
        self.lock().deal = Some(deal);
    }

    /// Who was called, and how that ended.
    pub fn seen(&self) -> Vec<(String, Fate)> {
        self.lock().seen.clone()
    }

    /// Who was called, in order.
    pub fn called(&self) -> Vec<String> {
        self.seen().into_iter().map(|(host, _)| host).collect()
    }

    /// What the providers were asked, in order.
    pub fn bodies(&self) -> Vec<serde_json::Value> {
        let state = self.lock();
        let bodies = state.bodies.iter();
        bodies
            .map(|body| serde_json::from_slice(body).unwrap())
            .collect()
    }

    /// What became of the last request.
    pub fn fate(&self) -> Fate {
        self.seen().last().unwrap().1
    }

    fn begin(&self, host: &str, body: &[u8]) -> (Answer, Request) {
        let mut state = self.lock();
        let name = host.trim_end_matches(".test").to_owned();
        let answer = match &mut state.deal {
            Some(deal) => deal(&name, &serde_json::from_slice(body).unwrap()),
            None => {
                let answers = state.answers.get_mut(host).unwrap();
                match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.pop_front().unwrap(),
                }
            }
        };
        let index = state.seen.len();
        state.seen.push((name, Fate::Connecting));
        let script = self.clone();
        (answer, Request { script, index })
    }
}

/// A request under way.
struct Request {
    script: Script,
    index: usize,
}

impl Request {
    fn is(&self, fate: Fate) {
        self.script.lock().seen[self.index].1 = fate;
    }

    fn fails(&self, kind: NetErrorKind, wrote_request: bool) -> NetError {
        self.is(Fate::Failed);
        let mut error = NetError::new(kind);
        error.wrote_request = wrote_request;
        error
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let fate = self.script.lock().seen[self.index].1;
        if !matches!(fate, Fate::Answered | Fate::Failed) {
            self.is(Fate::Dropped);
        }
    }
}

impl Upstream for Script {
    async fn send(
        &self,
        origin: &Origin,
        asked: &OutgoingRequest,
        deadlines: &Deadlines,
    ) -> Result<Response, NetError> {
        let body = asked.body().concat();
        let (answer, request) = self.begin(&origin.authority(), &body);
        let answer = answer.for_request(&body);
        self.lock().bodies.push(body);
        if let Some(kind) = answer.unreachable {
            return Err(request.fails(kind, false));
        }
        timeout(deadlines.connect, sleep(answer.connect))
            .await
            .map_err(|_| request.fails(NetErrorKind::ConnectTimeout, false))?;
        request.is(Fate::AwaitingHead);
        timeout(deadlines.head, sleep(answer.head))
            .await
            .map_err(|_| request.fails(NetErrorKind::HeadTimeout, true))?;
        request.is(Fate::Answering);
        let headers: HeaderMap = answer
            .headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect();
        let body = Playing {
            request,
            steps: answer.steps,
            waiting: None,
        };
        Ok(Response {
            status: StatusCode::from_u16(answer.status).unwrap(),
            headers: headers.into(),
            body: UpstreamBody::from_body(body, deadlines.idle),
            timing: Timing::default(),
        })
    }
}

/// A body that plays its steps.
struct Playing {
    request: Request,
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Playing {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => {
                    self.request.is(Fate::Answered);
                    return Poll::Ready(None);
                }
                Some(Step::Wait(wait)) => self.waiting = Some(Box::pin(sleep(wait))),
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Fail(kind)) => {
                    return Poll::Ready(Some(Err(self.request.fails(kind, true))));
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
            }
        }
    }
}
