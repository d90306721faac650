//! `/messages/batches`: requests for messages that come together in one body.
//!
//! Paths and shapes are Anthropic's (docs.anthropic.com/en/api/creating-message-batches
//! and what follows it; anthropic-sdk-python, `types/messages/message_batch.py`,
//! November 2026), errors too. Where the answers are is said as a path: this
//! server does not know by which address its clients reach it, and the SDKs
//! put their own in front.

mod requests;

use axum::body::Body;
use axum::http::Method;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use bourse_store::{BatchRow, BatchState, BatchesPage, FileRow, LineCounts, Purpose, Shape};
use bourse_vocab::BatchId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Inferring;
use crate::args::{Args, Segments};
use crate::batches::{self, check_money, find};
use crate::error::{Result, invalid, not_found};
use crate::files::body::Download;
use crate::files::upload::{Incoming, check_room, new_id, note, on_disk};
use crate::reply::Json;
use crate::route::{Input, Operation, Route};
use crate::schema::{Null, Schemas, inline};
use crate::state::{ControlState, Shared};
use crate::time::iso;
use requests::Requests;

/// What ids of message batches begin with.
const PREFIX: &str = "msgbatch_";
/// The endpoint of all requests, and where their batches are.
pub(crate) const ENDPOINT: &str = "/v1/messages";
/// Batches on a page, unless the caller says otherwise and at most.
const PAGE: (u64, u64) = (20, 1_000);

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let of_one = |summary| {
        Operation::new("Batches", summary)
            .segment("message_batch_id", "The batch's id, `msgbatch_…`")
    };
    vec![
        Route::get(
            "/messages/batches",
            Operation::new("Batches", "Lists the message batches of the account")
                .about("Newest first.")
                .query(
                    "limit",
                    "Batches on a page",
                    &json!({"type": "integer", "minimum": 1, "maximum": PAGE.1, "default": PAGE.0}),
                )
                .query("after_id", "Batches older than this one", &inline::<String>())
                .query("before_id", "Batches newer than this one", &inline::<String>()),
            list,
        ),
        Route::new(
            Method::POST,
            "/messages/batches",
            Operation::new("Batches", "Makes a batch of requests for messages").about(
                "Each request is a call like any other, at its ordinary price, made with the key that makes the batch.",
            ),
            create,
        ),
        Route::get(
            "/messages/batches/{message_batch_id}",
            of_one("Shows a message batch"),
            show,
        ),
        Route::get(
            "/messages/batches/{message_batch_id}/results",
            of_one("Reads the answers of a message batch")
                .about("One JSON document a line, once the batch has ended."),
            results,
        ),
        Route::new(
            Method::POST,
            "/messages/batches/{message_batch_id}/cancel",
            of_one("Ends a message batch")
                .about("Requests under way may end, no other begins; what was answered stays."),
            cancel,
        ),
        Route::new(
            Method::DELETE,
            "/messages/batches/{message_batch_id}",
            of_one("Deletes a message batch that has ended, with its answers"),
            delete,
        ),
    ]
}

/// How many requests have come to which end; together they are all.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct RequestCounts {
    processing: u64,
    succeeded: u64,
    errored: u64,
    canceled: u64,
    expired: u64,
}

impl From<LineCounts> for RequestCounts {
    fn from(counts: LineCounts) -> Self {
        Self {
            processing: counts.open(),
            succeeded: counts.completed,
            errored: counts.failed,
            canceled: counts.cancelled,
            expired: counts.expired,
        }
    }
}

/// What is this server's own.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Own {
    /// Why the batch waits, if it does
    paused: Option<String>,
}

/// A message batch.
// anthropic-sdk-python, `types/messages/message_batch.py`, November 2026;
// `bourse` is ours.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MessageBatch")]
struct MessageBatch {
    id: String,
    r#type: &'static str,
    /// `in_progress`, `canceling` or `ended`
    processing_status: &'static str,
    request_counts: RequestCounts,
    created_at: String,
    expires_at: String,
    ended_at: Option<String>,
    cancel_initiated_at: Option<String>,
    #[schemars(with = "Null")]
    archived_at: Option<()>,
    /// The path of the answers, once there are any
    results_url: Option<String>,
    bourse: Own,
}

impl From<BatchRow> for MessageBatch {
    fn from(row: BatchRow) -> Self {
        let id = shown(row.id);
        Self {
            r#type: "message_batch",
            processing_status: match row.state {
                BatchState::Cancelling => "canceling",
                state if state.is_ended() => "ended",
                _ => "in_progress",
            },
            request_counts: row.counts.into(),
            created_at: iso(row.created_at_ms),
            expires_at: iso(row.expires_at_ms),
            ended_at: row.ended_at_ms.map(iso),
            cancel_initiated_at: row.cancelling_at_ms.map(iso),
            archived_at: None,
            results_url: row
                .output
                .map(|_| format!("{ENDPOINT}/batches/{id}/results")),
            bourse: Own {
                paused: (!row.paused.is_empty()).then_some(row.paused),
            },
            id,
        }
    }
}

/// A page of batches.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Listed {
    data: Vec<MessageBatch>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Deleted {
    id: String,
    r#type: &'static str,
}

fn shown(id: BatchId) -> String {
    format!("{PREFIX}{id}")
}

fn batch_id(text: &str) -> Option<BatchId> {
    text.strip_prefix(PREFIX)?.parse().ok()
}

async fn one(state: &ControlState, caller: &Inferring, id: &str) -> Result<BatchRow> {
    find(state, caller.account(), (batch_id(id), Shape::Body)).await
}

/// A body with requests that has not been read yet.
struct Sent {
    announced: Option<u64>,
    body: Body,
}

/// One request.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used")]
struct Request {
    /// 1 to 64 letters, digits, `_` and `-`, by which its answer is found
    custom_id: String,
    /// What would be sent to /v1/messages
    params: std::collections::BTreeMap<String, Value>,
}

/// Requests for messages.
#[derive(JsonSchema)]
#[schemars(rename = "NewMessageBatch")]
#[expect(dead_code, reason = "only its schema is used")]
struct Wanted {
    requests: Vec<Request>,
}

impl Input for Sent {
    async fn read(parts: &mut Parts, body: &mut Body, _: &Shared) -> Result<Self> {
        let length = parts.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok());
        Ok(Self {
            announced: length.and_then(|length| length.parse().ok()),
            body: std::mem::take(body),
        })
    }

    fn body(schemas: &mut Schemas) -> Option<Value> {
        Some(schemas.request::<Wanted>())
    }
}

impl Sent {
    /// Writes the requests to the disk as the lines of a batch; how many there
    /// are.
    async fn receive(self, state: &ControlState, caller: &Inferring) -> Result<(FileRow, u64)> {
        let limits = state.backend.file_limits();
        let most = limits.file_bytes_max;
        let account = caller.account();
        if self.announced.is_some_and(|length| length > most) {
            return Err(requests::too_large(most));
        }
        let _place = state.uploads.begin(account)?;
        check_room(state, account, self.announced.unwrap_or(0)).await?;
        let (contents, id) = (state.backend.contents().clone(), new_id(state)?);
        let mut draft = on_disk(move || contents.write(id)).await?;
        let (mut incoming, mut read) = (Incoming::new(self.body), 0_u64);
        let mut requests = Requests::default();
        while let Some(piece) = incoming.piece().await? {
            read = read.saturating_add(piece.len() as u64);
            if read > most {
                return Err(requests::too_large(most));
            }
            let mut lines = Vec::new();
            requests.push(&piece, &mut lines)?;
            draft = on_disk(move || draft.push(&lines).map(|()| draft)).await?;
        }
        let count = requests.finish()?;
        let written = on_disk(move || draft.finish()).await?;
        let now_ms = state.backend.now_ms();
        let row = FileRow {
            id,
            account,
            name: "requests.jsonl".to_owned(),
            purpose: Purpose::Inside,
            bytes: written.bytes,
            digest: written.digest,
            created_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(limits.keep_ms),
        };
        Ok((note(state, row).await?, count))
    }
}

async fn create(state: Shared, caller: Inferring, sent: Sent) -> Result<Json<MessageBatch>> {
    check_money(&state, caller.account())?;
    let (file, total) = sent.receive(&state, &caller).await?;
    let made = batches::made(&state, &caller, (Shape::Body, ENDPOINT.to_owned()), file.id)?;
    let batch = BatchRow {
        counts: LineCounts {
            total,
            ..LineCounts::default()
        },
        ..made
    };
    if let Err(refused) = batches::note(&state, &batch).await {
        crate::files::forget(&state, file.id).await?;
        return Err(refused);
    }
    Ok(Json(batch.into()))
}

async fn list(state: Shared, caller: Inferring, args: Args) -> Result<Json<Listed>> {
    let limit = args.number("limit")?.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(invalid(format!("limit: must be from 1 to {}", PAGE.1)));
    }
    let cursor = |name: &str| {
        let id = args.text(name).map(|text| {
            batch_id(text).ok_or_else(|| invalid(format!("{name}: is no id of a message batch")))
        });
        id.transpose()
    };
    let (after, before) = (cursor("after_id")?, cursor("before_id")?);
    if after.is_some() && before.is_some() {
        return Err(invalid("after_id, before_id: give one of them"));
    }
    let page = BatchesPage {
        account: Some(caller.account()),
        shape: Some(Shape::Body),
        after,
        before,
        count_max: limit.saturating_add(1),
    };
    let mut rows = state.backend.store().batches(page).await?;
    let has_more = rows.len() as u64 > limit;
    if has_more && before.is_some() {
        // The one too many is the newest.
        rows.remove(0);
    }
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Json(Listed {
        has_more,
        first_id: rows.first().map(|row| shown(row.id)),
        last_id: rows.last().map(|row| shown(row.id)),
        data: rows.into_iter().map(MessageBatch::from).collect(),
    }))
}

async fn show(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<MessageBatch>> {
    Ok(Json(one(&state, &caller, &id).await?.into()))
}

async fn results(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Download> {
    let row = one(&state, &caller, &id).await?;
    let Some(output) = row.output else {
        return Err(not_found(
            "The batch has no results yet: they are there when its processing_status is `ended`",
        ));
    };
    let file = state.backend.store().file(output).await?;
    let file = file.ok_or_else(|| not_found("The results of this batch are no longer kept"))?;
    Download::open(&state, &file, "application/x-jsonl")
}

async fn cancel(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<MessageBatch>> {
    let row = one(&state, &caller, &id).await?;
    Ok(Json(batches::end(&state, &row).await?.into()))
}

async fn delete(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<Deleted>> {
    let row = one(&state, &caller, &id).await?;
    batches::forget(&state, &row).await?;
    Ok(Json(Deleted {
        id,
        r#type: "message_batch_deleted",
    }))
}
