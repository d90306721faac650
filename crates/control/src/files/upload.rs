//! A file on its way in: a form that is written to the disk as it comes.
//!
//! The form is read by the strict reader of all forms, which finds its parts
//! and keeps nothing; its bytes are in a draft on the disk, and the part that
//! is the file becomes the file. Memory holds a piece of it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bourse_store::contents::{Draft, Written};
use bourse_store::{Contents, FileRow, Purpose};
use bourse_vocab::{AccountId, Failure, FailureKind, FileId};
use bourse_wire::multipart::{Boundary, Form, Reader};
use schemars::JsonSchema;
use serde_json::Value;
use tokio::time::Instant;

use super::{disk_refuses, no_room, over_quota};
use crate::error::{Refused, Result, invalid};
use crate::route::Input;
use crate::schema::Schemas;
use crate::state::{ControlState, Shared};

/// Bytes that are handed to the disk at once.
const PIECE_BYTES: usize = 256 * 1024;
/// The longest that an upload may take: the largest file at 1 Mbit/s.
const TIME_MAX: Duration = Duration::from_secs(1_800);
/// In each such span [`WINDOW_BYTES_MIN`] must come, as of every body.
const WINDOW: Duration = Duration::from_secs(30);
const WINDOW_BYTES_MIN: u64 = 30 * 1024;
/// What a form has beside its file: heads, `purpose` and boundaries.
const FORM_BYTES_MAX: u64 = 64 * 1024;
/// Longest value beside the file.
const VALUE_BYTES_MAX: usize = 1_024;
/// Seconds for which a file may ask to be kept, as at OpenAI: an hour to 30
/// days (platform.openai.com, `expires_after`, November 2026).
const EXPIRES_AFTER_S: (u64, u64) = (3_600, 2_592_000);
const FILE: &str = "file";
const PURPOSE: &str = "purpose";
const ANCHOR: &str = "expires_after[anchor]";
const SECONDS: &str = "expires_after[seconds]";

/// A body that is written to the disk as it comes.
pub(crate) struct Incoming {
    body: Body,
    began: Instant,
    window: Instant,
    in_window: u64,
}

impl Incoming {
    pub(crate) fn new(body: Body) -> Self {
        let now = Instant::now();
        Self {
            body,
            began: now,
            window: now,
            in_window: 0,
        }
    }

    /// The next piece of some size; nothing after the last.
    ///
    /// # Errors
    /// It does not come, or not in time.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        let mut gathered = Vec::new();
        loop {
            if self.window.elapsed() >= WINDOW {
                if self.in_window < WINDOW_BYTES_MIN {
                    return Err(late());
                }
                self.window = Instant::now();
                self.in_window = 0;
            }
            let until = (self.window + WINDOW).min(self.began + TIME_MAX);
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx));
            let Ok(frame) = tokio::time::timeout_at(until, frame).await else {
                if self.began.elapsed() >= TIME_MAX || self.in_window < WINDOW_BYTES_MIN {
                    return Err(late());
                }
                continue;
            };
            let Some(frame) = frame else {
                return Ok((!gathered.is_empty()).then(|| gathered.into()));
            };
            let frame = frame.map_err(|error| {
                let failure = Failure::invalid("The request body ended early");
                Refused(failure.inside(error.to_string()))
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.in_window = self.in_window.saturating_add(data.len() as u64);
            if gathered.is_empty() && data.len() >= PIECE_BYTES {
                return Ok(Some(data));
            }
            gathered.extend_from_slice(&data);
            if gathered.len() >= PIECE_BYTES {
                return Ok(Some(gathered.into()));
            }
        }
    }
}

fn late() -> Refused {
    Refused(Failure::new(
        FailureKind::RequestTimeout,
        "The body did not arrive in time",
    ))
}

/// Runs on a thread that may wait for the disk.
pub(crate) async fn on_disk<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(act).await;
    let done = done.map_err(|_| Refused(Failure::server("a task of the disk has ended")))?;
    done.map_err(|error| disk_refuses(&error))
}

/// A new id of a file.
pub(crate) fn new_id(state: &ControlState) -> Result<FileId> {
    let random = state.backend.random()?;
    let bits = random.first_chunk().copied().unwrap_or_default();
    Ok(FileId::at_ms(
        state.backend.now_ms(),
        u128::from_le_bytes(bits),
    ))
}

/// The members of a form with a file, beside the file.
#[derive(JsonSchema)]
#[schemars(rename = "NewFile")]
#[expect(dead_code, reason = "read from the form by name")]
struct Members {
    /// `batch`
    purpose: String,
    /// `created_at`
    #[schemars(rename = "expires_after[anchor]")]
    expires_after_anchor: Option<String>,
    /// Seconds after that
    #[schemars(rename = "expires_after[seconds]")]
    expires_after_seconds: Option<u64>,
}

/// A form with a file that has not been read yet.
pub(crate) struct Upload {
    content_type: String,
    announced: Option<u64>,
    body: Body,
}

impl Input for Upload {
    async fn read(parts: &mut Parts, body: &mut Body, _: &Shared) -> Result<Self> {
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        Ok(Self {
            content_type: text(CONTENT_TYPE).unwrap_or_default().to_owned(),
            announced: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            body: std::mem::take(body),
        })
    }

    fn body(schemas: &mut Schemas) -> Option<Value> {
        Some(schemas.request::<Members>())
    }
}

/// What a form says.
struct Said {
    purpose: Purpose,
    name: String,
    content: Range<u64>,
    expires_after_ms: Option<u64>,
}

impl Upload {
    /// Keeps the file that the form has.
    pub(crate) async fn receive(self, state: &ControlState, account: AccountId) -> Result<FileRow> {
        let boundary = Boundary::of_content_type(&self.content_type).map_err(Failure::from)?;
        let boundary = boundary.ok_or_else(|| {
            invalid(
                "Content-Type: must be multipart/form-data, with the parts `purpose` and `file`",
            )
        })?;
        let limits = state.backend.file_limits();
        let most = limits.file_bytes_max.saturating_add(FORM_BYTES_MAX);
        if self.announced.is_some_and(|length| length > most) {
            return Err(too_large(limits.file_bytes_max));
        }
        let _place = state.uploads.begin(account)?;
        check_room(state, account, self.announced.unwrap_or(0)).await?;
        let reader = Reader::new(
            &boundary,
            usize::try_from(limits.file_bytes_max).unwrap_or(usize::MAX),
        );
        let (form, draft) = drain(state, self.body, reader, most).await?;
        let said = read_form(&form, draft.file())?;
        let id = new_id(state)?;
        let contents = state.backend.contents().clone();
        let range = said.content.clone();
        let written = on_disk(move || copy(&contents, id, &draft, range)).await?;
        let now_ms = state.backend.now_ms();
        let keep_ms = said.expires_after_ms.unwrap_or(limits.keep_ms);
        let row = FileRow {
            id,
            account,
            name: said.name,
            purpose: said.purpose,
            bytes: written.bytes,
            digest: written.digest,
            created_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(keep_ms.min(limits.keep_ms)),
        };
        note(state, row).await
    }
}

/// Notes a file whose content is on the disk; takes the content away again
/// where that is refused.
pub(crate) async fn note(state: &ControlState, row: FileRow) -> Result<FileRow> {
    let limits = state.backend.file_limits();
    let store = state.backend.store();
    let noted = store.create_file(row.clone(), limits.quota).await;
    let refused = match noted {
        Ok(None) => return Ok(row),
        Ok(Some(over)) => over_quota(over, &limits),
        // It may be noted: whatever nobody knows of is removed later.
        Err(error @ bourse_store::StoreError::Unsure(_)) => return Err(error.into()),
        Err(error) => error.into(),
    };
    if let Err(error) = state.backend.contents().remove(row.id) {
        tracing::warn!(%error, id = %row.id, "a refused file is still on the disk");
    }
    Err(refused)
}

/// Refuses early what would not fit when all of it has come.
pub(crate) async fn check_room(state: &ControlState, account: AccountId, bytes: u64) -> Result<()> {
    let limits = state.backend.file_limits();
    let kept = state.backend.store().file_sums(account).await?;
    // What is announced is a little more than the file.
    let least = bytes.saturating_sub(FORM_BYTES_MAX);
    if let Some(over) = limits.quota.check(kept, least) {
        return Err(over_quota(over, &limits));
    }
    let room = state.backend.contents().has_room(bytes.saturating_mul(2));
    match room {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refused(no_room())),
        Err(error) => Err(disk_refuses(&error)),
    }
}

fn too_large(most: u64) -> Refused {
    Refused(Failure::new(
        FailureKind::PayloadTooLarge,
        format!("file: larger than {most} bytes; cut it into several files"),
    ))
}

/// Writes a form to the disk, and finds its parts meanwhile.
async fn drain(
    state: &ControlState,
    body: Body,
    mut reader: Reader,
    bytes_max: u64,
) -> Result<(Form, Draft)> {
    let (contents, id) = (state.backend.contents().clone(), new_id(state)?);
    let mut draft = on_disk(move || contents.write(id)).await?;
    let mut incoming = Incoming::new(body);
    while let Some(piece) = incoming.piece().await? {
        if draft.bytes().saturating_add(piece.len() as u64) > bytes_max {
            return Err(too_large(bytes_max.saturating_sub(FORM_BYTES_MAX)));
        }
        reader.push(&piece).map_err(Failure::from)?;
        draft = on_disk(move || draft.push(&piece).map(|()| draft)).await?;
    }
    let form = reader.finish().map_err(Failure::from)?;
    Ok((form, draft))
}

/// Writes the part that is the file as a file.
fn copy(contents: &Contents, id: FileId, form: &Draft, range: Range<u64>) -> io::Result<Written> {
    let mut file = contents.write(id)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = range.start;
    while at < range.end {
        let count = range.end.saturating_sub(at).min(PIECE_BYTES as u64);
        let piece = piece
            .get_mut(..usize::try_from(count).unwrap_or(0))
            .unwrap_or_default();
        form.file().read_exact_at(piece, at)?;
        file.push(piece)?;
        at = at.saturating_add(count);
    }
    file.finish()
}

/// The value of a part that is no file.
fn value(form: &Form, file: &File, name: &str) -> Result<Option<String>> {
    let Some(part) = form.one(name)? else {
        return Ok(None);
    };
    if part.is_file() || part.value.len() > VALUE_BYTES_MAX {
        return Err(invalid(format!(
            "{name}: must be a text of at most {VALUE_BYTES_MAX} bytes"
        )));
    }
    let mut bytes = vec![0; part.value.len()];
    let read = file.read_exact_at(&mut bytes, part.value.start as u64);
    read.map_err(|error| disk_refuses(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| invalid(format!("{name}: is not UTF-8")))?;
    Ok(Some(text))
}

fn read_form(form: &Form, file: &File) -> Result<Said> {
    const KNOWN: [&str; 4] = [FILE, PURPOSE, ANCHOR, SECONDS];
    if let Some(part) = form.parts.iter().find(|part| !KNOWN.contains(&&*part.name)) {
        return Err(invalid(format!("{}: there is no such field", part.name)));
    }
    let purpose = match value(form, file, PURPOSE)?.as_deref() {
        Some("batch") => Purpose::Batch,
        None => return Err(invalid("purpose: must be given: `batch`")),
        Some(_) => {
            return Err(invalid(
                "purpose: only `batch` is of use here; other files are sent with the request that needs them",
            ));
        }
    };
    let part = form.one(FILE)?;
    let part = part.ok_or_else(|| invalid("file: must be given"))?;
    if part.value.is_empty() {
        return Err(invalid("file: is empty"));
    }
    let name = part.file_name.clone().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    Ok(Said {
        purpose,
        name: if name.is_empty() {
            "upload".to_owned()
        } else {
            name
        },
        content: part.value.start as u64..part.value.end as u64,
        expires_after_ms: expires_after(form, file)?,
    })
}

fn expires_after(form: &Form, file: &File) -> Result<Option<u64>> {
    let (anchor, seconds) = (value(form, file, ANCHOR)?, value(form, file, SECONDS)?);
    if anchor.is_none() && seconds.is_none() {
        return Ok(None);
    }
    let (least, most) = EXPIRES_AFTER_S;
    let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
    match (anchor.as_deref(), seconds) {
        (Some("created_at"), Some(s)) if (least..=most).contains(&s) => {
            Ok(Some(s.saturating_mul(1_000)))
        }
        _ => Err(invalid(format!(
            "expires_after: must be an `anchor`, which is `created_at`, and `seconds` from {least} to {most}"
        ))),
    }
}
