//! `/files`: files that an account keeps here, for its batches and of them.
//!
//! Paths and shapes are OpenAI's (platform.openai.com/docs/api-reference/files;
//! openai-python 3.52, `resources/files.py`, November 2026). A file is its
//! account's; to another it looks like one that is not there.

pub(crate) mod body;
pub(crate) mod upload;

use axum::http::Method;
use bourse_store::{FileRow, FilesPage, OverQuota, Purpose};
use bourse_vocab::{AccountId, Failure, FailureKind, FileId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::access::Inferring;
use crate::args::{Args, Segments};
use crate::backend::FileLimits;
use crate::error::{Refused, Result, invalid, not_found};
use crate::reply::Json;
use crate::route::{Operation, Route};
use crate::schema::inline;
use crate::state::{ControlState, Shared};
use body::Download;
use upload::Upload;

/// What ids of files begin with.
const PREFIX: &str = "file-";
/// Files on a page, at most and unless the caller says otherwise, as at OpenAI.
const PAGE_FILES: u64 = 10_000;
/// When to come back where the server has no room: somebody has to make some.
const NO_ROOM_RETRY: std::time::Duration = std::time::Duration::from_secs(60);

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let of_one =
        |summary| Operation::new("Files", summary).segment("file_id", "The file's id, `file-…`");
    vec![
        Route::get(
            "/files",
            Operation::new("Files", "Lists the files of the account")
                .query("purpose", "Only files of this purpose", &inline::<String>())
                .query(
                    "limit",
                    "Files on a page",
                    &json!({"type": "integer", "minimum": 1, "maximum": PAGE_FILES, "default": PAGE_FILES}),
                )
                .query(
                    "order",
                    "By the time of their making",
                    &json!({"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
                )
                .query("after", "The last file of the page before", &inline::<String>()),
            list,
        ),
        Route::new(
            Method::POST,
            "/files",
            Operation::new("Files", "Keeps a file")
                .about("The lines of a batch, as a form with `purpose` and `file`.")
                .form("file"),
            create,
        ),
        Route::get("/files/{file_id}", of_one("Shows a file"), show),
        Route::get(
            "/files/{file_id}/content",
            of_one("Reads a file"),
            content,
        ),
        Route::new(
            Method::DELETE,
            "/files/{file_id}",
            of_one("Deletes a file")
                .about("Not while a batch reads it. The answers of a batch are files of their own."),
            delete,
        ),
    ]
}

/// A file.
// openai-python 3.52, `types/file_object.py`, November 2026. `status` is
// deprecated there and still required.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "File")]
struct FileBody {
    id: String,
    object: &'static str,
    bytes: u64,
    /// Unix seconds
    created_at: u64,
    /// Unix seconds; the file is deleted then
    expires_at: u64,
    filename: String,
    purpose: &'static str,
    status: &'static str,
}

impl From<FileRow> for FileBody {
    fn from(row: FileRow) -> Self {
        Self {
            id: shown(row.id),
            object: "file",
            bytes: row.bytes,
            created_at: row.created_at_ms / 1000,
            expires_at: row.expires_at_ms / 1000,
            filename: row.name,
            purpose: row.purpose.name(),
            status: "processed",
        }
    }
}

/// A page of a list, as OpenAI's clients read it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Listed<T> {
    object: &'static str,
    data: Vec<T>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

impl<T> Listed<T> {
    /// A page of so many, of which one more was read if there is one.
    pub(crate) fn new(mut data: Vec<T>, limit: u64, id: impl Fn(&T) -> String) -> Self {
        let has_more = data.len() as u64 > limit;
        data.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Self {
            object: "list",
            first_id: data.first().map(&id),
            last_id: data.last().map(&id),
            has_more,
            data,
        }
    }
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// An id as clients see it.
pub(crate) fn shown(id: FileId) -> String {
    format!("{PREFIX}{id}")
}

fn no_such_file() -> Refused {
    not_found("There is no such file")
}

/// Reads an id; one that is none is that of no file.
fn file_id(text: &str) -> Result<FileId> {
    let id = text.strip_prefix(PREFIX).and_then(|id| id.parse().ok());
    id.ok_or_else(no_such_file)
}

/// Finds a file of an account.
pub(crate) async fn find(state: &ControlState, account: AccountId, id: &str) -> Result<FileRow> {
    let id = file_id(id)?;
    let row = state.backend.store().file(id).await?;
    row.filter(|row| row.account == account && row.purpose != Purpose::Inside)
        .ok_or_else(no_such_file)
}

/// Refuses what does not fit.
pub(crate) fn over_quota(over: OverQuota, limits: &FileLimits) -> Refused {
    let quota = &limits.quota;
    Refused(match over {
        OverQuota::AccountFiles => Failure::new(
            FailureKind::PayloadTooLarge,
            format!(
                "The account has {} files, which is as many as it may; delete some",
                quota.account_files_max
            ),
        ),
        OverQuota::AccountBytes => Failure::new(
            FailureKind::PayloadTooLarge,
            format!(
                "The files of the account would have more than {} bytes; delete some",
                quota.account_bytes_max
            ),
        ),
        OverQuota::Bytes => no_room(),
    })
}

/// The server keeps as much as it may, or as its disk has room for.
pub(crate) fn no_room() -> Failure {
    Failure::new(
        FailureKind::Overloaded,
        "This server has no room for more files now. Nothing was kept; try again later.",
    )
    .retry_after(NO_ROOM_RETRY)
}

/// What the disk says to whoever keeps something.
pub(crate) fn disk_refuses(error: &std::io::Error) -> Refused {
    Refused(match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => no_room(),
        _ => Failure::server(format!("the disk of files: {error}")),
    })
}

async fn list(state: Shared, caller: Inferring, args: Args) -> Result<Json<Listed<FileBody>>> {
    let limit = args.number("limit")?.unwrap_or(PAGE_FILES);
    if !(1..=PAGE_FILES).contains(&limit) {
        return Err(invalid(format!("limit: must be from 1 to {PAGE_FILES}")));
    }
    let oldest_first = match args.text("order") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(invalid("order: must be asc or desc")),
    };
    // A purpose that no file here has is that of none.
    let purpose = match args.text("purpose").map(Purpose::from_name) {
        None => None,
        Some(Some(purpose)) if purpose != Purpose::Inside => Some(purpose),
        Some(_) => return Ok(Json(Listed::new(Vec::new(), limit, |_| String::new()))),
    };
    let page = FilesPage {
        purpose,
        after: args.text("after").map(file_id).transpose()?,
        oldest_first,
        count_max: limit.saturating_add(1),
    };
    let rows = state.backend.store().files(caller.account(), page).await?;
    let data: Vec<FileBody> = rows.into_iter().map(FileBody::from).collect();
    Ok(Json(Listed::new(data, limit, |file| file.id.clone())))
}

async fn create(state: Shared, caller: Inferring, upload: Upload) -> Result<Json<FileBody>> {
    let account = caller.account();
    let file = upload.receive(&state, account).await?;
    tracing::info!(id = %file.id, bytes = file.bytes, "a file was kept");
    Ok(Json(file.into()))
}

async fn show(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<FileBody>> {
    let row = find(&state, caller.account(), &id).await?;
    Ok(Json(row.into()))
}

async fn content(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Download> {
    let row = find(&state, caller.account(), &id).await?;
    Download::open(&state, &row, "application/octet-stream")
}

async fn delete(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
) -> Result<Json<Deleted>> {
    let row = find(&state, caller.account(), &id).await?;
    let store = state.backend.store();
    if let Some(batch) = store.batch_reading(row.id).await? {
        return Err(Refused(Failure::new(
            FailureKind::Conflict,
            format!("The file is read by batch_{batch}; cancel that, or wait until it has ended"),
        )));
    }
    forget(&state, row.id).await?;
    Ok(Json(Deleted {
        id: shown(row.id),
        object: "file",
        deleted: true,
    }))
}

/// Forgets a file, and removes its content. What cannot be removed now is
/// known to nobody, and removed when it is looked for such.
pub(crate) async fn forget(state: &ControlState, id: FileId) -> Result<()> {
    state.backend.store().delete_file(id).await?;
    if let Err(error) = state.backend.contents().remove(id) {
        tracing::warn!(%error, %id, "a deleted file is still on the disk");
    }
    Ok(())
}
