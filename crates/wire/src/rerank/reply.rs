//! The reply to a client (openrouter.ai's API document, October 2026).

use bourse_vocab::rerank::Reply;
use bourse_vocab::{Bill, Usage};

use super::asked::Asked;
use crate::codec::Stamp;
use crate::object::{Object, array, object};

/// The results of a reply as clients read them, complete but for usage and
/// bill.
#[derive(Debug)]
pub struct Begun(Vec<u8>);

/// Writes the results, with the documents that were ranked unless they are not
/// wanted.
#[must_use]
pub fn begin(reply: &Reply, asked: &Asked, stamp: &Stamp<'_>) -> Begun {
    let mut out = Vec::new();
    let mut whole = Object::open(&mut out);
    whole
        .put("id", stamp.id)
        .put("model", stamp.model)
        .put("provider", stamp.provider);
    whole.nested("results", |out| {
        array(out, &reply.results, |out, ranked| {
            object(out, |item| {
                item.put("index", &ranked.index)
                    .raw("relevance_score", &ranked.score);
                let document = asked.documents.get(ranked.index);
                if let Some(document) = document.filter(|_| asked.returns_documents) {
                    item.nested("document", |out| {
                        object(out, |parts| {
                            parts
                                .put_some("text", document.text.as_ref())
                                .put_some("image", document.image.as_ref());
                        });
                    });
                }
            });
        });
    });
    if let Some(metadata) = stamp.metadata {
        whole.raw("openrouter_metadata", metadata);
    }
    Begun(out)
}

impl Begun {
    /// The whole reply, with what it used and what that costs.
    #[must_use]
    pub fn finish(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        let mut out = self.0;
        let mut rest = Object::resume(&mut out);
        rest.nested("usage", |out| {
            object(out, |told| {
                if usage.units.search_units > 0 {
                    told.put("search_units", &usage.units.search_units);
                }
                told.put("total_tokens", &usage.total());
                told.nested("cost", |out| {
                    out.extend_from_slice(bill.total.decimal().as_bytes());
                });
            });
        });
        rest.close();
        out
    }
}
