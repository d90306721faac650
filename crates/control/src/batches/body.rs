//! What a batch looks like.

use bourse_store::{BatchRow, BatchState, LineCounts};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{WINDOW, shown};
use crate::files;

/// How many lines have come to which end.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct RequestCounts {
    total: u64,
    completed: u64,
    /// Refused, failed, or not called before the batch ended
    failed: u64,
}

impl From<LineCounts> for RequestCounts {
    fn from(counts: LineCounts) -> Self {
        let failed = counts.failed.saturating_add(counts.expired);
        Self {
            total: counts.total,
            completed: counts.completed,
            failed: failed.saturating_add(counts.cancelled),
        }
    }
}

/// What is wrong with a batch, or with lines of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Faults {
    object: &'static str,
    #[schemars(with = "Vec<Fault>")]
    data: Box<RawValue>,
}

/// One thing that is wrong.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used")]
struct Fault {
    code: String,
    message: String,
    param: Option<String>,
    /// The number of the line, from 1
    line: Option<u64>,
}

/// What is this server's own.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Own {
    /// Why the batch waits, if it does
    paused: Option<String>,
    /// Whether lines may go among vendors' own batches
    at_vendor: bool,
    /// Lines that were answered there, at half the price
    lines_at_vendor: u64,
}

/// A batch.
// openai-python 3.52, `types/batch.py`, November 2026; `bourse` is ours.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Batch")]
pub(super) struct BatchBody {
    pub(super) id: String,
    object: &'static str,
    endpoint: String,
    errors: Option<Faults>,
    input_file_id: String,
    completion_window: &'static str,
    status: &'static str,
    output_file_id: Option<String>,
    error_file_id: Option<String>,
    /// Unix seconds, as all moments
    created_at: u64,
    in_progress_at: Option<u64>,
    expires_at: u64,
    finalizing_at: Option<u64>,
    completed_at: Option<u64>,
    failed_at: Option<u64>,
    expired_at: Option<u64>,
    cancelling_at: Option<u64>,
    cancelled_at: Option<u64>,
    request_counts: RequestCounts,
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    metadata: Option<Box<RawValue>>,
    bourse: Own,
}

fn raw(text: String) -> Option<Box<RawValue>> {
    (!text.is_empty())
        .then(|| RawValue::from_string(text).ok())
        .flatten()
}

impl From<BatchRow> for BatchBody {
    fn from(row: BatchRow) -> Self {
        let seconds = |ms: u64| ms / 1000;
        let ended = |state| {
            let at = (row.state == state).then_some(row.ended_at_ms).flatten();
            at.map(seconds)
        };
        Self {
            id: shown(row.id),
            object: "batch",
            errors: raw(row.faults).map(|data| Faults {
                object: "list",
                data,
            }),
            input_file_id: files::shown(row.input),
            completion_window: WINDOW,
            status: row.state.name(),
            output_file_id: row.output.map(files::shown),
            error_file_id: row.error.map(files::shown),
            created_at: seconds(row.created_at_ms),
            in_progress_at: row.began_at_ms.map(seconds),
            expires_at: seconds(row.expires_at_ms),
            finalizing_at: row.finalizing_at_ms.map(seconds),
            completed_at: ended(BatchState::Completed),
            failed_at: ended(BatchState::Failed),
            expired_at: ended(BatchState::Expired),
            cancelling_at: row.cancelling_at_ms.map(seconds),
            cancelled_at: ended(BatchState::Cancelled),
            request_counts: row.counts.into(),
            metadata: raw(row.metadata),
            bourse: Own {
                paused: (!row.paused.is_empty()).then_some(row.paused),
                at_vendor: row.at_vendor,
                lines_at_vendor: row.counts.at_vendor,
            },
            endpoint: row.endpoint,
        }
    }
}
