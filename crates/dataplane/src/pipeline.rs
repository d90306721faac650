//! The seven phases of a call on one screen.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::record::Refused;
use bourse_net::Client;
use bourse_vocab::{Failure, GenerationId};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::call::{Call, Status};
use crate::clock::now_ms;
use crate::endpoints::{ClientRequest, Endpoint, Incoming};
use crate::gateway::Gateway;
use crate::phases::exchange::Opened;
use crate::phases::plan::{Plan, Wanted};
use crate::phases::settle::{Ending, Settling, nobody_answered};
use crate::phases::{admit, attempt, hold, plan, read};
use crate::relay::body::{Relay, Reply};
use crate::relay::pursuit::Pursuit;
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

/// Answers one model call.
pub async fn call<B>(
    worker: &Worker,
    endpoint: &'static dyn Endpoint,
    request: Request<B>,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let started_ms = now_ms();
    let id = GenerationId::at_ms(started_ms, rand::random());
    let counters = &worker.gateway.counters;
    let _in_flight = InFlight::begin(worker);
    let simulated = worker.gateway.market.load().is_simulated();
    let response = match run(worker, endpoint, request, id, started_ms).await {
        Ok(response) => response,
        Err(failure) => {
            counters.fail(failure.blame);
            respond::failure(endpoint, &failure, Some(&id.to_string()))
        }
    };
    respond::with_simulated(response, simulated)
}

async fn run<B>(
    worker: &Worker,
    endpoint: &'static dyn Endpoint,
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
    let refusing = Refusing {
        gateway,
        id,
        admitted: &admitted,
    };
    let Incoming { ask, request } = read::read(endpoint, &head, body, &gateway.limits)
        .await
        .map_err(|failure| refusing.note(failure, "", ""))?;
    let market = gateway.market.load_full();
    let wanted = Wanted {
        endpoint,
        models: &ask.models,
        wishes: &ask.wishes,
        needs: ask.needs,
        facts: &ask.facts,
        random: rand::random(),
        now_ms: started_ms,
    };
    let app = &ask.attribution.title;
    let plan = plan::plan(&market, &wanted).map_err(|failure| {
        let requested = ask.models.first().map_or("", String::as_str);
        refusing.note(failure, requested, app)
    })?;
    let tab = hold::hold(gateway, &market, &plan, &ask, &admitted, id)
        .await
        .map_err(|failure| {
            let model = market.catalog.model(plan.first().model);
            refusing.note(failure, &model.slug, app)
        })?;
    // Boxed: it is handed from phase to phase, and is several hundred bytes.
    let call = Box::new(Call {
        gateway: Arc::clone(gateway),
        client: worker.client.clone(),
        market,
        id,
        id_text: id.to_string().into(),
        started_ms,
        admitted,
        endpoint,
        ask,
        status: Arc::new(Status::default()),
        tried: Vec::new(),
        losses: Vec::new(),
    });
    if call.ask.stream {
        stream(call, request, plan, tab).await
    } else {
        whole(call, request, plan, tab).await
    }
}

/// Answers with a whole reply.
async fn whole(
    call: Box<Call>,
    request: Arc<dyn ClientRequest>,
    plan: Plan,
    tab: Tab,
) -> Result<Response<ReplyBody>, Failure> {
    let id = Arc::clone(&call.id_text);
    let status = Arc::clone(&call.status);
    let reply = Pursuit::new(status, pursue(call, request, plan, tab))
        .outcome()
        .await?;
    Ok(respond::reply(reply, &id))
}

/// Answers with a stream. It may have to wait longer for its first content
/// than proxies on the way tolerate silence. Until the first sign of life is
/// due, a failure is still a status; afterwards it is an event.
async fn stream(
    call: Box<Call>,
    request: Arc<dyn ClientRequest>,
    plan: Plan,
    tab: Tab,
) -> Result<Response<ReplyBody>, Failure> {
    let id = Arc::clone(&call.id_text);
    let status = Arc::clone(&call.status);
    let endpoint = call.endpoint;
    let every = call.gateway.limits.keep_alive_interval;
    let requested = call.ask.models.first().cloned().unwrap_or_default();
    let stamp = (Arc::clone(&id), requested, call.started_ms / 1000);
    let mut pursuit = Pursuit::new(status, async {
        pursue(call, request, plan, tab).await?.into_stream()
    });
    let relay = match tokio::time::timeout(every, pursuit.outcome()).await {
        Ok(relay) => relay?,
        Err(_) => Relay::pursue(pursuit, every, endpoint, stamp),
    };
    Ok(respond::reply(Reply::Stream(relay), &id))
}

/// From the first dispatch to an answer that is whole, or has begun.
async fn pursue(
    mut call: Box<Call>,
    request: Arc<dyn ClientRequest>,
    mut plan: Plan,
    mut tab: Tab,
) -> Result<Reply, Failure> {
    let attempted = attempt::attempt(&mut call, &request, &mut plan, &mut tab).await;
    // Nobody needs it any more: a stream of minutes should not keep its
    // prompt in memory.
    drop(request);
    let (opened, delivered) = match attempted {
        Ok(opened) => opened,
        Err(failure) => {
            nobody_answered(&call, &tab, &failure);
            return Err(failure);
        }
    };
    let endpoint = call.market.endpoint(&delivered.target);
    let prompt_estimate = hold::prompt_estimate(&call.ask, endpoint);
    let settling = Settling {
        call,
        tab,
        delivered,
        prompt_estimate,
    };
    Ok(match opened {
        Opened::Stream { body, feed, out } => Reply::Stream(Relay::live(body, feed, out, settling)),
        Opened::Whole(render) => {
            let report = settling.delivered.report.clone();
            let (usage, bill) = settling.finish(&report, Ending::Complete);
            Reply::Whole(render(&usage, &bill))
        }
    })
}

/// A call for which nothing has been set aside yet.
struct Refusing<'a> {
    gateway: &'a Gateway,
    id: GenerationId,
    admitted: &'a admit::Admitted,
}

impl Refusing<'_> {
    /// Remembers that the call was refused.
    fn note(&self, failure: Failure, requested: &str, app: &str) -> Failure {
        let principal = self.admitted.key.principal();
        self.gateway.till.refuse(&Refused {
            id: self.id,
            account: principal.account,
            key: principal.key,
            at_ms: now_ms(),
            failure: failure.kind,
            requested,
            app,
            unrecorded: 0,
        });
        failure
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
