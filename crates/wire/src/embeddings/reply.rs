//! The reply to a client: OpenAI's, with what OpenRouter adds
//! (openrouter.ai/docs, API reference of embeddings, October 2026).

use bourse_vocab::embeddings::{Encoding, Reply};
use bourse_vocab::{Bill, Failure, Nanos, Usage};

use super::{read, vector};
use crate::codec::Stamp;
use crate::object::{Object, object, write};

/// Bytes that JSON writes around a vector.
const AROUND_BYTES: usize = 64;

/// The vectors of a reply as clients read them, complete but for usage and
/// bill.
#[derive(Debug)]
pub struct Begun(Vec<u8>);

/// Whether the vectors are as long as was asked for: some servers leave out
/// what they do not know, and a vector of another length fits no index.
///
/// # Errors
/// They are not.
pub fn check_length(reply: &Reply, asked: Option<u32>) -> Result<(), Failure> {
    match asked {
        Some(asked) if asked as usize != reply.length => Err(read::broken(&format!(
            "they have {} numbers each, and {asked} were asked for",
            reply.length
        ))),
        _ => Ok(()),
    }
}

/// Writes the vectors, in the way that was asked for.
///
/// # Errors
/// One of them cannot be converted.
pub fn begin(reply: &Reply, encoding: Encoding, stamp: &Stamp<'_>) -> Result<Begun, Failure> {
    let mut out = Vec::with_capacity(reply.vectors.len().saturating_mul(AROUND_BYTES));
    out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    for (index, item) in reply.vectors.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"object\":\"embedding\",\"index\":");
        write(&mut out, &index);
        out.extend_from_slice(b",\"embedding\":");
        vector::write(item, encoding, &mut out).map_err(read::broken)?;
        out.push(b'}');
    }
    out.push(b']');
    let mut rest = Object::resume(&mut out);
    rest.put("model", stamp.model)
        .put("id", stamp.id)
        .put("provider", stamp.provider);
    if let Some(metadata) = stamp.metadata {
        rest.raw("openrouter_metadata", metadata);
    }
    Ok(Begun(out))
}

impl Begun {
    /// The whole reply, with what it used and what that costs.
    #[must_use]
    pub fn finish(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        let mut out = self.0;
        let mut rest = Object::resume(&mut out);
        rest.nested("usage", |out| {
            object(out, |told| {
                // Clients of embeddings know no output (openai-node refuses
                // members of usage that are null).
                told.put("prompt_tokens", &usage.prompt)
                    .put("total_tokens", &usage.total());
                amount(told, "cost", bill.total)
                    .put("is_byok", &false)
                    .nested("cost_details", |out| cost_details(bill, out));
            });
        });
        rest.close();
        out
    }
}

fn cost_details(bill: &Bill, out: &mut Vec<u8>) {
    object(out, |details| {
        for (name, nanos) in [
            ("upstream_inference_cost", bill.upstream()),
            ("upstream_inference_prompt_cost", bill.upstream_prompt),
            (
                "upstream_inference_completions_cost",
                bill.upstream_completion,
            ),
        ] {
            amount(details, name, nanos);
        }
    });
}

/// Writes an amount with every digit; it never passes through a float.
fn amount<'a, 'b>(object: &'a mut Object<'b>, name: &str, nanos: Nanos) -> &'a mut Object<'b> {
    object.nested(name, |out| {
        out.extend_from_slice(nanos.decimal().as_bytes());
    })
}
