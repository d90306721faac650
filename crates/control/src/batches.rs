//! `/batches`: calls that an account sends together and reads later.
//!
//! Paths and shapes are OpenAI's (platform.openai.com/docs/api-reference/batch;
//! openai-python 3.52, `resources/batches.py`, November 2026), and `DELETE` is
//! OpenRouter's (API document, October 2026).

mod body;

use axum::http::Method;
use bourse_store::{BatchRow, BatchState, BatchesPage, LineCounts, Purpose, Shape};
use bourse_vocab::{AccountId, BatchId, Failure, FailureKind, Nanos};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::access::Inferring;
use crate::args::{Args, Fields, FromFields, Segments, Sent};
use crate::error::{Refused, Result, invalid, not_found};
use crate::files::{self, Listed, find as find_file};
use crate::reply::Json;
use crate::route::{Operation, Route};
use crate::schema::inline;
use crate::state::{ControlState, Shared};
use body::BatchBody;

/// What ids of batches begin with.
const PREFIX: &str = "batch_";
/// Batches on a page, unless the caller says otherwise and at most.
const PAGE: (u64, u64) = (20, 100);
/// The only window that there is, as at OpenAI.
const WINDOW: &str = "24h";
pub(crate) const WINDOW_MS: u64 = 86_400_000;
/// What a batch says of itself: OpenAI's bounds of metadata.
const METADATA_PAIRS_MAX: usize = 16;
const METADATA_KEY_CHARS_MAX: usize = 64;
const METADATA_VALUE_CHARS_MAX: usize = 512;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let of_one = |summary| {
        Operation::new("Batches", summary).segment("batch_id", "The batch's id, `batch_…`")
    };
    vec![
        Route::get(
            "/batches",
            Operation::new("Batches", "Lists the batches of the account")
                .about("Newest first.")
                .query(
                    "limit",
                    "Batches on a page",
                    &json!({"type": "integer", "minimum": 1, "maximum": PAGE.1, "default": PAGE.0}),
                )
                .query("after", "The last batch of the page before", &inline::<String>()),
            list,
        ),
        Route::new(
            Method::POST,
            "/batches",
            Operation::new("Batches", "Makes a batch of the lines of a file").about(
                "Each line is a call like any other, made with the key that makes the batch. Where its provider takes batches itself, it goes there at half the price, unless `bourse.at_vendor` is false.",
            ),
            create,
        ),
        Route::get("/batches/{batch_id}", of_one("Shows a batch"), show),
        Route::new(
            Method::POST,
            "/batches/{batch_id}/cancel",
            of_one("Ends a batch")
                .about("Lines under way may end, no other begins; what was answered stays."),
            cancel,
        ),
        Route::new(
            Method::DELETE,
            "/batches/{batch_id}",
            of_one("Deletes a batch that has ended, with its answers"),
            delete,
        ),
    ]
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

fn shown(id: BatchId) -> String {
    format!("{PREFIX}{id}")
}

fn no_such_batch() -> Refused {
    not_found("There is no such batch")
}

fn batch_id(text: &str) -> Result<BatchId> {
    let id = text.strip_prefix(PREFIX).and_then(|id| id.parse().ok());
    id.ok_or_else(no_such_batch)
}

/// Finds a batch of an account that came in this way.
pub(crate) async fn find(
    state: &ControlState,
    account: AccountId,
    (id, shape): (Option<BatchId>, Shape),
) -> Result<BatchRow> {
    let id = id.ok_or_else(no_such_batch)?;
    let row = state.backend.store().batch(id).await?;
    row.filter(|row| row.account == account && row.shape == shape)
        .ok_or_else(no_such_batch)
}

/// A batch to be made.
#[derive(JsonSchema)]
#[schemars(rename = "NewBatch")]
struct Wanted {
    /// A file with the purpose `batch`
    input_file_id: String,
    /// The endpoint of all lines, such as `/v1/chat/completions`
    endpoint: String,
    /// `24h`
    #[expect(dead_code, reason = "checked, and the same for every batch")]
    completion_window: String,
    #[schemars(
        with = "Option<std::collections::BTreeMap<String, String>>",
        extend("nullable" = true)
    )]
    metadata: String,
    #[schemars(rename = "bourse", with = "Option<OwnWanted>", extend("nullable" = true))]
    at_vendor: bool,
}

/// What is this server's own
#[derive(JsonSchema)]
#[schemars(inline)]
struct OwnWanted {
    /// Whether lines may go among vendors' own batches, at half the price and
    /// within a day; true if it is not said
    #[expect(dead_code, reason = "read by hand; here for the document")]
    at_vendor: Option<bool>,
}

/// Reads `bourse`.
fn at_vendor(fields: &mut Fields) -> Result<bool> {
    let object = fields.take::<Fields>("bourse", "an object, or null")?;
    let Some(mut object) = object.flatten() else {
        return Ok(true);
    };
    let within = |Refused(failure): Refused| {
        Refused(Failure::new(
            failure.kind,
            format!("bourse.{}", failure.message),
        ))
    };
    let said = object
        .take::<bool>("at_vendor", "true, false or null")
        .map_err(within)?;
    object.finish().map_err(within)?;
    Ok(said.flatten().unwrap_or(true))
}

impl FromFields for Wanted {
    fn take(fields: &mut Fields) -> Result<Self> {
        fields.refuse(
            &["requests", "model", "callback_url", "provider"],
            "keep the lines as a file (POST /files, purpose `batch`), name it in `input_file_id`, and say the rest in each line",
        )?;
        fields.refuse(
            &["output_expires_after"],
            "answers are kept as long as all files of this server",
        )?;
        let mut text = |name: &str| -> Result<String> {
            let text = fields.take::<String>(name, "a text")?.flatten();
            text.ok_or_else(|| invalid(format!("{name}: must be given")))
        };
        let input_file_id = text("input_file_id")?;
        let endpoint = text("endpoint")?;
        let completion_window = text("completion_window")?;
        if completion_window != WINDOW {
            return Err(invalid(format!("completion_window: must be `{WINDOW}`")));
        }
        Ok(Self {
            input_file_id,
            endpoint,
            completion_window,
            at_vendor: at_vendor(fields)?,
            metadata: metadata(fields.take_raw("metadata").as_deref())?,
        })
    }
}

/// Reads metadata as it is kept: an object of texts, or nothing.
fn metadata(raw: Option<&RawValue>) -> Result<String> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(String::new());
    };
    let wrong = || {
        invalid(format!(
            "metadata: must be an object of at most {METADATA_PAIRS_MAX} texts of {METADATA_VALUE_CHARS_MAX} characters, with names of {METADATA_KEY_CHARS_MAX}"
        ))
    };
    let pairs: std::collections::BTreeMap<String, String> =
        serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let fits = |(name, value): (&String, &String)| {
        name.chars().count() <= METADATA_KEY_CHARS_MAX
            && value.chars().count() <= METADATA_VALUE_CHARS_MAX
    };
    if pairs.len() > METADATA_PAIRS_MAX || !pairs.iter().all(fits) {
        return Err(wrong());
    }
    if pairs.is_empty() {
        return Ok(String::new());
    }
    serde_json::to_string(&pairs).map_err(|_| wrong())
}

/// Refuses a batch of which no line could be paid.
pub(crate) fn check_money(state: &ControlState, account: AccountId) -> Result<()> {
    let balance = state.backend.balance(account);
    if balance.is_some_and(|balance| balance.available() <= Nanos::ZERO) {
        return Err(Refused(Failure::new(
            FailureKind::PaymentRequired,
            "Insufficient credits: no line of the batch could be paid. Add credits with `bourse credit grant`.",
        )));
    }
    Ok(())
}

/// A batch that has just been made.
pub(crate) fn made(
    state: &ControlState,
    caller: &Inferring,
    (shape, endpoint): (Shape, String),
    input: bourse_vocab::FileId,
) -> Result<BatchRow> {
    let random = state.backend.random()?;
    let bits = random.first_chunk().copied().unwrap_or_default();
    let now_ms = state.backend.now_ms();
    Ok(BatchRow {
        id: BatchId::at_ms(now_ms, u128::from_le_bytes(bits)),
        account: caller.account(),
        key: caller.principal().hash,
        shape,
        endpoint,
        at_vendor: true,
        input,
        output: None,
        error: None,
        state: BatchState::Validating,
        metadata: String::new(),
        faults: String::new(),
        paused: String::new(),
        counts: LineCounts::default(),
        created_at_ms: now_ms,
        expires_at_ms: now_ms.saturating_add(WINDOW_MS),
        began_at_ms: None,
        finalizing_at_ms: None,
        cancelling_at_ms: None,
        ended_at_ms: None,
    })
}

/// Notes a batch, so that it is run.
pub(crate) async fn note(state: &ControlState, row: &BatchRow) -> Result<()> {
    let most = state.backend.file_limits().batches_max;
    let store = state.backend.store();
    if !store.create_batch(row.clone(), most).await? {
        return Err(Refused(Failure::new(
            FailureKind::RateLimited,
            format!(
                "The account has {most} batches that have not ended, which is as many as it may; wait, or cancel one"
            ),
        )));
    }
    state.backend.look_for_batches();
    tracing::info!(id = %row.id, "a batch was made");
    Ok(())
}

async fn list(state: Shared, caller: Inferring, args: Args) -> Result<Json<Listed<BatchBody>>> {
    let limit = args.number("limit")?.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(invalid(format!("limit: must be from 1 to {}", PAGE.1)));
    }
    let page = BatchesPage {
        account: Some(caller.account()),
        shape: Some(Shape::File),
        after: args.text("after").map(batch_id).transpose()?,
        before: None,
        count_max: limit.saturating_add(1),
    };
    let rows = state.backend.store().batches(page).await?;
    let data: Vec<BatchBody> = rows.into_iter().map(BatchBody::from).collect();
    Ok(Json(Listed::new(data, limit, |batch| batch.id.clone())))
}

async fn create(state: Shared, caller: Inferring, sent: Sent<Wanted>) -> Result<Json<BatchBody>> {
    let wanted = sent.read().await?;
    let endpoint = wanted
        .endpoint
        .strip_prefix("/api")
        .unwrap_or(&wanted.endpoint);
    let taken = state.backend.batch_endpoints();
    if !taken.contains(&endpoint) {
        return Err(invalid(format!(
            "endpoint: must be one of {}",
            taken.join(", ")
        )));
    }
    let file = find_file(&state, caller.account(), &wanted.input_file_id).await;
    let file = file.map_err(|Refused(failure)| match failure.kind {
        FailureKind::NotFound => invalid("input_file_id: there is no such file"),
        _ => Refused(failure),
    })?;
    if file.purpose != Purpose::Batch {
        return Err(invalid(
            "input_file_id: the file has another purpose than `batch`",
        ));
    }
    check_money(&state, caller.account())?;
    let batch = BatchRow {
        metadata: wanted.metadata,
        at_vendor: wanted.at_vendor,
        ..made(&state, &caller, (Shape::File, endpoint.to_owned()), file.id)?
    };
    note(&state, &batch).await?;
    Ok(Json(batch.into()))
}

async fn show(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<BatchBody>> {
    let wanted = (Some(batch_id(&id)?), Shape::File);
    let row = find(&state, caller.account(), wanted).await?;
    Ok(Json(row.into()))
}

/// Tells a batch to end.
pub(crate) async fn end(state: &ControlState, row: &BatchRow) -> Result<BatchRow> {
    let (store, now_ms) = (state.backend.store(), state.backend.now_ms());
    let told = store.cancel_batch(row.id, now_ms).await?;
    let told = told.ok_or_else(no_such_batch)?;
    if told.state != BatchState::Cancelling {
        return Err(Refused(Failure::new(
            FailureKind::Conflict,
            format!("The batch is {}; it cannot be cancelled", told.state.name()),
        )));
    }
    state.backend.look_for_batches();
    Ok(told)
}

async fn cancel(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<BatchBody>> {
    let wanted = (Some(batch_id(&id)?), Shape::File);
    let row = find(&state, caller.account(), wanted).await?;
    Ok(Json(end(&state, &row).await?.into()))
}

/// Forgets a batch that has ended, with its answers.
pub(crate) async fn forget(state: &ControlState, row: &BatchRow) -> Result<()> {
    if !state.backend.store().delete_batch(row.id).await? {
        return Err(Refused(Failure::new(
            FailureKind::Conflict,
            "The batch has not ended; cancel it first, and wait until it has",
        )));
    }
    let inside = (row.shape == Shape::Body).then_some(row.input);
    for file in [row.output, row.error, inside].into_iter().flatten() {
        files::forget(state, file).await?;
    }
    Ok(())
}

async fn delete(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<Deleted>> {
    let wanted = (Some(batch_id(&id)?), Shape::File);
    let row = find(&state, caller.account(), wanted).await?;
    forget(&state, &row).await?;
    Ok(Json(Deleted {
        id,
        object: "batch",
        deleted: true,
    }))
}
