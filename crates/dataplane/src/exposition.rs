//! Counters as text, for Prometheus (exposition format 0.0.4).
//!
//! Labels are catalog ids and words of ours, so that no caller can make a
//! new series. Slugs of the catalog have no character that would have to be
//! escaped; they are escaped all the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use bourse_vocab::Reason;
use bourse_wire::tool_calls::Verdict;

use crate::admission::{Admission, Shed};
use crate::alarms::Alarms;
use crate::alarms::kind::Kind;
use crate::cache::Cache;
use crate::clock::now_ms;
use crate::gateway::Gateway;
use crate::metrics::TargetMetrics;

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.value(name, &[], value);
    }
}

/// One family of the endpoints' counters.
type Family = (&'static str, &'static str, fn(&TargetMetrics) -> u64);

const OF_TARGETS: &[Family] = &[
    ("bourse_prompt_tokens_total", "Input tokens.", |m| {
        m.prompt_tokens.load(Relaxed)
    }),
    ("bourse_completion_tokens_total", "Output tokens.", |m| {
        m.completion_tokens.load(Relaxed)
    }),
    (
        "bourse_cost_nanodollars_total",
        "What providers charged.",
        |m| m.cost_nanos.load(Relaxed),
    ),
    (
        "bourse_charge_nanodollars_total",
        "What customers were charged.",
        |m| m.charge_nanos.load(Relaxed),
    ),
];

/// All counters of a gateway.
#[must_use]
pub fn render(gateway: &Gateway) -> String {
    let mut page = Page(String::with_capacity(4096));
    calls(&mut page, gateway);
    admission(&mut page, &gateway.admission);
    cache(&mut page, &gateway.cache);
    alarms(&mut page, &gateway.alarms);
    money(&mut page, gateway);
    choices(&mut page, gateway);
    attempts(&mut page, gateway);
    limits(&mut page, gateway);
    latencies(&mut page, gateway);
    page.0
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
        page.value(
            "bourse_call_failures_total",
            &[("blame", blame)],
            count.load(Relaxed),
        );
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
        page.value(
            "bourse_hedges_total",
            &[("answered", answered)],
            count.load(Relaxed),
        );
    }
    page.family(
        "bourse_continuations_total",
        "counter",
        "Streams that broke and whose callers had asked for a continuation, by whether there was one.",
    );
    for (found, count) in ["yes", "no"].iter().zip(&counters.continuations) {
        page.value(
            "bourse_continuations_total",
            &[("found", found)],
            count.load(Relaxed),
        );
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
        page.value("bourse_calls_shed_total", &labels, admission.sheds(why));
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
        Some(limit) => page.value("bourse_calls_limit", &[], limit),
        None => page.value("bourse_calls_limit", &[], "+Inf"),
    }
    let delay_us = admission.delay_us();
    page.single(
        "bourse_worker_delay_seconds",
        "gauge",
        "How long a ready call waits for its worker at present, of all workers the longest.",
        format_args!("{}.{:06}", delay_us / 1_000_000, delay_us % 1_000_000),
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
        page.value("bourse_cache_lookups_total", &labels, count.load(Relaxed));
    }
    page.family(
        "bourse_single_flights_total",
        "counter",
        "Calls that waited for another one that was the same, by whether its answer served.",
    );
    for (served, count) in by.iter().zip(&cache.counters.shared) {
        let labels = [("served", *served)];
        page.value("bourse_single_flights_total", &labels, count.load(Relaxed));
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
        page.value("bourse_alarms_total", &labels, alarms.raised(kind));
    }
    page.family(
        "bourse_alarms_active",
        "gauge",
        "Alarms that are not over, by kind.",
    );
    for kind in Kind::ALL {
        let labels = [("kind", kind.about().name)];
        page.value("bourse_alarms_active", &labels, alarms.active(kind));
    }
    page.family(
        "bourse_alarm_events_total",
        "counter",
        "Events of alarms for the webhook, by whether it has them.",
    );
    for (delivered, count) in ["yes", "no"].iter().zip(alarms.told()) {
        let labels = [("delivered", *delivered)];
        page.value("bourse_alarm_events_total", &labels, count);
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
    page.single(
        "bourse_catalog_version",
        "gauge",
        "Content hash of the catalog in force.",
        market.catalog.version(),
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
            page.value("bourse_attempts_total", &labels, count.load(Relaxed));
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
                page.value(name, &labels, read(m));
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
                page.value("bourse_attempt_failures_total", &labels, count);
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
            page.value("bourse_tool_calls_total", &labels, count);
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
        page.value("bourse_endpoint_calls_limit", &labels, calls);
    }
}

fn latencies(page: &mut Page, gateway: &Gateway) {
    page.family(
        "bourse_first_token_seconds",
        "summary",
        "Time to the first content of an endpoint, over half an hour.",
    );
    let now = now_ms();
    // Labels name endpoints: of several credentials the first one speaks.
    let market = gateway.market.load();
    for target in market.targets().iter().filter(|t| t.credential == 0) {
        let Some(latency) = target.health.latency_ms_last_30m(now) else {
            continue;
        };
        for (quantile, value) in [
            ("0.5", latency.p50),
            ("0.9", latency.p90),
            ("0.99", latency.p99),
        ] {
            let labels = [
                ("endpoint", &*target.metrics.endpoint),
                ("quantile", quantile),
            ];
            page.value("bourse_first_token_seconds", &labels, seconds(value));
        }
    }
}

/// Milliseconds in Prometheus's unit of time.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_seconds() {
        assert_eq!([0, 7, 1_250].map(seconds), ["0.000", "0.007", "1.250"]);
    }

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut page = Page(String::new());
        page.value("x", &[("a", "q\"uo\\te\nline"), ("b", "2")], 7);
        assert_eq!(page.0, "x{a=\"q\\\"uo\\\\te\\nline\",b=\"2\"} 7\n");
    }
}
