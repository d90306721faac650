//! How many tokens a prompt has, told without asking a provider.
//!
//! It is a question about a model call and no call: the caller's key must be
//! good for one, the body is read within the same bounds and refused for the
//! same reasons, but nothing is planned, held, sent or recorded.

use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::price;
use bourse_net::Upstream;
use bourse_vocab::{Failure, FailureKind, GenerationId};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::Body;

use crate::ask::Ask;
use crate::bodies::Room;
use crate::chance;
use crate::endpoints::Counter;
use crate::identity::Caller;
use crate::market::Market;
use crate::phases::admit::{Denied, enter};
use crate::phases::plan::unknown_model;
use crate::phases::read;
use crate::pipeline::Worker;
use crate::respond::{self, GENERATION_ID, ReplyBody, id_header};

/// Answers how many tokens a request has.
pub async fn count<B, U>(
    worker: &Worker<U>,
    counter: &'static dyn Counter,
    request: Request<B>,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
    U: Upstream,
{
    let gateway = &worker.gateway;
    let now_ms = gateway.clock.now_ms();
    let id = GenerationId::at_ms(now_ms, chance::random()).to_string();
    let simulated = gateway.market.load().is_simulated();
    let mut response = match tokens(worker, counter, request, now_ms).await {
        Ok(tokens) => told(counter.tell(tokens), &id),
        Err(Denied::Failed(failure)) => {
            gateway.counters.fail(failure.blame);
            respond::failure(counter, &failure, Some(&id))
        }
        Err(Denied::Shed(why)) => {
            gateway.admission.count(why);
            respond::failure(counter, &why.failure(), Some(&id))
        }
    };
    counter.head(response.headers_mut());
    respond::with_simulated(response, simulated)
}

fn told(body: Bytes, id: &str) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(Some(body), None));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(GENERATION_ID, id_header(id));
    response
}

async fn tokens<B, U>(
    worker: &Worker<U>,
    counter: &'static dyn Counter,
    request: Request<B>,
    now_ms: u64,
) -> Result<u64, Denied>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
    U: Upstream,
{
    let gateway = &worker.gateway;
    let entered = enter(gateway, &worker.door, request.headers(), now_ms).await?;
    gateway.counters.calls.fetch_add(1, Relaxed);
    let (head, body) = request.into_parts();
    let caller = Caller::new(&gateway.identity, entered.admitted.key.principal().account);
    let room = Room::begin(&gateway.bodies);
    let limits = &gateway.limits;
    let read = read::read(counter, &head, body, limits, room, caller, None).await?;
    let market = gateway.market.load();
    let tokens = estimate(&market, counter, &read.ask)?;
    // Counted as under way until here.
    drop(entered.in_flight);
    Ok(tokens)
}

/// The estimate for the first model that is named, of which the rule for
/// pictures is its first endpoint's.
fn estimate(market: &Market, counter: &dyn Counter, ask: &Ask) -> Result<u64, Failure> {
    let mut tokens = None;
    for name in &ask.models {
        let resolution = market
            .catalog
            .resolve(name)
            .ok_or_else(|| unknown_model(market, name))?;
        let mut targets = market.targets_of(resolution.model).iter();
        let target = targets.find(|target| target.way(|way| counter.rank(way)).is_some());
        let target = target.ok_or_else(|| {
            let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
            Failure::new(
                FailureKind::NotFound,
                format!("No endpoints found for {shown}: no provider with a key offers it"),
            )
        })?;
        // Whether it fits is another question: the caller may ask because it
        // does not.
        let rule = &market.endpoint(target).image_tokens;
        let count = price::prompt_tokens_estimate_of(&ask.facts, None, rule, None);
        tokens.get_or_insert(count);
    }
    Ok(tokens.unwrap_or_default())
}

/// How much of a model's name is repeated.
const NAME_CHARS_MAX: usize = 128;
