//! From a request for a session to a provider that speaks.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_net::{Client, Segments, Upgraded, websocket};
use bourse_routing::classes::Class;
use bourse_routing::health::Outcome;
use bourse_routing::preferences::Preferences;
use bourse_vocab::{Failure, FailureKind, GenerationId};
use http::header::{AUTHORIZATION, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};

use super::meter::Meter;
use super::session::{Session, Upstream};
use super::terms::Terms;
use crate::ask::Attribution;
use crate::attempts::Attempt;
use crate::chance;
use crate::endpoints::Endpoint;
use crate::identity::Caller;
use crate::limit::whole;
use crate::market::{Target, context_length};
use crate::phases::admit::{Denied, Entered, enter};
use crate::phases::attempt::{all_cooling_down, enter as enter_step, place};
use crate::phases::exchange::{refused, unreachable};
use crate::phases::hold::hold;
use crate::phases::one::{is_within_budget, note_failed, way_to};
use crate::phases::plan::{self, Plan, Step, Wanted, bucket};
use crate::pipeline::Worker;
use crate::refusing::Refusing;
use crate::respond::{self, ReplyBody};
use crate::running::Running;
use crate::way::Way;

/// The subprotocol that clients ask for, and how those begin in which pages
/// bring what they cannot put into a header (platform.openai.com/docs,
/// guides/realtime-websocket, November 2026).
const PROTOCOL: &str = "realtime";
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";
/// The header that asks for features in beta.
const BETA: HeaderName = HeaderName::from_static("openai-beta");
/// Output tokens of a model of which neither limit nor window is known.
const WINDOW_UNKNOWN: u64 = 128_000;
/// Longest query that is read: a model, and preferences.
const QUERY_BYTES_MAX: usize = 16 * 1024;

/// A session that may begin.
pub struct Opened {
    /// The session, once the client's connection has switched.
    pub session: Box<Session>,
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// The subprotocol that is spoken, where one was asked for.
    pub protocol: Option<&'static str>,
}

/// What a request for a session says.
struct Wish {
    accept: String,
    protocol: Option<&'static str>,
    headers: HeaderMap,
    model: String,
    wishes: Preferences,
}

/// Opens a session, or says why not.
///
/// # Errors
/// The answer to the request.
pub async fn open(
    worker: &Worker<Client>,
    endpoint: &'static dyn Endpoint,
    head: &Parts,
) -> Result<Opened, Box<Response<ReplyBody>>> {
    let gateway = &worker.gateway;
    let id = GenerationId::at_ms(gateway.clock.now_ms(), chance::random());
    let opened = Box::pin(begin(worker, endpoint, head, id)).await;
    opened.map_err(|denied| {
        let failure = match denied {
            Denied::Failed(failure) => {
                gateway.counters.fail(failure.blame);
                failure
            }
            Denied::Shed(why) => {
                gateway.admission.count(why);
                why.failure()
            }
        };
        Box::new(respond::failure(endpoint, &failure, Some(&id.to_string())))
    })
}

async fn begin(
    worker: &Worker<Client>,
    endpoint: &'static dyn Endpoint,
    head: &Parts,
    id: GenerationId,
) -> Result<Opened, Denied> {
    let gateway = &worker.gateway;
    let wish = Wish::read(head)?;
    let now_ms = gateway.clock.now_ms();
    let Entered {
        admitted,
        in_flight,
    } = enter(gateway, &worker.door, &wish.headers, now_ms).await?;
    gateway.counters.calls.fetch_add(1, Relaxed);
    let room = gateway.sessions.enter(admitted.key.principal().key)?;
    let terms = Terms {
        gateway: Arc::clone(gateway),
        door: Arc::clone(&worker.door),
        progress: Arc::clone(&worker.progress),
        market: gateway.market.load_full(),
        admitted,
        endpoint,
        models: vec![wish.model],
        wishes: wish.wishes,
        attribution: Attribution::by_headers(&wish.headers),
    };
    let mut plan = planned(&terms, id, now_ms)?;
    let (most, window) = bounds(&terms, &plan);
    let first = Meter::new(most, window);
    let call = terms.call(id, first.demand(), in_flight);
    let mut running = hold(call, &mut plan).await?;
    let reached = reach(&worker.client, &mut running, &mut plan).await;
    let (target, upstream) = reached.inspect_err(|failure| running.fail(failure))?;
    let offered = terms.market.endpoint(&target);
    let window = context_length(offered).unwrap_or(WINDOW_UNKNOWN);
    let meter = Meter::new(whole(offered), window);
    Ok(Opened {
        session: Box::new(Session::new(
            terms,
            (target, upstream),
            running,
            meter,
            room,
        )),
        accept: wish.accept,
        protocol: wish.protocol,
    })
}

/// The targets in order; a session that has none is noted.
fn planned(terms: &Terms, id: GenerationId, now_ms: u64) -> Result<Plan, Failure> {
    let gateway = &terms.gateway;
    let account = terms.admitted.key.principal().account;
    let ask = terms.ask(Meter::new(1, 1).demand());
    let lot = Caller::new(&gateway.identity, account).draw(ask.attribution.conversation());
    let wanted = Wanted::of(&ask, terms.endpoint, false, lot, now_ms);
    plan::plan(&terms.market, &wanted, None).map_err(|failure| {
        let requested = terms.models.first().map_or("", String::as_str);
        let refusing = Refusing::new(gateway, id, &terms.admitted);
        refusing.note(failure, requested, &terms.attribution.title)
    })
}

/// The most that any of the targets says at once, and reads.
fn bounds(terms: &Terms, plan: &Plan) -> (u64, u64) {
    let of = |target: &Arc<Target>| {
        let endpoint = terms.market.endpoint(target);
        let window = context_length(endpoint).unwrap_or(WINDOW_UNKNOWN);
        (whole(endpoint), window)
    };
    plan.targets()
        .map(of)
        .fold((1, 1), |most, one| (most.0.max(one.0), most.1.max(one.1)))
}

/// Asks the targets in order until one speaks. Like any call's, its failures
/// cost the customer nothing.
async fn reach(
    client: &Client,
    running: &mut Running,
    plan: &mut Plan,
) -> Result<(Arc<Target>, Upstream), Failure> {
    let clock = running.call.gateway.clock;
    let may_use = |target: &Arc<Target>| target.health.cooldown_ms(clock.now_ms()).is_none();
    let next = plan.next(may_use);
    let Some((mut step, mut ticket)) = enter_step(&running.call, plan, next) else {
        return Err(all_cooling_down(&running.call, plan));
    };
    running.call.gateway.memory.demand.begins(clock.now_ms());
    loop {
        let Running {
            call,
            tab,
            attempts,
            ..
        } = &mut *running;
        let way = Arc::clone(way_to(call, &step.target)?);
        tab.dispatch(&call.market, &step.target)?;
        let now_ms = clock.now_ms();
        attempts.push(Attempt::begin(&step.target, ticket, now_ms));
        let failure = match ask(client, running, &step, &way).await {
            Ok(upstream) => {
                // Its answers are attempts of their own.
                if let Some(mut tried) = running.attempts.pop() {
                    let alarms = &running.call.gateway.alarms;
                    let ticket = tried.take_ticket();
                    tried.note(ticket, clock.now_ms(), Outcome::Neutral, alarms);
                }
                return Ok((step.target, upstream));
            }
            Err(failure) => step.target.secrets.clean(failure),
        };
        let Running { call, attempts, .. } = &mut *running;
        if let Some(tried) = attempts.last_mut() {
            note_failed(call, tried, &failure);
        }
        let then = Class::of(&failure, place(running)).then(&failure);
        let call = &running.call;
        let is_well = |target: &Arc<Target>| {
            let sort = bucket(&call.market, target, &call.ask);
            target.health.is_well(sort)
        };
        let another = plan.after(&step, then, may_use, is_well);
        let another = enter_step(call, plan, another);
        match another.filter(|(step, _)| is_within_budget(&call.gateway, step)) {
            Some(another) => (step, ticket) = another,
            None => return Err(failure),
        }
    }
}

/// Asks one target.
async fn ask(
    client: &Client,
    running: &mut Running,
    step: &Step,
    way: &Way,
) -> Result<Upstream, Failure> {
    let call = &running.call;
    let deadlines = &call.gateway.limits.deadlines;
    let deadlines = deadlines.of_exchange(true, step.is_last);
    let clock = call.gateway.clock;
    let request = way.request(true, Segments::new(), None).await;
    let tried = running.attempts.last_mut();
    let Some(tried) = tried else {
        return Err(Failure::server("an attempt that has just begun is gone"));
    };
    let request = request.inspect_err(|_| tried.is_sent = false)?;
    let origin = &step.target.provider.origin;
    let upgraded = client.upgrade(origin, &request, &deadlines).await;
    let upgraded = upgraded.map_err(|error| {
        tried.is_sent = error.wrote_request;
        unreachable(&error)
    })?;
    tried.head_ms = Some(clock.now_ms());
    match upgraded {
        Upgraded::Socket(socket) => {
            tried.status = 101;
            Ok(socket)
        }
        Upgraded::Refused(response) => {
            tried.status = response.status.as_u16();
            Err(refused(&step.target, way, *response, clock).await)
        }
    }
}

impl Wish {
    fn read(head: &Parts) -> Result<Self, Failure> {
        let accept = websocket::is_asked_for(&head.headers)
            .then(|| websocket::accept_of(&head.headers))
            .flatten();
        let accept = accept.ok_or_else(|| {
            Failure::invalid(
                "A realtime session is asked for with `Upgrade: websocket`, Sec-WebSocket-Version 13 and a key",
            )
        })?;
        if head.headers.contains_key(BETA) {
            return Err(Failure::invalid(
                "OpenAI-Beta: sessions are those of the API as it is, and not of its beta, whose events have other names; leave the header out",
            ));
        }
        let mut headers = head.headers.clone();
        let protocol = protocols(&mut headers)?;
        let (model, wishes) = query(head.uri.query().unwrap_or_default())?;
        Ok(Self {
            accept,
            protocol,
            headers,
            model,
            wishes,
        })
    }
}

/// The subprotocol that is spoken; a key among those that are asked for becomes
/// a header.
fn protocols(headers: &mut HeaderMap) -> Result<Option<&'static str>, Failure> {
    let said: Vec<String> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|word| word.trim().to_owned())
        .collect();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    let key = said.iter().find_map(|word| word.strip_prefix(KEY_PROTOCOL));
    if let (Some(key), false) = (key, headers.contains_key(AUTHORIZATION)) {
        let bearer = HeaderValue::try_from(format!("Bearer {key}"));
        let mut bearer = bearer.map_err(|_| Failure::invalid("the key is no text"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    match said.iter().any(|word| word == PROTOCOL) {
        true => Ok(Some(PROTOCOL)),
        false if said.is_empty() => Ok(None),
        false => Err(Failure::invalid(
            "Sec-WebSocket-Protocol: the one that is spoken is `realtime`",
        )),
    }
}

/// The model and the preferences in a query.
fn query(text: &str) -> Result<(String, Preferences), Failure> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(Failure::invalid(
            "the query is longer than any that is read",
        ));
    }
    let (mut model, mut wishes) = (None, None);
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let slot = match &*name {
            "model" => &mut model,
            "provider" => &mut wishes,
            other => {
                return Err(Failure::invalid(format!(
                    "{other}: not known in the query of a realtime session; there are `model` and `provider`"
                )));
            }
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(Failure::invalid(format!("{name}: is there twice")));
        }
    }
    let model = model.filter(|model| !model.is_empty()).ok_or_else(|| {
        Failure::new(
            FailureKind::InvalidRequest,
            "model: required, in the query; GET /api/v1/models lists them",
        )
    })?;
    let wishes = match wishes {
        Some(json) => Preferences::read(&json)?,
        None => Preferences::default(),
    };
    Ok((model, wishes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_among_the_subprotocols_is_a_header_and_is_not_echoed() {
        let mut headers = HeaderMap::new();
        assert_eq!(protocols(&mut headers).unwrap(), None);
        let said = HeaderValue::from_static("realtime, openai-insecure-api-key.sk-1");
        headers.insert(SEC_WEBSOCKET_PROTOCOL, said);
        assert_eq!(protocols(&mut headers).unwrap(), Some("realtime"));
        assert_eq!(headers[AUTHORIZATION], "Bearer sk-1");
        assert!(!headers.contains_key(SEC_WEBSOCKET_PROTOCOL));
        let other = HeaderValue::from_static("openai-beta.realtime-v1");
        headers.insert(SEC_WEBSOCKET_PROTOCOL, other);
        assert!(protocols(&mut headers).is_err());
    }

    #[test]
    fn a_query_has_a_model_and_preferences_and_nothing_else() {
        let (model, wishes) =
            query("model=openai%2Fgpt-realtime&provider=%7B%22only%22%3A%5B%22openai%22%5D%7D")
                .unwrap();
        assert_eq!(model, "openai/gpt-realtime");
        assert_eq!(wishes.only.len(), 1);
        for bad in [
            "",
            "model=",
            "model=a&model=b",
            "model=a&call_id=c",
            "model=a&provider=x",
        ] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }
}
