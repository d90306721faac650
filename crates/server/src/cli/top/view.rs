//! What happened between two answers of a server. Its members are what
//! `bourse top --once --json` prints, so they stay.

use std::collections::BTreeMap;

use bourse_control::status::{Breaker, Credential, Endpoint, Quantiles, Status};
use bourse_vocab::Nanos;
use serde::Serialize;

/// A server between two looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    /// Its address.
    pub(super) server: String,
    /// When it was looked at last, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// Since when rates are counted.
    pub(super) interval_ms: u64,
    pub(super) simulated: bool,
    pub(super) totals: Totals,
    pub(super) endpoints: Vec<Line>,
}

/// All of a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Totals {
    pub(super) calls_per_s: f64,
    pub(super) failed_per_s: f64,
    pub(super) shed_per_s: f64,
    pub(super) calls_in_flight: u64,
    /// Nobody is refused if there is none.
    pub(super) calls_limit: Option<u64>,
    pub(super) calls_waiting: u64,
    pub(super) delay_us: u64,
    pub(super) drains: u64,
    /// By reason, since the server began.
    pub(super) sheds: BTreeMap<String, u64>,
    /// By who answered, since the server began.
    pub(super) hedges: BTreeMap<String, u64>,
    /// By whether there was one, since the server began.
    pub(super) continuations: BTreeMap<String, u64>,
    pub(super) tokens_per_s: f64,
    pub(super) cost_usd_per_min: Nanos,
    pub(super) charge_usd_per_min: Nanos,
    pub(super) holds_open: u64,
    pub(super) journal_bytes: u64,
    pub(super) database_away_s: Option<u64>,
    pub(super) database_behind_s: Option<u64>,
    pub(super) trouble: Option<String>,
    /// Endpoints that can be called, with each credential.
    pub(super) targets: u64,
    /// Endpoints that were ever asked.
    pub(super) asked: usize,
    pub(super) broken: usize,
    pub(super) resting: usize,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) endpoint: String,
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) state: State,
    /// The state in words, with its time.
    #[serde(skip)]
    pub(super) state_text: String,
    pub(super) requests_per_s: f64,
    pub(super) errors_per_s: f64,
    pub(super) rate_limited_per_s: f64,
    pub(super) in_flight: u64,
    /// Of the slowest of its credentials.
    pub(super) first_content_ms: Option<Quantiles>,
    pub(super) tokens_per_s: f64,
    /// Of one answer in the middle, of the slowest of its credentials.
    pub(super) answer_tokens_per_s: Option<u64>,
    pub(super) cost_usd_per_min: Nanos,
    pub(super) credentials: Vec<Credential>,
}

/// Whether an endpoint can be called, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    Full,
    Probe,
    Rest,
    Open,
}

/// Rates over an interval. Counters that went back are those of a server that
/// was started anew: nothing is known of the time between.
struct Rates {
    interval_ms: u64,
}

impl Rates {
    fn per_s(&self, before: u64, now: u64) -> f64 {
        let more = now.saturating_sub(before);
        #[allow(clippy::cast_precision_loss)] // Counts of one interval, for people.
        let rate = more as f64 * 1_000.0 / self.interval_ms.max(1) as f64;
        rate
    }

    fn usd_per_min(&self, before: Nanos, now: Nanos) -> Nanos {
        let more = i128::from(now.saturating_sub(before).0.max(0));
        let rate = more * 60_000 / i128::from(self.interval_ms.max(1));
        Nanos(i64::try_from(rate).unwrap_or(i64::MAX))
    }
}

impl View {
    /// What happened at `server` from `before` until `now`.
    pub(super) fn between(server: &str, before: &Status, now: &Status) -> Self {
        let interval_ms = now.at_ms.saturating_sub(before.at_ms);
        let rates = Rates { interval_ms };
        let never = Endpoint::default();
        let lines = now.endpoints.iter().map(|endpoint| {
            let same = |other: &&Endpoint| other.endpoint == endpoint.endpoint;
            let earlier = before.endpoints.iter().find(same);
            Line::between(&rates, earlier.unwrap_or(&never), endpoint)
        });
        let lines: Vec<Line> = lines.collect();
        Self {
            server: server.to_owned(),
            at_ms: now.at_ms,
            interval_ms,
            simulated: now.simulated,
            totals: Totals::between(&rates, before, now, &lines),
            endpoints: lines,
        }
    }
}

impl Totals {
    fn between(rates: &Rates, before: &Status, now: &Status, lines: &[Line]) -> Self {
        let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum();
        let of =
            |pick: fn(&Endpoint) -> u64, status: &Status| status.endpoints.iter().map(pick).sum();
        let money = |pick: fn(&Endpoint) -> Nanos, status: &Status| {
            let amounts = status.endpoints.iter().map(pick);
            amounts.fold(Nanos::ZERO, Nanos::saturating_add)
        };
        let in_state = |state| lines.iter().filter(|line| line.state == state).count();
        let (cost, charge) = (|e: &Endpoint| e.cost, |e: &Endpoint| e.charge);
        let tokens = |e: &Endpoint| e.completion_tokens;
        Self {
            calls_per_s: rates.per_s(before.calls.admitted, now.calls.admitted),
            failed_per_s: rates.per_s(sum(&before.calls.failed), sum(&now.calls.failed)),
            shed_per_s: rates.per_s(sum(&before.calls.shed), sum(&now.calls.shed)),
            calls_in_flight: now.calls.in_flight,
            calls_limit: now.calls.limit,
            calls_waiting: now.calls.waiting,
            delay_us: now.calls.delay_us,
            drains: now.calls.drains,
            sheds: now.calls.shed.clone(),
            hedges: now.calls.hedges.clone(),
            continuations: now.calls.continuations.clone(),
            tokens_per_s: rates.per_s(of(tokens, before), of(tokens, now)),
            cost_usd_per_min: rates.usd_per_min(money(cost, before), money(cost, now)),
            charge_usd_per_min: rates.usd_per_min(money(charge, before), money(charge, now)),
            holds_open: now.journal.holds_open,
            journal_bytes: now.journal.unapplied_bytes,
            database_away_s: now.journal.database_away_s,
            database_behind_s: now.journal.database_behind_s,
            trouble: now.journal.trouble.clone(),
            targets: now.targets,
            asked: lines.len(),
            broken: in_state(State::Open),
            resting: in_state(State::Rest),
        }
    }
}

impl Line {
    fn between(rates: &Rates, before: &Endpoint, now: &Endpoint) -> Self {
        let ended = |endpoint: &Endpoint| {
            let of = &endpoint.attempts;
            let well = of.succeeded.saturating_add(of.cancelled);
            well.saturating_add(of.failed)
                .saturating_add(of.rate_limited)
        };
        let (was, is) = (&before.attempts, &now.attempts);
        let credentials = &now.credentials;
        let slowest = credentials.iter().filter_map(|one| one.first_content_ms);
        let (state, state_text) = state(credentials);
        Self {
            endpoint: now.endpoint.clone(),
            model: now.model.clone(),
            provider: now.provider.clone(),
            state,
            state_text,
            requests_per_s: rates.per_s(ended(before), ended(now)),
            errors_per_s: rates.per_s(was.failed, is.failed),
            rate_limited_per_s: rates.per_s(was.rate_limited, is.rate_limited),
            in_flight: credentials.iter().map(|one| one.in_flight).sum(),
            first_content_ms: slowest.reduce(|one, other| Quantiles {
                p50: one.p50.max(other.p50),
                p99: one.p99.max(other.p99),
            }),
            tokens_per_s: rates.per_s(before.completion_tokens, now.completion_tokens),
            answer_tokens_per_s: credentials
                .iter()
                .filter_map(|one| one.tokens_per_s.map(|speed| speed.p50))
                .min(),
            cost_usd_per_min: rates.usd_per_min(before.cost, now.cost),
            credentials: credentials.clone(),
        }
    }
}

/// An endpoint's state is that of the credential that is best off: a call would
/// take it.
fn state(credentials: &[Credential]) -> (State, String) {
    let all = credentials.iter().map(state_of);
    let Some((state, much, whose)) = all.clone().min() else {
        return (State::Ok, "ok".to_owned());
    };
    let mut text = match state {
        State::Ok => "ok".to_owned(),
        State::Full => format!("full {much}"),
        State::Probe => "probe".to_owned(),
        State::Rest => format!("rest {}s", much.div_ceil(1_000)),
        State::Open => format!("{whose}open {}s", much.div_ceil(1_000)),
    };
    let well = all.filter(|(state, ..)| *state == State::Ok).count();
    if well > 0 && well < credentials.len() {
        text = format!("{text} {well}/{}", credentials.len());
    }
    (state, text)
}

/// The state; how long it lasts, or of what is full how many calls that are; and
/// what more than the endpoint is open.
fn state_of(one: &Credential) -> (State, u64, &'static str) {
    let of = &one.breakers;
    let breakers = [of.provider, of.credential, of.endpoint];
    if breakers.contains(&Breaker::Open) {
        let whose = match breakers {
            [Breaker::Open, ..] => "provider ",
            [_, Breaker::Open, _] => "key ",
            _ => "",
        };
        (State::Open, one.probe_in_ms.unwrap_or(0), whose)
    } else if let Some(rest_ms) = one.rest_ms {
        (State::Rest, rest_ms, "")
    } else if breakers.contains(&Breaker::Probe) {
        (State::Probe, 0, "")
    } else if let Some(calls) = one.calls_max.filter(|max| one.in_flight >= *max) {
        (State::Full, calls, "")
    } else {
        (State::Ok, 0, "")
    }
}
