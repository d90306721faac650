//! Writing a request for a target, away from the worker if that takes long.
//!
//! Where the client's bytes pass, writing is a matter of microseconds. A
//! translation parses the whole prompt, and a worker serves other callers
//! meanwhile: a long one is handed to another thread. The money is held
//! before either: a caller who cannot pay costs no parse.

use std::sync::Arc;

use bourse_catalog::Endpoint;
use bourse_vocab::{Failure, Next, TierWish};
use bourse_wire::WriteTarget;
use tokio::sync::Semaphore;

use crate::endpoints::{ClientRequest, Prepared};
use crate::way::Way;

/// Requests up to this length are translated where they are: about half a
/// millisecond, less than a thread's switch under load.
pub const INLINE_BYTES_MAX: usize = 128 * 1024;
/// Translations that run beside the workers at once. Each may take several
/// times the longest body in memory; others wait, their callers with them.
const ASIDE_MAX: usize = 4;

static ASIDE: Semaphore = Semaphore::const_new(ASIDE_MAX);

/// Writes a request for a target, with `limit` where the caller sets none, and
/// with what it is told of the tier of service.
///
/// # Errors
/// The request cannot be understood, or not be written for this target.
pub async fn write(
    request: &Arc<dyn ClientRequest>,
    endpoint: &Endpoint,
    (limit, tier): (Option<u64>, TierWish),
    way: &Arc<Way>,
) -> Result<Prepared, Failure> {
    if request.bytes() <= INLINE_BYTES_MAX || !request.translates(way) {
        let target = WriteTarget {
            model: &endpoint.upstream_model,
            max_output: endpoint.max_output,
            limit,
            efforts: way.efforts,
            tier,
            dialect: &way.dialect,
        };
        return request.write(way, &target).and_then(whole);
    }
    // Boxed: few calls need it, and every call would carry it.
    let written = Box::pin(aside(
        Arc::clone(request),
        Arc::clone(&endpoint.upstream_model),
        (endpoint.max_output, limit, tier),
        Arc::clone(way),
    ));
    written.await.and_then(whole)
}

/// Refuses a target that cannot be shown all of the conversation: an answer
/// without a part of the question would look like one to the question. Another
/// target may take it.
fn whole(prepared: Prepared) -> Result<Prepared, Failure> {
    let Some(lost) = prepared.losses.iter().find(|loss| loss.is_content) else {
        return Ok(prepared);
    };
    Err(Failure::invalid(format!(
        "{}: {}; remove it, or choose a model or provider that takes it",
        lost.field, lost.reason
    ))
    .next(Next::TryAnother))
}

async fn aside(
    request: Arc<dyn ClientRequest>,
    model: Arc<str>,
    (max_output, limit, tier): (Option<u64>, Option<u64>, TierWish),
    way: Arc<Way>,
) -> Result<Prepared, Failure> {
    let permit = ASIDE.acquire().await;
    let written = tokio::task::spawn_blocking(move || {
        // Kept until it is done, also if the call has ended meanwhile.
        let _permit = permit;
        let target = WriteTarget {
            model: &model,
            max_output,
            limit,
            efforts: way.efforts,
            tier,
            dialect: &way.dialect,
        };
        request.write(&way, &target)
    });
    written
        .await
        .map_err(|error| Failure::server(format!("a request could not be written: {error}")))?
}

#[cfg(test)]
mod tests;
