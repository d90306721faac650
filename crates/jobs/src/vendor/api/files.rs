//! OpenAI's batches (platform.openai.com/docs/guides/batch and the reference of
//! files and batches; openai-python 3.52, `resources/batches.py` and
//! `types/batch.py`, November 2026): a file of lines, and an order to answer it.

use bourse_net::Segments;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Api, Batch, Refused, is_name};

/// Pages that are looked through for a batch whose creation was not answered:
/// the newest thousand.
const PAGES_MAX: usize = 10;
/// Separates the parts of the form; what would contain it is none of ours.
const BOUNDARY: &str = "bourse-lines-of-a-batch";
/// The member of a batch's metadata by which it is found again.
const MARK: &str = "bourse";

/// A batch as it is told of.
#[derive(Deserialize)]
struct Told {
    id: String,
    status: String,
    output_file_id: Option<String>,
    error_file_id: Option<String>,
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl From<Told> for Batch {
    fn from(told: Told) -> Self {
        let files = [told.output_file_id, told.error_file_id];
        let files = files.into_iter().flatten().filter(|id| is_name(id));
        Self {
            id: told.id,
            has_ended: matches!(
                &*told.status,
                "completed" | "failed" | "expired" | "cancelled"
            ),
            results: files.map(|id| format!("/files/{id}/content")).collect(),
        }
    }
}

#[derive(Deserialize)]
struct File {
    id: String,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Told>,
    #[serde(default)]
    has_more: bool,
}

/// Uploads lines; the name of the file. One whose name is lost costs nothing.
pub(super) async fn upload(api: &Api, lines: &[(u32, Bytes)]) -> Result<String, Refused> {
    let mut body = Segments::new();
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"lines.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n"
    );
    body.push(head.into());
    let url = serde_json::Value::from(&*api.place.endpoint);
    for (line, request) in lines {
        let begin =
            format!("{{\"custom_id\":\"line-{line}\",\"method\":\"POST\",\"url\":{url},\"body\":");
        body.push(begin.into());
        body.push(request.clone());
        body.push(Bytes::from_static(b"}\n"));
    }
    body.push(format!("\r\n--{BOUNDARY}--\r\n").into());
    let kind = "multipart/form-data; boundary=bourse-lines-of-a-batch";
    let file: File = api.json(Method::POST, "/files", Some((kind, body))).await?;
    Ok(file.id)
}

/// Begins a batch that can be found again by its `name`.
pub(super) async fn create(api: &Api, file: &str, name: &str) -> Result<Batch, Refused> {
    let wanted = json!({
        "input_file_id": file,
        "endpoint": api.place.endpoint,
        "completion_window": "24h",
        "metadata": {MARK: name},
    });
    let mut body = Segments::new();
    body.push(wanted.to_string().into());
    let content = Some(("application/json", body));
    let told: Told = api.json(Method::POST, "/batches", content).await?;
    Ok(told.into())
}

/// Finds a batch by its name.
pub(super) async fn find(api: &Api, name: &str) -> Result<Option<Batch>, Refused> {
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let path = format!("/batches?limit=100{after}");
        let page: Page = api.json(Method::GET, &path, None).await?;
        let last = page.data.last().map(|batch| batch.id.clone());
        let mut batches = page.data.into_iter();
        let is_it = |batch: &Told| {
            let metadata = batch.metadata.as_ref();
            metadata.and_then(|metadata| metadata.get(MARK)?.as_str()) == Some(name)
        };
        if let Some(found) = batches.find(is_it) {
            return Ok(Some(found.into()));
        }
        match last.filter(|id| page.has_more && is_name(id)) {
            Some(last) => after = format!("&after={last}"),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// How far a batch has come.
pub(super) async fn look(api: &Api, id: &str) -> Result<Batch, Refused> {
    let path = format!("/batches/{id}");
    let told: Told = api.json(Method::GET, &path, None).await?;
    Ok(told.into())
}

/// Tells a batch to end.
pub(super) async fn cancel(api: &Api, id: &str) -> Result<Batch, Refused> {
    let path = format!("/batches/{id}/cancel");
    let told: Told = api.json(Method::POST, &path, None).await?;
    Ok(told.into())
}
