//! Reading a vendor's vectors. A reply with too few of them, with one that is
//! none, or in another order than was asked is no reply: whoever stores it
//! would find the texts under each other's vectors.

use std::borrow::Cow;

use bourse_vocab::embeddings::{Reply, Vector};
use bourse_vocab::json::{Value, parse};
use bourse_vocab::{Failure, UsageReport};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::vector;

/// Bytes of a report of usage that is read: known ones have some hundred.
const USAGE_BYTES_MAX: usize = 16 * 1024;

/// OpenAI's reply, as far as it is read.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// One of its vectors.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

/// Reads OpenAI's reply, and those that look like it.
pub(super) fn openai(body: &Bytes, inputs: usize) -> Result<Reply, Failure> {
    let whole: Whole<'_> = from_json(body)?;
    let mut vectors = Vectors::of(body, inputs);
    for (at, item) in whole.data.iter().enumerate() {
        // Servers that number nothing list them in order.
        if item.index.is_some_and(|index| index != at as u64) {
            return Err(broken("the vectors are in another order"));
        }
        vectors.push(item.embedding)?;
    }
    let (length, vectors) = vectors.finish()?;
    Ok(Reply {
        vectors,
        length,
        usage: usage(whole.usage, &["prompt_tokens", "total_tokens"]),
        upstream_id: whole.id.map(Cow::into_owned),
    })
}

/// Reads a reply's outline.
pub(super) fn from_json<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        broken("it is not in the documented shape").inside(format!("a reply of vectors: {error}"))
    })
}

/// Vectors of a reply as they are read.
pub(super) struct Vectors<'a> {
    body: &'a Bytes,
    inputs: usize,
    length: Option<usize>,
    vectors: Vec<Vector>,
}

impl<'a> Vectors<'a> {
    /// None yet of so many.
    pub(super) fn of(body: &'a Bytes, inputs: usize) -> Self {
        Self {
            body,
            inputs,
            length: None,
            vectors: Vec::with_capacity(inputs),
        }
    }

    /// Takes the next.
    pub(super) fn push(&mut self, raw: &RawValue) -> Result<(), Failure> {
        if self.vectors.len() == self.inputs {
            return Err(broken("there are more vectors than inputs"));
        }
        let (vector, length) = vector::of_json(self.body, raw.get()).map_err(broken)?;
        if *self.length.get_or_insert(length) != length {
            return Err(broken("the vectors are not equally long"));
        }
        self.vectors.push(vector);
        Ok(())
    }

    /// All of them, and how many numbers each has.
    pub(super) fn finish(self) -> Result<(usize, Vec<Vector>), Failure> {
        if self.vectors.len() != self.inputs {
            return Err(broken("there are fewer vectors than inputs"));
        }
        Ok((self.length.unwrap_or(0), self.vectors))
    }
}

/// What was counted of the input: the first of `names` that is there. Nothing
/// is said, so that no output is counted.
pub(super) fn usage(raw: Option<&RawValue>, names: &[&str]) -> UsageReport {
    let mut report = UsageReport::default();
    let text = raw.map(|raw| raw.get().as_bytes());
    let text = text.filter(|text| text.len() <= USAGE_BYTES_MAX);
    let members = text.and_then(|text| parse(text).ok());
    let members = members.as_ref().and_then(Value::as_object);
    let Some(members) = members else {
        return report;
    };
    let named = names.iter().filter_map(|name| members.get(name));
    for value in named {
        report.prompt = report.count(value);
        // A zero beside another count is one that was not filled in.
        if report.prompt.is_some_and(|count| count > 0) {
            break;
        }
    }
    report.completion = report.prompt.map(|_| 0);
    report
}

/// A reply that is none, for a reason.
pub(super) fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's vectors cannot be used: {why}"))
}
