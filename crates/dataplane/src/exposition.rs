//! Which counters Prometheus is told of, in which words.
//!
//! Labels are catalog ids and words of ours, so that no caller can make a
//! new series. Calls know nothing of this: they count in atomics, which are
//! read when somebody asks. How it is written is in `page`.

mod page;
mod process;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_vocab::Reason;
use bourse_wire::tool_calls::Verdict;

use crate::admission::{Admission, Shed};
use crate::alarms::Alarms;
use crate::alarms::kind::Kind;
use crate::cache::Cache;
use crate::clock::now_ms;
use crate::gateway::Gateway;
use crate::metrics::TargetMetrics;
use crate::spans::Spans;

use page::{Page, Value};

/// One family of the endpoints' counters.
type OfTarget = (&'static str, &'static str, fn(&TargetMetrics) -> Value);

const OF_TARGETS: &[OfTarget] = &[
    ("bourse_prompt_tokens_total", "Input tokens.", |m| {
        m.prompt_tokens.load(Relaxed).into()
    }),
    ("bourse_completion_tokens_total", "Output tokens.", |m| {
        m.completion_tokens.load(Relaxed).into()
    }),
    (
        "bourse_cost_dollars_total",
        "What providers charged.",
        |m| dollars(m.cost_nanos.load(Relaxed)),
    ),
    (
        "bourse_charge_dollars_total",
        "What customers were charged.",
        |m| dollars(m.charge_nanos.load(Relaxed)),
    ),
];

/// All counters of a gateway.
#[must_use]
pub fn render(gateway: &Gateway) -> String {
    let mut page = Page::default();
    about(&mut page, gateway);
    calls(&mut page, gateway);
    spans(&mut page, &gateway.counters.spans);
    admission(&mut page, &gateway.admission);
    cache(&mut page, &gateway.cache);
    alarms(&mut page, &gateway.alarms);
    money(&mut page, gateway);
    choices(&mut page, gateway);
    attempts(&mut page, gateway);
    limits(&mut page, gateway);
    latencies(&mut page, gateway);
    process::tell(&mut page);
    page.text()
}

/// What serves, and by which catalog.
fn about(page: &mut Page, gateway: &Gateway) {
    page.family(
        "bourse_build_info",
        "gauge",
        "Always 1; its label says which version of Bourse this is.",
    );
    page.value(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
    page.family(
        "bourse_catalog_info",
        "gauge",
        "Always 1; its label is the hash of the catalog in force.",
    );
    // As text: a float keeps only 53 bits of it.
    let version = format!("{:016x}", gateway.market.load().catalog.version());
    page.value(&[("version", &version)], 1_u64);
}

/// How long calls take.
fn spans(page: &mut Page, spans: &Spans) {
    page.family(
        "bourse_call_duration_seconds",
        "histogram",
        "From the arrival of a call to its end, of calls whose money was set aside.",
    );
    for (stream, span) in ["no", "yes"].iter().zip(&spans.durations) {
        page.value(&[("stream", stream)], span.snapshot());
    }
    page.family(
        "bourse_first_token_seconds",
        "histogram",
        "From the arrival of a call to the first content of its answer, of calls that had any.",
    );
    for (stream, span) in ["no", "yes"].iter().zip(&spans.first_tokens) {
        page.value(&[("stream", stream)], span.snapshot());
    }
}

fn calls(page: &mut Page, gateway: &Gateway) {
    let counters = &gateway.counters;
    page.single(
        "bourse_calls_total",
        "counter",
        "Admitted model calls.",
        counters.calls.load(Relaxed),
    );
    page.family(
        "bourse_call_failures_total",
        "counter",
        "Calls that failed, by whose fault it was.",
    );
    for (blame, count) in ["caller", "upstream", "us"].iter().zip(&counters.failures) {
        page.value(&[("blame", blame)], count.load(Relaxed));
    }
    page.single(
        "bourse_calls_in_flight",
        "gauge",
        "Model calls under way.",
        gateway.admission.running(),
    );
    page.single(
        "bourse_realtime_sessions",
        "gauge",
        "Realtime sessions that are open.",
        gateway.sessions.open(),
    );
    page.family(
        "bourse_hedges_total",
        "counter",
        "Targets that were asked beside a late one, by which of the two answered.",
    );
    for (answered, count) in ["second", "first", "none"].iter().zip(&counters.hedges) {
        page.value(&[("answered", answered)], count.load(Relaxed));
    }
    page.family(
        "bourse_continuations_total",
        "counter",
        "Streams that broke and whose callers had asked for a continuation, by whether there was one.",
    );
    for (found, count) in ["yes", "no"].iter().zip(&counters.continuations) {
        page.value(&[("found", found)], count.load(Relaxed));
    }
    page.single(
        "bourse_drains",
        "gauge",
        "Answers read on for clients that left.",
        gateway.drains.running() as u64,
    );
}

/// Who was not let in, and why.
fn admission(page: &mut Page, admission: &Admission) {
    page.family(
        "bourse_calls_shed_total",
        "counter",
        "Calls that were not let in although nothing was wrong with them, by reason.",
    );
    for why in Shed::ALL {
        let labels = [("reason", why.name())];
        page.value(&labels, admission.sheds(why));
    }
    page.single(
        "bourse_calls_waiting",
        "gauge",
        "Batch calls that wait until their worker has time.",
        admission.waiting(),
    );
    page.family(
        "bourse_calls_limit",
        "gauge",
        "Model calls that may be under way, learned from the delay; +Inf while nobody is refused.",
    );
    match admission.limit() {
        Some(limit) => page.value(&[], limit),
        None => page.value(&[], f64::INFINITY),
    }
    page.single(
        "bourse_worker_delay_seconds",
        "gauge",
        "How long a ready call waits for its worker at present, of all workers the longest.",
        Duration::from_micros(admission.delay_us()),
    );
}

/// Answers that are kept, and what they are good for.
fn cache(page: &mut Page, cache: &Cache) {
    let by = ["yes", "no"];
    page.family(
        "bourse_cache_lookups_total",
        "counter",
        "Calls that asked for the cache, by whether an answer was found.",
    );
    for (found, count) in by.iter().zip(&cache.counters.found) {
        let labels = [("found", *found)];
        page.value(&labels, count.load(Relaxed));
    }
    page.family(
        "bourse_single_flights_total",
        "counter",
        "Calls that waited for another one that was the same, by whether its answer served.",
    );
    for (served, count) in by.iter().zip(&cache.counters.shared) {
        let labels = [("served", *served)];
        page.value(&labels, count.load(Relaxed));
    }
    let stock = cache.shelf.stock();
    page.single(
        "bourse_cache_answers",
        "gauge",
        "Answers that are kept, and calls of which none may come back.",
        stock.slots,
    );
    page.single(
        "bourse_cache_bytes",
        "gauge",
        "What they take of memory.",
        stock.bytes,
    );
    page.single(
        "bourse_cache_evictions_total",
        "counter",
        "Answers that had to make room for others before their time.",
        stock.evicted,
    );
}

/// What the operator was told, and what is so now.
fn alarms(page: &mut Page, alarms: &Alarms) {
    page.family(
        "bourse_alarms_total",
        "counter",
        "Alarms that were raised, by kind.",
    );
    for kind in Kind::ALL {
        let labels = [("kind", kind.about().name)];
        page.value(&labels, alarms.raised(kind));
    }
    page.family(
        "bourse_alarms_active",
        "gauge",
        "Alarms that are not over, by kind.",
    );
    for kind in Kind::ALL {
        let labels = [("kind", kind.about().name)];
        page.value(&labels, alarms.active(kind));
    }
    page.family(
        "bourse_alarm_events_total",
        "counter",
        "Events of alarms for the webhook, by whether it has them.",
    );
    for (delivered, count) in ["yes", "no"].iter().zip(alarms.told()) {
        let labels = [("delivered", *delivered)];
        page.value(&labels, count);
    }
}

/// Holds, and how far the database is behind the journal.
fn money(page: &mut Page, gateway: &Gateway) {
    page.single(
        "bourse_holds_open",
        "gauge",
        "Holds that are neither posted nor voided.",
        gateway.till.books().open_holds(),
    );
    page.single(
        "bourse_repeated_settlements_total",
        "counter",
        "Settlements that came twice and were ignored.",
        gateway.till.books().repeated_settlements(),
    );
    page.single(
        "bourse_spool_unapplied_bytes",
        "gauge",
        "Journal that the database has not seen yet.",
        gateway.till.spool().unapplied_bytes(),
    );
}

/// Who may call, and what there is to call.
fn choices(page: &mut Page, gateway: &Gateway) {
    page.single(
        "bourse_unrecorded_refusals",
        "gauge",
        "Refused calls that the journal does not know of yet: too many came in a second.",
        gateway.till.unrecorded_refusals(),
    );
    page.single(
        "bourse_keys",
        "gauge",
        "Keys in memory, deleted ones included.",
        gateway.keyring.len(),
    );
    let market = gateway.market.load();
    page.single(
        "bourse_targets",
        "gauge",
        "Endpoints that can be called.",
        market.targets().len(),
    );
}

fn attempts(page: &mut Page, gateway: &Gateway) {
    page.family(
        "bourse_attempts_total",
        "counter",
        "Attempts at endpoints, by outcome.",
    );
    gateway.memory.for_each(|m| {
        if !m.is_used() {
            return;
        }
        for (outcome, count) in [
            ("succeeded", &m.succeeded),
            ("failed", &m.failed),
            ("rate_limited", &m.rate_limited),
            ("cancelled", &m.cancelled),
        ] {
            let labels = [
                ("model", &*m.model),
                ("provider", &*m.provider),
                ("endpoint", &*m.endpoint),
                ("outcome", outcome),
            ];
            page.value(&labels, count.load(Relaxed));
        }
    });
    reasons(page, gateway);
    tool_calls(page, gateway);
    for (name, help, read) in OF_TARGETS {
        page.family(name, "counter", help);
        gateway.memory.for_each(|m| {
            if m.is_used() {
                let labels = [
                    ("model", &*m.model),
                    ("provider", &*m.provider),
                    ("endpoint", &*m.endpoint),
                ];
                page.value(&labels, read(m));
            }
        });
    }
}

/// Why attempts failed. Only reasons that there were have lines.
fn reasons(page: &mut Page, gateway: &Gateway) {
    page.family(
        "bourse_attempt_failures_total",
        "counter",
        "Attempts that failed, by why.",
    );
    gateway.memory.for_each(|m| {
        for (reason, count) in Reason::ALL.iter().zip(&m.reasons) {
            let count = count.load(Relaxed);
            if count > 0 {
                let labels = [
                    ("model", &*m.model),
                    ("provider", &*m.provider),
                    ("endpoint", &*m.endpoint),
                    ("reason", reason.name()),
                ];
                page.value(&labels, count);
            }
        }
    });
}

/// How tool calls were. Only endpoints that made any have lines.
fn tool_calls(page: &mut Page, gateway: &Gateway) {
    page.family(
        "bourse_tool_calls_total",
        "counter",
        "Tool calls in answers that ended with them, by what was found when they were compared with the tools that the caller offers.",
    );
    gateway.memory.for_each(|m| {
        let counts = m.verdicts.each_ref().map(|count| count.load(Relaxed));
        if counts.iter().all(|count| *count == 0) {
            return;
        }
        for (verdict, count) in Verdict::ALL.into_iter().zip(counts) {
            let labels = [("endpoint", &*m.endpoint), ("verdict", verdict.name())];
            page.value(&labels, count);
        }
    });
}

/// What providers are believed to carry. Only those have a line that refuse.
fn limits(page: &mut Page, gateway: &Gateway) {
    page.family(
        "bourse_endpoint_calls_limit",
        "gauge",
        "Calls at once that an endpoint is believed to carry, with all of its credentials, learned from what it refused; none while it refuses none.",
    );
    let now = gateway.clock.now_ms();
    let market = gateway.market.load();
    let mut known: BTreeMap<&str, (&TargetMetrics, u64)> = BTreeMap::new();
    for target in market.targets() {
        if let Some(calls) = target.health.calls_max(now) {
            let metrics = &*target.metrics;
            let sum = known.entry(&metrics.endpoint).or_insert((metrics, 0));
            sum.1 = sum.1.saturating_add(calls);
        }
    }
    for (metrics, calls) in known.into_values() {
        let labels = [
            ("model", &*metrics.model),
            ("provider", &*metrics.provider),
            ("endpoint", &*metrics.endpoint),
        ];
        page.value(&labels, calls);
    }
}

fn latencies(page: &mut Page, gateway: &Gateway) {
    // A summary has quantiles, and the crate has no summaries.
    page.family(
        "bourse_endpoint_first_token_seconds",
        "gauge",
        "Time to the first content of an endpoint, over half an hour, by percentile.",
    );
    let now = now_ms();
    // Labels name endpoints: of several credentials the first one speaks.
    let market = gateway.market.load();
    for target in market.targets().iter().filter(|t| t.credential == 0) {
        let Some(latency) = target.health.latency_ms_last_30m(now) else {
            continue;
        };
        for (percentile, ms) in [
            ("50", latency.p50),
            ("90", latency.p90),
            ("99", latency.p99),
        ] {
            let labels = [
                ("endpoint", &*target.metrics.endpoint),
                ("percentile", percentile),
            ];
            page.value(&labels, Duration::from_millis(ms));
        }
    }
}

/// Nano-dollars in Prometheus's unit of money. The books keep them exactly;
/// this is the nearest number that Prometheus can keep, found by its digits.
fn dollars(nanos: u64) -> Value {
    let digits = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    Value::Number(digits.parse().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_have_the_digits_of_their_nanos() {
        let shown = |nanos| match dollars(nanos) {
            Value::Number(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(shown(0), "0");
        assert_eq!(shown(1), "0.000000001");
        assert_eq!(shown(12_345_678_901), "12.345678901");
    }
}
