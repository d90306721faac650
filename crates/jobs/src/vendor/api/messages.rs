//! Anthropic's Message Batches (platform.claude.com/docs, "Batch processing" and
//! the reference of `/v1/messages/batches`, November 2026): the order has the
//! lines, and each result says whose it is.

use bourse_net::Segments;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::{Api, Batch, Refused, is_name};
use crate::vendor::shelf::Record;

/// Pages that are looked through for an order whose answer is lost.
const PAGES_MAX: usize = 10;
/// Of results, as much as is read to see whose they are: what is longer than
/// that in front of its first line's end has no name in it that is ours.
const BEGINNING_BYTES_MAX: usize = 4 << 10;

/// A batch as it is told of.
#[derive(Deserialize)]
struct Told {
    id: String,
    processing_status: String,
    #[serde(default)]
    request_counts: Counts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    processing: u64,
    succeeded: u64,
    errored: u64,
    canceled: u64,
    expired: u64,
}

impl Counts {
    fn total(&self) -> u64 {
        let counts = [self.succeeded, self.errored, self.canceled, self.expired];
        counts
            .into_iter()
            .fold(self.processing, u64::saturating_add)
    }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Told>,
    #[serde(default)]
    has_more: bool,
}

impl From<Told> for Batch {
    /// Where the results are is said in the answer as well; an address of
    /// somebody else's is not called.
    fn from(told: Told) -> Self {
        Self {
            has_ended: told.processing_status == "ended",
            results: vec![format!("/messages/batches/{}/results", told.id)],
            id: told.id,
        }
    }
}

/// How a line is called: by its order as well, which has no name of its own.
/// At most 64 of `[a-zA-Z0-9_-]` are allowed; an order's name has 32.
fn name_of(order: &str, line: u32) -> String {
    format!("{order}-line-{line}")
}

/// Gives the order.
pub(super) async fn create(
    api: &Api,
    order: &str,
    lines: &[(u32, Bytes)],
) -> Result<Batch, Refused> {
    // Whoever started after the order has not got them.
    if lines.iter().any(|(_, request)| request.is_empty()) {
        return Err(Refused::Never(0));
    }
    let mut body = Segments::new();
    let mut begin = "{\"requests\":[";
    for (line, request) in lines {
        let named = format!(
            "{begin}{{\"custom_id\":\"{}\",\"params\":",
            name_of(order, *line)
        );
        body.push(named.into());
        body.push(request.clone());
        body.push(Bytes::from_static(b"}"));
        begin = ",";
    }
    body.push(Bytes::from_static(b"]}"));
    let content = Some(("application/json", body));
    let told: Told = api.json(Method::POST, "/messages/batches", content).await?;
    Ok(told.into())
}

/// Finds an order whose answer is lost, by the names of its lines, which are
/// told once it has ended: until then one of as many lines may be it, and is
/// waited for.
pub(super) async fn find(api: &Api, record: &Record) -> Result<Option<Batch>, Refused> {
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let path = format!("/messages/batches?limit=100{after}");
        let page: Page = api.json(Method::GET, &path, None).await?;
        let last = page.data.last().map(|batch| batch.id.clone());
        for told in page.data {
            if told.request_counts.total() != record.lines.len() as u64 || !is_name(&told.id) {
                continue;
            }
            let batch = Batch::from(told);
            if !batch.has_ended {
                return Err(Refused::Later(None));
            }
            if is_of(api, &batch, &record.name).await? {
                return Ok(Some(batch));
            }
        }
        match last.filter(|id| page.has_more && is_name(id)) {
            Some(last) => after = format!("&after_id={last}"),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether the first result of a batch is one of an order's.
async fn is_of(api: &Api, batch: &Batch, order: &str) -> Result<bool, Refused> {
    let Some(path) = batch.results.first() else {
        return Ok(false);
    };
    let mut body = match api.content(path).await {
        Ok(response) => response.body,
        // Kept for 29 days; older ones are none of today's.
        Err(Refused::Never(_)) => return Ok(false),
        Err(refused) => return Err(refused),
    };
    let mut beginning = Vec::new();
    while let Some(piece) = body.next().await {
        beginning.extend_from_slice(&piece.map_err(Refused::unknown)?);
        if beginning.len() > BEGINNING_BYTES_MAX || beginning.contains(&b'\n') {
            break;
        }
    }
    let text = String::from_utf8_lossy(&beginning);
    Ok(text.contains(&format!("\"{order}-line-")))
}

/// How far a batch has come.
pub(super) async fn look(api: &Api, id: &str) -> Result<Batch, Refused> {
    let path = format!("/messages/batches/{id}");
    let told: Told = api.json(Method::GET, &path, None).await?;
    Ok(told.into())
}

/// Tells a batch to end.
pub(super) async fn cancel(api: &Api, id: &str) -> Result<Batch, Refused> {
    let path = format!("/messages/batches/{id}/cancel");
    let told: Told = api.json(Method::POST, &path, None).await?;
    Ok(told.into())
}
