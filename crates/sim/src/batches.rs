//! OpenAI's batches, files of lines and the orders to answer them within a day
//! (platform.openai.com/docs/guides/batch and the reference of files and
//! batches; openai-python 3.52, `types/batch.py`, November 2026).

mod messages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::{Format, Refusal};
use crate::log::{Entry, Log, Outcome, micros_since};
use crate::reply::Reply;
use crate::script::Script;
use crate::truth;

/// Files and batches that are kept; a simulator that runs for ever forgets none
/// and takes no more.
const KEPT_MAX: usize = 10_000;

/// What is kept of them.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    files: BTreeMap<String, Bytes>,
    batches: Vec<Batch>,
    lost: u64,
    throttled: u64,
    orders: u64,
    messages: messages::Orders,
}

#[derive(Debug)]
struct Batch {
    id: String,
    input: String,
    endpoint: String,
    metadata: Value,
    began: Instant,
    cancelled: bool,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Ended {
    status: &'static str,
    output: Option<String>,
    error: Option<String>,
    counts: [u64; 2],
}

/// An order.
#[derive(Deserialize)]
struct Wanted {
    input_file_id: String,
    endpoint: String,
    completion_window: String,
    #[serde(default)]
    metadata: Value,
}

/// A line of a file.
#[derive(Deserialize)]
struct Line {
    custom_id: String,
    body: Value,
}

/// What is answered.
pub(crate) enum Told {
    /// An object, or a file.
    Body(&'static str, Vec<u8>),
    /// Nothing.
    Cut,
}

/// A request for files or batches.
pub(crate) struct Asked<'a> {
    pub method: &'a [u8],
    pub path: &'a str,
    pub body: &'a Bytes,
    pub provider: Option<&'a str>,
    pub script: &'a Arc<Script>,
    pub log: &'a Log,
}

fn refused(status: u16, message: &str) -> Refusal {
    Refusal {
        status,
        message: message.to_owned(),
    }
}

fn object(value: &Value) -> Told {
    Told::Body("application/json", value.to_string().into_bytes())
}

impl Asked<'_> {
    /// Answers; `None` if it is about something else.
    pub(crate) fn answer(&self, kept: &mut Kept) -> Option<Result<Told, Refusal>> {
        let path = self.path.split('?').next().unwrap_or_default();
        let (_, rest) = path.split_once("/v1/")?;
        let parts: Vec<&str> = rest.split('/').collect();
        if let ["messages", "batches", rest @ ..] = parts.as_slice() {
            return self.messages(&mut kept.messages, rest);
        }
        let answered = match (self.method, parts.as_slice()) {
            (b"POST", ["files"]) => self.upload(kept),
            (b"GET", ["files", id, "content"]) => match kept.files.get(*id) {
                Some(text) => Ok(Told::Body("application/octet-stream", text.to_vec())),
                None => Err(refused(404, "No such File object")),
            },
            (b"POST", ["batches"]) => self.create(kept),
            (b"GET", ["batches"]) => {
                let all: Vec<Value> = kept.batches.iter().rev().map(Batch::told).collect();
                Ok(object(
                    &json!({"object": "list", "data": all, "has_more": false}),
                ))
            }
            (b"GET", ["batches", id]) => self.look(kept, id, false),
            (b"POST", ["batches", id, "cancel"]) => self.look(kept, id, true),
            _ => return None,
        };
        Some(answered)
    }

    /// Keeps the file of a form.
    fn upload(&self, kept: &mut Kept) -> Result<Told, Refusal> {
        let bad = || refused(400, "'file' is a required property");
        let text = &self.body[..];
        let find = |from: usize, what: &[u8]| {
            let rest = text.get(from..)?;
            Some(from + memchr::memmem::find(rest, what)?)
        };
        let head = find(0, b"filename=").ok_or_else(bad)?;
        let begin = find(head, b"\r\n\r\n").ok_or_else(bad)? + 4;
        let end = find(begin, b"\r\n--").ok_or_else(bad)?;
        if kept.files.len() >= KEPT_MAX {
            return Err(refused(429, "Too many files"));
        }
        let id = format!("file-sim{}", kept.files.len());
        let bytes = end - begin;
        kept.files.insert(id.clone(), self.body.slice(begin..end));
        Ok(object(
            &json!({"id": id, "object": "file", "bytes": bytes, "purpose": "batch",
                "filename": "lines.jsonl", "status": "processed", "created_at": 0}),
        ))
    }

    fn create(&self, kept: &mut Kept) -> Result<Told, Refusal> {
        let script = &self.script.batches;
        if script.refuses {
            return Err(refused(400, "Batches are not offered to this project"));
        }
        if kept.throttled < script.throttled_orders {
            kept.throttled += 1;
            return Err(refused(429, "Too many batches"));
        }
        let wanted: Wanted =
            serde_json::from_slice(self.body).map_err(|error| refused(400, &error.to_string()))?;
        if !kept.files.contains_key(&wanted.input_file_id) || wanted.completion_window != "24h" {
            return Err(refused(400, "Invalid input_file_id or completion_window"));
        }
        if kept.batches.len() >= KEPT_MAX {
            return Err(refused(429, "Too many batches"));
        }
        kept.orders += 1;
        let batch = Batch {
            id: format!("batch_sim{}", kept.batches.len()),
            input: wanted.input_file_id,
            endpoint: wanted.endpoint,
            metadata: wanted.metadata,
            began: Instant::now(),
            cancelled: false,
            ended: None,
        };
        let told = batch.told();
        kept.batches.push(batch);
        if kept.lost < script.lost_orders {
            kept.lost += 1;
            return Ok(Told::Cut);
        }
        Ok(object(&told))
    }

    fn look(&self, kept: &mut Kept, id: &str, cancels: bool) -> Result<Told, Refusal> {
        let missing = || refused(404, "No such Batch object");
        let at = kept.batches.iter().position(|batch| batch.id == id);
        let at = at.ok_or_else(missing)?;
        let batch = kept.batches.get_mut(at).ok_or_else(missing)?;
        if cancels && batch.ended.is_some() {
            return Err(refused(409, "Cannot cancel a batch that has ended"));
        }
        batch.cancelled |= cancels;
        let takes = u128::from(self.script.batches.takes_ms);
        let is_due = batch.cancelled || batch.began.elapsed().as_millis() >= takes;
        if batch.ended.is_none() && is_due && !cancels {
            let (endpoint, cancelled) = (batch.endpoint.clone(), batch.cancelled);
            let lines = kept.files.get(&batch.input).cloned().unwrap_or_default();
            let (ended, files) = self.work(at, &endpoint, &lines, cancelled);
            batch.ended = Some(ended);
            kept.files.extend(files);
        }
        let told = kept.batches.get(at).map(Batch::told);
        Ok(object(&told.unwrap_or_default()))
    }

    /// Answers the lines of a batch.
    fn work(
        &self,
        at: usize,
        endpoint: &str,
        lines: &Bytes,
        cancelled: bool,
    ) -> (Ended, Vec<(String, Bytes)>) {
        let script = &self.script.batches;
        let (mut output, mut error, mut counts) = (String::new(), String::new(), [0, 0]);
        let most = script.answers.unwrap_or(u64::MAX);
        let texts = lines.split(|byte| *byte == b'\n');
        for text in texts.filter(|text| !text.is_empty()) {
            if script.fails {
                break;
            }
            let Ok(line) = serde_json::from_slice::<Line>(text) else {
                continue;
            };
            let name = line.custom_id;
            if counts[0] >= most {
                let code = if cancelled {
                    "batch_cancelled"
                } else {
                    "batch_expired"
                };
                let told = json!({"id": "batch_req", "custom_id": name, "response": null,
                    "error": {"code": code, "message": "This request was not executed"}});
                error.push_str(&format!("{told}\n"));
                continue;
            }
            let body = Bytes::from(line.body.to_string());
            let (status, answer) = self.line(endpoint, &body);
            let told = json!({"id": "batch_req", "custom_id": name,
                "response": {"status_code": status, "request_id": "req", "body": answer},
                "error": null});
            if status == 200 {
                counts[0] += 1;
                output.push_str(&format!("{told}\n"));
            } else {
                counts[1] += 1;
                error.push_str(&format!("{told}\n"));
            }
        }
        let status = match (script.fails, cancelled) {
            (true, _) => "failed",
            (_, true) => "cancelled",
            _ if script.answers.is_some() => "expired",
            _ => "completed",
        };
        let mut files = Vec::new();
        let mut keep = |kind: &str, text: String| {
            let id = format!("file-sim-{kind}{at}");
            (!text.is_empty()).then(|| {
                files.push((id.clone(), Bytes::from(text)));
                id
            })
        };
        let ended = Ended {
            status,
            output: keep("out", output),
            error: keep("err", error),
            counts,
        };
        (ended, files)
    }

    /// Answers a line as the endpoint would, and notes what that truly costs.
    fn line(&self, endpoint: &str, body: &Bytes) -> (u16, Value) {
        let started = Instant::now();
        let format = Format::of_path(endpoint).unwrap_or(Format::OpenaiChat);
        let asked = format.read(endpoint, body);
        let answered = asked.and_then(|ask| {
            let answer = truth::answer(format, &ask, body, self.script)?;
            Ok((ask, answer))
        });
        let open = self.log.open(
            Entry {
                method: "BATCH".to_owned(),
                path: endpoint.to_owned(),
                provider: self.provider.map(str::to_owned),
                format: Some(format),
                body_bytes: body.len() as u64,
                body: self.log.body_of(body),
                ..Entry::default()
            },
            started,
        );
        let (status, outcome, truth, told) = match answered {
            Ok((ask, answer)) => {
                let truth = answer.truth.clone();
                let reply = Reply::new(ask, answer, Arc::clone(self.script), open.ordinal);
                let (_, body) = reply.whole(format);
                let told = serde_json::from_slice(&body).unwrap_or_default();
                (200, Outcome::Complete, Some(truth), told)
            }
            Err(refusal) => {
                let told = json!({"error": {"message": refusal.message,
                    "type": "invalid_request_error", "param": null, "code": null}});
                (refusal.status, Outcome::Refused, None, told)
            }
        };
        self.log.change(open, |entry| {
            entry.status = status;
            entry.outcome = outcome;
            entry.truth = truth;
            entry.ended_us = Some(micros_since(started));
        });
        (status, told)
    }
}

impl Batch {
    fn told(&self) -> Value {
        let (status, output, error, counts) = match &self.ended {
            Some(ended) => (ended.status, &ended.output, &ended.error, ended.counts),
            None if self.cancelled => ("cancelling", &None, &None, [0, 0]),
            None => ("in_progress", &None, &None, [0, 0]),
        };
        json!({"id": self.id, "object": "batch", "endpoint": self.endpoint,
            "input_file_id": self.input, "completion_window": "24h", "status": status,
            "output_file_id": output, "error_file_id": error, "metadata": self.metadata,
            "request_counts": {"total": 0, "completed": counts[0], "failed": counts[1]}})
    }
}
