//! The seven phases of a call on one screen.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_net::{Client, Upstream};
use bourse_vocab::{Failure, GenerationId};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::admission::Door;
use crate::ask::Ask;
use crate::bodies::{Bodies, Room};
use crate::cache::told;
use crate::call::{Call, Status};
use crate::chance;
use crate::ending::Ending;
use crate::endpoints::{ClientRequest, Endpoint, Kept};
use crate::gateway::Gateway;
use crate::identity::Caller;
use crate::line::Line;
use crate::phases::admit::{Denied, Entered, enter};
use crate::phases::exchange::Opened;
use crate::phases::plan::{Decision, Plan, Wanted};
use crate::phases::recall::{Asking, Recalled};
use crate::phases::{attempt, hold, plan, read, resume};
use crate::progress::{Progress, STREAMS_MAX};
use crate::refusing::Refusing;
use crate::relay::body::Relay;
use crate::relay::pursuit::Pursuit;
use crate::relay::reply::Reply;
use crate::respond::{self, ReplyBody};
use crate::running::Running;

/// What one worker calls with: the shared gateway and connections of its own.
#[derive(Clone)]
pub struct Worker<U = Client> {
    /// What every worker shares.
    pub gateway: Arc<Gateway>,
    /// This worker's connections.
    pub client: U,
    /// Where its calls come in. Whoever runs the worker lets it probe, see
    /// [`Door::keep_probing`].
    pub door: Arc<Door>,
    /// Where its requests take their room.
    pub bodies: Arc<Bodies>,
    /// How far this worker's streams have come. Whoever runs the worker lets
    /// it tell the journal, see [`Progress::keep_telling`].
    pub progress: Arc<Progress>,
}

impl<U> Worker<U> {
    /// A worker that has no stream yet.
    #[must_use]
    pub fn new(gateway: &Arc<Gateway>, client: U) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            client,
            door: gateway.admission.door(),
            bodies: Arc::clone(&gateway.bodies),
            progress: Progress::new(&gateway.till, STREAMS_MAX),
        }
    }

    /// One that calls lines of batches, and that no client reaches.
    #[must_use]
    pub fn for_lines(gateway: &Arc<Gateway>, client: U) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            client,
            door: gateway.admission.side_door(),
            bodies: Arc::clone(&gateway.bodies),
            progress: Progress::new(&gateway.till, STREAMS_MAX),
        }
    }

    /// The same worker with another way to the providers, and room of its own
    /// for requests that wait long.
    #[must_use]
    pub fn over<V>(&self, client: V, bodies: Arc<Bodies>) -> Worker<V> {
        Worker {
            gateway: Arc::clone(&self.gateway),
            client,
            door: Arc::clone(&self.door),
            bodies,
            progress: Arc::clone(&self.progress),
        }
    }
}

/// Answers one model call.
pub async fn call<B, U>(
    worker: &Worker<U>,
    endpoint: &'static dyn Endpoint,
    request: Request<B>,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
    U: Upstream,
{
    let gateway = &worker.gateway;
    let started_ms = gateway.clock.now_ms();
    let id = GenerationId::at_ms(started_ms, chance::random());
    let simulated = gateway.market.load().is_simulated();
    let began = begin(worker, endpoint, request, id, started_ms).await;
    let mut response = began.unwrap_or_else(|denied| {
        let failure = match denied {
            Denied::Failed(failure) => {
                gateway.counters.fail(failure.blame);
                failure
            }
            // Nothing has gone wrong: it has a counter of its own.
            Denied::Shed(why) => {
                gateway.admission.count(why);
                why.failure()
            }
        };
        respond::failure(endpoint, &failure, Some(&id.to_string()))
    });
    endpoint.head(response.headers_mut());
    respond::with_simulated(response, simulated)
}

async fn begin<B, U>(
    worker: &Worker<U>,
    endpoint: &'static dyn Endpoint,
    request: Request<B>,
    id: GenerationId,
    started_ms: u64,
) -> Result<Response<ReplyBody>, Denied>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
    U: Upstream,
{
    let headers = request.headers();
    let entered = enter(&worker.gateway, &worker.door, headers, started_ms).await?;
    worker.gateway.counters.calls.fetch_add(1, Relaxed);
    let began = Began {
        id,
        started_ms,
        entered,
        line: None,
    };
    Ok(run(worker, endpoint, request, began).await?)
}

/// A call that was let in.
pub(crate) struct Began<'a> {
    /// Its id.
    pub id: GenerationId,
    /// When it came.
    pub started_ms: u64,
    /// Who calls.
    pub entered: Entered,
    /// The line of a batch that it is, if it is one.
    pub line: Option<&'a Line>,
}

/// From the body of a call to the beginning of its answer.
pub(crate) async fn run<B, U>(
    worker: &Worker<U>,
    endpoint: &'static dyn Endpoint,
    request: Request<B>,
    began: Began<'_>,
) -> Result<Response<ReplyBody>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
    U: Upstream,
{
    let (id, started_ms, entered) = (began.id, began.started_ms, began.entered);
    let gateway = &worker.gateway;
    let (head, body) = request.into_parts();
    let refusing = Refusing::new(gateway, id, &entered.admitted).of_line(began.line);
    let caller = Caller::new(&gateway.identity, entered.admitted.key.principal().account);
    let room = Room::begin(&worker.bodies);
    let mut asked = gateway.cache.asked(endpoint, &head.headers);
    let print = asked.as_deref_mut().map(|asked| &mut asked.print);
    let read = read::read(endpoint, &head, body, &gateway.limits, room, caller, print)
        .await
        .and_then(|read| marked(read, &entered, began.line))
        .map_err(|failure| refusing.note(failure, "", ""))?;
    let (mut ask, kept) = (read.ask, read.kept);
    let market = gateway.market.load_full();
    let asking = Asking {
        gateway,
        market: &market,
        endpoint,
        ask: &ask,
        request: &*kept.request,
        private_url: read.private_url,
        admitted: &entered.admitted,
        id,
        started_ms,
    };
    let keeping = match asked {
        // Boxed: few calls ask for it, and every call would carry it.
        Some(asked) => match Box::pin(asking.recall(&asked)).await {
            Ok(Recalled::Hit(hit)) => return Ok(respond::hit(hit, entered.in_flight, id)),
            Ok(Recalled::Miss(keeping)) => Some(keeping),
            Err(failure) => return Err(noted(&refusing, &ask, failure)),
        },
        None => None,
    };
    let mut decision = ask.options.metadata.then(Box::<Decision>::default);
    let mut plan = planned(&asking, caller, decision.as_deref_mut(), &refusing)?;
    let defaults = market.defaults_of(plan.first().model, entered.admitted.key.principal());
    ask.options.default_to(defaults, ask.answers);
    // Boxed: it is handed from phase to phase, and is several hundred bytes.
    let call = Box::new(Call {
        gateway: Arc::clone(gateway),
        market,
        id,
        id_text: id.to_string().into(),
        started_ms,
        status: Arc::new(Status::new(entered.admitted.key.principal().into())),
        admitted: entered.admitted,
        endpoint,
        ask,
        progress: Arc::clone(&worker.progress),
        losses: Vec::new(),
        decision,
        keeping,
        witness: began.line.map(|line| Arc::clone(&line.witness)),
        in_flight: entered.in_flight,
    });
    let running = begin_job(hold::hold(call, &mut plan).await?, &kept).await?;
    answer(worker.client.clone(), running, kept, plan).await
}

/// Writes a job down before it is sent, if the call is one.
async fn begin_job(mut running: Running, kept: &Kept) -> Result<Running, Failure> {
    if let Some(job) = kept.request.job() {
        // Boxed: few calls are jobs, and every call would carry it.
        Box::pin(running.begin_job(job)).await?;
    }
    Ok(running)
}

/// A request under the rules of its key, that says which batch it is a line of,
/// if it is one.
fn marked(
    mut read: read::Read,
    entered: &Entered,
    line: Option<&Line>,
) -> Result<read::Read, Failure> {
    if entered.admitted.key.principal().calls.strict {
        read.ask.wishes.be_strict();
    }
    if let Some(line) = line {
        line.mark(&mut read.ask)?;
    }
    Ok(read)
}

/// From the first dispatch to a reply.
async fn answer<U: Upstream>(
    client: U,
    running: Running,
    kept: Kept,
    plan: Plan,
) -> Result<Response<ReplyBody>, Failure> {
    let call = &running.call;
    let (id, endpoint) = (Arc::clone(&call.id_text), call.endpoint);
    let ttl_s = call.keeping.as_ref().map(|keeping| keeping.ttl_s);
    let reply = if call.ask.stream {
        Reply::Stream(streamed(client, running, kept, plan).await?)
    } else {
        whole(client, running, kept, plan).await?
    };
    let mut response = respond::reply(reply, &id);
    *response.status_mut() = endpoint.success();
    if let Some(ttl_s) = ttl_s {
        told::tell_miss(ttl_s, response.headers_mut());
    }
    Ok(response)
}

/// The targets in order; a call that has none is noted.
fn planned(
    asking: &Asking<'_>,
    caller: Caller<'_>,
    decision: Option<&mut Decision>,
    refusing: &Refusing<'_>,
) -> Result<Plan, Failure> {
    let ask = asking.ask;
    let mut lot = caller.draw(ask.attribution.conversation());
    let stickiness = &asking.gateway.stickiness;
    let stuck = stickiness.of(caller.account, ask, asking.started_ms);
    lot.is_shared |= stuck.is_some();
    let wanted = Wanted {
        stuck: stuck.as_ref(),
        ..asking.wanted(lot)
    };
    let planned = plan::plan(asking.market, &wanted, decision);
    planned.map_err(|failure| noted(refusing, ask, failure))
}

/// Notes why a call was refused.
fn noted(refusing: &Refusing<'_>, ask: &Ask, failure: Failure) -> Failure {
    let requested = ask.models.first().map_or("", String::as_str);
    refusing.note(failure, requested, &ask.attribution.title)
}

/// Answers with a whole reply.
async fn whole<U: Upstream>(
    client: U,
    running: Running,
    kept: Kept,
    plan: Plan,
) -> Result<Reply, Failure> {
    let gateway = Arc::clone(&running.call.gateway);
    let status = Arc::clone(&running.call.status);
    let search = || pursue(client, running, kept, plan);
    Pursuit::new(&gateway, status, search).outcome().await
}

/// Answers with a stream. It may have to wait longer for its first content
/// than proxies on the way tolerate silence. Until the first sign of life is
/// due, a failure is still a status; afterwards it is an event. Where nothing
/// can be put before the answer, a failure is a status however late it comes.
async fn streamed<U: Upstream>(
    client: U,
    running: Running,
    kept: Kept,
    plan: Plan,
) -> Result<Relay, Failure> {
    let call = &running.call;
    let gateway = Arc::clone(&call.gateway);
    let endpoint = call.endpoint;
    let requested = call.ask.models.first().cloned().unwrap_or_default();
    let stamp = (Arc::clone(&call.id_text), requested, call.started_ms / 1000);
    let status = Arc::clone(&call.status);
    let mut pursuit = Pursuit::new(&gateway, status, || async move {
        pursue(client, running, kept, plan).await?.into_stream()
    });
    if endpoint.keep_alive().is_empty() {
        return pursuit.outcome().await;
    }
    let every = gateway.limits.deadlines.keep_alive;
    match tokio::time::timeout(every, pursuit.outcome()).await {
        Ok(relay) => relay,
        Err(_) => Ok(Relay::pursue(pursuit, &gateway, endpoint, stamp)),
    }
}

/// From the first dispatch to an answer that is whole, or has begun.
async fn pursue<U: Upstream>(
    client: U,
    mut running: Running,
    kept: Kept,
    mut plan: Plan,
) -> Result<Reply, Failure> {
    let ask = &running.call.ask;
    if ask.stream && ask.options.continues {
        // Boxed: few callers ask for it, and every call would carry it.
        return Box::pin(resume::pursue(client, running, kept, plan)).await;
    }
    let recorded = running.call.recorded(&kept.request);
    let request = recorded.as_ref().unwrap_or(&kept.request);
    let attempted = attempt::attempt(&client, &mut running, request, &mut plan).await;
    if let Ok(opened) = &attempted {
        running.keep_tools(opened, &**request);
    }
    let media_type = request.media_type();
    if request.job().is_some() {
        let request = Arc::clone(request);
        drop((recorded, kept));
        return Box::pin(taken(running, request, attempted)).await;
    }
    // Nobody needs it any more: a stream of minutes should not keep its
    // prompt in memory.
    drop((recorded, kept));
    let opened = attempted.inspect_err(|failure| running.fail(failure))?;
    Ok(whole_or_stream(running, opened, media_type))
}

/// The answer to a request for a job: that somebody has taken it.
async fn taken(
    mut running: Running,
    request: Arc<dyn ClientRequest>,
    attempted: Result<Opened, Failure>,
) -> Result<Reply, Failure> {
    let Some(job) = request.job() else {
        return Err(Failure::server("a job is none any more"));
    };
    let (name, room) = match attempted {
        Ok(Opened::Whole(whole, room)) => (whole.report.upstream_id.unwrap_or_default(), room),
        Ok(Opened::Stream { .. }) => {
            let failure = Failure::server("a job was answered with a stream");
            running.fail(&failure);
            return Err(failure);
        }
        Err(failure) => {
            running.fail(&failure);
            running.drop_job(job).await;
            return Err(failure);
        }
    };
    let body = running.park(job, name).await?;
    Ok(Reply::Whole(body, room, None))
}

/// What a client is answered with.
fn whole_or_stream(
    mut running: Running,
    opened: Opened,
    media_type: Option<&'static str>,
) -> Reply {
    match opened {
        Opened::Stream { body, feed, out } => {
            Reply::Stream(Relay::live((body, feed, out), running, None))
        }
        Opened::Whole(mut whole, room) => {
            running.tools.take(whole.calls.take());
            // It may have been read for its usage alone.
            let ending = if running.call.status.is_detached() {
                Ending::Drained
            } else {
                Ending::Complete
            };
            let body = match running.call.witness.take() {
                Some(witness) => {
                    // Kept first, and paid for after that.
                    let mut render = Some(whole.render);
                    let mut body = Bytes::new();
                    let mut keep = |usage: &_, bill: &_, settlement: &_| {
                        let rendered = render.take().map(|render| render(usage, bill));
                        body = rendered.unwrap_or_default();
                        witness.keep(&body, settlement);
                    };
                    running.end_after(&whole.report, ending, Some(&mut keep));
                    body
                }
                None => {
                    let (usage, bill) = running.end(&whole.report, ending);
                    running.keep(whole.record, &whole.report, bill.total);
                    (whole.render)(&usage, &bill)
                }
            };
            Reply::Whole(body, room, media_type)
        }
    }
}
