//! One try at one target: write, send, await the first content.

use std::time::Duration;

use bourse_net::{
    Deadlines, NetError, NetErrorKind, OutgoingRequest, Response, Segments, UpstreamBody,
};
use bourse_vocab::chat::Loss;
use bourse_vocab::failure::UpstreamError;
use bourse_vocab::{Failure, FailureKind, Format, Next};
use bourse_wire::openai_chat::passthrough::{self, ReplyParts, RequestEdits};
use bourse_wire::{ErrorReply, Stamp, WriteTarget, codec};
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;

use crate::ask::{Ask, Shape, Source};
use crate::market::{Market, Target};
use crate::relay::passthrough::PassThrough;
use crate::relay::translate::Translate;
use crate::relay::{Feed, Report};

/// Bytes of an error reply that are read: enough for any message, too few
/// to hurt.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a stream that may pass before its first content. Role chunks and
/// empty deltas take a few hundred.
const PROLOGUE_BYTES_MAX: usize = 1024 * 1024;

/// A reply that has begun, or is whole.
pub enum Opened {
    /// A stream whose first content is in `out`.
    Stream {
        /// The rest of the upstream's answer.
        body: UpstreamBody,
        /// Turns it into the client's.
        feed: Box<dyn Feed>,
        /// What the client shall see first.
        out: Vec<u8>,
    },
    /// A whole reply.
    Whole(Box<Whole>),
}

/// A whole reply in the client's shape, except for its bill.
pub enum Whole {
    /// Same format on both sides: spliced.
    Spliced(ReplyParts),
    /// Translated.
    Parsed(bourse_vocab::chat::Reply),
}

/// A request in a target's format.
pub struct Prepared {
    /// The body.
    pub body: Segments,
    /// What could not be said.
    pub losses: Vec<Loss>,
    /// Whether the bytes were passed through, so that the answer may be too.
    pub spliced: bool,
}

/// Writes the request for a target.
pub fn prepare(ask: &Ask, market: &Market, target: &Target) -> Result<Prepared, Failure> {
    let endpoint = market.endpoint(target);
    let write = WriteTarget {
        model: &endpoint.upstream_model,
        max_output: endpoint.max_output,
        dialect: &target.dialect,
    };
    match &ask.source {
        Source::Chat { envelope, segments } => {
            if target.format == Format::OpenAiChat
                && !passthrough::needs_rewrite(&target.dialect, envelope.features())
            {
                let (body, losses) = passthrough::splice_request(
                    envelope,
                    segments,
                    &write,
                    &RequestEdits::default(),
                );
                return Ok(Prepared {
                    body: body.into_iter().collect(),
                    losses,
                    spliced: true,
                });
            }
            let text: Bytes = match segments.as_slice() {
                [one] => one.clone(),
                many => many.concat().into(),
            };
            let request = codec(Format::OpenAiChat).read_request(&text)?;
            write_parsed(&request, target, &write)
        }
        Source::Parsed(request) => write_parsed(request, target, &write),
        Source::Sent => Err(Failure::server(
            "a request was to be sent after its answer began",
        )),
    }
}

fn write_parsed(
    request: &bourse_vocab::chat::Request,
    target: &Target,
    write: &WriteTarget<'_>,
) -> Result<Prepared, Failure> {
    let written = codec(target.format).write_request(request, write)?;
    let body = std::iter::once(Bytes::from(written.body)).collect();
    Ok(Prepared {
        body,
        losses: written.losses,
        spliced: false,
    })
}

/// Sends a prepared request and awaits the first content, or the whole
/// reply. `stamp` is what the client's reply will carry.
pub async fn exchange(
    client: &bourse_net::Client,
    ask: &Ask,
    target: &Target,
    prepared: &Prepared,
    stamp: &Stamp<'_>,
    deadlines: &Deadlines,
    reply_bytes_max: usize,
) -> Result<(Opened, Report), Failure> {
    let head = if ask.stream {
        &target.head_stream
    } else {
        &target.head
    };
    let request = OutgoingRequest::new(head.clone(), prepared.body.clone());
    let origin = &target.provider.origin;
    let response = client
        .send(origin, &request, deadlines)
        .await
        .map_err(|error| unreachable(&error))?;
    let status = response.status.as_u16();
    if !(200..300).contains(&status) {
        return Err(refused(target, response).await);
    }
    let is_stream = response
        .headers
        .get_str("content-type")
        .is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        });
    if !ask.stream {
        if is_stream {
            return Err(Failure::unavailable(
                "The provider answered with a stream to a request for a whole answer",
            ));
        }
        let text = read_bounded(response.body, reply_bytes_max).await?;
        return whole(ask, target, prepared, stamp, &text);
    }
    if !is_stream {
        // Some vendors answer a streaming request with a plain error object
        // and status 200.
        let text = read_bounded(response.body, ERROR_BYTES_MAX).await?;
        let reply = ErrorReply {
            status: 502,
            body: &text,
            retry_after: None,
        };
        return Err(target.provider.provider.read_failure(target.format, &reply));
    }
    begin(ask, target, prepared, stamp, response.body).await
}

/// Reads a stream up to its first content.
async fn begin(
    ask: &Ask,
    target: &Target,
    prepared: &Prepared,
    stamp: &Stamp<'_>,
    mut body: UpstreamBody,
) -> Result<(Opened, Report), Failure> {
    let mut feed: Box<dyn Feed> = match (ask.shape, prepared.spliced) {
        (Shape::Chat, true) => Box::new(PassThrough::new(stamp, ask.hides_reasoning)),
        (Shape::Chat, false) => Box::new(Translate::between(
            target.format,
            Format::OpenAiChat,
            stamp,
            ask.hides_reasoning,
        )),
        (Shape::Completion, _) => Box::new(Translate::new(
            target.format,
            bourse_wire::openai_chat::completions::completion_stream_writer(stamp),
            ask.hides_reasoning,
        )),
    };
    let mut out = Vec::with_capacity(1024);
    let mut seen = 0_usize;
    while !feed.has_content() {
        match poll_fn(|cx| body.poll_data(cx)).await {
            Some(Ok(piece)) => {
                seen = seen.saturating_add(piece.len());
                feed.feed(&piece, &mut out)?;
                if seen > PROLOGUE_BYTES_MAX && !feed.has_content() {
                    return Err(Failure::unavailable(
                        "The provider sent a stream without content",
                    ));
                }
            }
            Some(Err(error)) => return Err(unreachable(&error)),
            None => {
                feed.end(&mut out)?;
                // A finished answer without content is an answer (a filter
                // may have emptied it); one without a finish is none.
                if feed.report().finish.is_none() {
                    return Err(Failure::unavailable(
                        "The provider ended its stream without content",
                    ));
                }
                break;
            }
        }
        if feed.is_complete() && feed.report().finish.is_some() {
            break;
        }
    }
    let report = feed.report();
    Ok((Opened::Stream { body, feed, out }, report))
}

fn whole(
    ask: &Ask,
    target: &Target,
    prepared: &Prepared,
    stamp: &Stamp<'_>,
    text: &Bytes,
) -> Result<(Opened, Report), Failure> {
    let mut report = Report::default();
    if prepared.spliced {
        let parts = passthrough::splice_reply(text, stamp, ask.hides_reasoning)?;
        let finish = parts.finishes.first();
        report.usage = parts.usage.unwrap_or_default();
        report.upstream_id.clone_from(&parts.upstream_id);
        report.finish = finish.map(|finish| finish.reason.name());
        report.native_finish = finish.map(|finish| finish.native.clone());
        report.service_tier.clone_from(&parts.service_tier);
        report.content_bytes = parts.content_bytes;
        return Ok((Opened::Whole(Box::new(Whole::Spliced(parts))), report));
    }
    let mut reply = codec(target.format).read_reply(text)?;
    report.usage = reply.usage.unwrap_or_default();
    report.upstream_id.clone_from(&reply.upstream_id);
    report.service_tier.clone_from(&reply.service_tier);
    if let Some(choice) = reply.choices.first() {
        report.finish = choice.finish.map(bourse_vocab::chat::Finish::name);
        report.native_finish.clone_from(&choice.native_finish);
    }
    if ask.hides_reasoning {
        for choice in &mut reply.choices {
            choice
                .parts
                .retain(|part| !matches!(part, bourse_vocab::chat::Part::Reasoning(_)));
        }
    }
    report.content_bytes = reply
        .choices
        .iter()
        .flat_map(|c| &c.parts)
        .map(text_bytes)
        .sum();
    Ok((Opened::Whole(Box::new(Whole::Parsed(reply))), report))
}

fn text_bytes(part: &bourse_vocab::chat::Part) -> u64 {
    use bourse_vocab::chat::{Part, ReasoningKind};
    let bytes = match part {
        Part::Text { text, .. } | Part::Refusal(text) => text.len(),
        Part::ToolCall {
            name, arguments, ..
        } => name.len().saturating_add(arguments.len()),
        Part::Reasoning(reasoning) => match &reasoning.kind {
            ReasoningKind::Text { text, .. } => text.len(),
            ReasoningKind::Summary(text) => text.len(),
            ReasoningKind::Encrypted(_) => 0,
        },
        _ => 0,
    };
    bytes as u64
}

/// Reads a body of at most `max` bytes.
async fn read_bounded(body: UpstreamBody, max: usize) -> Result<Bytes, Failure> {
    body.read_to_end(max).await.map_err(|error| {
        if error.kind == NetErrorKind::TooLarge {
            Failure::unavailable(format!("The provider's reply is larger than {max} bytes"))
        } else {
            unreachable(&error)
        }
    })
}

/// Understands a reply that is not a success.
async fn refused(target: &Target, response: Response) -> Failure {
    let status = response.status.as_u16();
    let retry_after = retry_after(&response);
    // A body that cannot be read tells less, but the status still counts.
    let body = read_prefix(response.body, ERROR_BYTES_MAX).await;
    let reply = ErrorReply {
        status,
        body: &body,
        retry_after,
    };
    let mut failure = target.provider.provider.read_failure(target.format, &reply);
    if (300..400).contains(&status) {
        failure =
            Failure::unavailable("The provider answered with a redirect, which is never followed");
    }
    let upstream = failure
        .upstream
        .get_or_insert_with(Box::<UpstreamError>::default);
    upstream.provider = Some(target.provider.name.to_string().into());
    upstream.status = Some(status);
    if failure.retry_after.is_none() {
        failure.retry_after = retry_after;
    }
    failure
}

async fn read_prefix(mut body: UpstreamBody, max: usize) -> Bytes {
    let mut all = BytesMut::new();
    while let Some(Ok(piece)) = poll_fn(|cx| body.poll_data(cx)).await {
        let room = max.saturating_sub(all.len());
        all.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if all.len() >= max {
            break;
        }
    }
    all.freeze()
}

/// How long a provider asks to be left alone: `retry-after-ms`, or
/// `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    if let Some(ms) = response.headers.get_str("retry-after-ms")
        && let Ok(ms) = ms.trim().parse::<f64>()
        && ms.is_finite()
        && ms >= 0.0
    {
        return Some(Duration::from_millis(clamp_u64(ms)));
    }
    let text = response.headers.get_str("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds * 1000.0;
        return (ms.is_finite() && ms >= 0.0).then(|| Duration::from_millis(clamp_u64(ms)));
    }
    let at = crate::http_date::parse(text)?;
    let seconds = at.saturating_sub(crate::clock::now_ms() / 1000);
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_MAX_S)))
}

/// The longest wait that is believed and told: routing caps what is longer
/// anyway.
const RETRY_AFTER_MAX_S: u64 = 3_600;

fn clamp_u64(ms: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // Clamped just here.
    let ms = ms.clamp(0.0, (RETRY_AFTER_MAX_S * 1000) as f64) as u64;
    ms
}

/// A failed exchange in the words of a call.
pub fn unreachable(error: &NetError) -> Failure {
    let (kind, message) = match error.kind {
        NetErrorKind::ConnectTimeout | NetErrorKind::HeadTimeout => {
            (FailureKind::Timeout, "The provider did not answer in time")
        }
        NetErrorKind::IdleTimeout => (FailureKind::Timeout, "The provider stopped sending"),
        NetErrorKind::Truncated | NetErrorKind::Reset => (
            FailureKind::Unavailable,
            "The provider closed the connection in the middle of its answer",
        ),
        NetErrorKind::Malformed | NetErrorKind::TooLarge => (
            FailureKind::Unavailable,
            "The provider's answer is not valid HTTP",
        ),
        NetErrorKind::Egress => (
            FailureKind::Unavailable,
            "The provider's address may not be called",
        ),
        _ => (
            FailureKind::Unavailable,
            "The provider could not be reached",
        ),
    };
    Failure::new(kind, message)
        .next(Next::TryAnother)
        .inside(error.to_string())
}
