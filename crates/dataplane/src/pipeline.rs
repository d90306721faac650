//! The seven phases of a call on one screen.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bourse_net::Client;
use bourse_vocab::{Failure, GenerationId};
use bourse_wire::Stamp;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::ask::{Shape, Source};
use crate::call::{Call, Status};
use crate::clock::now_ms;
use crate::gateway::Gateway;
use crate::phases::exchange::{Opened, Whole};
use crate::phases::plan::{Plan, Wanted};
use crate::phases::settle::{Ending, Settling, nobody_answered};
use crate::phases::{admit, attempt, hold, plan, read};
use crate::relay::body::{Relay, StreamBody};
use crate::respond::{self, ReplyBody};
use crate::tab::Tab;

/// What one worker calls with: the shared gateway and connections of its own.
#[derive(Clone)]
pub struct Worker {
    /// What every worker shares.
    pub gateway: Arc<Gateway>,
    /// This worker's connections.
    pub client: Client,
}

/// What a call is answered with.
pub enum Answer {
    /// The whole body.
    Whole(Bytes),
    /// A stream whose first content is there.
    Stream(Box<Relay>),
}

/// Answers one model call.
pub async fn call<B>(worker: &Worker, shape: Shape, request: Request<B>) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let started_ms = now_ms();
    let id = GenerationId::at_ms(started_ms, rand::random());
    let counters = &worker.gateway.counters;
    let _in_flight = InFlight::begin(worker);
    let simulated = worker.gateway.market.load().is_simulated();
    let response = match run(worker, shape, request, id, started_ms).await {
        Ok(response) => response,
        Err(failure) => {
            counters.fail(failure.blame);
            respond::failure(&failure, Some(&id.to_string()))
        }
    };
    respond::with_simulated(response, simulated)
}

async fn run<B>(
    worker: &Worker,
    shape: Shape,
    request: Request<B>,
    id: GenerationId,
    started_ms: u64,
) -> Result<Response<ReplyBody>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let gateway = &worker.gateway;
    let (head, body) = request.into_parts();
    let admitted = admit::admit(gateway, &head.headers, started_ms).await?;
    gateway.counters.calls.fetch_add(1, Relaxed);
    let ask = read::read(shape, &head.headers, body, &gateway.limits).await?;
    let market = gateway.market.load_full();
    let wanted = Wanted {
        models: &ask.models,
        wishes: &ask.wishes,
        needs: ask.needs,
        facts: &ask.facts,
        random: rand::random(),
        now_ms: started_ms,
    };
    let plan = plan::plan(&market, &wanted)?;
    let tab = hold::hold(gateway, &market, &plan, &ask, &admitted, id).await?;
    let stream = ask.stream;
    // Boxed: it is handed from phase to phase, and is several hundred bytes.
    let call = Box::new(Call {
        gateway: Arc::clone(gateway),
        client: worker.client.clone(),
        market,
        id,
        id_text: id.to_string().into(),
        started_ms,
        admitted,
        ask,
        status: Arc::new(Status::default()),
        tried: Vec::new(),
        losses: Vec::new(),
    });
    let id_text = Arc::clone(&call.id_text);
    let requested = call.ask.models.first().cloned().unwrap_or_default();
    let status = Arc::clone(&call.status);
    let mut waiting = Waiting {
        pursuit: Some(Box::pin(pursue(call, plan, tab))),
        status,
    };
    if !stream {
        return match waiting.outcome().await? {
            Answer::Whole(body) => Ok(respond::json(body, &id_text)),
            Answer::Stream(relay) => Ok(respond::stream(StreamBody::Relaying(relay), &id_text)),
        };
    }
    // A stream may have to wait longer for its first content than proxies on
    // the way tolerate silence. Until the first comment is due, a failure is
    // still a status; afterwards it is an event.
    let every = gateway.limits.keep_alive_interval;
    match tokio::time::timeout(every, waiting.outcome()).await {
        Ok(Ok(Answer::Stream(relay))) => Ok(respond::stream(StreamBody::Relaying(relay), &id_text)),
        Ok(Ok(Answer::Whole(body))) => Ok(respond::json(body, &id_text)),
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            let mut ticks = interval_at(Instant::now(), every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let stamp = (Arc::clone(&id_text), requested, started_ms / 1000);
            Ok(respond::stream(
                StreamBody::Waiting {
                    waiting,
                    ticks,
                    stamp,
                },
                &id_text,
            ))
        }
    }
}

/// From the first dispatch to an answer that is whole, or has begun.
async fn pursue(mut call: Box<Call>, mut plan: Plan, mut tab: Tab) -> Result<Answer, Failure> {
    let (opened, delivered) = match attempt::attempt(&mut call, &mut plan, &mut tab).await {
        Ok(opened) => opened,
        Err(failure) => {
            nobody_answered(&call, &tab);
            return Err(failure);
        }
    };
    call.ask.source = Source::Sent;
    let endpoint = call.market.endpoint(&delivered.target);
    let prompt_estimate = hold::prompt_estimate(&call.ask, endpoint);
    let report = delivered.report.clone();
    let metadata = match &opened {
        Opened::Whole(_) if call.ask.wants_metadata => {
            Some(call.metadata(&delivered.target, &plan).to_string())
        }
        _ => None,
    };
    let settling = Settling {
        call,
        tab,
        delivered,
        prompt_estimate,
    };
    match opened {
        Opened::Stream { body, feed, out } => Ok(Answer::Stream(Box::new(Relay::new(
            body, feed, out, settling,
        )))),
        Opened::Whole(whole) => {
            let market = Arc::clone(&settling.call.market);
            let id = Arc::clone(&settling.call.id_text);
            let (shape, created) = (settling.call.ask.shape, settling.call.started_ms / 1000);
            let target = Arc::clone(&settling.delivered.target);
            let (usage, bill) = settling.finish(&report, Ending::Complete);
            let stamp = Stamp {
                id: &id,
                model: &market.catalog.model(target.model).slug,
                provider: &target.provider.name,
                created,
                metadata: metadata.as_deref(),
            };
            let body = match (*whole, shape) {
                (Whole::Spliced(parts), _) => parts.render(&usage, &bill),
                (Whole::Parsed(mut reply), shape) => {
                    reply.settled = Some((usage, bill));
                    match shape {
                        Shape::Chat => bourse_wire::codec(bourse_vocab::Format::OpenAiChat)
                            .write_reply(&reply, &stamp),
                        Shape::Completion => {
                            bourse_wire::openai_chat::completions::write_completion_reply(
                                &reply, &stamp,
                            )
                        }
                    }
                }
            };
            Ok(Answer::Whole(body.into()))
        }
    }
}

type Pursuit = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// A search for an answer that somebody waits for. If they leave, it ends,
/// unless the provider that is being called bills anyway: then it goes on
/// by itself until the usage is known.
pub struct Waiting {
    pursuit: Option<Pursuit>,
    status: Arc<Status>,
}

impl Waiting {
    /// Polls for the outcome; must not be polled after it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, Failure>> {
        let Some(pursuit) = &mut self.pursuit else {
            return Poll::Ready(Err(Failure::server("an answer was awaited twice")));
        };
        let outcome = std::task::ready!(pursuit.as_mut().poll(cx));
        self.pursuit = None;
        Poll::Ready(outcome)
    }

    async fn outcome(&mut self) -> Result<Answer, Failure> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(pursuit) = self.pursuit.take() else {
            return;
        };
        self.status.client_left.store(true, Relaxed);
        if self.status.drain.load(Relaxed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // An answer that comes to nobody is dropped, and a relay that is
            // dropped drains itself.
            runtime.spawn(async move { drop(pursuit.await) });
        }
    }
}

/// Counts a call as under way while it lives.
struct InFlight(Arc<Gateway>);

impl InFlight {
    fn begin(worker: &Worker) -> Self {
        worker.gateway.counters.in_flight.fetch_add(1, Relaxed);
        Self(Arc::clone(&worker.gateway))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.counters.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Whether a header says yes.
#[must_use]
pub fn is_enabled(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case("enabled") || value == "true")
}
