//! Between two formats: a request that is parsed once and written for each
//! target, and an answer that is read in one format and told in another.

use std::sync::OnceLock;

use bourse_vocab::chat::{Loss, Part, Reply, Request};
use bourse_vocab::{Failure, FailureKind, Next};
use bourse_wire::dialect::prefill::{self, Prefill};
use bourse_wire::json::count_values;
use bourse_wire::tool_calls::Made;
use bourse_wire::{StreamWriter, WriteTarget, codec};
use bytes::Bytes;

use super::{Prepared, PreparedRest, Rest, WholeReply};
use crate::relay::Feed;
use crate::relay::meter::report_of;
use crate::relay::translate::Translate;
use crate::way::Way;

/// The longest request that is translated: twice what a client may send
/// unless the operator raises that, and what is parsed takes several times
/// its length. Longer ones only pass where both sides speak the same format.
pub const TRANSLATED_BYTES_MAX: usize = 64 << 20;
/// The most values (texts, numbers, objects, arrays) of a request that is
/// translated. A conversation of a working day has some 100,000; each takes
/// up to 100 bytes when it is parsed, however short it is on the wire, so that
/// all of them take less than the longest body.
pub const TRANSLATED_VALUES_MAX: usize = 150_000;

/// A request that is parsed when the first target needs it, and kept.
#[derive(Debug, Default)]
pub struct Parsed(OnceLock<Request>);

impl Parsed {
    /// Writes the request for a target; `parse` is asked the first time.
    ///
    /// # Errors
    /// The request is too large to be translated, cannot be understood, or
    /// cannot be written for this target.
    pub fn write(
        &self,
        segments: &[Bytes],
        parse: impl FnOnce() -> Result<Request, Failure>,
        way: &Way,
        target: &WriteTarget<'_>,
    ) -> Result<Prepared, Failure> {
        let request = self.get(segments, parse)?;
        prepare(request, way, target)
    }

    /// The same, for a target that goes on with an answer.
    ///
    /// # Errors
    /// As above, or the target does not go on with answers.
    pub fn write_rest(
        &self,
        segments: &[Bytes],
        parse: impl FnOnce() -> Result<Request, Failure>,
        (way, target): (&Way, &WriteTarget<'_>),
        rest: &Rest<'_>,
    ) -> Result<PreparedRest, Failure> {
        let request = self.get(segments, parse)?;
        let how = Prefill::of(way.format, &way.dialect, target.model);
        let mut continued = prefill::go_on(request, (way.format, how), rest.said)?;
        continued.request.max_tokens = rest.max_tokens.or(continued.request.max_tokens);
        Ok(PreparedRest {
            prepared: prepare(&continued.request, way, target)?,
            repeats: continued.repeats,
        })
    }

    fn get(
        &self,
        segments: &[Bytes],
        parse: impl FnOnce() -> Result<Request, Failure>,
    ) -> Result<&Request, Failure> {
        if let Some(request) = self.0.get() {
            return Ok(request);
        }
        check_size(segments)?;
        let request = parse()?;
        Ok(self.0.get_or_init(|| request))
    }
}

fn prepare(request: &Request, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
    let written = codec(way.format).write_request(request, target)?;
    Ok(Prepared {
        body: std::iter::once(Bytes::from(written.body)).collect(),
        losses: written.losses,
    })
}

/// A request that was written, with everything that could not be said under
/// the client's own names; `locate` knows these. So is what the target refuses;
/// what is wrong with the request itself its reader has told already.
///
/// # Errors
/// As above.
pub fn placed(
    written: Result<Prepared, Failure>,
    locate: impl Fn(&mut [Loss]),
) -> Result<Prepared, Failure> {
    match written {
        Ok(mut prepared) => {
            locate(&mut prepared.losses);
            Ok(prepared)
        }
        Err(mut failure) if failure.next != Next::Stop => {
            if let Some((field, sentence)) = failure.message.split_once(": ")
                && !field.contains(' ')
            {
                let mut place = [Loss::new(field, "")];
                locate(&mut place);
                let [Loss { field, .. }] = place;
                failure.message = format!("{field}: {sentence}").into();
            }
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether a request may be parsed at all. Another target may speak the
/// client's format, and take it as it is.
fn check_size(segments: &[Bytes]) -> Result<(), Failure> {
    let bytes: usize = segments.iter().map(Bytes::len).sum();
    let too_large = |what: String| {
        Failure::new(
            FailureKind::PayloadTooLarge,
            format!("The request has {what}, too many to be translated for this provider"),
        )
        .next(Next::TryAnother)
    };
    if bytes > TRANSLATED_BYTES_MAX {
        return Err(too_large(format!("more than {TRANSLATED_BYTES_MAX} bytes")));
    }
    if count_values(segments, TRANSLATED_VALUES_MAX) > TRANSLATED_VALUES_MAX {
        return Err(too_large(format!(
            "more than {TRANSLATED_VALUES_MAX} values"
        )));
    }
    Ok(())
}

/// Begins to tell a stream with a client's writer. With `hide_reasoning` the
/// client is not shown what the model thought.
#[must_use]
pub fn feed(way: &Way, writer: Box<dyn StreamWriter>, hide_reasoning: bool) -> Box<dyn Feed> {
    Box::new(Translate::begin(
        way.format,
        way.framing,
        writer,
        hide_reasoning,
    ))
}

/// Reads a whole reply, to be written by `write`.
///
/// # Errors
/// It is not a reply of the way's format.
pub fn whole(
    way: &Way,
    body: &[u8],
    hide_reasoning: bool,
    write: impl FnOnce(&Reply) -> Vec<u8> + Send + 'static,
) -> Result<WholeReply, Failure> {
    let mut reply = codec(way.format).read_reply(body)?;
    if hide_reasoning {
        for choice in &mut reply.choices {
            choice
                .parts
                .retain(|part| !matches!(part, Part::Reasoning(_)));
        }
    }
    Ok(WholeReply {
        report: report_of(&reply),
        calls: Made::of_reply(&reply),
        render: Box::new(move |usage, bill| {
            reply.settled = Some((*usage, *bill));
            write(&reply).into()
        }),
        record: None,
    })
}

/// What a stamp says, kept until a reply is written.
#[derive(Debug, Clone)]
pub struct OwnedStamp {
    id: String,
    model: String,
    provider: String,
    created: u64,
    metadata: Option<String>,
}

impl OwnedStamp {
    /// Keeps a stamp.
    #[must_use]
    pub fn of(stamp: &bourse_wire::Stamp<'_>) -> Self {
        Self {
            id: stamp.id.to_owned(),
            model: stamp.model.to_owned(),
            provider: stamp.provider.to_owned(),
            created: stamp.created,
            metadata: stamp.metadata.map(str::to_owned),
        }
    }

    /// The stamp again.
    #[must_use]
    pub fn get(&self) -> bourse_wire::Stamp<'_> {
        bourse_wire::Stamp {
            id: &self.id,
            model: &self.model,
            provider: &self.provider,
            created: self.created,
            metadata: self.metadata.as_deref(),
        }
    }
}
