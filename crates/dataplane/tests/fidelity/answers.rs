//! Features of answers: what providers of each format send
//! (`fixtures/chat/<case>`), told to clients of every API, whole and streamed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::endpoints::ClientRequest;
use bourse_dataplane::way::Way;
use bourse_vocab::{Bill, Format, Nanos, TierWish, Usage, UsageReport};
use bourse_wire::{ErrorReply, Stamp, codec, laws};
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::{CLIENTS, Client};
use crate::columns::{COLUMNS, Column, Columns};
use crate::pattern::holds;
use crate::{Cell, Problems, fixtures, workspace};

/// Something that an answer can have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What people call it.
    pub name: String,
    /// The folder of `fixtures/chat` with such answers.
    case: String,
    /// Formats whose answers of the case have it; all of them, if none is named.
    #[serde(default)]
    formats: Vec<String>,
    /// What a client has to ask for to get it. If this is there, who is not in
    /// it cannot ask.
    ask: Option<BTreeMap<String, Value>>,
    /// What a client must find, by its API.
    seen: BTreeMap<String, Seen>,
}

/// Patterns of an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// Of a whole one.
    reply: Option<Value>,
    /// Of the list of a stream's events.
    stream: Option<Value>,
    /// Of the body of an error.
    error: Option<Value>,
}

/// An answer as a client got it.
pub struct Told {
    pub client: &'static str,
    pub format: &'static str,
    pub case: String,
    /// A whole answer, the events of a stream, or an error.
    pub kind: &'static str,
    pub body: Value,
}

/// The cells of one feature, by client and format.
pub struct Row {
    pub feature: Feature,
    pub cells: BTreeMap<(&'static str, Format), Cell>,
}

/// The columns whose answers are looked at, one for each format.
fn column_of(format: Format) -> &'static Column {
    let id = match format {
        Format::OpenAiChat => "own",
        Format::OpenAiResponses => "openai-responses",
        Format::Anthropic => "claude-adaptive",
        Format::Gemini => "gemini-3",
        Format::Bedrock => "bedrock-claude",
        Format::Ollama => "own-ollama",
        Format::Cohere => "cohere-thinks",
    };
    COLUMNS.iter().find(|column| column.id == id).unwrap()
}

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1763683200-000000000000001",
    model: "acme/model-1",
    provider: "Acme",
    created: 1_763_683_200,
    metadata: None,
};

/// What the ledger would make of a report.
fn settled(report: &UsageReport) -> (Usage, Bill) {
    let (usage, estimated) = report.resolve(&Usage::default());
    let bill = Bill {
        total: Nanos(3_000),
        upstream_prompt: Nanos(1_000),
        upstream_completion: Nanos(2_000),
        estimated,
    };
    (usage, bill)
}

/// The file of a case in a format, if there is one.
fn file(case: &str, format: Format, kind: &str) -> Option<Vec<u8>> {
    let folder: PathBuf = workspace().join("fixtures/chat").join(case);
    std::fs::read(folder.join(format!("{format}.{kind}"))).ok()
}

/// Tells every answer to every client.
pub fn tell_all(columns: &Columns, problems: &mut Problems) -> (Vec<Row>, Vec<Told>) {
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    for (_, features) in fixtures::<Feature>("answers") {
        for feature in features {
            let mut cells = BTreeMap::new();
            for client in CLIENTS {
                for format in Format::ALL {
                    let cell = tell(&feature, client, (format, columns), &mut told, problems);
                    cells.insert((client.id, format), cell);
                }
            }
            rows.push(Row { feature, cells });
        }
    }
    (rows, told)
}

fn tell(
    feature: &Feature,
    client: &Client,
    (format, columns): (Format, &Columns),
    told: &mut Vec<Told>,
    problems: &mut Problems,
) -> Cell {
    let has_it = feature.formats.is_empty() || feature.formats.iter().any(|of| of == format.slug());
    let asked = match &feature.ask {
        None => Some(json!({})),
        Some(asks) => asks.get(client.id).cloned(),
    };
    let (Some(asked), Some(seen), true) = (asked, feature.seen.get(client.id), has_it) else {
        return Cell::Unsaid;
    };
    let what = format!("{}: {format} -> {}", feature.name, client.id);
    let mut cell = Cell::Unsaid;
    let mut judge = |kind: &'static str, body: Value, pattern: &Value| {
        if !holds(pattern, Some(&body)) {
            problems.add(&what, format!("not in its {kind}: {body}"));
            return Cell::Silent;
        }
        told.push(Told {
            client: client.id,
            format: format.slug(),
            case: feature.case.clone(),
            kind,
            body,
        });
        Cell::Native
    };
    if let (Some(pattern), Some(body)) = (&seen.reply, file(&feature.case, format, "reply.json")) {
        let (request, way) = asked_of(client, &asked, false, (format, columns));
        cell = judge("reply", whole(&*request, &way, body), pattern);
    }
    if let (Some(pattern), Some(text)) = (&seen.stream, file(&feature.case, format, "stream.txt")) {
        let (request, way) = asked_of(client, &asked, true, (format, columns));
        cell = judge("stream", stream(&*request, &way, &text), pattern);
    }
    if let (Some(pattern), Some(text)) = (&seen.error, file(&feature.case, format, "error.json")) {
        cell = judge("error", error(client, format, &text), pattern);
    }
    cell
}

/// A request that may have an answer in a format.
fn asked_of(
    client: &Client,
    asked: &Value,
    streams: bool,
    (format, columns): (Format, &Columns),
) -> (Arc<dyn ClientRequest>, Arc<Way>) {
    let (mut body, _) = client.body(asked);
    if streams && client.id != "gemini" {
        body["stream"] = true.into();
    }
    let incoming = client.read(&body, streams).unwrap();
    let (target, _) = columns.target(column_of(format), TierWish::None);
    let way = target.ways.iter().find(|way| way.format == format).unwrap();
    (incoming.request, Arc::clone(way))
}

fn whole(request: &dyn ClientRequest, way: &Way, body: Vec<u8>) -> Value {
    let reply = request.whole(way, &STAMP, &body.into()).unwrap();
    let (usage, bill) = settled(&reply.report.usage);
    let told = (reply.render)(&usage, &bill);
    serde_json::from_slice(&told).unwrap()
}

fn stream(request: &dyn ClientRequest, way: &Way, text: &[u8]) -> Value {
    let mut feed = request.feed(way, &STAMP);
    let bytes = Bytes::from(laws::framed(way.format, text));
    let mut out = Vec::new();
    let fed = feed.feed(&bytes, &mut out);
    match fed.and_then(|()| feed.end(&mut out)) {
        Ok(()) => {
            let (usage, bill) = settled(&feed.report().usage);
            feed.finish(&usage, &bill, &mut out);
        }
        Err(failure) => feed.fail(&failure, &mut out),
    }
    events(&out)
}

/// The data of server-sent events.
fn events(out: &[u8]) -> Value {
    let text = std::str::from_utf8(out).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str::<Value>(data).unwrap())
        .collect()
}

fn error(client: &Client, format: Format, text: &[u8]) -> Value {
    let fixture: Value = serde_json::from_slice(text).unwrap();
    let body = match &fixture["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let failure = codec(format).read_failure(&ErrorReply {
        status: u16::try_from(fixture["status"].as_u64().unwrap()).unwrap(),
        body: body.as_bytes(),
        retry_after: fixture["retry_after_s"].as_u64().map(Duration::from_secs),
    });
    let told = client
        .endpoint(false)
        .failure(&failure, &mut HeaderMap::new());
    serde_json::from_slice(&told).unwrap()
}

/// Whether a client is shown what a model thought, as far as the way of a
/// request goes; `None` if nothing there is known to think.
pub fn shows_thoughts(request: &dyn ClientRequest, way: &Way) -> Option<bool> {
    let body = file("reasoning", way.format, "reply.json")?;
    let whole = whole(request, way, body).to_string();
    let text = file("reasoning", way.format, "stream.txt")?;
    let stream = stream(request, way, &text).to_string();
    let shown = [&whole, &stream].map(|told| told.contains("Oslo"));
    (shown[0] == shown[1]).then_some(shown[0])
}
