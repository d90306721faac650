//! Answering one request.

mod token;
mod turned_away;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use crate::ask::{Format, Refusal};
use crate::batches::{Asked, Told};
use crate::conn::{Conn, Gone, Head, phrase};
use crate::control;
use crate::fast::Fast;
use crate::faults::{BodyWriter, Framing, STALL_MAX, stream_error};
use crate::log::{Entry, Open, Outcome, micros_since, shown_header, shown_path};
use crate::reply::Reply;
use crate::script::Script;
use crate::sigv4::{Account, Arrived};
use crate::state::{Level, Playing, Shared};
use crate::tokens::{self, Service};
use crate::truth;
use crate::videos::{FILM, Question, Told as Filmed};

/// The request header that overlays a script.
pub const SCRIPT_HEADER: &str = "x-sim-script";

/// Answers one request; says whether the connection may go on.
pub(crate) async fn request(
    shared: &Shared,
    conn: &mut Conn,
    head: &Head,
    connection: u64,
) -> Result<bool, Gone> {
    let started = Instant::now();
    let path = head.path();
    if let Some(rest) = path.strip_prefix("/__sim/") {
        return control::request(shared, conn, head, rest).await;
    }
    shared.counters.requests.fetch_add(1, Relaxed);
    let _busy = Level::raise(shared, |counters| &counters.in_flight);
    let provider = provider_of(path);

    // What depends on all that is asked is not prepared.
    let spoken = Format::of_path(path).filter(|format| format.is_prepared());
    if let (Some(fast), Some(format)) = (fast_for(shared, provider, path), spoken) {
        return fast_request(shared, conn, head, format, &fast).await;
    }

    let headers = head.headers();
    let body = conn.read_body(head).await?;
    shared
        .counters
        .received_bytes
        .fetch_add(body.len() as u64, Relaxed);
    let format = Format::of_path(path).filter(|_| &*head.method == b"POST");
    let asked = format.map(|format| format.read(path, &body));
    let model = asked
        .as_ref()
        .and_then(|asked| Some(asked.as_ref().ok()?.model.clone()));
    let playing = Arc::clone(shared.loaded.load().pick(provider, model.as_deref()));
    let script = in_force(&playing, &headers);
    let script_name = provider.or(model.as_deref()).unwrap_or_default();
    let script_ordinal = shared.log.count_under(script_name);
    let entry = Entry {
        script_ordinal,
        connection,
        provider: provider.map(str::to_owned),
        format,
        model,
        stream: matches!(&asked, Some(Ok(ask)) if ask.stream),
        ..described(shared, head, &headers, &body)
    };
    let open = shared.log.open(entry, started);
    let mut exchange = Exchange {
        shared,
        conn,
        head,
        headers: &headers,
        body: &body,
        path,
        open,
        script_ordinal,
        playing: &playing,
        standing: String::new(),
    };
    let outcome = exchange.run(script, format, asked).await;
    shared.counters.ended(outcome);
    shared.log.change(open, |entry| {
        entry.outcome = outcome;
        entry.ended_us = Some(micros_since(started));
    });
    Ok(matches!(
        outcome,
        Outcome::Complete | Outcome::Failed | Outcome::Refused
    ))
}

/// What answers at once from prepared bytes, if the script says so.
fn fast_for(shared: &Shared, provider: Option<&str>, path: &str) -> Option<Arc<Fast>> {
    let loaded = shared.loaded.load();
    match provider {
        Some(name) if loaded.set.providers.contains_key(name) => loaded.fast.get(name).cloned(),
        _ if path.starts_with("/fast/") || loaded.set.default.fast => {
            Some(Arc::clone(&loaded.fast_default))
        }
        _ => None,
    }
}

/// What the log keeps of any request.
fn described(shared: &Shared, head: &Head, headers: &[(String, Vec<u8>)], body: &Bytes) -> Entry {
    Entry {
        method: String::from_utf8_lossy(&head.method).into_owned(),
        path: shown_path(head.path()),
        headers: headers
            .iter()
            .map(|(n, v)| (n.clone(), shown_header(n, v)))
            .collect(),
        body_bytes: body.len() as u64,
        body: shared.log.body_of(body),
        ..Entry::default()
    }
}

/// The name in `/p/<name>/…`.
fn provider_of(path: &str) -> Option<&str> {
    path.strip_prefix("/p/")?
        .split(['/', '?'])
        .next()
        .filter(|name| !name.is_empty())
}

/// The script at this moment, with what the request's header lays over it.
fn in_force(playing: &Playing, headers: &[(String, Vec<u8>)]) -> Result<Script, Refusal> {
    let elapsed_ms = playing.elapsed_ms();
    let Some(over) = header(headers, SCRIPT_HEADER) else {
        return Ok(playing.script.at(elapsed_ms).into_owned());
    };
    let script = playing.script.overlaid(over);
    let script = script.map_err(|error| Refusal::bad(error.to_string()))?;
    Ok(script.at(elapsed_ms).into_owned())
}

fn header<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(n, _)| n == name)?;
    std::str::from_utf8(value).ok()
}

async fn fast_request(
    shared: &Shared,
    conn: &mut Conn,
    head: &Head,
    format: Format,
    fast: &Fast,
) -> Result<bool, Gone> {
    let counters = &shared.counters;
    counters.fast_requests.fetch_add(1, Relaxed);
    let mut stream = format == Format::Gemini && head.path().contains(":streamGenerateContent");
    let read = conn
        .drain_body(head, |piece| stream |= Fast::asks_for_stream(piece))
        .await?;
    counters.received_bytes.fetch_add(read, Relaxed);
    let result = fast.answer(conn, format, stream, counters).await;
    counters.ended(if result.is_ok() {
        Outcome::Complete
    } else {
        Outcome::ClientGone
    });
    result.map(|()| true)
}

/// One request with all that its answer needs.
struct Exchange<'a> {
    shared: &'a Shared,
    conn: &'a mut Conn,
    head: &'a Head,
    headers: &'a [(String, Vec<u8>)],
    body: &'a Bytes,
    path: &'a str,
    open: Open,
    script_ordinal: u64,
    playing: &'a Playing,
    /// Header lines on what is left of the provider's limits.
    standing: String,
}

impl Exchange<'_> {
    async fn run(
        &mut self,
        script: Result<Script, Refusal>,
        format: Option<Format>,
        asked: Option<Result<crate::ask::Request, Refusal>>,
    ) -> Outcome {
        match (script, format, asked) {
            (Err(refusal), format, _) => self.refuse(format, &refusal).await,
            (Ok(script), None, _) => match Service::of(&self.head.method, self.path) {
                Some(service) => self.token(&script, service).await,
                None => match Question::of(&self.head.method, self.path) {
                    Some(question) => self.film(&script, question).await,
                    None => match self.batches(script) {
                        None => self.other().await,
                        Some(Err(refusal)) => self.refuse(None, &refusal).await,
                        Some(Ok(Told::Cut)) => Outcome::Cut,
                        Some(Ok(Told::Body(kind, body))) => self.file(kind, &body).await,
                    },
                },
            },
            (Ok(mut script), Some(format), Some(asked)) => {
                script.first_token_ms = script.first_token_ms_of(self.script_ordinal);
                script.bad_tool_calls = f64::from(u8::from(script.spoils(self.script_ordinal)));
                self.answer(Arc::new(script), format, asked).await
            }
            (Ok(_), Some(_), None) => Outcome::Refused,
        }
    }

    /// What is said of files and batches, if it is asked for these.
    fn batches(&self, script: Script) -> Option<Result<Told, Refusal>> {
        let asked = Asked {
            method: &self.head.method,
            path: self.path,
            body: self.body,
            provider: provider_of(self.path),
            script: &Arc::new(script),
            log: &self.shared.log,
        };
        let kept = self.shared.batches.lock();
        asked.answer(&mut kept.unwrap_or_else(PoisonError::into_inner))
    }

    async fn file(&mut self, kind: &str, body: &[u8]) -> Outcome {
        let script = Script::default();
        let head = self.response_head(&script, Format::OpenaiChat, 200, kind, Some(body.len()));
        let sent = self
            .send_plain(&head, 200, &String::from_utf8_lossy(body))
            .await;
        sent.map_or(Outcome::ClientGone, |()| Outcome::Complete)
    }

    async fn answer(
        &mut self,
        script: Arc<Script>,
        format: Format,
        asked: Result<crate::ask::Request, Refusal>,
    ) -> Outcome {
        if script.is_silent(self.script_ordinal) {
            return match self.conn.wait(STALL_MAX).await {
                Ok(()) => Outcome::Stalled,
                Err(Gone) => Outcome::ClientGone,
            };
        }
        if script.close_before_headers {
            return self.cut(&script);
        }
        if script.fails(self.script_ordinal) {
            if self
                .conn
                .wait(Duration::from_millis(script.latency_ms))
                .await
                .is_err()
            {
                return Outcome::ClientGone;
            }
            return self.fail(&script, format).await;
        }
        if let Err(refusal) = self.check_headers(format, &script) {
            return self.refuse(Some(format), &refusal).await;
        }
        let ask = match asked {
            Ok(ask) => ask,
            Err(refusal) => return self.refuse(Some(format), &refusal).await,
        };
        let answer = match truth::answer(format, &ask, self.body, &script) {
            Ok(answer) => answer,
            Err(refusal) => return self.refuse(Some(format), &refusal).await,
        };
        let tokens = answer.truth.prompt_tokens + answer.truth.completion_tokens;
        let playing = self.playing;
        let _place = match self.enter(playing, &script, format, tokens) {
            Ok(place) => place,
            Err(away) => return self.turn_away(&away, &script, format).await,
        };
        let known = answer.truth.clone();
        self.shared
            .log
            .change(self.open, |entry| entry.truth = Some(known));
        let reply = Arc::new(Reply::new(
            ask,
            answer,
            Arc::clone(&script),
            self.open.ordinal,
        ));
        let outcome = if reply.ask.stream && !script.ignore_stream {
            self.stream(&script, format, reply).await
        } else {
            self.whole(&script, format, &reply).await
        };
        if outcome == Outcome::Cut {
            self.cut(&script)
        } else {
            outcome
        }
    }

    fn cut(&self, script: &Script) -> Outcome {
        if script.cut_with_reset {
            // Without linger a close discards what is unsent and resets.
            let _ = self.conn.stream.set_zero_linger();
        }
        Outcome::Cut
    }

    fn check_headers(&self, format: Format, script: &Script) -> Result<(), Refusal> {
        let query_key = || {
            self.path
                .split_once('?')
                .is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("key=")))
        };
        let has_key = ["authorization", "x-api-key", "api-key", "x-goog-api-key"]
            .iter()
            .any(|name| header(self.headers, name).is_some())
            || query_key();
        if script.require_token {
            let arrived = self.arrived();
            let now_s = jiff::Timestamp::now().as_second();
            return match format {
                Format::Bedrock => tokens::check_signature(&arrived, now_s),
                _ => tokens::check_bearer(&arrived, now_s),
            };
        }
        if self.path.contains("/deployments/") && !self.path.contains("?api-version=") {
            return Err(Refusal {
                status: 404,
                message: "Resource not found".to_owned(),
            });
        }
        match format {
            Format::Anthropic if self.path.contains("awPredict") && has_key => Ok(()),
            Format::Anthropic => crate::anthropic::check_headers(
                has_key,
                header(self.headers, "anthropic-version"),
                self.body,
            ),
            Format::Bedrock if script.aws_secret_access_key.is_some() => {
                self.check_signature(script)
            }
            _ if script.require_key && !has_key => Err(Refusal {
                status: 401,
                message: "You didn't provide an API key.".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn arrived(&self) -> Arrived<'_> {
        Arrived {
            method: std::str::from_utf8(&self.head.method).unwrap_or_default(),
            path: self.path,
            headers: self.headers,
            body: self.body,
        }
    }

    /// Checks what Amazon checks of a signature.
    fn check_signature(&self, script: &Script) -> Result<(), Refusal> {
        let arrived = self.arrived();
        let account = Account {
            secret: script.aws_secret_access_key.as_deref().unwrap_or_default(),
            session: script.aws_session_token.as_deref(),
        };
        let now_s = jiff::Timestamp::now().as_second();
        arrived.check(&account, now_s.saturating_add(script.clock_ahead_s))
    }

    async fn stream(&mut self, script: &Script, format: Format, reply: Arc<Reply>) -> Outcome {
        let framing = match format {
            Format::Bedrock => Framing::Messages,
            Format::Ollama => Framing::Lines,
            _ if reply.ask.array_stream => Framing::Array,
            _ => Framing::Sse,
        };
        let kind = match framing {
            Framing::Sse => "text/event-stream; charset=utf-8",
            Framing::Array => "application/json; charset=UTF-8",
            Framing::Messages => "application/vnd.amazon.eventstream",
            Framing::Lines => "application/x-ndjson",
        };
        let latency = Duration::from_millis(script.latency_ms);
        if self.conn.wait(latency).await.is_err() {
            return Outcome::ClientGone;
        }
        let head = self.response_head(script, format, 200, kind, None);
        if self.send_head(&head, 200).await.is_err() {
            return Outcome::ClientGone;
        }
        let mut writer = BodyWriter::new(self.conn, script, true);
        let outcome = writer.stream(format, framing, reply.events(format)).await;
        let sent = writer.sent;
        self.note_sent(sent.bytes, sent.tokens);
        outcome
    }

    async fn whole(&mut self, script: &Script, format: Format, reply: &Reply) -> Outcome {
        let tokens = reply.answer.truth.completion_tokens;
        let wait = script
            .latency_ms
            .saturating_add(script.first_token_ms)
            .saturating_add(script.token_ms.saturating_mul(tokens));
        let wait = Duration::from_millis(wait).min(STALL_MAX);
        if self.conn.wait(wait).await.is_err() {
            return Outcome::ClientGone;
        }
        let (kind, mut body) = if script.error_after_tokens.is_some() {
            let error = stream_error(format, script).to_string();
            ("application/json", error.into_bytes())
        } else {
            reply.whole(format)
        };
        if script.malformed_after_tokens.is_some() {
            // Not within a character: that would be another fault.
            let mut half = body.len() / 2;
            while body.get(half).is_some_and(|byte| byte & 0xC0 == 0x80) {
                half -= 1;
            }
            body.truncate(half);
        }
        let chunked =
            script.slice_bytes.is_some() || matches!(format, Format::OpenaiSpeech | Format::Voices);
        let length = (!chunked).then_some(body.len());
        let head = self.response_head(script, format, 200, kind, length);
        if self.send_head(&head, 200).await.is_err() {
            return Outcome::ClientGone;
        }
        let mut writer = BodyWriter::new(self.conn, script, chunked);
        let outcome = writer.json(&body, tokens).await;
        let sent = writer.sent;
        self.note_sent(sent.bytes, sent.tokens);
        outcome
    }

    fn note_sent(&self, bytes: u64, tokens: u64) {
        self.shared.counters.sent_bytes.fetch_add(bytes, Relaxed);
        self.shared.counters.sent_tokens.fetch_add(tokens, Relaxed);
        self.shared.log.change(self.open, |entry| {
            entry.sent_bytes = bytes;
            entry.sent_tokens = tokens;
        });
    }

    async fn send_head(&mut self, head: &str, status: u16) -> Result<(), Gone> {
        self.conn.write(head.as_bytes()).await?;
        let at = micros_since(self.open.started);
        self.shared.log.change(self.open, |entry| {
            entry.status = status;
            entry.head_sent_us = Some(at);
        });
        Ok(())
    }

    fn response_head(
        &self,
        script: &Script,
        format: Format,
        status: u16,
        kind: &str,
        length: Option<usize>,
    ) -> String {
        let id = self.open.ordinal;
        let mut head = format!(
            "HTTP/1.1 {status} {}\r\ncontent-type: {kind}\r\n",
            phrase(status)
        );
        let id_header = match format {
            Format::Anthropic => "request-id",
            Format::Bedrock => "x-amzn-requestid",
            _ => "x-request-id",
        };
        head.push_str(&format!("{id_header}: req_{id:016x}\r\n"));
        if script.duplicate_headers {
            head.push_str(&format!(
                "{id_header}: req_other\r\ncontent-type: text/plain\r\n"
            ));
            head.push_str("set-cookie: a=1\r\nset-cookie: b=2\r\n");
        }
        head.push_str(&self.standing);
        match length {
            Some(length) => head.push_str(&format!("content-length: {length}\r\n\r\n")),
            None => head.push_str("cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"),
        }
        head
    }

    /// Anything but a generation: the model list, or nothing here.
    /// Answers what is asked of a film that is being made.
    async fn film(&mut self, script: &Script, question: Question<'_>) -> Outcome {
        let has_key = ["authorization", "x-goog-api-key"];
        let has_key = has_key
            .iter()
            .any(|name| header(self.headers, name).is_some());
        if script.require_key && !has_key {
            let refusal = Refusal {
                status: 401,
                message: "You didn't provide an API key.".to_owned(),
            };
            return self.refuse(None, &refusal).await;
        }
        let host = header(self.headers, "host").unwrap_or_default();
        let root = format!("http://{host}");
        let told = question.answer(&script.film, &self.shared.looks, &root);
        let (status, kind, body) = match told {
            Filmed::Json(status, body) => {
                (status, "application/json", body.to_string().into_bytes())
            }
            Filmed::Film => (200, "video/mp4", FILM.to_vec()),
            Filmed::At(path) => {
                let head =
                    format!("HTTP/1.1 302 Found\r\nlocation: {path}\r\ncontent-length: 0\r\n\r\n");
                return match self.send_plain(&head, 302, "").await {
                    Ok(()) => Outcome::Complete,
                    Err(Gone) => Outcome::ClientGone,
                };
            }
        };
        let format = Format::OpenaiVideos;
        let head = self.response_head(script, format, status, kind, Some(body.len()));
        if self.send_head(&head, status).await.is_err() || self.conn.write(&body).await.is_err() {
            return Outcome::ClientGone;
        }
        self.note_sent(body.len() as u64, 0);
        if status == 200 {
            Outcome::Complete
        } else {
            Outcome::Failed
        }
    }

    async fn other(&mut self) -> Outcome {
        let path = self.path.split('?').next().unwrap_or_default();
        if &*self.head.method != b"GET" || !path.ends_with("/models") {
            let missing = Refusal {
                status: 404,
                message: format!("Invalid URL ({path})"),
            };
            return self.refuse(None, &missing).await;
        }
        let models: Value = if path.contains("/v1beta/") && !path.contains("/openai/") {
            crate::gemini::models(&self.shared.models)
        } else {
            crate::openai_chat::models(&self.shared.models)
        };
        let body = models.to_string();
        let script = Script::default();
        let head = self.response_head(
            &script,
            Format::OpenaiChat,
            200,
            "application/json",
            Some(body.len()),
        );
        match self.send_plain(&head, 200, &body).await {
            Ok(()) => Outcome::Complete,
            Err(Gone) => Outcome::ClientGone,
        }
    }

    async fn send_plain(&mut self, head: &str, status: u16, body: &str) -> Result<(), Gone> {
        self.send_head(head, status).await?;
        self.conn.write(body.as_bytes()).await?;
        self.note_sent(body.len() as u64, 0);
        Ok(())
    }
}
