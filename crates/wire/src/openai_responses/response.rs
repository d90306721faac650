//! The response object: what a whole reply is, and what stands in the first
//! and the last events of a stream.

use bourse_vocab::chat::Finish;
use bourse_vocab::{Bill, Failure, Usage};

use super::echo::Echo;
use super::item::Status;
use super::{failure, usage};
use crate::codec::Stamp;
use crate::object::Object;

/// What of a response is the same from its first event to its last.
#[derive(Debug, Clone)]
pub struct Head {
    pub id: String,
    pub model: String,
    pub provider: String,
    pub created: u64,
}

impl Head {
    /// What a stamp says.
    pub fn of(stamp: &Stamp<'_>) -> Self {
        Self {
            id: stamp.id.to_owned(),
            model: stamp.model.to_owned(),
            provider: stamp.provider.to_owned(),
            created: stamp.created,
        }
    }

    /// The id of an item that has none of its provider's.
    pub fn item_id(&self, prefix: &str, number: usize) -> String {
        format!("{prefix}_{}_{number}", self.id)
    }
}

/// What of a response changes.
pub struct Body<'a> {
    pub status: Status,
    /// Why it is not complete.
    pub incomplete: Option<&'static str>,
    /// Why it failed.
    pub failure: Option<&'a Failure>,
    /// The items, as JSON texts.
    pub output: Vec<&'a [u8]>,
    pub tier: Option<&'a str>,
    pub usage: Option<(&'a Usage, Option<&'a Bill>)>,
    /// `openrouter_metadata`.
    pub metadata: Option<&'a str>,
}

impl Body<'_> {
    /// A response of which nothing is there yet.
    pub const fn begun() -> Self {
        Self {
            status: Status::InProgress,
            incomplete: None,
            failure: None,
            output: Vec::new(),
            tier: None,
            usage: None,
            metadata: None,
        }
    }
}

/// How an answer that ended for this reason stands, and why it is not complete.
pub const fn status_of(finish: Finish) -> (Status, Option<&'static str>) {
    match finish {
        Finish::Stop | Finish::ToolCalls => (Status::Completed, None),
        Finish::Length => (Status::Incomplete, Some("max_output_tokens")),
        Finish::ContentFilter => (Status::Incomplete, Some("content_filter")),
        Finish::Error => (Status::Failed, None),
    }
}

/// Writes the object.
pub fn write(out: &mut Vec<u8>, head: &Head, echo: &Echo, body: &Body<'_>) {
    let mut object = Object::open(out);
    object
        .put("id", &head.id)
        .put("object", "response")
        .put("created_at", &head.created)
        // The clock that knows is elsewhere, and `null` is what the document
        // allows.
        .raw("completed_at", "null")
        .put("status", body.status.word())
        .put("model", &head.model)
        .put("provider", &head.provider);
    match body.failure {
        Some(failure) => {
            object.nested("error", |out| {
                crate::object::object(out, |error| failure::write_late(error, failure));
            });
            object.put("error_type", failure.kind.error_type());
        }
        None => {
            object.raw("error", "null");
        }
    }
    match body.incomplete {
        Some(reason) => object.nested("incomplete_details", |out| {
            crate::object::object(out, |details| {
                details.put("reason", reason);
            });
        }),
        None => object.raw("incomplete_details", "null"),
    };
    object.nested("output", |out| {
        crate::object::array(out, &body.output, |out, item| out.extend_from_slice(item));
    });
    echo.write(&mut object);
    object.put("service_tier", &body.tier);
    match body.usage {
        Some((counts, bill)) => object.nested("usage", |out| usage::write(out, counts, bill)),
        None => object.raw("usage", "null"),
    };
    if let Some(metadata) = body.metadata {
        object.raw("openrouter_metadata", metadata);
    }
    object.close();
}
