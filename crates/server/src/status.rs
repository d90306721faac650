//! How the server is doing, as `/routing/status` tells it: read off counters
//! that calls keep anyway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use bourse_control::status::{
    Alarm, Attempts, Breaker, Breakers, Calls, Credential, Endpoint, Journal, Quantiles, Status,
};
use bourse_dataplane::admission::Shed;
use bourse_dataplane::alarms::Alarms;
use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::market::Target;
use bourse_routing::breaker::Standing;
use bourse_routing::health::Percentiles;
use bourse_vocab::Nanos;

/// Calls, and the endpoints that were ever asked. What only the server knows
/// of its database is in `journal`.
pub(crate) fn of(gateway: &Gateway, journal: Journal, (started_ms, now_ms): (u64, u64)) -> Status {
    let market = gateway.market.load();
    let mut by_endpoint: BTreeMap<&str, Vec<&Arc<Target>>> = BTreeMap::new();
    for target in market.targets() {
        let is_asked = target.metrics.is_used() || target.health.in_flight() > 0;
        let siblings = by_endpoint.entry(&target.id);
        // The counters are the endpoint's: all of its credentials or none.
        if is_asked || matches!(siblings, std::collections::btree_map::Entry::Occupied(_)) {
            siblings.or_default().push(target);
        }
    }
    Status {
        at_ms: now_ms,
        version: crate::VERSION.to_owned(),
        started_ms,
        alarms: alarms(&gateway.alarms),
        simulated: market.is_simulated(),
        calls: calls(gateway),
        journal,
        targets: market.targets().len() as u64,
        endpoints: by_endpoint
            .into_values()
            .filter_map(|targets| endpoint(&targets, now_ms))
            .collect(),
    }
}

/// Those that are not over; each kind has few (see the book of alarms).
fn alarms(alarms: &Alarms) -> Vec<Alarm> {
    let of_kind = |kind: Kind| {
        let about = kind.about();
        alarms.subjects(kind).into_iter().map(|subject| Alarm {
            kind: about.name.to_owned(),
            subject,
            remedy: about.remedy.to_owned(),
        })
    };
    Kind::ALL.into_iter().flat_map(of_kind).collect()
}

fn calls(gateway: &Gateway) -> Calls {
    let (counters, admission) = (&gateway.counters, &gateway.admission);
    Calls {
        admitted: counters.calls.load(Relaxed),
        failed: counts(&["caller", "upstream", "us"], &counters.failures),
        shed: Shed::ALL
            .into_iter()
            .map(|why| (why.name().to_owned(), admission.sheds(why)))
            .collect(),
        in_flight: admission.running(),
        limit: admission.limit(),
        waiting: admission.waiting() as u64,
        delay_us: admission.delay_us(),
        drains: gateway.drains.running() as u64,
        hedges: counts(&["second", "first", "none"], &counters.hedges),
        continuations: counts(&["yes", "no"], &counters.continuations),
    }
}

fn counts(names: &[&str], counters: &[AtomicU64]) -> BTreeMap<String, u64> {
    let counts = names.iter().zip(counters);
    counts
        .map(|(name, count)| ((*name).to_owned(), count.load(Relaxed)))
        .collect()
}

fn endpoint(targets: &[&Arc<Target>], now_ms: u64) -> Option<Endpoint> {
    let metrics = &targets.first()?.metrics;
    let money = |nanos: u64| Nanos(i64::try_from(nanos).unwrap_or(i64::MAX));
    Some(Endpoint {
        endpoint: metrics.endpoint.to_string(),
        model: metrics.model.to_string(),
        provider: metrics.provider.to_string(),
        attempts: Attempts {
            succeeded: metrics.succeeded.load(Relaxed),
            failed: metrics.failed.load(Relaxed),
            rate_limited: metrics.rate_limited.load(Relaxed),
            cancelled: metrics.cancelled.load(Relaxed),
        },
        prompt_tokens: metrics.prompt_tokens.load(Relaxed),
        completion_tokens: metrics.completion_tokens.load(Relaxed),
        cost: money(metrics.cost_nanos.load(Relaxed)),
        charge: money(metrics.charge_nanos.load(Relaxed)),
        credentials: targets.iter().map(|one| credential(one, now_ms)).collect(),
    })
}

fn credential(target: &Target, now_ms: u64) -> Credential {
    let health = &target.health;
    let standings = health.seen(now_ms);
    let [endpoint, credential, provider] = standings.map(breaker);
    // Nobody is sent to before the last of them lets somebody through.
    let due_ms = standings.into_iter().filter_map(|standing| match standing {
        Standing::Open(until) => Some(until.saturating_sub(now_ms)),
        Standing::Closed | Standing::Probe => None,
    });
    Credential {
        credential: target.credential,
        breakers: Breakers {
            endpoint,
            credential,
            provider,
        },
        probe_in_ms: due_ms.max(),
        rest_ms: health.cooldown_ms(now_ms),
        in_flight: health.in_flight(),
        calls_max: health.calls_max(now_ms),
        first_content_ms: health.recent_latency_ms(now_ms).map(quantiles),
        tokens_per_s: health.recent_throughput(now_ms).map(quantiles),
    }
}

const fn breaker(standing: Standing) -> Breaker {
    match standing {
        Standing::Closed => Breaker::Closed,
        Standing::Probe => Breaker::Probe,
        Standing::Open(_) => Breaker::Open,
    }
}

const fn quantiles(of: Percentiles) -> Quantiles {
    Quantiles {
        p50: of.p50,
        p99: of.p99,
    }
}
