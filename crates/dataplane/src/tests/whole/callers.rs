//! Callers: when they call, what they see, and when they leave.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::super::harness::{Got, Harness, MODEL, ms, next_piece, secs};
use crate::endpoints;
use crate::phases::hold::goals::Dice;
use crate::pipeline::call;

/// The most calls of a scene.
const CALLS_MAX: u64 = 12;
/// Longest that a caller waits who never leaves: beyond every deadline.
const PATIENCE: Duration = secs(100_000);

/// What one caller does.
#[derive(Debug)]
struct Caller {
    begins: Duration,
    leaves: Option<Duration>,
    leaves_at_byte: usize,
    body: Value,
}

/// What one caller saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub got: Got,
    /// By the header that every answer has.
    pub id: String,
    pub is_stream: bool,
    /// When it left, if it did not wait for the end.
    pub left_at: Option<Duration>,
}

impl Seen {
    /// The text of a whole answer, or of what came of a stream.
    pub fn text(&self) -> String {
        if self.is_stream {
            return self.got.text();
        }
        let body = self.json();
        let content = &body["choices"][0]["message"]["content"];
        content.as_str().unwrap_or_default().to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.got.body).unwrap_or_default()
    }

    /// Whether it has a whole answer.
    pub fn is_done(&self) -> bool {
        match (self.got.status, self.is_stream) {
            (200, true) => self.got.is_done(),
            (200, false) => self.got.is_ended && self.got.error().is_none(),
            _ => false,
        }
    }

    /// What it was told that its answer cost, in nano-dollars.
    pub fn cost(&self) -> Option<i64> {
        let usage = if self.is_stream {
            self.got.body.lines().rev().find_map(|line| {
                let event: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
                event["usage"].is_object().then(|| event["usage"].clone())
            })?
        } else {
            self.json()["usage"].clone()
        };
        let dollars = usage["cost"].as_f64()?;
        // Sums of a test are far below 2^52 nano-dollars.
        #[allow(clippy::cast_possible_truncation)]
        Some((dollars * 1e9).round() as i64)
    }

    /// Reasons to end that it was given.
    pub fn reasons(&self) -> Vec<String> {
        let bodies: Vec<Value> = if self.is_stream {
            let lines = self.got.body.lines();
            let data = lines.filter_map(|line| line.strip_prefix("data: "));
            data.filter_map(|data| serde_json::from_str(data).ok())
                .collect()
        } else {
            vec![self.json()]
        };
        let reasons = bodies.iter().filter_map(|body| {
            let reason = &body["choices"][0]["finish_reason"];
            reason.as_str().map(str::to_owned)
        });
        reasons.collect()
    }
}

/// The callers of a scene.
pub struct Callers {
    callers: Vec<Caller>,
    seen: Vec<RefCell<Seen>>,
}

/// Which call a request is for: its prompt says so.
pub fn call_of(body: &Value) -> usize {
    let prompt = body["messages"][0]["content"].as_str().unwrap();
    prompt.strip_prefix("call ").unwrap().parse().unwrap()
}

impl Callers {
    pub fn new(dice: &mut Dice) -> Self {
        let callers: Vec<_> = (0..=dice.upto(CALLS_MAX - 1))
            .map(|number| {
                let mut body = json!({
                    "model": MODEL, "stream": !dice.one_in(3),
                    "messages": [{"role": "user", "content": format!("call {number}")}],
                });
                if dice.one_in(3) {
                    body["max_tokens"] = json!(1 + dice.upto(40));
                }
                let leaves = dice.one_in(5).then(|| ms(1 + dice.upto(20_000)));
                let leaves_at_byte = match dice.one_in(8) {
                    true => 1 + usize::try_from(dice.upto(4_000)).unwrap(),
                    false => usize::MAX,
                };
                Caller {
                    begins: ms(dice.upto(15_000)),
                    leaves,
                    leaves_at_byte,
                    body,
                }
            })
            .collect();
        let seen = callers
            .iter()
            .map(|caller| {
                RefCell::new(Seen {
                    is_stream: caller.body["stream"] == true,
                    ..Seen::default()
                })
            })
            .collect();
        Self { callers, seen }
    }

    /// What each of them has seen so far.
    pub fn seen(&self) -> Vec<std::cell::Ref<'_, Seen>> {
        self.seen.iter().map(RefCell::borrow).collect()
    }

    /// All of them call.
    pub async fn call(&self, harness: &Harness) {
        let calls = self.callers.iter().zip(&self.seen);
        join_all(calls.map(|(caller, seen)| one(harness, caller, seen))).await;
    }
}

async fn one(harness: &Harness, caller: &Caller, seen: &RefCell<Seen>) {
    sleep(caller.begins).await;
    let reading = read(harness, caller, seen);
    let in_time = timeout(caller.leaves.unwrap_or(PATIENCE), reading).await;
    if in_time != Ok(true) {
        seen.borrow_mut().left_at = Some(harness.elapsed());
    }
}

/// Whether it has read to the end.
async fn read(harness: &Harness, caller: &Caller, seen: &RefCell<Seen>) -> bool {
    let request = harness.request("/v1/chat/completions", caller.body.to_string());
    let endpoint = endpoints::at("/v1/chat/completions").unwrap();
    let response = call(&harness.worker, endpoint, request).await;
    {
        let mut seen = seen.borrow_mut();
        seen.got.status = response.status().as_u16();
        let id = response.headers().get("x-generation-id");
        seen.id = id.map_or_else(String::new, |id| id.to_str().unwrap().to_owned());
    }
    let mut body = response.into_body();
    while let Some(piece) = next_piece(&mut body).await {
        let mut seen = seen.borrow_mut();
        seen.got.body.push_str(&piece);
        if seen.got.body.len() >= caller.leaves_at_byte {
            return false;
        }
    }
    seen.borrow_mut().got.is_ended = true;
    true
}
