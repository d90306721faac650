//! What callers who leave are charged, against what their calls truly cost.

mod case;

use std::time::Duration;

use bourse_ledger::record::{self, Record};
use bourse_spool::Position;
use bourse_vocab::Format;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use case::{Case, INPUT_NANOS, OUTPUT_NANOS, Sort};

use super::harness::{Got, Harness, Play, ms, play, secs};
use super::script::{Answer, Fate};
use crate::phases::hold::goals::Dice;
use crate::unknown::OF_KEY_MAX;

/// Calls that are left in each format: 10,000 in all, a tenth of them for
/// whole answers.
const STREAMS: usize = 3_000;
const WHOLE: usize = 334;
/// How many of them one server sees: what is unknown of more is capped, and
/// they would be read to their end.
const OF_SERVER: usize = 750;
/// Calls before that which are answered wholly: something is learned.
const BEFORE: usize = 60;

/// Makes a call to its end, also the end that its client does not see.
async fn ask(harness: &Harness, play: &Play) -> (Got, Fate) {
    play.answers_on(harness);
    let got = harness.ask(play).await;
    all_ended(harness).await;
    (got, harness.script.fate())
}

async fn all_ended(harness: &Harness) {
    while harness.held() > 0 {
        sleep(ms(50)).await;
    }
}

/// What was charged, call by call, and how many of them are questions.
fn charges(harness: &Harness) -> (Vec<u64>, usize) {
    let till = &harness.gateway().till;
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let (mut charges, mut questions) = (Vec::new(), 0);
    loop {
        let batch = reader.read(till.spool().written(), 100_000).unwrap();
        if batch.iter().next().is_none() {
            return (charges, questions);
        }
        for bytes in batch.iter() {
            let possible = match record::decode(bytes).unwrap() {
                Record::Settle(settle) => {
                    charges.push(u64::try_from(settle.settlement.charge.0).unwrap());
                    settle.settlement.possible.len()
                }
                Record::Void(void) => {
                    charges.push(0);
                    void.voiding.possible.len()
                }
                _ => continue,
            };
            questions += usize::from(possible > 0);
        }
    }
}

/// Charge and truth of calls that were left.
async fn leave(sort: Sort, aborts: usize, dice: &mut Dice) -> Vec<(u64, u64)> {
    let harness = Case::new(sort, dice).play(dice).harness().await;
    for _ in 0..BEFORE {
        let case = Case::new(sort, dice);
        ask(&harness, &case.play(dice)).await;
    }
    let mut truths = Vec::new();
    let mut cancelled = 0;
    while truths.len() < aborts {
        let case = Case::new(sort, dice);
        let play = case.play(dice);
        // At any moment of the call, or at any byte of the answer.
        let (play, after_ms) = if sort.is_whole || dice.one_in(2) {
            let after_ms = 1 + dice.upto(case.takes_ms() - 2);
            (play.leaves(ms(after_ms)), Some(after_ms))
        } else {
            let bytes = 1 + dice.upto(case.stream_bytes());
            (play.leaves_at_byte(usize::try_from(bytes).unwrap()), None)
        };
        let (got, fate) = ask(&harness, &play).await;
        let at_ms = u64::try_from(got.at.as_millis()).unwrap();
        if got.is_ended {
            // There were not so many bytes.
            truths.push(None);
            continue;
        }
        cancelled += usize::from(fate == Fate::Dropped);
        truths.push(Some(case.truth(after_ms.unwrap_or(at_ms))));
    }
    let (charges, questions) = charges(&harness);
    assert_eq!(charges.len(), BEFORE + truths.len());
    // The last words of some have the usage: those are no questions.
    assert!(questions <= cancelled && questions * 4 >= cancelled * 3);
    let charges = charges.into_iter().skip(BEFORE);
    let calls = charges.zip(truths);
    calls
        .filter_map(|(charge, truth)| Some((charge, truth?)))
        .collect()
}

async fn charged_as_it_cost(format: Format, seed: u64) {
    let dice = &mut Dice(seed);
    let mut all = Vec::new();
    for sums_up in [false, true] {
        let mut some = Vec::new();
        let sort = Sort {
            format,
            is_whole: false,
            sums_up,
        };
        while some.len() < STREAMS / 2 {
            some.extend(leave(sort, OF_SERVER, dice).await);
        }
        tell(&format!("{format:?}, with summaries {sums_up}"), &some).must_be_near();
        all.extend(some);
    }
    let sort = Sort {
        format,
        is_whole: true,
        sums_up: false,
    };
    let whole = leave(sort, WHOLE, dice).await;
    let exact = |(charge, truth): &(u64, u64)| charge == truth;
    assert!(whole.iter().all(exact), "what is read to its end is known");
    all.extend(whole);
    tell(&format!("{format:?}"), &all).must_be_near();
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_a_chat_completion_cost() {
    charged_as_it_cost(Format::OpenAiChat, 23).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_a_message_cost() {
    charged_as_it_cost(Format::Anthropic, 24).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_a_response_cost() {
    charged_as_it_cost(Format::OpenAiResponses, 26).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_geminis_content_cost() {
    charged_as_it_cost(Format::Gemini, 25).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_converse_cost() {
    charged_as_it_cost(Format::Bedrock, 27).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_ollamas_chat_cost() {
    charged_as_it_cost(Format::Ollama, 28).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_coheres_chat_cost() {
    charged_as_it_cost(Format::Cohere, 29).await;
}

/// In thousandths of the truth, and of the calls.
struct Told {
    bias: u64,
    near: usize,
    most: u64,
}

impl Told {
    fn must_be_near(&self) {
        let Self { bias, near, most } = *self;
        assert!((950..=1_050).contains(&bias), "{bias}");
        assert!(near >= 900, "{near}");
        assert!(most <= 1_200, "{most}");
    }
}

fn tell(name: &str, calls: &[(u64, u64)]) -> Told {
    let mut ratios: Vec<_> = calls
        .iter()
        .map(|(charge, truth)| charge * 1_000 / truth)
        .collect();
    ratios.sort_unstable();
    let charged: u64 = calls.iter().map(|(charge, _)| charge).sum();
    let truth: u64 = calls.iter().map(|(_, truth)| truth).sum();
    let near = ratios.iter().filter(|ratio| (750..=1_250).contains(*ratio));
    let told = Told {
        bias: charged * 1_000 / truth,
        near: near.count() * 1_000 / calls.len(),
        most: *ratios.last().unwrap(),
    };
    println!(
        "{name}: {} aborts, charged {} thousandths of the truth, {} thousandths within a quarter, from {} to {}",
        calls.len(),
        told.bias,
        told.near,
        ratios[0],
        told.most
    );
    told
}

/// Streams of a provider that works without a sign until its answer is there,
/// and charges for all that it has done.
const WORKS_FOR: Duration = secs(20);
const PROMPT_TOKENS: u64 = 40_000;
const TOKENS_A_SECOND: u64 = 40;

#[tokio::test(start_paused = true)]
async fn leaving_again_and_again_costs_the_house_no_more_than_the_cap() {
    const ROUNDS: usize = 20;
    const AT_ONCE: usize = 10;
    let dice = &mut Dice(29);
    let answer = Answer::stream().text("hi").finish();
    let answer = answer.usage(PROMPT_TOKENS, TOKENS_A_SECOND * WORKS_FOR.as_secs());
    let answer = answer.done().head_after(WORKS_FOR);
    let leaving = |seconds: u64| {
        let prompt = "word ".repeat(usize::try_from(PROMPT_TOKENS).unwrap() * 4 / 5);
        play()
            .setup(|setup| {
                setup.credit = 1_000_000_000_000;
                setup.drains_max = AT_ONCE;
            })
            .member("messages", json!([{"role": "user", "content": prompt}]))
            .one(answer.clone())
            .leaves(secs(seconds))
    };
    let harness = leaving(1).harness().await;
    let (mut truth, mut cancelled) = (0, 0);
    for _ in 0..ROUNDS {
        let began = harness.script.seen().len();
        let plays: Vec<_> = (0..AT_ONCE).map(|_| leaving(1 + dice.upto(18))).collect();
        join_all(plays.iter().map(|play| harness.ask(play))).await;
        all_ended(&harness).await;
        for (play, (_, fate)) in plays.iter().zip(&harness.script.seen()[began..]) {
            let is_cancelled = *fate == Fate::Dropped;
            cancelled += usize::from(is_cancelled);
            let seconds = if is_cancelled {
                play.left_after()
            } else {
                WORKS_FOR
            };
            let output = TOKENS_A_SECOND * seconds.as_secs();
            truth += PROMPT_TOKENS * INPUT_NANOS + output * OUTPUT_NANOS;
        }
    }
    let (charges, _) = charges(&harness);
    let charged: u64 = charges.iter().sum();
    let loss = truth - charged;
    let calls = ROUNDS * AT_ONCE;
    println!(
        "{calls} calls left, {cancelled} of them cancelled: worth {truth} n$, charged {charged} n$, the house bears {loss} n$"
    );
    assert_eq!(charges.len(), calls);
    assert!(cancelled > 0 && cancelled < calls / 2, "{cancelled}");
    assert!(loss <= u64::try_from(OF_KEY_MAX.0).unwrap(), "{loss}");
}
