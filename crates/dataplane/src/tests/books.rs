//! What was booked for a call, in a line that a test can compare.

use std::fmt::Write as _;

use bourse_ledger::record::{self, Checkpoint, Cost, Facts, Payer, Record};
use bourse_spool::Position;
use bourse_store::Till;
use bourse_vocab::{Count, FailureKind, Quality};

/// What a token of the input costs in nano-dollars at each provider; one of
/// the output costs twice as much.
pub const PROMPT_NANOS: [(&str, i64); 3] = [("one", 1_000), ("two", 3_000), ("three", 5_000)];

/// What the journal says of a call.
#[derive(Debug, Default, PartialEq)]
pub struct Booked {
    /// What was set aside at first, and each time more.
    pub holds: Vec<i64>,
    /// Providers to which the call went on.
    pub dispatched: Vec<String>,
    /// Output tokens that were delivered at each checkpoint.
    pub checkpoints: Vec<u64>,
    /// How many of these its worker told, in a list.
    pub lists: usize,
    /// Whether all that was delivered at each checkpoint was set aside.
    pub is_covered: bool,
    /// How it ended, in a line. Empty while it runs.
    pub end: String,
    /// What the customer was charged.
    pub charge: i64,
    /// Who pays which provider how much.
    pub costs: Vec<(&'static str, String, i64)>,
    /// What is remembered of it.
    pub facts: Option<Remembered>,
}

/// Facts that tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub provider: String,
    pub endpoint: String,
    pub tier: String,
    pub upstream_id: String,
    pub finish: String,
    pub streamed: bool,
    pub cancelled: bool,
    pub estimated: bool,
    pub latency_ms: u32,
    pub generation_ms: u32,
    pub completion: u64,
    /// The limit that we set.
    pub limit: u64,
    pub failure: Option<FailureKind>,
    /// What the provider said that it cost, where that is booked.
    pub told_cost: i64,
    /// Tool calls, bad ones, and what was wrong with them.
    pub tools: (u64, u64, u8),
    /// What the endpoint was held to be for calls with tools.
    pub quality: Option<Quality>,
    /// What else the generation's record has, as JSON.
    pub extra: String,
    /// Provider, status, milliseconds to the first content or to giving up,
    /// the provider's id of its answer or of the request.
    pub attempts: Vec<(String, u16, u32, String)>,
}

impl Booked {
    fn progress(&mut self, checkpoint: &Checkpoint) {
        self.checkpoints.push(checkpoint.completion);
        let held: i64 = self.holds.iter().sum();
        self.is_covered &= checkpoint.charge.0 <= held;
    }
}

/// Reads the journal of a till with one call in it.
pub fn booked(till: &Till) -> Booked {
    // Notes may still wait for company.
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let batch = reader.read(till.spool().written(), 100_000).unwrap();
    let mut booked = Booked {
        is_covered: true,
        ..Booked::default()
    };
    for bytes in batch.iter() {
        match record::decode(bytes).unwrap() {
            Record::Hold(hold) => booked.holds.push(hold.amount.0),
            Record::Extend(extend) => booked.holds.push(extend.extra.0),
            Record::Dispatch(dispatch) => booked.dispatched.push(dispatch.provider.to_owned()),
            Record::Checkpoint(one) => booked.progress(&one),
            Record::Checkpoints(list) => {
                list.iter().for_each(|one| booked.progress(one));
                booked.lists += 1;
            }
            Record::Settle(settle) => {
                assert_eq!(booked.end, "", "a call ends once");
                let settlement = &settle.settlement;
                let facts = &settlement.facts;
                let price = price_of(facts.provider);
                let (prompt, completion) = counts(facts);
                let tokens = i64::try_from(prompt + 2 * completion).unwrap();
                let worth = price * tokens * halves(facts) / 2;
                // An answer that was continued has the prices of two.
                if facts.attempts.iter().filter(|one| one.billed.0 > 0).count() < 2 {
                    assert_eq!(
                        settlement.charge.0, worth,
                        "the charge is the usage's price"
                    );
                    for cost in &settlement.costs {
                        let told = facts.told_cost.0;
                        let expected = if told == 0 { worth } else { told };
                        assert_eq!(cost.amount.0, expected, "without a markup, cost is charge");
                    }
                }
                booked.charge = settlement.charge.0;
                booked.costs = amounts(&settlement.costs);
                let count = if facts.flags.estimated {
                    format!("~/{completion}")
                } else {
                    format!("{prompt}/{completion}")
                };
                booked.end = format!("settled {count}");
                if settle.paid < settlement.charge {
                    booked.end.push_str("; short");
                }
                costs(&mut booked.end, &settlement.costs, &settlement.possible);
                booked.facts = Some(remember(facts));
                let total = record::recompute(&Record::Settle(settle.clone())).unwrap();
                assert_eq!(total.total, settlement.charge, "the lines say the same");
            }
            Record::Void(void) => {
                assert_eq!(booked.end, "", "a call ends once");
                let voiding = &void.voiding;
                booked.end = format!("void {:?}", voiding.reason);
                costs(&mut booked.end, &voiding.costs, &voiding.possible);
                for possible in &voiding.possible {
                    assert_eq!(possible.amount, void.held, "at most what was set aside");
                }
                booked.facts = Some(remember(&voiding.facts));
            }
            Record::Refused(_) => {}
        }
    }
    booked
}

fn counts(facts: &Facts<'_>) -> (u64, u64) {
    let count = |count| facts.counts.get(count);
    (count(Count::Prompt), count(Count::Completion))
}

fn price_of(provider: &str) -> i64 {
    let found = PROMPT_NANOS.iter().find(|(slug, _)| *slug == provider);
    found.unwrap().1
}

/// How many halves of the usual price the tier of service costs that served:
/// what the answer says, or else what was asked for.
fn halves(facts: &Facts<'_>) -> i64 {
    let asked = facts.endpoint.rsplit('/').next().unwrap_or_default();
    match (facts.service_tier, asked) {
        ("flex", _) | ("", "flex") => 1,
        ("", "priority") => 4,
        ("" | "default", _) => 2,
        // The dearest, if nothing is known of it.
        _ => 4,
    }
}

fn amounts(costs: &[Cost<'_>]) -> Vec<(&'static str, String, i64)> {
    let payer = |cost: &Cost<'_>| match cost.payer {
        Payer::Customer => "customer",
        Payer::House => "house",
    };
    costs
        .iter()
        .map(|cost| (payer(cost), cost.provider.to_owned(), cost.amount.0))
        .collect()
}

fn costs(line: &mut String, costs: &[Cost<'_>], possible: &[Cost<'_>]) {
    for cost in costs {
        let payer = match cost.payer {
            Payer::Customer => "customer",
            Payer::House => "house",
        };
        write!(line, "; {} pays {}", payer, cost.provider).unwrap();
    }
    for cost in possible {
        assert_eq!(cost.payer, Payer::House);
        write!(line, "; possible {}", cost.provider).unwrap();
    }
}

fn remember(facts: &Facts<'_>) -> Remembered {
    Remembered {
        provider: facts.provider.to_owned(),
        endpoint: facts.endpoint.to_owned(),
        tier: facts.service_tier.to_owned(),
        upstream_id: facts.upstream_id.to_owned(),
        finish: facts.finish.to_owned(),
        streamed: facts.flags.streamed,
        cancelled: facts.flags.cancelled,
        estimated: facts.flags.estimated,
        latency_ms: facts.latency_ms,
        generation_ms: facts.generation_ms,
        completion: counts(facts).1,
        limit: facts.counts.get(Count::OutputLimit),
        failure: facts.failure,
        told_cost: facts.told_cost.0,
        tools: (
            facts.counts.get(Count::ToolCalls),
            facts.counts.get(Count::BadToolCalls),
            facts.tool_errors,
        ),
        quality: facts.quality,
        extra: facts.extra.to_owned(),
        attempts: facts
            .attempts
            .iter()
            .map(|attempt| {
                (
                    attempt.provider.to_owned(),
                    attempt.status,
                    attempt.latency_ms,
                    format!("{}{}", attempt.upstream_id, attempt.request_id),
                )
            })
            .collect(),
    }
}
