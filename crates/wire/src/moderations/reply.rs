//! The reply to a client: OpenAI's (openai-python 2,
//! `moderation_create_response.py`, November 2026), and what it cost.

use bourse_vocab::json::Map;
use bourse_vocab::moderations::Reply;
use bourse_vocab::{Bill, Usage};

use crate::codec::Stamp;
use crate::object::{Object, array, object, write};

/// The verdicts of a reply as clients read them, complete but for usage and
/// bill.
#[derive(Debug)]
pub struct Begun(Vec<u8>);

/// Writes the verdicts.
#[must_use]
pub fn begin(reply: &Reply, stamp: &Stamp<'_>) -> Begun {
    let mut out = Vec::new();
    let mut whole = Object::open(&mut out);
    whole.put("id", stamp.id).put("model", stamp.model);
    whole.nested("results", |out| {
        array(out, &reply.verdicts, |out, verdict| {
            object(out, |item| {
                item.put("flagged", &verdict.flagged)
                    .nested("categories", |out| map(out, &verdict.categories))
                    .nested("category_scores", |out| map(out, &verdict.scores));
                if let Some(applied) = &verdict.applied {
                    item.nested("category_applied_input_types", |out| map(out, applied));
                }
            });
        });
    });
    if let Some(metadata) = stamp.metadata {
        whole.raw("openrouter_metadata", metadata);
    }
    Begun(out)
}

fn map(out: &mut Vec<u8>, map: &Map) {
    object(out, |members| {
        for (name, value) in map.iter() {
            members.nested(name, |out| write(out, value));
        }
    });
}

impl Begun {
    /// The whole reply, with what it used and what that costs.
    #[must_use]
    pub fn finish(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        let mut out = self.0;
        let mut rest = Object::resume(&mut out);
        rest.nested("usage", |out| {
            object(out, |told| {
                told.put("prompt_tokens", &usage.prompt)
                    .put("total_tokens", &usage.total());
                told.nested("cost", |out| {
                    out.extend_from_slice(bill.total.decimal().as_bytes());
                });
            });
        });
        rest.close();
        out
    }
}
