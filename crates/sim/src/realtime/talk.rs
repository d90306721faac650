//! One conversation: what it hears, what it says, and what that uses.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Said;
use crate::script::{Script, TOKENS_MAX, UsageFault};
use crate::words::{self, Pieces};

/// Bytes of a millisecond of sound: 24,000 samples of two bytes a second.
const MS_BYTES: u64 = 48;
/// Milliseconds of a token that is heard, and of one that is spoken.
const HEARD_MS: u64 = 100;
const SPOKEN_MS: u64 = 50;
/// Silence that ends a turn, in milliseconds.
const SILENCE_MS: u64 = 500;
/// How long answers are where neither script nor session says.
const TOKENS: u64 = 20;
/// What instructions and template take.
const TEMPLATE: u64 = 12;
/// What a model says at most.
const MOST: u64 = 4_096;

/// Tokens of both kinds.
#[derive(Debug, Clone, Copy, Default)]
struct Tokens {
    text: u64,
    audio: u64,
}

impl Tokens {
    const fn sum(self) -> u64 {
        self.text + self.audio
    }
}

/// An answer under way.
#[derive(Debug)]
struct Answer {
    id: String,
    words: Pieces,
    is_spoken: bool,
    said: u64,
    used: Tokens,
    is_cut_short: bool,
    next: Instant,
    is_apart: bool,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Talk {
    script: Script,
    session: Map<String, Value>,
    context: Tokens,
    /// What the last answer had read: it is cached from then on.
    cached: Tokens,
    /// Milliseconds in the input buffer, whether anything was said in them, and
    /// silence at their end.
    buffer: (u64, bool, u64),
    answer: Option<Answer>,
    numbers: u64,
}

impl Talk {
    pub fn new(script: Script, model: &str) -> Self {
        let session = json!({
            "type": "realtime", "object": "realtime.session", "id": "sess_sim", "model": model,
            "instructions": "You are simulated.", "output_modalities": ["audio"],
            "max_output_tokens": "inf", "tools": [], "tool_choice": "auto",
            "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": null,
                    "turn_detection": {"type": "server_vad", "create_response": true, "interrupt_response": true}},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
            },
        });
        Self {
            script,
            session: session.as_object().cloned().unwrap_or_default(),
            context: Tokens {
                text: TEMPLATE,
                audio: 0,
            },
            cached: Tokens::default(),
            buffer: (0, false, 0),
            answer: None,
            numbers: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn event(&mut self, kind: &str, members: Value) -> Value {
        let mut event = match members {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        event.insert("type".to_owned(), kind.into());
        let id = format!("event_{}", self.number());
        event.insert("event_id".to_owned(), id.into());
        event.into()
    }

    fn error(&mut self, code: &str, message: &str, of: &Value) -> Value {
        let of = of.get("event_id").cloned();
        let error = json!({"type": "invalid_request_error", "code": code, "message": message,
            "param": null, "event_id": of});
        self.event("error", json!({"error": error}))
    }

    pub fn begins(&mut self) -> Vec<Value> {
        let session = self.session.clone();
        vec![self.event("session.created", json!({"session": session}))]
    }

    /// Waits until more is to be said.
    pub async fn pause(&self) {
        match &self.answer {
            Some(answer) if !self.stalls(answer) => tokio::time::sleep_until(answer.next).await,
            _ => std::future::pending().await,
        }
    }

    fn stalls(&self, answer: &Answer) -> bool {
        let after = self.script.stall_after_tokens;
        after.is_some_and(|after| answer.used.sum() >= after)
    }

    pub fn hears(&mut self, text: &str) -> Said {
        let Ok(event) = serde_json::from_str::<Value>(text) else {
            let error = self.error("invalid_json", "The event is no JSON.", &Value::Null);
            return events(vec![error]);
        };
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        events(match kind {
            "session.update" => self.updates(&event),
            "conversation.item.create" => self.takes(event.get("item")),
            "input_audio_buffer.append" => self.listens(&event),
            "input_audio_buffer.commit" => self.commits(&event),
            "input_audio_buffer.clear" => {
                self.buffer = (0, false, 0);
                vec![self.event("input_audio_buffer.cleared", json!({}))]
            }
            "response.create" => self.answers(&event),
            "response.cancel" => match self.answer.is_some() {
                true => self.ends("cancelled", "client_cancelled"),
                false => vec![self.error(
                    "response_cancel_not_active",
                    "Cancellation failed: no active response found",
                    &event,
                )],
            },
            "conversation.item.delete"
            | "conversation.item.truncate"
            | "conversation.item.retrieve" => {
                let item = event.get("item_id").cloned();
                vec![self.event(&format!("{kind}d"), json!({"item_id": item}))]
            }
            other => {
                let message = format!("Invalid value: '{other}'.");
                vec![self.error("invalid_value", &message, &event)]
            }
        })
    }

    fn updates(&mut self, event: &Value) -> Vec<Value> {
        let said = event.get("session").and_then(Value::as_object);
        let Some(said) = said.filter(|said| said.get("type") == Some(&json!("realtime"))) else {
            let message = "Missing required parameter: 'session.type'.";
            return vec![self.error("missing_required_parameter", message, event)];
        };
        for (name, value) in said {
            if name == "audio" {
                lay_over(self.session.entry("audio").or_insert(Value::Null), value);
            } else {
                self.session.insert(name.clone(), value.clone());
            }
        }
        if let Some(text) = said.get("instructions").and_then(Value::as_str) {
            self.context.text += words::count(text);
        }
        let session = self.session.clone();
        vec![self.event("session.updated", json!({"session": session}))]
    }

    fn takes(&mut self, item: Option<&Value>) -> Vec<Value> {
        let mut item = item.cloned().unwrap_or_default();
        let mut tokens = Tokens { text: 3, audio: 0 };
        for part in at(&item, "content").as_array().into_iter().flatten() {
            let text = at(part, "text").as_str().unwrap_or_default();
            tokens.text += words::count(text);
            let sound = at(part, "audio").as_str().unwrap_or_default();
            let sound = STANDARD.decode(sound).unwrap_or_default();
            tokens.audio += (sound.len() as u64 / MS_BYTES).div_ceil(HEARD_MS);
        }
        let output = at(&item, "output").as_str().unwrap_or_default();
        tokens.text += words::count(output);
        self.item(&mut item, tokens)
    }

    fn item(&mut self, item: &mut Value, tokens: Tokens) -> Vec<Value> {
        self.context.text += tokens.text;
        self.context.audio += tokens.audio;
        let id = format!("item_{}", self.number());
        if let Some(item) = item.as_object_mut() {
            item.entry("id").or_insert(id.into());
            item.insert("object".to_owned(), "realtime.item".into());
            item.insert("status".to_owned(), "completed".into());
        }
        let members = json!({"previous_item_id": null, "item": item});
        vec![
            self.event("conversation.item.added", members.clone()),
            self.event("conversation.item.done", members),
        ]
    }

    fn detection(&self) -> Option<&Value> {
        let input = self.session.get("audio")?.get("input")?;
        input.get("turn_detection").filter(|it| !it.is_null())
    }

    fn listens(&mut self, event: &Value) -> Vec<Value> {
        let sound = at(event, "audio").as_str().unwrap_or_default();
        let Ok(sound) = STANDARD.decode(sound) else {
            return vec![self.error("invalid_value", "audio: is no base64", event)];
        };
        let ms = sound.len() as u64 / MS_BYTES;
        let is_silent = sound.iter().all(|byte| *byte == 0);
        let was_speaking = self.buffer.1;
        self.buffer.0 += ms;
        self.buffer.1 |= !is_silent;
        self.buffer.2 = if is_silent { self.buffer.2 + ms } else { 0 };
        let Some(detection) = self.detection().cloned() else {
            return Vec::new();
        };
        let mut said = Vec::new();
        if !is_silent && !was_speaking {
            let started = json!({"audio_start_ms": 0, "item_id": "item_speech"});
            said.push(self.event("input_audio_buffer.speech_started", started));
            if self.answer.is_some() && at(&detection, "interrupt_response") != &json!(false) {
                said.extend(self.ends("cancelled", "turn_detected"));
            }
        }
        if self.buffer.1 && self.buffer.2 >= SILENCE_MS {
            let stopped = json!({"audio_end_ms": self.buffer.0, "item_id": "item_speech"});
            said.push(self.event("input_audio_buffer.speech_stopped", stopped));
            said.extend(self.commits(event));
            if self.answer.is_none() && at(&detection, "create_response") != &json!(false) {
                said.extend(self.answers(&json!({})));
            }
        }
        said
    }

    fn commits(&mut self, event: &Value) -> Vec<Value> {
        let (ms, _, _) = std::mem::take(&mut self.buffer);
        if ms < HEARD_MS {
            let message = "Error committing input audio buffer: buffer too small.";
            return vec![self.error("input_audio_buffer_commit_empty", message, event)];
        }
        let tokens = Tokens {
            text: 0,
            audio: ms.div_ceil(HEARD_MS),
        };
        let mut item = json!({"type": "message", "role": "user",
            "content": [{"type": "input_audio", "transcript": null}]});
        let committed = json!({"previous_item_id": null, "item_id": "item_speech"});
        let mut said = vec![self.event("input_audio_buffer.committed", committed)];
        said.extend(self.item(&mut item, tokens));
        said
    }

    fn answers(&mut self, event: &Value) -> Vec<Value> {
        if let Some(answer) = &self.answer {
            let message = format!("Conversation already has an active response: {}", answer.id);
            return vec![self.error("conversation_already_has_active_response", &message, event)];
        }
        let wish = at(event, "response");
        let of = |name: &str| match at(wish, name) {
            Value::Null => self.session.get(name).cloned().unwrap_or_default(),
            said => said.clone(),
        };
        let most = match self.script.oversize {
            true => TOKENS_MAX,
            false => of("max_output_tokens").as_u64().unwrap_or(MOST),
        };
        let is_spoken = of("output_modalities") == json!(["audio"]);
        let len = match self.script.oversize {
            true => TOKENS_MAX,
            false => self.script.tokens.unwrap_or(TOKENS),
        };
        let number = self.number();
        let id = format!("resp_{number}");
        let words = Pieces::words(self.script.seed.wrapping_add(number), len);
        let wait = self.script.first_token_ms + self.script.token_ms;
        self.answer = Some(Answer {
            id: id.clone(),
            is_cut_short: len > most,
            words: words.truncated(most),
            is_spoken,
            said: 0,
            used: Tokens::default(),
            next: Instant::now() + Duration::from_millis(wait),
            is_apart: at(wish, "conversation") == &json!("none"),
        });
        let response = json!({"object": "realtime.response", "id": id, "status": "in_progress",
            "output": [], "usage": null});
        let item = json!({"response_id": id, "output_index": 0, "item":
            {"id": format!("item_of_{id}"), "type": "message", "role": "assistant",
             "status": "in_progress", "content": []}});
        vec![
            self.event("response.created", json!({"response": response})),
            self.event("response.output_item.added", item),
        ]
    }

    /// The next word, or the end.
    pub fn goes_on(&mut self) -> Said {
        let Some(answer) = &mut self.answer else {
            return Said::default();
        };
        if answer.said >= answer.words.len() {
            return events(match answer.is_cut_short {
                true => self.ends("incomplete", "max_output_tokens"),
                false => self.ends("completed", ""),
            });
        }
        let word = answer.words.piece(answer.said);
        answer.said += 1;
        answer.next += Duration::from_millis(self.script.token_ms);
        let mut members = json!({"response_id": answer.id, "item_id": format!("item_of_{}", answer.id),
            "output_index": 0, "content_index": 0});
        let (kind, delta) = if answer.is_spoken {
            answer.used.audio += 1;
            let bytes = usize::try_from(SPOKEN_MS * MS_BYTES).unwrap_or_default();
            (
                "response.output_audio.delta",
                STANDARD.encode(vec![7; bytes]),
            )
        } else {
            answer.used.text += 1;
            ("response.output_text.delta", word)
        };
        let used = answer.used.sum();
        if let Some(members) = members.as_object_mut() {
            members.insert("delta".to_owned(), delta.into());
        }
        let event = self.event(kind, members);
        Said {
            events: vec![event],
            is_cut: self.script.cut_after_tokens.is_some_and(|at| used >= at),
        }
    }

    fn ends(&mut self, status: &str, reason: &str) -> Vec<Value> {
        let Some(answer) = self.answer.take() else {
            return Vec::new();
        };
        let (read, cached) = (self.context, self.cached);
        if !answer.is_apart {
            self.context.text += answer.used.text;
            self.context.audio += answer.used.audio;
        }
        self.cached = read;
        let usage = match self.script.usage {
            UsageFault::Missing => Value::Null,
            UsageFault::Zero => json!({"total_tokens": 0, "input_tokens": 0, "output_tokens": 0}),
            UsageFault::Negative => json!({"input_tokens": -5, "output_tokens": -7}),
            UsageFault::Huge => json!({"input_tokens": u64::MAX, "output_tokens": u64::MAX}),
            UsageFault::Honest | UsageFault::ReasoningOverCompletion => json!({
                "total_tokens": read.sum() + answer.used.sum(),
                "input_tokens": read.sum(),
                "output_tokens": answer.used.sum(),
                "input_token_details": {
                    "text_tokens": read.text, "audio_tokens": read.audio, "image_tokens": 0,
                    "cached_tokens": cached.sum(),
                    "cached_tokens_details": {
                        "text_tokens": cached.text, "audio_tokens": cached.audio, "image_tokens": 0},
                },
                "output_token_details": {
                    "text_tokens": answer.used.text, "audio_tokens": answer.used.audio},
            }),
        };
        let details = match reason {
            "" => Value::Null,
            reason => json!({"type": status, "reason": reason}),
        };
        let text: String = (0..answer.said).map(|at| answer.words.piece(at)).collect();
        let part = match answer.is_spoken {
            true => json!({"type": "output_audio", "transcript": text}),
            false => json!({"type": "output_text", "text": text}),
        };
        let output = json!([{"id": format!("item_of_{}", answer.id), "type": "message",
            "role": "assistant", "status": status, "content": [part]}]);
        let response = json!({"object": "realtime.response", "id": answer.id, "status": status,
            "status_details": details, "output": output, "usage": usage});
        vec![self.event("response.done", json!({"response": response}))]
    }
}

/// A member; null if it is not there.
fn at<'a>(of: &'a Value, name: &str) -> &'a Value {
    of.get(name).unwrap_or(&Value::Null)
}

fn events(events: Vec<Value>) -> Said {
    Said {
        events,
        is_cut: false,
    }
}

/// Lays members over members, at any depth.
fn lay_over(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}
